-- idgen_guard(): a trigger that detects another server with the same worker id.

CREATE FUNCTION @extschema@.idgen_guard_row() RETURNS trigger
    LANGUAGE c VOLATILE
    AS 'MODULE_PATHNAME', 'idgen_sql_guard_row';
COMMENT ON FUNCTION @extschema@.idgen_guard_row() IS
'Trigger that idgen_guard() creates.';

CREATE FUNCTION @extschema@.idgen_guard(table_name regclass, column_name name DEFAULT NULL, generator text DEFAULT NULL) RETURNS name
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000
    AS 'MODULE_PATHNAME', 'idgen_sql_guard';
COMMENT ON FUNCTION @extschema@.idgen_guard(regclass, name, text) IS
'Creates a trigger that warns when a replicated row shows that another server issues this server''s ids, and returns its name. DROP TRIGGER removes it. For the table''s owner.';
