-- Time ranges as ranges of ids.

CREATE FUNCTION @extschema@.idgen_min_id(at timestamptz) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_min_id';
COMMENT ON FUNCTION @extschema@.idgen_min_id(timestamptz) IS
'Lower bound of a time range for ids of the default generator: id >= idgen_min_id(t) if and only if idgen_timestamp(id) >= t. 0 before its epoch; 22008 if all ids are earlier.';

CREATE FUNCTION @extschema@.idgen_max_id(at timestamptz) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_max_id';
COMMENT ON FUNCTION @extschema@.idgen_max_id(timestamptz) IS
'Upper bound of a time range for ids of the default generator: id <= idgen_max_id(t) if and only if idgen_timestamp(id) <= t. Ids can be ahead of the clock by idgen.max_ahead.';

CREATE FUNCTION @extschema@.idgen_min_id(at timestamptz, generator text) RETURNS bigint
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_min_id_generator';
COMMENT ON FUNCTION @extschema@.idgen_min_id(timestamptz, text) IS
'Like idgen_min_id(at), for ids of a generator. 42704 if the generator does not exist.';

CREATE FUNCTION @extschema@.idgen_max_id(at timestamptz, generator text) RETURNS bigint
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_max_id_generator';
COMMENT ON FUNCTION @extschema@.idgen_max_id(timestamptz, text) IS
'Like idgen_max_id(at), for ids of a generator. 42704 if the generator does not exist.';
