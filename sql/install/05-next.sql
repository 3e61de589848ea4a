-- New ids: idgen_next(), idgen_batch(), idgen_next_text().

CREATE FUNCTION @extschema@.idgen_next_support(internal) RETURNS internal
    LANGUAGE c STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'idgen_sql_next_support';
COMMENT ON FUNCTION @extschema@.idgen_next_support(internal) IS
'The planner''s support function of idgen_next(): refuses to store an id in a smallint or integer column with an error that names the column.';

CREATE FUNCTION @extschema@.idgen_next() RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL SAFE COST 1 SUPPORT @extschema@.idgen_next_support
    AS 'MODULE_PATHNAME', 'idgen_sql_next';
COMMENT ON FUNCTION @extschema@.idgen_next() IS
'A new id: positive, increasing within a session, never given before by any session of any server with another worker id. Waits up to idgen.max_wait if ids have run ahead of the clock.';

CREATE FUNCTION @extschema@.idgen_next_text() RETURNS text
    LANGUAGE c VOLATILE PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_next_text';
COMMENT ON FUNCTION @extschema@.idgen_next_text() IS
'A new id as idgen_next() gives it, as decimal text, for clients that keep numbers as doubles and would round it.';

CREATE FUNCTION @extschema@.idgen_batch(count bigint) RETURNS SETOF bigint
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1 ROWS 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_batch';
COMMENT ON FUNCTION @extschema@.idgen_batch(bigint) IS
'count new ids in increasing order, as idgen_next() gives them. None for NULL; 22023 for a negative count.';

CREATE FUNCTION @extschema@.idgen_next(generator text) RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_next_generator';
COMMENT ON FUNCTION @extschema@.idgen_next(text) IS
'A new id of a generator. NULL for NULL.';

CREATE FUNCTION @extschema@.idgen_batch(count bigint, generator text) RETURNS SETOF bigint
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1 ROWS 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_batch_generator';
COMMENT ON FUNCTION @extschema@.idgen_batch(bigint, text) IS
'count new ids of a generator in increasing order. None for NULL; 22023 for a negative count; 42704 if there is no such generator.';

CREATE FUNCTION @extschema@.idgen_next_text(format text) RETURNS text
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_next_text_format';
COMMENT ON FUNCTION @extschema@.idgen_next_text(text) IS
'A new id as idgen_next() gives it, as text: decimal, base32, base58, base62 or hex, as idgen_to_base32() and the like write it. 22023 for another format.';

CREATE FUNCTION @extschema@.idgen_next_text(format text, generator text) RETURNS text
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_next_text_format';
COMMENT ON FUNCTION @extschema@.idgen_next_text(text, text) IS
'A new id of a generator as text: decimal, base32, base58, base62 or hex. 22023 for another format, 42704 if there is no such generator.';
