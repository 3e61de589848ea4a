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
'Makes a sequencer, for idgen_sequence() and the other functions that take one, and returns its row of idgen_sequencers. Its values are start, start + step and so on up to max_value; with cycle they then begin again. ttl: how long a key lives, ''from first use'' or, ''sliding'', from the latest. key_prefix: what its keys begin with in the store, without braces; otherwise the names of the database and the sequencer. cache: with more than 1 a server takes segments of up to so many values at a time (1 to 1,000,000) and gives them from shared memory: no round trip per value, in order on each server but not between servers, and what a server has left is skipped where it is lost. Made again under the same name it goes on with the values in the store. 42710 where the name is taken; 22023 for a negative start, a step below 1, a maximum below either, a ttl with months, a cache out of range; 0A000 for a cache above 1 with cycle or a ttl. For the extension''s owner, unless granted.';
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
'The next count values of a key, in order, over all servers of the store: one step there, nobody else''s values between them. They are given for good: a rollback does not give them back. None for NULL. 2200H where fewer are left before the maximum, and none is taken then; 22023 for a count outside 1 to 1,000,000, or of more than a cycle has; 22023 for a key outside 1 to 512 bytes; 42704 where there is no such sequencer; 08006 where the store does not answer within idgen.store_timeout, 08P01 where what answers is no store, 55000 where none is set or it refuses; 22P02 and 42804 where it has something else at that place. Where the sequencer has a cache: in order, from this server''s segments, which others'' values may lie between; what is left, with a warning, where a batch meets the maximum; 55000 without shared memory, 53400 where there is no room for the key within idgen.store_timeout.';

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
'The last value given of a key, or set; NULL where there is none. Where the sequencer has a cache: the last of the segments that servers have taken. It takes nothing. Errors as idgen_sequence().';

CREATE FUNCTION idgen_sequence_drop(key text, sequencer text DEFAULT 'default') RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_sequence_drop';
COMMENT ON FUNCTION idgen_sequence_drop(text, text) IS
'Drops a key: it begins at start again. True where it had a value. Not undone by a rollback. Errors as idgen_sequence(). For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION idgen_sequence_drop(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idgen_sequence_drop(text, text) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION idgen_stat_get_sequences(
    OUT sequencer text, OUT key text, OUT next_value bigint, OUT values_left bigint, OUT segment_size bigint,
    OUT fetches bigint, OUT waits bigint)
    RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL SAFE COST 100 ROWS 100
    AS 'MODULE_PATHNAME', 'idgen_sql_stat_sequences';
COMMENT ON FUNCTION idgen_stat_get_sequences() IS
'The rows of the view idgen_stat_sequences. None where idgen is not in shared_preload_libraries.';
REVOKE ALL ON FUNCTION idgen_stat_get_sequences() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idgen_stat_get_sequences() TO pg_read_all_stats;
GRANT EXECUTE ON FUNCTION idgen_stat_get_sequences() TO @extowner@ WITH GRANT OPTION;

CREATE VIEW idgen_stat_sequences AS SELECT * FROM idgen_stat_get_sequences();
REVOKE ALL ON idgen_stat_sequences FROM PUBLIC;
GRANT SELECT ON idgen_stat_sequences TO pg_read_all_stats;
GRANT SELECT ON idgen_stat_sequences TO @extowner@ WITH GRANT OPTION;
COMMENT ON VIEW idgen_stat_sequences IS
'The keys of this database whose values this server has in segments: next_value, the next it would give, NULL where it has to ask the store; values_left, without asking; segment_size, of the latest; fetches, of segments; waits, calls that had to wait for one. Since the key has had its place. Keys may say something: for pg_read_all_stats.';

CREATE OR REPLACE FUNCTION idgen_check(OUT severity text, OUT object text, OUT finding text, OUT advice text)
    RETURNS SETOF record
    LANGUAGE sql STABLE PARALLEL RESTRICTED COST 10000 ROWS 10
BEGIN ATOMIC
    WITH RECURSIVE ours (oid) AS (
        VALUES ('idgen_next()'::regprocedure), ('idgen_next(text)'::regprocedure),
               ('idgen_next_text(text,text)'::regprocedure)),
    -- What a domain is made of in the end.
    bases (oid, base) AS (
        SELECT oid, oid FROM pg_type WHERE typtype <> 'd'
        UNION ALL
        SELECT t.oid, b.base FROM pg_type t JOIN bases b ON b.oid = t.typbasetype WHERE t.typtype = 'd'),
    -- The tables whose rows a table's are, through partitions and inheritance.
    parents (relation, root) AS (
        SELECT oid, oid FROM pg_class WHERE relkind IN ('r', 'p', 'f')
        UNION
        SELECT p.relation, i.inhparent FROM parents p JOIN pg_inherits i ON i.inhrelid = p.root),
    -- Columns with an id function in their own default, or in that of their domain.
    defaults AS (
        SELECT a.attrelid, a.attnum, a.attname, a.atttypid, pg_get_expr(d.adbin, d.adrelid) AS expression
        FROM pg_attrdef d
            JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        WHERE EXISTS (
            SELECT FROM pg_depend p JOIN ours ON p.refobjid = ours.oid
            WHERE p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid AND p.refclassid = 'pg_proc'::regclass)
        UNION ALL
        SELECT a.attrelid, a.attnum, a.attname, a.atttypid, t.typdefault
        FROM pg_type t
            JOIN pg_attribute a ON a.atttypid = t.oid AND NOT a.atthasdef AND NOT a.attisdropped AND a.attnum > 0
            JOIN pg_class r ON r.oid = a.attrelid AND r.relkind IN ('r', 'p', 'f')
        WHERE t.typtype = 'd' AND EXISTS (
            SELECT FROM pg_depend p JOIN ours ON p.refobjid = ours.oid
            WHERE p.classid = 'pg_type'::regclass AND p.objid = t.oid AND p.refclassid = 'pg_proc'::regclass)),
    -- A row for each call in a default; a name that is no literal is not known.
    named AS (
        SELECT d.attrelid, d.attnum, d.attname, d.atttypid, d.attrelid::regclass || '.' || quote_ident(d.attname) AS object,
               CASE WHEN call[1] IS NULL THEN 'default' ELSE replace(call[1], '''''', '''') END AS generator
        FROM defaults d, regexp_matches(
            expression, 'idgen_next(?:_text\(''[^'']*''(?:::text)?, |\()(?:''((?:[^'']|'''')*)''(?:::text)?)?\)', 'g') call),
    widths AS (
        SELECT g.name, (SELECT sum(split_part(field, ':', 2)::integer) FROM string_to_table(g.layout, ',') field) AS bits
        FROM idgen_generator g),
    settings AS (
        SELECT current_setting('idgen.worker_source', true) = 'lease' AS leased,
               current_setting('idgen.max_workers', true)::bigint AS workers,
               coalesce(max(setting::bigint) FILTER (WHERE name = 'idgen.max_ahead'), 0)
                   + CASE WHEN current_setting('idgen.worker_source', true) <> 'lease'
                              THEN max(setting::bigint) FILTER (WHERE name = 'idgen.ceiling_window')
                          WHEN max(setting::bigint) FILTER (WHERE name = 'idgen.lease_window') < 0
                              THEN max(setting::bigint) FILTER (WHERE name = 'idgen.lease_ttl') * 2 / 3
                          ELSE max(setting::bigint) FILTER (WHERE name = 'idgen.lease_window') END / 2 AS longest_ms
        FROM pg_settings WHERE name LIKE 'idgen.%')
    SELECT 'warning', 'generator ' || quote_ident(name),
           'Its time field runs out at ' || runs_out_at || '.',
           'Columns with its ids need another generator, or another key, before then.'
    FROM idgen_generators WHERE runs_out_at < now() + interval '5 years'
    UNION ALL
    SELECT 'error', 'generator ' || quote_ident(name),
           'It has ' || g.workers || ' worker ids, and "idgen.max_workers" is ' || s.workers || '.',
           'Lower "idgen.max_workers" on all servers of the prefix, or use a generator with a wider worker field.'
    FROM idgen_generators g, settings s WHERE s.leased AND g.workers < s.workers
    UNION ALL
    SELECT 'error', 'generator ' || quote_ident(name),
           'Its ticks are ' || unit || ' long; with the settings as they are they can be ' || longest_ms || ' ms.',
           'Make "idgen.ceiling_window", or "idgen.lease_window", or "idgen.max_ahead" longer.'
    FROM idgen_generator, settings WHERE extract(epoch FROM unit) * 1000 > longest_ms
    UNION ALL
    SELECT 'error', min(object),
           'Ids of different generators can meet in it: ' || string_agg(DISTINCT quote_ident(n.generator), ', ') || '.',
           'Make the defaults of the table and of its partitions or children one.'
    FROM named n JOIN idgen_generator g ON g.name = n.generator JOIN parents p ON p.relation = n.attrelid
    WHERE NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = p.root)
    GROUP BY p.root, n.attname
    HAVING count(DISTINCT (g.layout, g.epoch, g.unit, g.region_id, g.app_id)) > 1
    UNION ALL
    SELECT DISTINCT 'error', object, 'Its default names the generator ' || quote_ident(generator) || ', which does not exist.',
           'Make the generator again as it was, or set another default.'
    FROM named n
    WHERE NOT EXISTS (SELECT FROM idgen_generator g WHERE g.name = n.generator)
    UNION ALL
    SELECT DISTINCT 'error', object, 'It is of type ' || format_type(atttypid, NULL) || ', which does not hold every id.',
           'ALTER TABLE ' || attrelid::regclass || ' ALTER COLUMN ' || quote_ident(attname) || ' TYPE bigint;'
    FROM named n JOIN bases b ON b.oid = n.atttypid LEFT JOIN widths w ON w.name = n.generator
    WHERE b.base IN ('int2'::regtype, 'int4'::regtype, 'float4'::regtype)
        OR (b.base = 'float8'::regtype AND coalesce(w.bits, 64) > 53)
    UNION ALL
    SELECT DISTINCT 'warning', object, 'It still owns the sequence ' || p.objid::regclass || ', which its default does not use.',
           'ALTER SEQUENCE ' || p.objid::regclass || ' OWNED BY NONE; and drop it when nothing else uses it.'
    FROM named n
        JOIN pg_depend p ON p.classid = 'pg_class'::regclass AND p.refclassid = 'pg_class'::regclass
            AND p.refobjid = n.attrelid AND p.refobjsubid = n.attnum AND p.deptype = 'a'
        JOIN pg_class s ON s.oid = p.objid AND s.relkind = 'S'
    UNION ALL
    SELECT 'warning', 'server', 'Its worker id is not leased, and it has ' || string_agg(peers, ' and ') || '.',
           'See to it that no two live servers have one worker id, or lease them: "idgen.worker_source".'
    FROM (
        SELECT 'standbys' AS peers
        WHERE EXISTS (SELECT FROM pg_replication_slots WHERE slot_type = 'physical')
            OR EXISTS (SELECT FROM pg_stat_get_wal_senders() w
                       WHERE NOT EXISTS (SELECT FROM pg_replication_slots l WHERE l.active_pid = w.pid AND l.slot_type = 'logical'))
        UNION ALL
        SELECT 'subscribers' WHERE EXISTS (SELECT FROM pg_replication_slots WHERE slot_type = 'logical' AND plugin = 'pgoutput')
        UNION ALL
        SELECT 'subscriptions' WHERE EXISTS (
            SELECT FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()))
    ) found, settings
    WHERE NOT leased
    HAVING count(*) > 0
    UNION ALL
    SELECT 'warning', 'table ' || t.tgrelid::regclass,
           'Not all of its triggers are enabled always, as pg_restore --disable-triggers leaves them: what comes by replication is not judged, and open sessions do not see it.',
           string_agg('ALTER TABLE ' || t.tgrelid::regclass || ' ENABLE ALWAYS TRIGGER ' || quote_ident(t.tgname) || ';', ' ' ORDER BY t.tgname)
    FROM pg_trigger t
        JOIN pg_depend p ON p.classid = 'pg_proc'::regclass AND p.objid = t.tgfoid AND p.deptype = 'e'
        JOIN pg_extension e ON p.refclassid = 'pg_extension'::regclass AND e.oid = p.refobjid AND e.extname = 'idgen'
    WHERE t.tgenabled <> 'A'
    GROUP BY t.tgrelid;
END;
COMMENT ON FUNCTION idgen_check() IS
'What will be trouble, a row each: a generator that runs out within five years; two generators whose ids can meet in one column; a default that names no generator; a column that can''t hold every id, or still owns a sequence; a worker field smaller than the range that is leased from; ticks too long for the settings; a worker id that is not leased on a server with standbys, subscribers or subscriptions; a table of definitions whose triggers are not enabled always. No rows: nothing was found.';
