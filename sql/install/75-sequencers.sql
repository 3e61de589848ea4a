-- Sequencers: their table and view, and the functions that create, drop and comment on them.

CREATE TABLE idgen_catalog.idgen_sequencer (
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
COMMENT ON TABLE idgen_catalog.idgen_sequencer IS
'Sequencers of this database; pg_dump includes all but the built-in row. Use the view idgen_sequencers and the functions idgen_create_sequencer() and idgen_drop_sequencer().';
GRANT SELECT ON idgen_catalog.idgen_sequencer TO PUBLIC;
-- Lets the role that creates the extension restore a dump.
GRANT INSERT ON idgen_catalog.idgen_sequencer TO @extowner@;
SELECT pg_catalog.pg_extension_config_dump('idgen_catalog.idgen_sequencer', 'WHERE NOT built_in');

CREATE FUNCTION @extschema@.idgen_sequencer_changed() RETURNS trigger
    LANGUAGE c VOLATILE
    AS 'MODULE_PATHNAME', 'idgen_sql_sequencer_changed';
COMMENT ON FUNCTION @extschema@.idgen_sequencer_changed() IS
'Trigger of idgen_sequencer: validates rows and notifies all sessions of changed definitions.';
REVOKE ALL ON FUNCTION @extschema@.idgen_sequencer_changed() FROM PUBLIC;
CREATE TRIGGER idgen_sequencer_changed BEFORE INSERT OR UPDATE OR DELETE ON idgen_catalog.idgen_sequencer
    FOR EACH ROW EXECUTE FUNCTION @extschema@.idgen_sequencer_changed();
CREATE TRIGGER idgen_sequencer_emptied BEFORE TRUNCATE ON idgen_catalog.idgen_sequencer
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.idgen_sequencer_changed();
-- ALWAYS: also for rows that arrive by logical replication.
ALTER TABLE idgen_catalog.idgen_sequencer ENABLE ALWAYS TRIGGER idgen_sequencer_changed;
ALTER TABLE idgen_catalog.idgen_sequencer ENABLE ALWAYS TRIGGER idgen_sequencer_emptied;

INSERT INTO idgen_catalog.idgen_sequencer (name, comment, built_in)
    VALUES ('default', 'Used by the sequence functions when no sequencer is given: 1, 2, 3, ...', true);

CREATE VIEW @extschema@.idgen_sequencers AS
    SELECT s.name,
           coalesce(s.key_prefix, 'idgen:seq:' || octet_length(d.name) || ':' ||
               replace(replace(replace(d.name, '%', '%25'), '{', '%7B'), '}', '%7D') || ':' || octet_length(s.name) || ':' ||
               replace(replace(replace(s.name, '%', '%25'), '{', '%7B'), '}', '%7D') || ':') AS key_prefix,
           s.start, s.step, s.max_value, s.cycle, s.ttl, s.ttl_mode, s.cache, s.comment
    FROM idgen_catalog.idgen_sequencer s, (SELECT current_database()::text AS name) d;
GRANT SELECT ON @extschema@.idgen_sequencers TO PUBLIC;
COMMENT ON VIEW @extschema@.idgen_sequencers IS
'Sequencers of this database. The store holds the last value of a key, in decimal, at key_prefix{length:key}, length in bytes; other programs may GET or INCRBY it.';

-- Not SECURITY DEFINER: the right to choose a key prefix is the caller's. The function writes the row as its owner.
CREATE FUNCTION @extschema@.idgen_create_sequencer(
    name text, key_prefix text DEFAULT NULL, start bigint DEFAULT 1, step bigint DEFAULT 1,
    max_value bigint DEFAULT 9223372036854775807, cycle boolean DEFAULT false, ttl interval DEFAULT NULL,
    ttl_mode text DEFAULT 'from first use', cache integer DEFAULT 1, comment text DEFAULT NULL,
    if_not_exists boolean DEFAULT false)
    RETURNS @extschema@.idgen_sequencers
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'idgen_sql_create_sequencer';
COMMENT ON FUNCTION @extschema@.idgen_create_sequencer(text, text, bigint, bigint, bigint, boolean, interval, text, integer, text, boolean) IS
'Creates a sequencer for idgen_sequence_next() and the other functions that take one: key prefix, start, step, maximum, cycle, TTL, cache. Restricted to the extension''s owner unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_create_sequencer(text, text, bigint, bigint, bigint, boolean, interval, text, integer, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_create_sequencer(text, text, bigint, bigint, bigint, boolean, interval, text, integer, text, boolean) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION @extschema@.idgen_drop_sequencer(name text, if_exists boolean DEFAULT false) RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'idgen_sql_drop_sequencer';
COMMENT ON FUNCTION @extschema@.idgen_drop_sequencer(text, boolean) IS
'Drops a sequencer; returns false if it does not exist and if_exists is true. Its keys and values stay in the store. Restricted to the extension''s owner unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_drop_sequencer(text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_drop_sequencer(text, boolean) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION @extschema@.idgen_comment_on_sequencer(name text, comment text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'idgen_sql_comment_on_sequencer';
COMMENT ON FUNCTION @extschema@.idgen_comment_on_sequencer(text, text) IS
'Sets the comment of a sequencer, or removes it if comment is NULL. 42704 if the sequencer does not exist. Restricted to the extension''s owner unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_comment_on_sequencer(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_comment_on_sequencer(text, text) TO @extowner@ WITH GRANT OPTION;
