-- Reading ids: their fields and their time, by generator or by layout.

CREATE FUNCTION @extschema@.idgen_decode(id bigint,
    OUT generated_at timestamptz, OUT region_id integer, OUT app_id integer, OUT worker_id integer, OUT sequence bigint)
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2
    AS 'MODULE_PATHNAME', 'idgen_sql_decode';
COMMENT ON FUNCTION @extschema@.idgen_decode(bigint) IS
'Returns the fields of an id of the default generator: 41 bits of milliseconds since 2024-01-01 00:00 UTC, 10 bits of worker id, 12 bits of sequence; no region and no app.';

CREATE FUNCTION @extschema@.idgen_timestamp(id bigint) RETURNS timestamptz
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_timestamp';
COMMENT ON FUNCTION @extschema@.idgen_timestamp(bigint) IS
'Returns when an id of the default generator was issued, in whole milliseconds. 22023 for a negative number.';

CREATE FUNCTION @extschema@.idgen_decode(id bigint, generator text,
    OUT generated_at timestamptz, OUT region_id integer, OUT app_id integer, OUT worker_id integer, OUT sequence bigint)
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 2
    AS 'MODULE_PATHNAME', 'idgen_sql_decode_generator';
COMMENT ON FUNCTION @extschema@.idgen_decode(bigint, text) IS
'Returns the fields of an id of a generator, with NULL for fields that its layout does not have. In indexes and generated columns, use idgen_decode_layout() instead.';

CREATE FUNCTION @extschema@.idgen_timestamp(id bigint, generator text) RETURNS timestamptz
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_timestamp_generator';
COMMENT ON FUNCTION @extschema@.idgen_timestamp(bigint, text) IS
'Returns when an id of a generator was issued: the start of its tick. 22023 for a number with more bits than the layout; 42704 if the generator does not exist.';

CREATE FUNCTION @extschema@.idgen_decode_layout(id bigint, layout text, epoch timestamptz DEFAULT NULL, unit interval DEFAULT NULL,
    OUT generated_at timestamptz, OUT region_id integer, OUT app_id integer, OUT worker_id integer, OUT sequence bigint)
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 2
    AS 'MODULE_PATHNAME', 'idgen_sql_decode_layout';
COMMENT ON FUNCTION @extschema@.idgen_decode_layout(bigint, text, timestamptz, interval) IS
'Returns the fields of an id of any layout, whoever issued it. See idgen_describe_layout() for layout, epoch and unit. Ids that use the 64th bit are negative numbers.';

CREATE FUNCTION @extschema@.idgen_timestamp_layout(id bigint, layout text, epoch timestamptz DEFAULT NULL, unit interval DEFAULT NULL)
    RETURNS timestamptz
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_timestamp_layout';
COMMENT ON FUNCTION @extschema@.idgen_timestamp_layout(bigint, text, timestamptz, interval) IS
'Returns when an id of any layout was issued: generated_at of idgen_decode_layout().';
