-- idgen 0.6. Frozen once released: later versions ship upgrade scripts.
\echo Use "CREATE EXTENSION idgen" to load this file. \quit

-- Nothing is found through the target schema, where somebody else may have put operators, functions, types and casts
-- that fit better: what is ours is named @extschema@., everything else is pg_catalog's.
SET LOCAL search_path = pg_catalog, pg_temp;

-- ids

CREATE FUNCTION @extschema@.idgen_next_support(internal) RETURNS internal
    LANGUAGE c STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'idgen_sql_next_support';
COMMENT ON FUNCTION @extschema@.idgen_next_support(internal) IS
'The planner''s support function of idgen_next(): refuses to store an id in a smallint or integer column with an error that names the column.';

CREATE FUNCTION @extschema@.idgen_next() RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL SAFE COST 1 SUPPORT @extschema@.idgen_next_support
    AS 'MODULE_PATHNAME', 'idgen_sql_next';
COMMENT ON FUNCTION @extschema@.idgen_next() IS
'A new id: positive, increasing within a session, never given before by any session of any server with another worker id. Waits up to idgen.max_wait if ids have run ahead of the clock.';

CREATE FUNCTION @extschema@.idgen_next_text() RETURNS text
    LANGUAGE c VOLATILE PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_next_text';
COMMENT ON FUNCTION @extschema@.idgen_next_text() IS
'A new id as idgen_next() gives it, as decimal text, for clients that keep numbers as doubles and would round it.';

CREATE FUNCTION @extschema@.idgen_batch(count bigint) RETURNS SETOF bigint
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1 ROWS 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_batch';
COMMENT ON FUNCTION @extschema@.idgen_batch(bigint) IS
'count new ids in increasing order, as idgen_next() gives them. None for NULL; 22023 for a negative count.';

-- reading ids

CREATE FUNCTION @extschema@.idgen_decode(id bigint,
    OUT generated_at timestamptz, OUT region_id integer, OUT app_id integer, OUT worker_id integer, OUT sequence bigint)
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2
    AS 'MODULE_PATHNAME', 'idgen_sql_decode';
COMMENT ON FUNCTION @extschema@.idgen_decode(bigint) IS
'The fields of an id of the default generator: 41 bits of milliseconds since 2024-01-01 00:00 UTC, 10 bits worker id, 12 bits sequence; no region and no app.';

CREATE FUNCTION @extschema@.idgen_timestamp(id bigint) RETURNS timestamptz
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_timestamp';
COMMENT ON FUNCTION @extschema@.idgen_timestamp(bigint) IS
'When an id of the default generator was made, in whole milliseconds. 22023 for a negative number.';

-- generators

-- A schema that nobody has in his search_path, so that schema tools leave the tables alone. One that is here already is
-- somebody else's.
CREATE SCHEMA idgen_catalog;
GRANT USAGE ON SCHEMA idgen_catalog TO PUBLIC;

CREATE TABLE idgen_catalog.idgen_generator (
    name text COLLATE "C" PRIMARY KEY,
    layout text NOT NULL,
    epoch timestamptz NOT NULL,
    unit interval NOT NULL,
    region_id integer,
    app_id integer,
    comment text,
    built_in boolean NOT NULL DEFAULT false);
COMMENT ON TABLE idgen_catalog.idgen_generator IS
'The generators of this database. Use the view idgen_generators and the functions idgen_create_generator() and idgen_drop_generator(). pg_dump dumps its rows but the built-in ones.';
GRANT SELECT ON idgen_catalog.idgen_generator TO PUBLIC;
-- Whoever makes the extension, so that he can restore a dump of it, too.
GRANT INSERT ON idgen_catalog.idgen_generator TO @extowner@;
SELECT pg_catalog.pg_extension_config_dump('idgen_catalog.idgen_generator', 'WHERE NOT built_in');

CREATE FUNCTION @extschema@.idgen_generator_changed() RETURNS trigger
    LANGUAGE c VOLATILE
    AS 'MODULE_PATHNAME', 'idgen_sql_generator_trigger';
COMMENT ON FUNCTION @extschema@.idgen_generator_changed() IS
'Judges every row that comes into idgen_generator, and tells all sessions that definitions have changed.';
REVOKE ALL ON FUNCTION @extschema@.idgen_generator_changed() FROM PUBLIC;
CREATE TRIGGER idgen_generator_changed BEFORE INSERT OR UPDATE OR DELETE ON idgen_catalog.idgen_generator
    FOR EACH ROW EXECUTE FUNCTION @extschema@.idgen_generator_changed();
CREATE TRIGGER idgen_generator_emptied BEFORE TRUNCATE ON idgen_catalog.idgen_generator
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.idgen_generator_changed();
-- Also where rows come by logical replication.
ALTER TABLE idgen_catalog.idgen_generator ENABLE ALWAYS TRIGGER idgen_generator_changed;
ALTER TABLE idgen_catalog.idgen_generator ENABLE ALWAYS TRIGGER idgen_generator_emptied;

INSERT INTO idgen_catalog.idgen_generator (name, layout, comment, built_in)
    VALUES ('default', 'snowflake', 'What idgen_next() and the other functions without a generator use.', true);

CREATE FUNCTION @extschema@.idgen_describe_layout(
    layout text, epoch timestamptz DEFAULT NULL, unit interval DEFAULT NULL,
    region_id integer DEFAULT NULL, app_id integer DEFAULT NULL,
    OUT fields text, OUT tick_epoch timestamptz, OUT tick_unit interval, OUT bits integer,
    OUT ids_per_second bigint, OUT workers bigint, OUT runs_out_at timestamptz, OUT example_id bigint, OUT note text)
    LANGUAGE c STABLE PARALLEL SAFE COST 5
    AS 'MODULE_PATHNAME', 'idgen_sql_describe_layout';
COMMENT ON FUNCTION @extschema@.idgen_describe_layout(text, timestamptz, interval, integer, integer) IS
'What a layout is good for, without creating anything: its fields, ids per second of one worker, number of workers, when its time runs out, an id of worker 1 as of now.';

CREATE VIEW @extschema@.idgen_generators AS
    SELECT g.name, g.layout, g.epoch, g.unit, g.region_id, g.app_id,
           d.ids_per_second, d.workers, d.runs_out_at, d.example_id, d.note, g.comment
    FROM idgen_catalog.idgen_generator g, @extschema@.idgen_describe_layout(g.layout, g.epoch, g.unit, g.region_id, g.app_id) d;
GRANT SELECT ON @extschema@.idgen_generators TO PUBLIC;
COMMENT ON VIEW @extschema@.idgen_generators IS
'The generators of this database: layout, ids per second of one worker, number of workers, when the time field runs out, an id of worker 1 as of now.';

CREATE FUNCTION @extschema@.idgen_create_generator(
    name text, layout text DEFAULT 'snowflake', epoch timestamptz DEFAULT NULL, unit interval DEFAULT NULL,
    region_id integer DEFAULT NULL, app_id integer DEFAULT NULL, comment text DEFAULT NULL,
    if_not_exists boolean DEFAULT false)
    RETURNS @extschema@.idgen_generators
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'idgen_sql_create_generator';
COMMENT ON FUNCTION @extschema@.idgen_create_generator(text, text, timestamptz, interval, integer, integer, text, boolean) IS
'Creates a generator, for idgen_next(name) and the other functions that take one. A generator never changes. For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_create_generator(text, text, timestamptz, interval, integer, integer, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_create_generator(text, text, timestamptz, interval, integer, integer, text, boolean) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION @extschema@.idgen_drop_generator(name text, if_exists boolean DEFAULT false) RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'idgen_sql_drop_generator';
COMMENT ON FUNCTION @extschema@.idgen_drop_generator(text, boolean) IS
'Drops a generator: true, or false if there was none and if_exists is true. Column defaults that name it fail from then on. For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_drop_generator(text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_drop_generator(text, boolean) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION @extschema@.idgen_comment_on_generator(name text, comment text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'idgen_sql_comment_generator';
COMMENT ON FUNCTION @extschema@.idgen_comment_on_generator(text, text) IS
'Sets the comment of a generator, or takes it away with NULL. 42704 if there is none. For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_comment_on_generator(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_comment_on_generator(text, text) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION @extschema@.idgen_next(generator text) RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_next_generator';
COMMENT ON FUNCTION @extschema@.idgen_next(text) IS
'A new id of a generator. NULL for NULL.';

CREATE FUNCTION @extschema@.idgen_batch(count bigint, generator text) RETURNS SETOF bigint
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1 ROWS 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_batch_generator';
COMMENT ON FUNCTION @extschema@.idgen_batch(bigint, text) IS
'count new ids of a generator in increasing order. None for NULL; 22023 for a negative count; 42704 if there is no such generator.';

CREATE FUNCTION @extschema@.idgen_next_text(format text) RETURNS text
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_next_text_form';
COMMENT ON FUNCTION @extschema@.idgen_next_text(text) IS
'A new id as idgen_next() gives it, as text: decimal, base32, base58, base62 or hex, as idgen_to_base32() and the like write it. 22023 for another format.';

CREATE FUNCTION @extschema@.idgen_next_text(format text, generator text) RETURNS text
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_next_text_form';
COMMENT ON FUNCTION @extschema@.idgen_next_text(text, text) IS
'A new id of a generator as text: decimal, base32, base58, base62 or hex. 22023 for another format, 42704 if there is no such generator.';

-- reading ids of generators, and of others

CREATE FUNCTION @extschema@.idgen_decode(id bigint, generator text,
    OUT generated_at timestamptz, OUT region_id integer, OUT app_id integer, OUT worker_id integer, OUT sequence bigint)
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 2
    AS 'MODULE_PATHNAME', 'idgen_sql_decode_generator';
COMMENT ON FUNCTION @extschema@.idgen_decode(bigint, text) IS
'The fields of an id of a generator; NULL for a field that its layout does not have. For indexes and generated columns use idgen_decode_layout().';

CREATE FUNCTION @extschema@.idgen_timestamp(id bigint, generator text) RETURNS timestamptz
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_timestamp_generator';
COMMENT ON FUNCTION @extschema@.idgen_timestamp(bigint, text) IS
'When an id of a generator was made: the beginning of its tick. 22023 for a number with more bits than the layout, 42704 if there is no such generator.';

CREATE FUNCTION @extschema@.idgen_decode_layout(id bigint, layout text, epoch timestamptz DEFAULT NULL, unit interval DEFAULT NULL,
    OUT generated_at timestamptz, OUT region_id integer, OUT app_id integer, OUT worker_id integer, OUT sequence bigint)
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 2
    AS 'MODULE_PATHNAME', 'idgen_sql_decode_layout';
COMMENT ON FUNCTION @extschema@.idgen_decode_layout(bigint, text, timestamptz, interval) IS
'The fields of an id of any layout, whoever made it. layout, epoch and unit as in idgen_describe_layout(); ids of 64 bits are negative numbers.';

CREATE FUNCTION @extschema@.idgen_timestamp_layout(id bigint, layout text, epoch timestamptz DEFAULT NULL, unit interval DEFAULT NULL)
    RETURNS timestamptz
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_timestamp_layout';
COMMENT ON FUNCTION @extschema@.idgen_timestamp_layout(bigint, text, timestamptz, interval) IS
'When an id of any layout was made: the generated_at of idgen_decode_layout().';

-- time as a range of ids

CREATE FUNCTION @extschema@.idgen_min_id(at timestamptz) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_min_id';
COMMENT ON FUNCTION @extschema@.idgen_min_id(timestamptz) IS
'The bound for which id >= idgen_min_id(at) means idgen_timestamp(id) >= at, of every id of the default generator. 0 before its epoch; 22008 if all ids are earlier.';

CREATE FUNCTION @extschema@.idgen_max_id(at timestamptz) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_max_id';
COMMENT ON FUNCTION @extschema@.idgen_max_id(timestamptz) IS
'The bound for which id <= idgen_max_id(at) means idgen_timestamp(id) <= at, for every id of the default generator. Ids can run ahead of the clock by idgen.max_ahead.';

CREATE FUNCTION @extschema@.idgen_min_id(at timestamptz, generator text) RETURNS bigint
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_min_id_generator';
COMMENT ON FUNCTION @extschema@.idgen_min_id(timestamptz, text) IS
'As idgen_min_id(at), of the ids of a generator. 42704 if there is no such generator.';

CREATE FUNCTION @extschema@.idgen_max_id(at timestamptz, generator text) RETURNS bigint
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_max_id_generator';
COMMENT ON FUNCTION @extschema@.idgen_max_id(timestamptz, text) IS
'As idgen_max_id(at), of the ids of a generator. 42704 if there is no such generator.';

-- moving in

CREATE FUNCTION @extschema@.idgen_adopt(table_name regclass, column_name name, generator text DEFAULT NULL) RETURNS SETOF text
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000 ROWS 3
    AS 'MODULE_PATHNAME', 'idgen_sql_adopt';
COMMENT ON FUNCTION @extschema@.idgen_adopt(regclass, name, text) IS
'Makes idgen_next(), or that of a generator, the default of a bigint column that had other ids (plain, serial or identity), and returns what it did. For the table''s owner.';

CREATE FUNCTION @extschema@.idgen_fill_past(table_name regclass, column_name name, time_column name,
    generator text DEFAULT NULL, worker_id integer DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100000
    AS 'MODULE_PATHNAME', 'idgen_sql_fill_past';
COMMENT ON FUNCTION @extschema@.idgen_fill_past(regclass, name, name, text, integer) IS
'Gives every row whose column_name is NULL an id of the time in time_column, in the order of these times, under a worker id that no server has. Returns how many.';

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

-- is it healthy

CREATE FUNCTION @extschema@.idgen_status(
    OUT state text, OUT reason text, OUT advice text, OUT worker_id integer, OUT worker_source text,
    OUT ceiling timestamptz, OUT ceiling_left interval, OUT drift interval, OUT clock_ahead interval,
    OUT ids_issued bigint,
    OUT lease_holder text, OUT lease_expires_at timestamptz, OUT last_renewal_at timestamptz,
    OUT renewal_latency interval, OUT renewal_failures integer,
    OUT last_error text, OUT last_error_at timestamptz, OUT worker_pid integer,
    OUT server_version text, OUT library_version text)
    LANGUAGE c VOLATILE PARALLEL SAFE COST 10
    AS 'MODULE_PATHNAME', 'idgen_sql_status';
COMMENT ON FUNCTION @extschema@.idgen_status() IS
'One row: is id generation healthy (state is ''ok''), why not, and what to do; worker id, ceiling, drift, the clock, ids issued, the lease, the last error.';

-- checks before trouble

CREATE FUNCTION @extschema@.idgen_check_server(OUT severity text, OUT object text, OUT finding text, OUT advice text)
    RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 100 ROWS 2
    AS 'MODULE_PATHNAME', 'idgen_sql_check_server';
COMMENT ON FUNCTION @extschema@.idgen_check_server() IS
'What idgen_check() finds about the server; of sequences without a store also where they may not be used.';

CREATE FUNCTION @extschema@.idgen_check(OUT severity text, OUT object text, OUT finding text, OUT advice text)
    RETURNS SETOF record
    LANGUAGE sql STABLE PARALLEL RESTRICTED COST 10000 ROWS 10
BEGIN ATOMIC
    WITH RECURSIVE ours (oid) AS (
        VALUES ('@extschema@.idgen_next()'::regprocedure), ('@extschema@.idgen_next(text)'::regprocedure),
               ('@extschema@.idgen_next_text(text,text)'::regprocedure)),
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
        FROM idgen_catalog.idgen_generator g),
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
    FROM @extschema@.idgen_generators WHERE runs_out_at < now() + interval '5 years'
    UNION ALL
    SELECT 'error', 'generator ' || quote_ident(name),
           'It has ' || g.workers || ' worker ids, and "idgen.max_workers" is ' || s.workers || '.',
           'Lower "idgen.max_workers" on all servers of the prefix, or use a generator with a wider worker field.'
    FROM @extschema@.idgen_generators g, settings s WHERE s.leased AND g.workers < s.workers
    UNION ALL
    SELECT 'error', 'generator ' || quote_ident(name),
           'Its ticks are ' || unit || ' long; with the settings as they are they can be ' || longest_ms || ' ms.',
           'Make "idgen.ceiling_window", or "idgen.lease_window", or "idgen.max_ahead" longer.'
    FROM idgen_catalog.idgen_generator, settings WHERE extract(epoch FROM unit) * 1000 > longest_ms
    UNION ALL
    SELECT 'error', min(object),
           'Ids of different generators can meet in it: ' || string_agg(DISTINCT quote_ident(n.generator), ', ') || '.',
           'Make the defaults of the table and of its partitions or children one.'
    FROM named n JOIN idgen_catalog.idgen_generator g ON g.name = n.generator JOIN parents p ON p.relation = n.attrelid
    WHERE NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = p.root)
    GROUP BY p.root, n.attname
    HAVING count(DISTINCT (g.layout, g.epoch, g.unit, g.region_id, g.app_id)) > 1
    UNION ALL
    SELECT DISTINCT 'error', object, 'Its default names the generator ' || quote_ident(generator) || ', which does not exist.',
           'Make the generator again as it was, or set another default.'
    FROM named n
    WHERE NOT EXISTS (SELECT FROM idgen_catalog.idgen_generator g WHERE g.name = n.generator)
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
           CASE WHEN t.guards THEN 'Its guard does not fire for replicated rows; pg_restore --disable-triggers leaves it so.'
                ELSE 'Not all of its triggers are enabled always, as pg_restore --disable-triggers leaves them: what comes by replication is not judged, and open sessions do not see it.' END,
           string_agg('ALTER TABLE ' || t.tgrelid::regclass || ' ENABLE ' || CASE WHEN t.guards THEN 'REPLICA' ELSE 'ALWAYS' END
                      || ' TRIGGER ' || quote_ident(t.tgname) || ';', ' ' ORDER BY t.tgname)
    FROM (
        SELECT t.tgrelid, t.tgname, t.tgenabled, f.proname = 'idgen_guard_row' AS guards
        FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid
            JOIN pg_depend p ON p.classid = 'pg_proc'::regclass AND p.objid = f.oid AND p.deptype = 'e'
            JOIN pg_extension e ON p.refclassid = 'pg_extension'::regclass AND e.oid = p.refobjid AND e.extname = 'idgen'
    ) t
    WHERE t.tgenabled <> 'A' AND NOT (t.guards AND t.tgenabled = 'R')
    GROUP BY t.tgrelid, t.guards
    UNION ALL
    SELECT c.severity, c.object, c.finding, c.advice FROM @extschema@.idgen_check_server() c
    -- Without a sequencer of its own a database uses sequences if something in it calls them.
    WHERE c.object <> 'default sequence' OR EXISTS (
        SELECT FROM pg_depend p
            JOIN pg_proc f ON p.refclassid = 'pg_proc'::regclass AND f.oid = p.refobjid AND f.proname ~ '^idgen_sequence($|_)'
            JOIN pg_depend m ON m.classid = 'pg_proc'::regclass AND m.objid = f.oid AND m.deptype = 'e'
            JOIN pg_extension e ON m.refclassid = 'pg_extension'::regclass AND e.oid = m.refobjid AND e.extname = 'idgen'
        WHERE p.deptype = 'n');
END;
COMMENT ON FUNCTION @extschema@.idgen_check() IS
'What will be trouble, one row each: a server that is not well, generators that run out, ids that can meet, defaults and columns that do not fit, settings that do not match. No rows: nothing was found.';
-- text forms

CREATE FUNCTION @extschema@.idgen_to_base32(id bigint) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_to_base32';
COMMENT ON FUNCTION @extschema@.idgen_to_base32(bigint) IS
'An id in Crockford''s base32, as TSIDs have it: 13 characters of 0-9 and A-Z without I, L, O and U, which sort like unsigned ids under COLLATE "C".';

CREATE FUNCTION @extschema@.idgen_from_base32(text text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_from_base32';
COMMENT ON FUNCTION @extschema@.idgen_from_base32(text) IS
'The id that idgen_to_base32() wrote. Exactly 13 characters, in either case; I and L are read as 1, O as 0. 22P02 for anything else, 22003 above 2^64 - 1.';

CREATE FUNCTION @extschema@.idgen_to_base58(id bigint) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_to_base58';
COMMENT ON FUNCTION @extschema@.idgen_to_base58(bigint) IS
'An id in base58 with Bitcoin''s alphabet: at most 11 characters of 1-9, A-Z and a-z without I, O and l, which do not sort like ids.';

CREATE FUNCTION @extschema@.idgen_from_base58(text text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_from_base58';
COMMENT ON FUNCTION @extschema@.idgen_from_base58(text) IS
'The id that idgen_to_base58() wrote. 1 to 11 characters; case matters; only the id 0 begins with 1. 22P02 for anything else, 22003 above 2^64 - 1.';

CREATE FUNCTION @extschema@.idgen_to_base62(id bigint) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_to_base62';
COMMENT ON FUNCTION @extschema@.idgen_to_base62(bigint) IS
'An id in base62: 11 characters of 0-9, A-Z and a-z, which sort like unsigned ids under COLLATE "C". Any bigint has one; a negative one counts as 2^64 more.';

CREATE FUNCTION @extschema@.idgen_from_base62(text text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_from_base62';
COMMENT ON FUNCTION @extschema@.idgen_from_base62(text) IS
'The id that idgen_to_base62() wrote. Exactly 11 characters; case matters. 22P02 for anything else, 22003 above 2^64 - 1.';

CREATE FUNCTION @extschema@.idgen_to_hex(id bigint) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_to_hex';
COMMENT ON FUNCTION @extschema@.idgen_to_hex(bigint) IS
'An id in hexadecimal: 16 characters of 0-9 and a-f, which sort like unsigned ids. Any bigint has one; a negative one counts as 2^64 more.';

CREATE FUNCTION @extschema@.idgen_from_hex(text text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_from_hex';
COMMENT ON FUNCTION @extschema@.idgen_from_hex(text) IS
'The id that idgen_to_hex() wrote. Exactly 16 characters, in either case, without a prefix. 22P02 for anything else.';

CREATE FUNCTION @extschema@.idgen_to_unsigned(id bigint) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_to_unsigned';
COMMENT ON FUNCTION @extschema@.idgen_to_unsigned(bigint) IS
'An id in decimal digits without a sign: of a negative bigint those of the same 64 bits, 2^63 and above. Of any other the same as its own text.';

CREATE FUNCTION @extschema@.idgen_from_unsigned(text text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_from_unsigned';
COMMENT ON FUNCTION @extschema@.idgen_from_unsigned(text) IS
'The id that idgen_to_unsigned() wrote. 1 to 20 digits, no sign, no spaces, no leading zeros; from 2^63 on the same 64 bits as a negative bigint. 22P02 for anything else, 22003 above 2^64 - 1.';

CREATE FUNCTION @extschema@.uuid_to_ulid(uuid uuid) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_to_ulid';
COMMENT ON FUNCTION @extschema@.uuid_to_ulid(uuid) IS
'The 128 bits of a UUID, of any version, as a ULID: 26 characters of Crockford''s base32, which sort like UUIDs under COLLATE "C".';

CREATE FUNCTION @extschema@.uuid_from_ulid(text text) RETURNS uuid
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_from_ulid';
COMMENT ON FUNCTION @extschema@.uuid_from_ulid(text) IS
'The 128 bits of a ULID as a UUID. uuid_v7_timestamp() refuses most ULIDs made elsewhere, which have random bits in place of a version.';

-- UUIDs

CREATE FUNCTION @extschema@.uuid_v7() RETURNS uuid
    LANGUAGE c VOLATILE PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_v7';
COMMENT ON FUNCTION @extschema@.uuid_v7() IS
'A new UUID of version 7 (RFC 9562), strictly increasing over all sessions of the server if idgen is in shared_preload_libraries, else within the session. Never waits.';

CREATE FUNCTION @extschema@.uuid_v7_timestamp(uuid uuid) RETURNS timestamptz
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_v7_timestamp';
COMMENT ON FUNCTION @extschema@.uuid_v7_timestamp(uuid) IS
'The time in a UUID of version 7, whoever made it, in whole milliseconds. 22023 for any other version or variant.';

CREATE FUNCTION @extschema@.uuid_v7_decode(uuid uuid, OUT generated_at timestamptz, OUT rand_a integer, OUT rand_b bigint)
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_v7_decode';
COMMENT ON FUNCTION @extschema@.uuid_v7_decode(uuid) IS
'The fields of a UUID of version 7, named as in RFC 9562: its time, rand_a (12 bits) and rand_b (62 bits). 22023 for any other version or variant.';

CREATE FUNCTION @extschema@.uuid_v7(at timestamptz) RETURNS uuid
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_v7_at';
COMMENT ON FUNCTION @extschema@.uuid_v7(timestamptz) IS
'A UUID of version 7 for a row of the past: with the millisecond of that time, rounded down, and 74 random bits. UUIDs of one millisecond are in no order.';

CREATE FUNCTION @extschema@.uuid_v7_min(at timestamptz) RETURNS uuid
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_v7_min';
COMMENT ON FUNCTION @extschema@.uuid_v7_min(timestamptz) IS
'The lower bound of a time range in UUIDs of version 7, for the index on the UUIDs: id >= uuid_v7_min(t) if and only if uuid_v7_timestamp(id) >= t.';

CREATE FUNCTION @extschema@.uuid_v7_max(at timestamptz) RETURNS uuid
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_v7_max';
COMMENT ON FUNCTION @extschema@.uuid_v7_max(timestamptz) IS
'The upper bound of a time range in UUIDs of version 7, for the index on the UUIDs: id <= uuid_v7_max(t) if and only if uuid_v7_timestamp(id) <= t.';

-- watching it

CREATE FUNCTION @extschema@.idgen_wait_ready(timeout interval DEFAULT '30 s') RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_wait_ready';
COMMENT ON FUNCTION @extschema@.idgen_wait_ready(interval) IS
'Waits until the server can give ids: true, or false if timeout has passed first. For deployments and tests. 55000 if idgen is not in shared_preload_libraries.';

CREATE FUNCTION @extschema@.idgen_stat_get_backends(
    OUT pid integer, OUT ids bigint, OUT blocks bigint, OUT lost_ids bigint, OUT waits bigint, OUT waited interval,
    OUT waiting boolean, OUT waiting_for interval)
    RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL SAFE COST 10 ROWS 100
    AS 'MODULE_PATHNAME', 'idgen_sql_stat_backends';
COMMENT ON FUNCTION @extschema@.idgen_stat_get_backends() IS
'The rows of the view idgen_stat_backends. None if idgen is not in shared_preload_libraries.';

CREATE VIEW @extschema@.idgen_stat_backends AS SELECT * FROM @extschema@.idgen_stat_get_backends();
GRANT SELECT ON @extschema@.idgen_stat_backends TO PUBLIC;
COMMENT ON VIEW @extschema@.idgen_stat_backends IS
'Per live backend that asked for ids: ids given out, blocks reserved, ids lost in dropped blocks, how often and how long it waited, and whether it waits now.';

CREATE FUNCTION @extschema@.idgen_stat_get_generators(
    OUT generator text, OUT ids bigint, OUT blocks bigint, OUT lost_ids bigint, OUT waits bigint, OUT waited interval,
    OUT drift interval, OUT max_drift interval, OUT stats_reset timestamptz)
    RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL SAFE COST 10 ROWS 1
    AS 'MODULE_PATHNAME', 'idgen_sql_stat_generators';
COMMENT ON FUNCTION @extschema@.idgen_stat_get_generators() IS
'The rows of the view idgen_stat_generators. None if idgen is not in shared_preload_libraries.';

CREATE VIEW @extschema@.idgen_stat_generators AS SELECT * FROM @extschema@.idgen_stat_get_generators();
GRANT SELECT ON @extschema@.idgen_stat_generators TO PUBLIC;
COMMENT ON VIEW @extschema@.idgen_stat_generators IS
'Per generator, since stats_reset or the server''s start: ids, blocks, ids lost in dropped blocks, waits; drift, how far the next id is ahead of the id clock; max_drift, the furthest.';

CREATE FUNCTION @extschema@.idgen_stat_get_clock(
    OUT ahead interval, OUT right_at timestamptz, OUT steps_back bigint, OUT largest_step_back interval,
    OUT stats_reset timestamptz)
    RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL SAFE COST 10 ROWS 1
    AS 'MODULE_PATHNAME', 'idgen_sql_stat_clock';
COMMENT ON FUNCTION @extschema@.idgen_stat_get_clock() IS
'The row of the view idgen_stat_clock. None if idgen is not in shared_preload_libraries.';

CREATE VIEW @extschema@.idgen_stat_clock AS SELECT * FROM @extschema@.idgen_stat_get_clock();
GRANT SELECT ON @extschema@.idgen_stat_clock TO PUBLIC;
COMMENT ON VIEW @extschema@.idgen_stat_clock IS
'The id clock against the wall clock: how far ahead, about when it will be right; how often the wall clock stepped back since stats_reset, and by how much at most.';

CREATE FUNCTION @extschema@.idgen_stat_reset() RETURNS void
    LANGUAGE c VOLATILE PARALLEL SAFE COST 10
    AS 'MODULE_PATHNAME', 'idgen_sql_stat_reset';
COMMENT ON FUNCTION @extschema@.idgen_stat_reset() IS
'Sets the counts of idgen_stat_generators and idgen_stat_clock to zero. A live backend''s own row in idgen_stat_backends goes on, but for its largest drift. Superusers only, unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_stat_reset() FROM PUBLIC;

-- leased worker ids

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

-- the operator's way out

CREATE FUNCTION @extschema@.idgen_forget_floor() RETURNS timestamptz
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_forget_floor';
COMMENT ON FUNCTION @extschema@.idgen_forget_floor() IS
'Gives up the floor that a server waits for because earlier ids lie ahead of the clock. Ids that were issued up to that time may be issued again when the clock gets there.';
REVOKE ALL ON FUNCTION @extschema@.idgen_forget_floor() FROM PUBLIC;

-- This script runs where ids are new, so a server without a trace of earlier ones may start at once.
CREATE FUNCTION @extschema@.idgen_declare_new_server() RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'idgen_sql_declare_new_server';
SELECT @extschema@.idgen_declare_new_server();
DROP FUNCTION @extschema@.idgen_declare_new_server();

-- sequencers

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
'The sequencers of this database. Use the view idgen_sequencers and the functions idgen_create_sequencer() and idgen_drop_sequencer(). pg_dump dumps its rows but the built-in one.';
GRANT SELECT ON idgen_catalog.idgen_sequencer TO PUBLIC;
-- Whoever makes the extension, so that he can restore a dump of it, too.
GRANT INSERT ON idgen_catalog.idgen_sequencer TO @extowner@;
SELECT pg_catalog.pg_extension_config_dump('idgen_catalog.idgen_sequencer', 'WHERE NOT built_in');

CREATE FUNCTION @extschema@.idgen_sequencer_changed() RETURNS trigger
    LANGUAGE c VOLATILE
    AS 'MODULE_PATHNAME', 'idgen_sql_sequencer_trigger';
COMMENT ON FUNCTION @extschema@.idgen_sequencer_changed() IS
'Judges every row that comes into idgen_sequencer, and tells all sessions that definitions have changed.';
REVOKE ALL ON FUNCTION @extschema@.idgen_sequencer_changed() FROM PUBLIC;
CREATE TRIGGER idgen_sequencer_changed BEFORE INSERT OR UPDATE OR DELETE ON idgen_catalog.idgen_sequencer
    FOR EACH ROW EXECUTE FUNCTION @extschema@.idgen_sequencer_changed();
CREATE TRIGGER idgen_sequencer_emptied BEFORE TRUNCATE ON idgen_catalog.idgen_sequencer
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.idgen_sequencer_changed();
-- Also where rows come by logical replication.
ALTER TABLE idgen_catalog.idgen_sequencer ENABLE ALWAYS TRIGGER idgen_sequencer_changed;
ALTER TABLE idgen_catalog.idgen_sequencer ENABLE ALWAYS TRIGGER idgen_sequencer_emptied;

INSERT INTO idgen_catalog.idgen_sequencer (name, comment, built_in)
    VALUES ('default', 'What the sequence functions without a sequencer use: 1, 2, 3, ...', true);

CREATE VIEW @extschema@.idgen_sequencers AS
    SELECT s.name,
           coalesce(s.key_prefix, 'idgen:seq:' || octet_length(d.name) || ':' ||
               replace(replace(replace(d.name, '%', '%25'), '{', '%7B'), '}', '%7D') || ':' || octet_length(s.name) || ':' ||
               replace(replace(replace(s.name, '%', '%25'), '{', '%7B'), '}', '%7D') || ':') AS key_prefix,
           s.start, s.step, s.max_value, s.cycle, s.ttl, s.ttl_mode, s.cache, s.comment
    FROM idgen_catalog.idgen_sequencer s, (SELECT current_database()::text AS name) d;
GRANT SELECT ON @extschema@.idgen_sequencers TO PUBLIC;
COMMENT ON VIEW @extschema@.idgen_sequencers IS
'The sequencers of this database. In the store the last value of a key stands, in decimal, at key_prefix{length:key}, length in bytes; other programs may GET or INCRBY it.';

-- Not SECURITY DEFINER: whether the caller may choose a prefix is his own right. It writes the row as its owner.
CREATE FUNCTION @extschema@.idgen_create_sequencer(
    name text, key_prefix text DEFAULT NULL, start bigint DEFAULT 1, step bigint DEFAULT 1,
    max_value bigint DEFAULT 9223372036854775807, cycle boolean DEFAULT false, ttl interval DEFAULT NULL,
    ttl_mode text DEFAULT 'from first use', cache integer DEFAULT 1, comment text DEFAULT NULL,
    if_not_exists boolean DEFAULT false)
    RETURNS @extschema@.idgen_sequencers
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'idgen_sql_create_sequencer';
COMMENT ON FUNCTION @extschema@.idgen_create_sequencer(text, text, bigint, bigint, bigint, boolean, interval, text, integer, text, boolean) IS
'Creates a sequencer, for idgen_sequence() and the other functions that take one: start, step, maximum, cycle, TTL, cache, prefix of its keys. For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_create_sequencer(text, text, bigint, bigint, bigint, boolean, interval, text, integer, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_create_sequencer(text, text, bigint, bigint, bigint, boolean, interval, text, integer, text, boolean) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION @extschema@.idgen_drop_sequencer(name text, if_exists boolean DEFAULT false) RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'idgen_sql_drop_sequencer';
COMMENT ON FUNCTION @extschema@.idgen_drop_sequencer(text, boolean) IS
'Drops a sequencer: true, or false if there was none and if_exists is true. Its values stay in the store. For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_drop_sequencer(text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_drop_sequencer(text, boolean) TO @extowner@ WITH GRANT OPTION;

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

CREATE FUNCTION @extschema@.idgen_sequence_drop(key text, sequencer text DEFAULT 'default') RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_sequence_drop';
COMMENT ON FUNCTION @extschema@.idgen_sequence_drop(text, text) IS
'Drops a key: it begins at start again. True if it had a value. Not undone by a rollback. Errors as idgen_sequence(). For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_sequence_drop(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_sequence_drop(text, text) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION @extschema@.idgen_stat_get_sequences(
    OUT sequencer text, OUT key text, OUT next_value bigint, OUT values_left bigint, OUT segment_size bigint,
    OUT fetches bigint, OUT waits bigint)
    RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL SAFE COST 100 ROWS 100
    AS 'MODULE_PATHNAME', 'idgen_sql_stat_sequences';
COMMENT ON FUNCTION @extschema@.idgen_stat_get_sequences() IS
'The rows of the view idgen_stat_sequences. None if idgen is not in shared_preload_libraries.';
REVOKE ALL ON FUNCTION @extschema@.idgen_stat_get_sequences() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_stat_get_sequences() TO pg_read_all_stats;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_stat_get_sequences() TO @extowner@ WITH GRANT OPTION;

CREATE VIEW @extschema@.idgen_stat_sequences AS SELECT * FROM @extschema@.idgen_stat_get_sequences();
REVOKE ALL ON @extschema@.idgen_stat_sequences FROM PUBLIC;
GRANT SELECT ON @extschema@.idgen_stat_sequences TO pg_read_all_stats;
GRANT SELECT ON @extschema@.idgen_stat_sequences TO @extowner@ WITH GRANT OPTION;
COMMENT ON VIEW @extschema@.idgen_stat_sequences IS
'The keys of this database whose values this server holds in segments: next_value (NULL if it must ask the store), values_left, segment_size, fetches, waits. For pg_read_all_stats.';
