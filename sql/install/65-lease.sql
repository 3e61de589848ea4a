-- Leased worker ids.

CREATE FUNCTION @extschema@.idgen_workers(
    OUT worker_id integer, OUT state text, OUT host text, OUT port integer, OUT data_directory text,
    OUT ceiling timestamptz, OUT expires_at timestamptz, OUT is_self boolean)
    RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 10000 ROWS 100
    AS 'MODULE_PATHNAME', 'idgen_sql_workers';
COMMENT ON FUNCTION @extschema@.idgen_workers() IS
'Every worker id ever leased under idgen.lease_prefix, and static ones that servers have told the store of: holder, ceiling (no id with it has a later time), expiry. For pg_monitor.';
REVOKE ALL ON FUNCTION @extschema@.idgen_workers() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_workers() TO pg_monitor;

CREATE FUNCTION @extschema@.idgen_declare_new_prefix() RETURNS timestamptz
    LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 10000
    AS 'MODULE_PATHNAME', 'idgen_sql_declare_new_prefix';
COMMENT ON FUNCTION @extschema@.idgen_declare_new_prefix() IS
'Tells the lease store that no server ever had a worker id under idgen.lease_prefix, so that nobody waits idgen.lease_ttl. If servers have issued ids within that time, ids may repeat.';
REVOKE ALL ON FUNCTION @extschema@.idgen_declare_new_prefix() FROM PUBLIC;
