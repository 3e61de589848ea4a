-- The status row of a healthy server whose worker id is set (tests/postgresql.conf).
SELECT idgen_next() > 0 AS issued;
SELECT state, reason, advice, worker_id, worker_source, last_error,
       library_version = (SELECT extversion FROM pg_extension WHERE extname = 'idgen') AS versions_agree
FROM idgen_status();
SELECT ceiling > now() AS ceiling_ahead, ceiling < now() + interval '1 min' AS by_little,
       drift >= '0' AS drift_known, clock_ahead < '1 s' AS clock_right, ids_issued > 0 AS counted,
       worker_pid > 0 AS has_worker, server_version = current_setting('server_version') AS versions
FROM idgen_status();
-- ids_issued counts ids rather than blocks, including those of sessions that have ended.
SELECT ids_issued AS before FROM idgen_status() \gset
SELECT count(idgen_next()) FROM generate_series(1, 12345);
SELECT ids_issued - :before AS issued FROM idgen_status();
\c
SELECT ids_issued - :before AS issued FROM idgen_status();
-- Not NULL without a lease: exporters would make NaN of it.
SELECT renewal_failures FROM idgen_status();
-- The background worker has its name in the process list.
SELECT encode(pg_read_binary_file(format('/proc/%s/cmdline', worker_pid)), 'escape') LIKE '%idgen worker%' AS named
FROM idgen_status();
