-- idgen_guard(): a trigger that detects another server with the same worker id.

CREATE FUNCTION @extschema@.idgen_guard_row() RETURNS trigger
    LANGUAGE c VOLATILE
    AS 'MODULE_PATHNAME', 'idgen_sql_guard_row';
COMMENT ON FUNCTION @extschema@.idgen_guard_row() IS
'The trigger that idgen_guard() makes.';

CREATE FUNCTION @extschema@.idgen_guard(table_name regclass, column_name name DEFAULT NULL, generator text DEFAULT NULL) RETURNS name
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000
    AS 'MODULE_PATHNAME', 'idgen_sql_guard';
COMMENT ON FUNCTION @extschema@.idgen_guard(regclass, name, text) IS
'Makes a trigger that tells by replicated rows when another server issues this one''s ids, and returns its name. DROP TRIGGER removes it. For the table''s owner.';
