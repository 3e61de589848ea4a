-- idgen 0.4. Frozen once released: later versions ship upgrade scripts.
\echo Use "CREATE EXTENSION idgen" to load this file. \quit

-- ids

CREATE FUNCTION idgen_next() RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_next';
COMMENT ON FUNCTION idgen_next() IS
'A new id: positive, increasing within a session, never given out before by any session of any server with another worker id. Waits up to idgen.max_wait while ids have run ahead of the clock by idgen.max_ahead. Raises 55000 while the server has no worker identity, 53400 past idgen.max_wait, 25006 on a hot standby.';

CREATE FUNCTION idgen_next_text() RETURNS text
    LANGUAGE c VOLATILE PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_next_text';
COMMENT ON FUNCTION idgen_next_text() IS
'A new id as idgen_next() gives it, as decimal text, for clients that keep numbers as doubles and would round it.';

CREATE FUNCTION idgen_batch(count bigint) RETURNS SETOF bigint
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1 ROWS 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_batch';
COMMENT ON FUNCTION idgen_batch(bigint) IS
'count new ids in increasing order, as idgen_next() gives them. None for NULL; 22023 for a negative count.';

-- reading ids

CREATE FUNCTION idgen_decode(id bigint,
    OUT generated_at timestamptz, OUT region_id integer, OUT app_id integer, OUT worker_id integer, OUT sequence bigint)
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2
    AS 'MODULE_PATHNAME', 'idgen_sql_decode';
COMMENT ON FUNCTION idgen_decode(bigint) IS
'The fields of an id of the default generator: 41 bits of milliseconds since 2024-01-01 00:00 UTC, 10 bits worker id, 12 bits sequence. It has no region and no app: these are NULL. 22023 for a negative number; any other is decoded as the layout says, whoever made it.';

CREATE FUNCTION idgen_timestamp(id bigint) RETURNS timestamptz
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_timestamp';
COMMENT ON FUNCTION idgen_timestamp(bigint) IS
'When an id of the default generator was made, in whole milliseconds. 22023 for a negative number.';

-- text forms

CREATE FUNCTION idgen_to_base32(id bigint) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_to_base32';
COMMENT ON FUNCTION idgen_to_base32(bigint) IS
'An id in Crockford''s base32, as TSIDs have it: 13 characters of 0-9 and A-Z without I, L, O and U, which sort like unsigned ids under COLLATE "C". Any bigint has one; a negative one counts as 2^64 more.';

CREATE FUNCTION idgen_from_base32(text text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_from_base32';
COMMENT ON FUNCTION idgen_from_base32(text) IS
'The id that idgen_to_base32() wrote. Exactly 13 characters, in either case; I and L are read as 1, O as 0. 22P02 for anything else, 22003 above 2^64 - 1.';

CREATE FUNCTION idgen_to_base58(id bigint) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_to_base58';
COMMENT ON FUNCTION idgen_to_base58(bigint) IS
'An id in base58 with Bitcoin''s alphabet: at most 11 characters of 1-9, A-Z and a-z without I, O and l. They don''t sort like ids. Any bigint has one; a negative one counts as 2^64 more.';

CREATE FUNCTION idgen_from_base58(text text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_from_base58';
COMMENT ON FUNCTION idgen_from_base58(text) IS
'The id that idgen_to_base58() wrote. 1 to 11 characters; case matters; only the id 0 begins with 1. 22P02 for anything else, 22003 above 2^64 - 1.';

CREATE FUNCTION idgen_to_base62(id bigint) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_to_base62';
COMMENT ON FUNCTION idgen_to_base62(bigint) IS
'An id in base62: 11 characters of 0-9, A-Z and a-z, which sort like unsigned ids under COLLATE "C". Any bigint has one; a negative one counts as 2^64 more.';

CREATE FUNCTION idgen_from_base62(text text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_from_base62';
COMMENT ON FUNCTION idgen_from_base62(text) IS
'The id that idgen_to_base62() wrote. Exactly 11 characters; case matters. 22P02 for anything else, 22003 above 2^64 - 1.';

CREATE FUNCTION idgen_to_hex(id bigint) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_to_hex';
COMMENT ON FUNCTION idgen_to_hex(bigint) IS
'An id in hexadecimal: 16 characters of 0-9 and a-f, which sort like unsigned ids. Any bigint has one; a negative one counts as 2^64 more.';

CREATE FUNCTION idgen_from_hex(text text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_from_hex';
COMMENT ON FUNCTION idgen_from_hex(text) IS
'The id that idgen_to_hex() wrote. Exactly 16 characters, in either case, without a prefix. 22P02 for anything else.';

CREATE FUNCTION idgen_to_unsigned(id bigint) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_to_unsigned';
COMMENT ON FUNCTION idgen_to_unsigned(bigint) IS
'An id in decimal digits without a sign: of a negative bigint those of the same 64 bits, 2^63 and above. Of any other the same as its own text.';

CREATE FUNCTION idgen_from_unsigned(text text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_from_unsigned';
COMMENT ON FUNCTION idgen_from_unsigned(text) IS
'The id that idgen_to_unsigned() wrote. 1 to 20 digits, no sign, no spaces, no leading zeros; from 2^63 on the same 64 bits as a negative bigint. 22P02 for anything else, 22003 above 2^64 - 1.';

CREATE FUNCTION uuid_to_ulid(uuid uuid) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_to_ulid';
COMMENT ON FUNCTION uuid_to_ulid(uuid) IS
'The 128 bits of a UUID, of any version, as a ULID: 26 characters of Crockford''s base32, which sort like UUIDs under COLLATE "C". A ULID begins with 48 bits of Unix milliseconds, as a UUID of version 7 does.';

CREATE FUNCTION uuid_from_ulid(text text) RETURNS uuid
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_from_ulid';
COMMENT ON FUNCTION uuid_from_ulid(text) IS
'The 128 bits of a ULID as a UUID; of one that uuid_to_ulid() wrote, that UUID. Exactly 26 characters, in either case; I and L are read as 1, O as 0. A ULID made elsewhere has random bits where a UUID has its version, so uuid_v7_timestamp() refuses most of them. 22P02 for anything else, 22003 above 2^128 - 1 (the first character is at most 7).';

-- UUIDs

CREATE FUNCTION uuid_v7() RETURNS uuid
    LANGUAGE c VOLATILE PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_v7';
COMMENT ON FUNCTION uuid_v7() IS
'A new UUID of version 7 (RFC 9562): Unix milliseconds, a 16-bit counter (section 6.2, method 1), 58 random bits. Strictly increasing over all sessions of the server where idgen is in shared_preload_libraries, else within the session. Never waits and never fails for want of a number. Its time lags the clock by a tick of the kernel''s coarse clock at the most (4 ms, as a rule), and leads it only past 32,768 UUIDs in one millisecond, or by as much as a clock was set back until that is caught up with.';

CREATE FUNCTION uuid_v7_timestamp(uuid uuid) RETURNS timestamptz
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_v7_timestamp';
COMMENT ON FUNCTION uuid_v7_timestamp(uuid) IS
'The time in a UUID of version 7, whoever made it, in whole milliseconds. 22023 for any other version or variant.';

CREATE FUNCTION uuid_v7_decode(uuid uuid, OUT generated_at timestamptz, OUT rand_a integer, OUT rand_b bigint)
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_v7_decode';
COMMENT ON FUNCTION uuid_v7_decode(uuid) IS
'The fields of a UUID of version 7, named as in RFC 9562: its time, rand_a (12 bits) and rand_b (62 bits). 22023 for any other version or variant.';

CREATE FUNCTION uuid_v7(at timestamptz) RETURNS uuid
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_v7_at';
COMMENT ON FUNCTION uuid_v7(timestamptz) IS
'A UUID of version 7 for a row of the past: with the millisecond of that time, rounded down, and 74 random bits. Those of one millisecond are in no order. 22008 before 1970 and after 10889-08-02 05:31:50.655 UTC.';

CREATE FUNCTION uuid_v7_min(at timestamptz) RETURNS uuid
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_v7_min';
COMMENT ON FUNCTION uuid_v7_min(timestamptz) IS
'The lower bound of a time range in UUIDs of version 7, for the index on the UUIDs themselves: id >= uuid_v7_min(t) exactly where uuid_v7_timestamp(id) >= t. Any time will do; past the last time that a UUID has, the max UUID, which no UUID of version 7 reaches.';

CREATE FUNCTION uuid_v7_max(at timestamptz) RETURNS uuid
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_v7_max';
COMMENT ON FUNCTION uuid_v7_max(timestamptz) IS
'The upper bound of a time range in UUIDs of version 7, for the index on the UUIDs themselves: id <= uuid_v7_max(t) exactly where uuid_v7_timestamp(id) <= t. Any time will do; before 1970, the nil UUID, which every UUID of version 7 is above.';

-- watching it

CREATE FUNCTION idgen_status(
    OUT state text, OUT reason text, OUT advice text, OUT worker_id integer, OUT worker_source text,
    OUT ceiling timestamptz, OUT ceiling_left interval, OUT drift interval, OUT clock_ahead interval,
    OUT ids_issued bigint,
    OUT lease_holder text, OUT lease_expires_at timestamptz, OUT last_renewal_at timestamptz,
    OUT renewal_latency interval, OUT renewal_failures integer,
    OUT last_error text, OUT last_error_at timestamptz, OUT worker_pid integer,
    OUT server_version text, OUT library_version text)
    LANGUAGE c VOLATILE PARALLEL SAFE COST 10
    AS 'MODULE_PATHNAME', 'idgen_sql_status_0_3';
COMMENT ON FUNCTION idgen_status() IS
'One row: is id generation healthy (state is ''ok''), why not, and what to do. ceiling: no id has a later time, and a restart goes on from it; ceiling_left: until the id clock reaches it. drift: how far the next id is ahead of the id clock. clock_ahead: how far the id clock is ahead of the wall clock. ids_issued: since the server started. Of a leased worker id: lease_holder, as others see this server (host|port|directory); lease_expires_at, by the store''s clock; last_renewal_at and how long the store''s last answer took; renewal_failures in a row.';

CREATE FUNCTION idgen_wait_ready(timeout interval DEFAULT '30 s') RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_wait_ready';
COMMENT ON FUNCTION idgen_wait_ready(interval) IS
'Waits until the server can give ids: true, or false where timeout has passed first. For deployments and tests. 55000 where idgen is not in shared_preload_libraries.';

CREATE FUNCTION idgen_stat_get_backends(
    OUT pid integer, OUT ids bigint, OUT blocks bigint, OUT lost_ids bigint, OUT waits bigint, OUT waited interval,
    OUT waiting boolean, OUT waiting_for interval)
    RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL SAFE COST 10 ROWS 100
    AS 'MODULE_PATHNAME', 'idgen_sql_stat_backends';
COMMENT ON FUNCTION idgen_stat_get_backends() IS
'The rows of the view idgen_stat_backends. None where idgen is not in shared_preload_libraries.';

CREATE VIEW idgen_stat_backends AS SELECT * FROM idgen_stat_get_backends();
GRANT SELECT ON idgen_stat_backends TO PUBLIC;
COMMENT ON VIEW idgen_stat_backends IS
'What each live backend that has asked for ids has had since it began: ids given out, blocks reserved for them, ids lost in blocks that were dropped, how often and how long it has waited, and whether it waits right now.';

CREATE FUNCTION idgen_stat_get_generators(
    OUT generator text, OUT ids bigint, OUT blocks bigint, OUT lost_ids bigint, OUT waits bigint, OUT waited interval,
    OUT drift interval, OUT max_drift interval, OUT stats_reset timestamptz)
    RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL SAFE COST 10 ROWS 1
    AS 'MODULE_PATHNAME', 'idgen_sql_stat_generators';
COMMENT ON FUNCTION idgen_stat_get_generators() IS
'The rows of the view idgen_stat_generators. None where idgen is not in shared_preload_libraries.';

CREATE VIEW idgen_stat_generators AS SELECT * FROM idgen_stat_get_generators();
GRANT SELECT ON idgen_stat_generators TO PUBLIC;
COMMENT ON VIEW idgen_stat_generators IS
'What all backends together have had of each generator since stats_reset, or since the server started: ids, blocks, ids lost in dropped blocks, waits; drift: how far the next id is ahead of the id clock now; max_drift: the furthest.';

CREATE FUNCTION idgen_stat_get_clock(
    OUT ahead interval, OUT right_at timestamptz, OUT steps_back bigint, OUT largest_step_back interval,
    OUT stats_reset timestamptz)
    RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL SAFE COST 10 ROWS 1
    AS 'MODULE_PATHNAME', 'idgen_sql_stat_clock';
COMMENT ON FUNCTION idgen_stat_get_clock() IS
'The row of the view idgen_stat_clock. None where idgen is not in shared_preload_libraries.';

CREATE VIEW idgen_stat_clock AS SELECT * FROM idgen_stat_get_clock();
GRANT SELECT ON idgen_stat_clock TO PUBLIC;
COMMENT ON VIEW idgen_stat_clock IS
'The id clock against the wall clock: ahead (negative while a large step forward is waited out) and about when it will be right; how often the wall clock has stepped back since stats_reset, or since the server started, and by how much at the most.';

CREATE FUNCTION idgen_stat_reset() RETURNS void
    LANGUAGE c VOLATILE PARALLEL SAFE COST 10
    AS 'MODULE_PATHNAME', 'idgen_sql_stat_reset';
COMMENT ON FUNCTION idgen_stat_reset() IS
'Sets the counts of idgen_stat_generators and idgen_stat_clock to zero. A live backend''s own row in idgen_stat_backends goes on, but for its largest drift. Superusers only, unless granted.';
REVOKE ALL ON FUNCTION idgen_stat_reset() FROM PUBLIC;

-- leased worker ids

CREATE FUNCTION idgen_workers(
    OUT worker_id integer, OUT state text, OUT host text, OUT port integer, OUT data_directory text,
    OUT ceiling timestamptz, OUT expires_at timestamptz, OUT is_self boolean)
    RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 10000 ROWS 100
    AS 'MODULE_PATHNAME', 'idgen_sql_workers';
COMMENT ON FUNCTION idgen_workers() IS
'Every worker id that was ever leased under idgen.lease_prefix, straight from the store: who holds it (state ''held''), held it last (''free'', or ''expired'' where it was never given back); ceiling: no id with it has a later time; expires_at, by the store''s clock. 08006 where the store does not answer, 55000 where none is set. For members of pg_monitor, unless granted.';
REVOKE ALL ON FUNCTION idgen_workers() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idgen_workers() TO pg_monitor;

CREATE FUNCTION idgen_declare_new_prefix() RETURNS timestamptz
    LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 10000
    AS 'MODULE_PATHNAME', 'idgen_sql_declare_new_prefix';
COMMENT ON FUNCTION idgen_declare_new_prefix() IS
'Says to the lease store that no server has ever had a worker id under idgen.lease_prefix, so that servers need not wait idgen.lease_ttl for what it may have forgotten. Holds for one idgen.lease_ttl, until the time returned, by the store''s clock. The risk: where servers have issued ids under the prefix within that time, ids may repeat. 55000 where the store knows of worker ids leased under it. Superusers only, unless granted.';
REVOKE ALL ON FUNCTION idgen_declare_new_prefix() FROM PUBLIC;

-- the operator's way out

CREATE FUNCTION idgen_forget_floor() RETURNS timestamptz
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_forget_floor';
COMMENT ON FUNCTION idgen_forget_floor() IS
'Gives up the floor that a server waits for because earlier ids lie ahead of the clock (see idgen_status()), so that ids begin at the wall clock, and returns it. The risk: ids that were issued up to that time may be issued again when the clock gets there. Safe where the clock was wrong and every id from that time has been deleted, or where none was issued. 55000 where no floor is waited for. Superusers only, unless granted.';
REVOKE ALL ON FUNCTION idgen_forget_floor() FROM PUBLIC;

-- This script runs where ids are new, so a server without a trace of earlier ones may start at once.
CREATE FUNCTION idgen_declare_new_server() RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'idgen_sql_declare_new_server';
SELECT idgen_declare_new_server();
DROP FUNCTION idgen_declare_new_server();
