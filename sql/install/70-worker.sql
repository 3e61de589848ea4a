-- Decisions that only an operator can make about this server's ids.

CREATE FUNCTION @extschema@.idgen_forget_floor() RETURNS timestamptz
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_forget_floor';
COMMENT ON FUNCTION @extschema@.idgen_forget_floor() IS
'Discards the floor that the server waits for because earlier ids are ahead of the clock. Ids issued up to that floor can be issued again when the clock gets there.';
REVOKE ALL ON FUNCTION @extschema@.idgen_forget_floor() FROM PUBLIC;

-- CREATE EXTENSION marks the beginning of ids: a server without a trace of earlier ones need not wait for them.
CREATE FUNCTION @extschema@.idgen_declare_new_server() RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'idgen_sql_declare_new_server';
SELECT @extschema@.idgen_declare_new_server();
DROP FUNCTION @extschema@.idgen_declare_new_server();
