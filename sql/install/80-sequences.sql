-- Values of sequences.

CREATE FUNCTION @extschema@.idgen_sequence(key text, count bigint DEFAULT 1, sequencer text DEFAULT 'default')
    RETURNS TABLE (value bigint)
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000 ROWS 10
    AS 'MODULE_PATHNAME', 'idgen_sql_sequence';
COMMENT ON FUNCTION @extschema@.idgen_sequence(text, bigint, text) IS
'Returns the next count values of a key, in order across all servers that share the store. A rollback does not return them. Restricted to the extension''s owner unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_sequence(text, bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_sequence(text, bigint, text) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION @extschema@.idgen_sequence_next(key text, sequencer text DEFAULT 'default') RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_sequence_next';
COMMENT ON FUNCTION @extschema@.idgen_sequence_next(text, text) IS
'Returns the next value of a key. NULL for NULL. A rollback does not return it. For several keys use idgen_sequence_next_keys(). Restricted to the extension''s owner unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_sequence_next(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_sequence_next(text, text) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION @extschema@.idgen_sequence_next_keys(keys text[], sequencer text DEFAULT 'default')
    RETURNS TABLE (key text, value bigint)
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000 ROWS 10
    AS 'MODULE_PATHNAME', 'idgen_sql_sequence_next_keys';
COMMENT ON FUNCTION @extschema@.idgen_sequence_next_keys(text[], text) IS
'Returns the next value of each key, in the order of the keys, fetched together. If one key fails, values taken for the others are lost. Restricted to the extension''s owner unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_sequence_next_keys(text[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_sequence_next_keys(text[], text) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION @extschema@.idgen_sequence_set(key text, value bigint, sequencer text DEFAULT 'default') RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_sequence_set';
COMMENT ON FUNCTION @extschema@.idgen_sequence_set(text, bigint, text) IS
'Sets the last value of a key: the next is value + step. A lower value than before makes values repeat. A rollback does not undo it. Restricted to the extension''s owner unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_sequence_set(text, bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_sequence_set(text, bigint, text) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION @extschema@.idgen_sequence_set_if_not_exists(key text, value bigint, sequencer text DEFAULT 'default') RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_sequence_set_if_not_exists';
COMMENT ON FUNCTION @extschema@.idgen_sequence_set_if_not_exists(text, bigint, text) IS
'Sets the last value of a key that has none and returns true; returns false and changes nothing if it has one. Restricted to the extension''s owner unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_sequence_set_if_not_exists(text, bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_sequence_set_if_not_exists(text, bigint, text) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION @extschema@.idgen_sequence_peek(key text, sequencer text DEFAULT 'default') RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_sequence_peek';
COMMENT ON FUNCTION @extschema@.idgen_sequence_peek(text, text) IS
'Returns the last value issued or set for a key, NULL if none; takes nothing. With a cache: the end of the last segment that a server fetched. Restricted to the extension''s owner unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_sequence_peek(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_sequence_peek(text, text) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION @extschema@.idgen_sequence_delete_key(key text, sequencer text DEFAULT 'default') RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_sequence_delete_key';
COMMENT ON FUNCTION @extschema@.idgen_sequence_delete_key(text, text) IS
'Deletes the value of a key, which then begins at start again. Returns true if it had one. A rollback does not undo it. Restricted to the extension''s owner unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_sequence_delete_key(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_sequence_delete_key(text, text) TO @extowner@ WITH GRANT OPTION;
