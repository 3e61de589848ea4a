-- idgen 0.1 -> 0.2. Frozen once released.
\echo Use "ALTER EXTENSION idgen UPDATE TO '0.2'" to load this file. \quit

-- watching it

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

-- UUIDs

COMMENT ON FUNCTION uuid_v7() IS
'A new UUID of version 7 (RFC 9562): Unix milliseconds, a 16-bit counter (section 6.2, method 1), 58 random bits. Strictly increasing over all sessions of the server where idgen is in shared_preload_libraries, else within the session. Never waits and never fails for want of a number. Its time lags the clock by a tick of the kernel''s coarse clock at the most (4 ms, as a rule), and leads it only past 32,768 UUIDs in one millisecond, or by as much as a clock was set back until that is caught up with.';

-- the operator's way out

CREATE FUNCTION idgen_forget_floor() RETURNS timestamptz
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_forget_floor';
COMMENT ON FUNCTION idgen_forget_floor() IS
'Gives up the floor that a server waits for because earlier ids lie ahead of the clock (see idgen_status()), so that ids begin at the wall clock, and returns it. The risk: ids that were issued up to that time may be issued again when the clock gets there. Safe where the clock was wrong and every id from that time has been deleted, or where none was issued. 55000 where no floor is waited for. Superusers only, unless granted.';
REVOKE ALL ON FUNCTION idgen_forget_floor() FROM PUBLIC;
