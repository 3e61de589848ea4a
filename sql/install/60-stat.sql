-- Statistics views.

CREATE FUNCTION @extschema@.idgen_stat_get_backends(
    OUT pid integer, OUT ids bigint, OUT blocks bigint, OUT lost_ids bigint, OUT waits bigint, OUT waited interval,
    OUT waiting boolean, OUT waiting_for interval)
    RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL SAFE COST 10 ROWS 100
    AS 'MODULE_PATHNAME', 'idgen_sql_stat_get_backends';
COMMENT ON FUNCTION @extschema@.idgen_stat_get_backends() IS
'The rows of the view idgen_stat_backends. None if idgen is not in shared_preload_libraries.';

CREATE VIEW @extschema@.idgen_stat_backends AS SELECT * FROM @extschema@.idgen_stat_get_backends();
GRANT SELECT ON @extschema@.idgen_stat_backends TO PUBLIC;
COMMENT ON VIEW @extschema@.idgen_stat_backends IS
'Per live backend that asked for ids: ids issued, blocks reserved, ids lost in dropped blocks, number and duration of waits, and whether it is waiting now.';

CREATE FUNCTION @extschema@.idgen_stat_get_generators(
    OUT generator text, OUT ids bigint, OUT blocks bigint, OUT lost_ids bigint, OUT waits bigint, OUT waited interval,
    OUT drift interval, OUT max_drift interval, OUT stats_reset timestamptz)
    RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL SAFE COST 10 ROWS 1
    AS 'MODULE_PATHNAME', 'idgen_sql_stat_get_generators';
COMMENT ON FUNCTION @extschema@.idgen_stat_get_generators() IS
'The rows of the view idgen_stat_generators. None if idgen is not in shared_preload_libraries.';

CREATE VIEW @extschema@.idgen_stat_generators AS SELECT * FROM @extschema@.idgen_stat_get_generators();
GRANT SELECT ON @extschema@.idgen_stat_generators TO PUBLIC;
COMMENT ON VIEW @extschema@.idgen_stat_generators IS
'Per generator since stats_reset or server start: ids, blocks, ids lost in dropped blocks, waits; drift: how far the next id is ahead of the id clock; max_drift: the largest so far.';

CREATE FUNCTION @extschema@.idgen_stat_get_clock(
    OUT ahead interval, OUT right_at timestamptz, OUT steps_back bigint, OUT largest_step_back interval,
    OUT stats_reset timestamptz)
    RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL SAFE COST 10 ROWS 1
    AS 'MODULE_PATHNAME', 'idgen_sql_stat_get_clock';
COMMENT ON FUNCTION @extschema@.idgen_stat_get_clock() IS
'The row of the view idgen_stat_clock. None if idgen is not in shared_preload_libraries.';

CREATE VIEW @extschema@.idgen_stat_clock AS SELECT * FROM @extschema@.idgen_stat_get_clock();
GRANT SELECT ON @extschema@.idgen_stat_clock TO PUBLIC;
COMMENT ON VIEW @extschema@.idgen_stat_clock IS
'The id clock relative to the wall clock: how far it is ahead and until about when; since stats_reset, how often the wall clock stepped back and the largest such step.';

CREATE FUNCTION @extschema@.idgen_stat_reset() RETURNS void
    LANGUAGE c VOLATILE PARALLEL SAFE COST 10
    AS 'MODULE_PATHNAME', 'idgen_sql_stat_reset';
COMMENT ON FUNCTION @extschema@.idgen_stat_reset() IS
'Resets the counters of idgen_stat_generators and idgen_stat_clock. Counters of live backends in idgen_stat_backends continue, except the largest drift. Superusers only, unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_stat_reset() FROM PUBLIC;

CREATE FUNCTION @extschema@.idgen_stat_get_sequences(
    OUT sequencer text, OUT key text, OUT next_value bigint, OUT values_left bigint, OUT segment_size bigint,
    OUT fetches bigint, OUT waits bigint)
    RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL SAFE COST 100 ROWS 100
    AS 'MODULE_PATHNAME', 'idgen_sql_stat_get_sequences';
COMMENT ON FUNCTION @extschema@.idgen_stat_get_sequences() IS
'The rows of the view idgen_stat_sequences. None if idgen is not in shared_preload_libraries.';
REVOKE ALL ON FUNCTION @extschema@.idgen_stat_get_sequences() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_stat_get_sequences() TO pg_read_all_stats;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_stat_get_sequences() TO @extowner@ WITH GRANT OPTION;

CREATE VIEW @extschema@.idgen_stat_sequences AS SELECT * FROM @extschema@.idgen_stat_get_sequences();
REVOKE ALL ON @extschema@.idgen_stat_sequences FROM PUBLIC;
GRANT SELECT ON @extschema@.idgen_stat_sequences TO pg_read_all_stats;
GRANT SELECT ON @extschema@.idgen_stat_sequences TO @extowner@ WITH GRANT OPTION;
COMMENT ON VIEW @extschema@.idgen_stat_sequences IS
'Keys of this database for which the server holds segments: next_value (NULL if the next call asks the store), values_left, segment_size, fetches, waits. For members of pg_read_all_stats.';
