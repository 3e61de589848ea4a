-- Ids and UUIDs as text.

CREATE FUNCTION @extschema@.idgen_to_base32(id bigint) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_to_base32';
COMMENT ON FUNCTION @extschema@.idgen_to_base32(bigint) IS
'Returns an id in Crockford''s base32, as TSIDs are written: 13 characters of 0-9 and A-Z without I, L, O and U. They sort like unsigned ids under COLLATE "C".';

CREATE FUNCTION @extschema@.idgen_from_base32(text text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_from_base32';
COMMENT ON FUNCTION @extschema@.idgen_from_base32(text) IS
'Returns the id that idgen_to_base32() wrote. Exactly 13 characters in either case; I and L are read as 1, O as 0. 22P02 for anything else; 22003 above 2^64 - 1.';

CREATE FUNCTION @extschema@.idgen_to_base58(id bigint) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_to_base58';
COMMENT ON FUNCTION @extschema@.idgen_to_base58(bigint) IS
'Returns an id in base58 with Bitcoin''s alphabet: up to 11 characters of 1-9, A-Z and a-z without I, O and l. They do not sort like ids.';

CREATE FUNCTION @extschema@.idgen_from_base58(text text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_from_base58';
COMMENT ON FUNCTION @extschema@.idgen_from_base58(text) IS
'Returns the id that idgen_to_base58() wrote. 1 to 11 characters, case-sensitive; only the id 0 begins with 1. 22P02 for anything else; 22003 above 2^64 - 1.';

CREATE FUNCTION @extschema@.idgen_to_base62(id bigint) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_to_base62';
COMMENT ON FUNCTION @extschema@.idgen_to_base62(bigint) IS
'Returns an id in base62: 11 characters of 0-9, A-Z and a-z. They sort like unsigned ids under COLLATE "C"; a negative bigint counts as 2^64 more.';

CREATE FUNCTION @extschema@.idgen_from_base62(text text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_from_base62';
COMMENT ON FUNCTION @extschema@.idgen_from_base62(text) IS
'Returns the id that idgen_to_base62() wrote. Exactly 11 characters, case-sensitive. 22P02 for anything else; 22003 above 2^64 - 1.';

CREATE FUNCTION @extschema@.idgen_to_hex(id bigint) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_to_hex';
COMMENT ON FUNCTION @extschema@.idgen_to_hex(bigint) IS
'Returns an id in hexadecimal: 16 characters of 0-9 and a-f. They sort like unsigned ids; a negative bigint counts as 2^64 more.';

CREATE FUNCTION @extschema@.idgen_from_hex(text text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_from_hex';
COMMENT ON FUNCTION @extschema@.idgen_from_hex(text) IS
'Returns the id that idgen_to_hex() wrote. Exactly 16 characters in either case, without a prefix. 22P02 for anything else.';

CREATE FUNCTION @extschema@.idgen_to_unsigned(id bigint) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_to_unsigned';
COMMENT ON FUNCTION @extschema@.idgen_to_unsigned(bigint) IS
'Returns an id as an unsigned decimal number: a negative bigint counts as 2^64 more.';

CREATE FUNCTION @extschema@.idgen_from_unsigned(text text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_from_unsigned';
COMMENT ON FUNCTION @extschema@.idgen_from_unsigned(text) IS
'Returns the id that idgen_to_unsigned() wrote; numbers from 2^63 on become negative. 1 to 20 digits without sign, spaces or leading zeros. 22P02 for anything else; 22003 above 2^64 - 1.';

CREATE FUNCTION @extschema@.uuid_to_ulid(uuid uuid) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_to_ulid';
COMMENT ON FUNCTION @extschema@.uuid_to_ulid(uuid) IS
'Returns the 128 bits of a UUID of any version as a ULID: 26 characters of Crockford''s base32. They sort like UUIDs under COLLATE "C".';

CREATE FUNCTION @extschema@.uuid_from_ulid(text text) RETURNS uuid
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_from_ulid';
COMMENT ON FUNCTION @extschema@.uuid_from_ulid(text) IS
'Returns the 128 bits of a ULID as a UUID. uuid_v7_timestamp() rejects most ULIDs made elsewhere: they have random bits where a UUID has its version.';
