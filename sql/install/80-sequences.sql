-- Values of sequences.

CREATE FUNCTION @extschema@.idgen_sequence(key text, count bigint DEFAULT 1, sequencer text DEFAULT 'default')
    RETURNS TABLE (value bigint)
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000 ROWS 10
    AS 'MODULE_PATHNAME', 'idgen_sql_sequence';
COMMENT ON FUNCTION @extschema@.idgen_sequence(text, bigint, text) IS
'The next count values of a key, in order, over all servers of the store. They are given for good: a rollback does not give them back. For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_sequence(text, bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_sequence(text, bigint, text) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION @extschema@.idgen_sequence_next(key text, sequencer text DEFAULT 'default') RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_sequence_next';
COMMENT ON FUNCTION @extschema@.idgen_sequence_next(text, text) IS
'The next value of a key, as idgen_sequence() gives it. NULL for NULL. For several keys: idgen_sequence_next_keys(). For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_sequence_next(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_sequence_next(text, text) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION @extschema@.idgen_sequence_next_keys(keys text[], sequencer text DEFAULT 'default')
    RETURNS TABLE (key text, value bigint)
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000 ROWS 10
    AS 'MODULE_PATHNAME', 'idgen_sql_sequence_next_keys';
COMMENT ON FUNCTION @extschema@.idgen_sequence_next_keys(text[], text) IS
'The next value of each key, one row each in their order, asked for together. If one fails, nobody gets what the others were given. For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_sequence_next_keys(text[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_sequence_next_keys(text[], text) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION @extschema@.idgen_sequence_set(key text, value bigint, sequencer text DEFAULT 'default') RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_sequence_set';
COMMENT ON FUNCTION @extschema@.idgen_sequence_set(text, bigint, text) IS
'Makes a value the last one given of a key: the next is value + step. Setting a key back gives values again. Not undone by a rollback. For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_sequence_set(text, bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_sequence_set(text, bigint, text) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION @extschema@.idgen_sequence_set_if_not_exists(key text, value bigint, sequencer text DEFAULT 'default') RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_sequence_set_if_not_exists';
COMMENT ON FUNCTION @extschema@.idgen_sequence_set_if_not_exists(text, bigint, text) IS
'The same if the key has no value yet: true; false, and nothing is changed, if it has one. For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_sequence_set_if_not_exists(text, bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_sequence_set_if_not_exists(text, bigint, text) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION @extschema@.idgen_sequence_peek(key text, sequencer text DEFAULT 'default') RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_sequence_peek';
COMMENT ON FUNCTION @extschema@.idgen_sequence_peek(text, text) IS
'The last value given of a key, or set; NULL if there is none. With a cache: the last of the segments that servers have taken. It takes nothing. For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_sequence_peek(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_sequence_peek(text, text) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION @extschema@.idgen_sequence_delete_key(key text, sequencer text DEFAULT 'default') RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_sequence_delete_key';
COMMENT ON FUNCTION @extschema@.idgen_sequence_delete_key(text, text) IS
'Drops a key: it begins at start again. True if it had a value. Not undone by a rollback. Errors as idgen_sequence(). For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_sequence_delete_key(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_sequence_delete_key(text, text) TO @extowner@ WITH GRANT OPTION;
