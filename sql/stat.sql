-- Statistics are exact, counted by the backends, and kept when they exit.
SELECT idgen_stat_reset();
SELECT ids, waits, stats_reset IS NOT NULL AS since FROM idgen_stat_generators WHERE generator = 'default';
SELECT count(idgen_next()) FROM generate_series(1, 5000);
SELECT generator, ids, blocks > 0 AS blocks, waits, waited,
       drift >= '0' AS drift_now, max_drift >= '0' AS drift_most
FROM idgen_stat_generators WHERE generator = 'default';
SELECT ids >= 5000 AS ids, blocks > 0 AS blocks, waiting, waiting_for FROM idgen_stat_backends WHERE pid = pg_backend_pid();
\c
SELECT ids FROM idgen_stat_generators WHERE generator = 'default';
SELECT count(*) FROM idgen_stat_backends WHERE pid = pg_backend_pid();
SELECT ahead < '1 s' AS clock_right, steps_back, largest_step_back FROM idgen_stat_clock;
-- Functions for the operator are restricted.
CREATE ROLE idgen_nobody;
SET ROLE idgen_nobody;
SELECT idgen_stat_reset();
SELECT idgen_forget_floor();
SELECT count(*) > 0 AS stats_are_public FROM idgen_stat_generators;
RESET ROLE;
DROP ROLE idgen_nobody;
SELECT idgen_forget_floor();

-- Segments of sequences: their keys are visible to pg_read_all_stats only.
SELECT count(*) >= 0 AS readable FROM idgen_stat_sequences;
SELECT has_table_privilege('pg_read_all_stats', 'idgen_stat_sequences', 'SELECT'), has_function_privilege('pg_read_all_stats', 'idgen_stat_get_sequences()', 'EXECUTE');
SET ROLE pg_monitor;
SELECT count(*) >= 0 AS readable FROM idgen_stat_sequences;
RESET ROLE;
SELECT 'public' AS who, has_table_privilege('public', 'idgen_stat_sequences', 'SELECT'), has_function_privilege('public', 'idgen_stat_get_sequences()', 'EXECUTE');
