-- idgen 0.4 -> 0.5. Frozen once released.
\echo Use "ALTER EXTENSION idgen UPDATE TO '0.5'" to load this file. \quit

-- sequencers

CREATE TABLE idgen_sequencer (
    name text COLLATE "C" PRIMARY KEY,
    key_prefix text,
    start bigint NOT NULL DEFAULT 1,
    step bigint NOT NULL DEFAULT 1,
    max_value bigint NOT NULL DEFAULT 9223372036854775807,
    cycle boolean NOT NULL DEFAULT false,
    ttl interval,
    ttl_mode text NOT NULL DEFAULT 'from first use',
    cache integer NOT NULL DEFAULT 1,
    comment text,
    built_in boolean NOT NULL DEFAULT false);
COMMENT ON TABLE idgen_sequencer IS
'The sequencers of this database, by name; idgen_sequencers shows what their keys begin with in the store. Rows are judged as they come in, never change but for their comment, and are dumped by pg_dump (not the built-in one).';
GRANT SELECT ON idgen_sequencer TO PUBLIC;
-- Whoever makes the extension, so that he can restore a dump of it, too.
GRANT INSERT ON idgen_sequencer TO @extowner@;
SELECT pg_catalog.pg_extension_config_dump('idgen_sequencer', 'WHERE NOT built_in');

CREATE FUNCTION idgen_sequencer_changed() RETURNS trigger
    LANGUAGE c VOLATILE
    AS 'MODULE_PATHNAME', 'idgen_sql_sequencer_trigger';
COMMENT ON FUNCTION idgen_sequencer_changed() IS
'Judges every row that comes into idgen_sequencer, and tells all sessions that definitions have changed.';
REVOKE ALL ON FUNCTION idgen_sequencer_changed() FROM PUBLIC;
CREATE TRIGGER idgen_sequencer_changed BEFORE INSERT OR UPDATE OR DELETE ON idgen_sequencer
    FOR EACH ROW EXECUTE FUNCTION idgen_sequencer_changed();
CREATE TRIGGER idgen_sequencer_emptied BEFORE TRUNCATE ON idgen_sequencer
    FOR EACH STATEMENT EXECUTE FUNCTION idgen_sequencer_changed();
-- Also where rows come by logical replication.
ALTER TABLE idgen_sequencer ENABLE ALWAYS TRIGGER idgen_sequencer_changed;
ALTER TABLE idgen_sequencer ENABLE ALWAYS TRIGGER idgen_sequencer_emptied;

INSERT INTO idgen_sequencer (name, comment, built_in)
    VALUES ('default', 'What the sequence functions without a sequencer use: 1, 2, 3, ...', true);

CREATE VIEW idgen_sequencers AS
    SELECT s.name,
           coalesce(s.key_prefix, 'idgen:seq:' || octet_length(d.name) || ':' ||
               replace(replace(replace(d.name, '%', '%25'), '{', '%7B'), '}', '%7D') || ':' || octet_length(s.name) || ':' ||
               replace(replace(replace(s.name, '%', '%25'), '{', '%7B'), '}', '%7D') || ':') AS key_prefix,
           s.start, s.step, s.max_value, s.cycle, s.ttl, s.ttl_mode, s.cache, s.comment
    FROM idgen_sequencer s, (SELECT current_database()::text AS name) d;
GRANT SELECT ON idgen_sequencers TO PUBLIC;
COMMENT ON VIEW idgen_sequencers IS
'The sequencers of this database. In the store the last value of a key stands, in decimal, at key_prefix{length:key}, length in bytes; other programs may GET or INCRBY it.';

CREATE FUNCTION idgen_create_sequencer(
    name text, key_prefix text DEFAULT NULL, start bigint DEFAULT 1, step bigint DEFAULT 1,
    max_value bigint DEFAULT 9223372036854775807, cycle boolean DEFAULT false, ttl interval DEFAULT NULL,
    ttl_mode text DEFAULT 'from first use', cache integer DEFAULT 1, comment text DEFAULT NULL)
    RETURNS idgen_sequencers
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'idgen_sql_create_sequencer';
COMMENT ON FUNCTION idgen_create_sequencer(text, text, bigint, bigint, bigint, boolean, interval, text, integer, text) IS
'Makes a sequencer, for idgen_sequence() and the other functions that take one, and returns its row of idgen_sequencers. Its values are start, start + step and so on up to max_value; with cycle they then begin again. ttl: how long a key lives, ''from first use'' or, ''sliding'', from the latest. key_prefix: what its keys begin with in the store, without braces; otherwise the names of the database and the sequencer. Made again under the same name it goes on with the values in the store. 42710 where the name is taken; 22023 for a negative start, a step below 1, a maximum below either, a ttl with months; 0A000 for a cache above 1. For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION idgen_create_sequencer(text, text, bigint, bigint, bigint, boolean, interval, text, integer, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idgen_create_sequencer(text, text, bigint, bigint, bigint, boolean, interval, text, integer, text) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION idgen_drop_sequencer(name text, if_exists boolean DEFAULT false) RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'idgen_sql_drop_sequencer';
COMMENT ON FUNCTION idgen_drop_sequencer(text, boolean) IS
'Drops a sequencer: true, or false where there was none and if_exists is true. Its values stay in the store. 42704 where there is none; 55000 for a built-in one. For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION idgen_drop_sequencer(text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idgen_drop_sequencer(text, boolean) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION idgen_sequence(key text, count integer DEFAULT 1, sequencer text DEFAULT 'default')
    RETURNS TABLE (value bigint)
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000 ROWS 10
    AS 'MODULE_PATHNAME', 'idgen_sql_sequence';
COMMENT ON FUNCTION idgen_sequence(text, integer, text) IS
'The next count values of a key, in order, over all servers of the store: one step there, nobody else''s values between them. They are given for good: a rollback does not give them back. None for NULL. 2200H where fewer are left before the maximum, and none is taken then; 22023 for a count outside 1 to 1,000,000, or of more than a cycle has; 22023 for a key outside 1 to 512 bytes; 42704 where there is no such sequencer; 08006 where the store does not answer within idgen.store_timeout, 08P01 where what answers is no store, 55000 where none is set or it refuses; 22P02 and 42804 where it has something else at that place.';

CREATE FUNCTION idgen_sequence_next(key text, sequencer text DEFAULT 'default') RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_sequence_next';
COMMENT ON FUNCTION idgen_sequence_next(text, text) IS
'The next value of a key, as idgen_sequence() gives it. NULL for NULL.';

CREATE FUNCTION idgen_sequence_next(keys text[], sequencer text DEFAULT 'default')
    RETURNS TABLE (key text, value bigint)
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000 ROWS 10
    AS 'MODULE_PATHNAME', 'idgen_sql_sequence_next_keys';
COMMENT ON FUNCTION idgen_sequence_next(text[], text) IS
'The next value of each key, a row each in their order, asked for together; a key may be there more than once. Each is a step of its own: where one fails, what the others were given is nobody''s. None for NULL; 22004 for a key that is NULL; 22023 for more than 10,000; otherwise as idgen_sequence().';

CREATE FUNCTION idgen_sequence_set(key text, value bigint, sequencer text DEFAULT 'default') RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_sequence_set';
COMMENT ON FUNCTION idgen_sequence_set(text, bigint, text) IS
'Makes a value the last one given of a key: the next is value + step. Setting a key back gives values again that were given before. Not undone by a rollback. 22023 for a value below start - step, below 0 or above the maximum; otherwise as idgen_sequence(). For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION idgen_sequence_set(text, bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idgen_sequence_set(text, bigint, text) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION idgen_sequence_set_if_not_exists(key text, value bigint, sequencer text DEFAULT 'default') RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_sequence_set_if_not_exists';
COMMENT ON FUNCTION idgen_sequence_set_if_not_exists(text, bigint, text) IS
'The same where the key has no value yet: true; false, and nothing is changed, where it has one. For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION idgen_sequence_set_if_not_exists(text, bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idgen_sequence_set_if_not_exists(text, bigint, text) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION idgen_sequence_peek(key text, sequencer text DEFAULT 'default') RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_sequence_peek';
COMMENT ON FUNCTION idgen_sequence_peek(text, text) IS
'The last value given of a key, or set; NULL where there is none. It takes nothing. Errors as idgen_sequence().';

CREATE FUNCTION idgen_sequence_drop(key text, sequencer text DEFAULT 'default') RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_sequence_drop';
COMMENT ON FUNCTION idgen_sequence_drop(text, text) IS
'Drops a key: it begins at start again. True where it had a value. Not undone by a rollback. Errors as idgen_sequence(). For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION idgen_sequence_drop(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idgen_sequence_drop(text, text) TO @extowner@ WITH GRANT OPTION;
