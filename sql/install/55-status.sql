-- Health: idgen_status(), idgen_wait_ready().

CREATE FUNCTION @extschema@.idgen_status(
    OUT state text, OUT reason text, OUT advice text, OUT worker_id integer, OUT worker_source text,
    OUT ceiling timestamptz, OUT ceiling_left interval, OUT drift interval, OUT clock_ahead interval,
    OUT ids_issued bigint,
    OUT lease_holder text, OUT lease_fence bigint, OUT lease_expires_at timestamptz, OUT last_renewal_at timestamptz,
    OUT renewal_latency interval, OUT renewal_failures integer,
    OUT last_error text, OUT last_error_at timestamptz, OUT worker_pid integer,
    OUT server_version text, OUT library_version text)
    LANGUAGE c VOLATILE PARALLEL SAFE COST 10
    AS 'MODULE_PATHNAME', 'idgen_sql_status';
COMMENT ON FUNCTION @extschema@.idgen_status() IS
'One row about id generation: state (''ok'' if it is healthy), reason and advice if it is not, worker id, ceiling, drift, clock, ids issued, lease, last error.';

CREATE FUNCTION @extschema@.idgen_wait_ready(timeout interval DEFAULT '30 s') RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_wait_ready';
COMMENT ON FUNCTION @extschema@.idgen_wait_ready(interval) IS
'Waits until the server can issue ids and returns true, or false after timeout. For deployments and tests. 55000 if idgen is not in shared_preload_libraries.';
