-- New ids: idgen_next(), idgen_batch(), idgen_next_text().

CREATE FUNCTION @extschema@.idgen_next_support(internal) RETURNS internal
    LANGUAGE c STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'idgen_sql_next_support';
COMMENT ON FUNCTION @extschema@.idgen_next_support(internal) IS
'Planner support function of idgen_next(): raises an error that names the column when an id would be stored in a smallint or integer column.';

CREATE FUNCTION @extschema@.idgen_next() RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL SAFE COST 1 SUPPORT @extschema@.idgen_next_support
    AS 'MODULE_PATHNAME', 'idgen_sql_next';
COMMENT ON FUNCTION @extschema@.idgen_next() IS
'Returns a new id: positive, increasing within a session, unique across sessions, restarts and servers with different worker ids. Waits up to idgen.max_wait if ids have run ahead of the clock.';

CREATE FUNCTION @extschema@.idgen_next_text() RETURNS text
    LANGUAGE c VOLATILE PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_next_text';
COMMENT ON FUNCTION @extschema@.idgen_next_text() IS
'Returns a new id, as idgen_next() does, but as decimal text, for clients that store numbers as doubles and would round it.';

CREATE FUNCTION @extschema@.idgen_batch(count bigint) RETURNS SETOF bigint
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1 ROWS 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_batch';
COMMENT ON FUNCTION @extschema@.idgen_batch(bigint) IS
'Returns count new ids in increasing order. No rows if count is NULL; 22023 if it is negative.';

CREATE FUNCTION @extschema@.idgen_next(generator text) RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_next_generator';
COMMENT ON FUNCTION @extschema@.idgen_next(text) IS
'Returns a new id of a generator. NULL for NULL; 42704 if the generator does not exist.';

CREATE FUNCTION @extschema@.idgen_batch(count bigint, generator text) RETURNS SETOF bigint
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1 ROWS 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_batch_generator';
COMMENT ON FUNCTION @extschema@.idgen_batch(bigint, text) IS
'Returns count new ids of a generator in increasing order. No rows if an argument is NULL; 22023 if count is negative; 42704 if the generator does not exist.';

CREATE FUNCTION @extschema@.idgen_next_text(format text) RETURNS text
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_next_text_format';
COMMENT ON FUNCTION @extschema@.idgen_next_text(text) IS
'Returns a new id as text in the format decimal, base32, base58, base62 or hex, as idgen_to_base32() and its siblings write it. 22023 for any other format.';

CREATE FUNCTION @extschema@.idgen_next_text(format text, generator text) RETURNS text
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_next_text_format';
COMMENT ON FUNCTION @extschema@.idgen_next_text(text, text) IS
'Returns a new id of a generator as text in the format decimal, base32, base58, base62 or hex. 22023 for any other format; 42704 if the generator does not exist.';
