-- Time ranges as ranges of ids.

CREATE FUNCTION @extschema@.idgen_min_id(at timestamptz) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_min_id';
COMMENT ON FUNCTION @extschema@.idgen_min_id(timestamptz) IS
'The bound for which id >= idgen_min_id(at) means idgen_timestamp(id) >= at, of every id of the default generator. 0 before its epoch; 22008 if all ids are earlier.';

CREATE FUNCTION @extschema@.idgen_max_id(at timestamptz) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_max_id';
COMMENT ON FUNCTION @extschema@.idgen_max_id(timestamptz) IS
'The bound for which id <= idgen_max_id(at) means idgen_timestamp(id) <= at, for every id of the default generator. Ids can run ahead of the clock by idgen.max_ahead.';

CREATE FUNCTION @extschema@.idgen_min_id(at timestamptz, generator text) RETURNS bigint
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_min_id_generator';
COMMENT ON FUNCTION @extschema@.idgen_min_id(timestamptz, text) IS
'As idgen_min_id(at), of the ids of a generator. 42704 if there is no such generator.';

CREATE FUNCTION @extschema@.idgen_max_id(at timestamptz, generator text) RETURNS bigint
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_max_id_generator';
COMMENT ON FUNCTION @extschema@.idgen_max_id(timestamptz, text) IS
'As idgen_max_id(at), of the ids of a generator. 42704 if there is no such generator.';
