-- idgen 0.2 -> 0.3. Frozen once released.
\echo Use "ALTER EXTENSION idgen UPDATE TO '0.3'" to load this file. \quit

-- watching it

DROP FUNCTION idgen_status();
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
