-- UUIDs of version 7.

CREATE FUNCTION @extschema@.uuid_v7() RETURNS uuid
    LANGUAGE c VOLATILE PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_v7';
COMMENT ON FUNCTION @extschema@.uuid_v7() IS
'Returns a new UUID of version 7 (RFC 9562): strictly increasing across all sessions of the server if idgen is in shared_preload_libraries, otherwise within the session. Never waits.';

CREATE FUNCTION @extschema@.uuid_v7_timestamp(uuid uuid) RETURNS timestamptz
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_v7_timestamp';
COMMENT ON FUNCTION @extschema@.uuid_v7_timestamp(uuid) IS
'Returns the time in a UUID of version 7, whoever issued it, in whole milliseconds. 22023 for any other version or variant.';

CREATE FUNCTION @extschema@.uuid_v7_decode(uuid uuid, OUT generated_at timestamptz, OUT rand_a integer, OUT rand_b bigint)
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_v7_decode';
COMMENT ON FUNCTION @extschema@.uuid_v7_decode(uuid) IS
'Returns the fields of a UUID of version 7, named as in RFC 9562: its time, rand_a (12 bits) and rand_b (62 bits). 22023 for any other version or variant.';

CREATE FUNCTION @extschema@.uuid_v7(at timestamptz) RETURNS uuid
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_v7_at';
COMMENT ON FUNCTION @extschema@.uuid_v7(timestamptz) IS
'Returns a UUID of version 7 for a row of the past: that time, rounded down to milliseconds, and 74 random bits. UUIDs of the same millisecond have no order.';

CREATE FUNCTION @extschema@.uuid_v7_min(at timestamptz) RETURNS uuid
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_v7_min';
COMMENT ON FUNCTION @extschema@.uuid_v7_min(timestamptz) IS
'Lower bound of a time range for UUIDs of version 7, to be used with an index on them: id >= uuid_v7_min(t) if and only if uuid_v7_timestamp(id) >= t.';

CREATE FUNCTION @extschema@.uuid_v7_max(at timestamptz) RETURNS uuid
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_v7_max';
COMMENT ON FUNCTION @extschema@.uuid_v7_max(timestamptz) IS
'Upper bound of a time range for UUIDs of version 7, to be used with an index on them: id <= uuid_v7_max(t) if and only if uuid_v7_timestamp(id) <= t.';
