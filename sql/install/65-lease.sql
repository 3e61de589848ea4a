-- Leased worker ids.

CREATE FUNCTION @extschema@.idgen_workers(
    OUT worker_id integer, OUT state text, OUT host text, OUT port integer, OUT data_directory text,
    OUT ceiling timestamptz, OUT fence bigint, OUT expires_at timestamptz, OUT is_self boolean)
    RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 10000 ROWS 100
    AS 'MODULE_PATHNAME', 'idgen_sql_workers';
COMMENT ON FUNCTION @extschema@.idgen_workers() IS
'Worker ids leased under idgen.lease_prefix, and static ones reported to the store: holder, ceiling (no id has a later time), fence (etcd), expiry (Redis). For members of pg_monitor.';
REVOKE ALL ON FUNCTION @extschema@.idgen_workers() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_workers() TO pg_monitor;

CREATE FUNCTION @extschema@.idgen_declare_new_prefix() RETURNS timestamptz
    LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 10000
    AS 'MODULE_PATHNAME', 'idgen_sql_declare_new_prefix';
COMMENT ON FUNCTION @extschema@.idgen_declare_new_prefix() IS
'Tells the lease store that no server has used idgen.lease_prefix before, so that servers need not wait for idgen.lease_ttl. If one issued ids within that time, ids can repeat. Not needed with etcd.';
REVOKE ALL ON FUNCTION @extschema@.idgen_declare_new_prefix() FROM PUBLIC;
