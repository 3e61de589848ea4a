-- Statistics: exact, counted in the backends, kept when they end.
SELECT idgen_stat_reset();
SELECT ids, waits, stats_reset IS NOT NULL AS since FROM idgen_stat_generators;
SELECT count(idgen_next()) FROM generate_series(1, 5000);
SELECT generator, ids, blocks > 0 AS blocks, waits, waited,
       drift >= '0' AS drift_now, max_drift >= '0' AS drift_most
FROM idgen_stat_generators;
SELECT ids >= 5000 AS ids, blocks > 0 AS blocks, waiting, waiting_for FROM idgen_stat_backends WHERE pid = pg_backend_pid();
\c
SELECT ids FROM idgen_stat_generators;
SELECT count(*) FROM idgen_stat_backends WHERE pid = pg_backend_pid();
SELECT ahead < '1 s' AS clock_right, steps_back, largest_step_back FROM idgen_stat_clock;
-- A burst of more than a second's ids makes a caller wait, which is counted.
SELECT idgen_stat_reset();
SELECT count(*) FROM idgen_batch(8000000);
SELECT ids, waits > 0 AS waited, waited > '0' AS waited_for, max_drift BETWEEN '990 ms' AND '1010 ms' AS drift_at_the_limit
FROM idgen_stat_generators;
-- Past idgen.max_wait it is an error that says by how much.
SET idgen.max_wait = 0;
\set VERBOSITY terse
SELECT count(*) FROM idgen_batch(4300000);
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
RESET idgen.max_wait;
-- The operator's calls are not everybody's.
CREATE ROLE idgen_nobody;
SET ROLE idgen_nobody;
SELECT idgen_stat_reset();
SELECT idgen_forget_floor();
SELECT count(*) > 0 AS stats_are_public FROM idgen_stat_generators;
RESET ROLE;
DROP ROLE idgen_nobody;
SELECT idgen_forget_floor();
