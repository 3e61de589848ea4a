-- idgen_check(): problems that are coming, before they happen.

CREATE FUNCTION @extschema@.idgen_check_server(OUT severity text, OUT object text, OUT finding text, OUT advice text)
    RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 100 ROWS 2
    AS 'MODULE_PATHNAME', 'idgen_sql_check_server';
COMMENT ON FUNCTION @extschema@.idgen_check_server() IS
'The rows of idgen_check() about the server, including one about a missing sequence store that idgen_check() drops if the database does not use sequences.';

CREATE FUNCTION @extschema@.idgen_check(OUT severity text, OUT object text, OUT finding text, OUT advice text)
    RETURNS SETOF record
    LANGUAGE sql STABLE PARALLEL RESTRICTED COST 10000 ROWS 10
BEGIN ATOMIC
    WITH RECURSIVE ours (oid) AS (
        VALUES ('@extschema@.idgen_next()'::regprocedure), ('@extschema@.idgen_next(text)'::regprocedure),
               ('@extschema@.idgen_next_text(text,text)'::regprocedure)),
    -- Types, and domains with the type that they are ultimately based on.
    bases (oid, base) AS (
        SELECT oid, oid FROM pg_type WHERE typtype <> 'd'
        UNION ALL
        SELECT t.oid, b.base FROM pg_type t JOIN bases b ON b.oid = t.typbasetype WHERE t.typtype = 'd'),
    -- Each table with itself and its ancestors, by partitioning and inheritance.
    parents (relation, root) AS (
        SELECT oid, oid FROM pg_class WHERE relkind IN ('r', 'p', 'f')
        UNION
        SELECT p.relation, i.inhparent FROM parents p JOIN pg_inherits i ON i.inhrelid = p.root),
    -- Columns whose default, or whose domain's default, calls an id function.
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
    -- One row per call in a default. A generator that is not given as a literal is not found.
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
           'Columns with its ids need another generator or another kind of key before then.'
    FROM @extschema@.idgen_generators WHERE runs_out_at < now() + interval '5 years'
    UNION ALL
    SELECT 'error', 'generator ' || quote_ident(name),
           'Its layout holds ' || g.workers || ' worker ids, but "idgen.max_workers" is ' || s.workers || '.',
           'Lower "idgen.max_workers" on all servers that share the prefix, or use a generator with a wider worker field.'
    FROM @extschema@.idgen_generators g, settings s WHERE s.leased AND g.workers < s.workers
    UNION ALL
    SELECT 'error', 'generator ' || quote_ident(name),
           'Its unit is ' || unit || ', but the settings allow at most ' || longest_ms || ' ms.',
           'Increase "idgen.ceiling_window", "idgen.lease_window" or "idgen.max_ahead".'
    FROM idgen_catalog.idgen_generator, settings WHERE extract(epoch FROM unit) * 1000 > longest_ms
    UNION ALL
    SELECT 'error', min(object),
           'Its ids come from different generators and may collide: ' || string_agg(DISTINCT quote_ident(n.generator), ', ') || '.',
           'Use the same default for the table and all of its partitions or children.'
    FROM named n JOIN idgen_catalog.idgen_generator g ON g.name = n.generator JOIN parents p ON p.relation = n.attrelid
    WHERE NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = p.root)
    GROUP BY p.root, n.attname
    HAVING count(DISTINCT (g.layout, g.epoch, g.unit, g.region_id, g.app_id)) > 1
    UNION ALL
    SELECT DISTINCT 'error', object, 'Its default uses the generator ' || quote_ident(generator) || ', which does not exist.',
           'Create the generator again with the same definition, or set another default.'
    FROM named n
    WHERE NOT EXISTS (SELECT FROM idgen_catalog.idgen_generator g WHERE g.name = n.generator)
    UNION ALL
    SELECT DISTINCT 'error', object, 'It is of type ' || format_type(atttypid, NULL) || ', which cannot hold every id.',
           'ALTER TABLE ' || attrelid::regclass || ' ALTER COLUMN ' || quote_ident(attname) || ' TYPE bigint;'
    FROM named n JOIN bases b ON b.oid = n.atttypid LEFT JOIN widths w ON w.name = n.generator
    WHERE b.base IN ('int2'::regtype, 'int4'::regtype, 'float4'::regtype)
        OR (b.base = 'float8'::regtype AND coalesce(w.bits, 64) > 53)
    UNION ALL
    SELECT DISTINCT 'warning', object, 'It still owns the sequence ' || p.objid::regclass || ', which its default does not use.',
           'ALTER SEQUENCE ' || p.objid::regclass || ' OWNED BY NONE; and drop it if nothing else uses it.'
    FROM named n
        JOIN pg_depend p ON p.classid = 'pg_class'::regclass AND p.refclassid = 'pg_class'::regclass
            AND p.refobjid = n.attrelid AND p.refobjsubid = n.attnum AND p.deptype = 'a'
        JOIN pg_class s ON s.oid = p.objid AND s.relkind = 'S'
    UNION ALL
    SELECT 'warning', 'server', 'Its worker id is not leased, but it has ' || string_agg(peers, ' and ') || '.',
           'Make sure that no two live servers use the same worker id, or lease worker ids ("idgen.worker_source").'
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
           CASE WHEN t.guards THEN 'Its guard does not fire for replicated rows, as after pg_restore --disable-triggers.'
                ELSE 'Not all of its triggers are enabled as ALWAYS, as after pg_restore --disable-triggers: replicated rows are not validated, and open sessions do not notice them.' END,
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
    -- A database without sequencers of its own uses sequences if an object in it calls their functions.
    WHERE c.object <> 'default sequence' OR EXISTS (
        SELECT FROM pg_depend p
            JOIN pg_proc f ON p.refclassid = 'pg_proc'::regclass AND f.oid = p.refobjid AND f.proname ~ '^idgen_sequence($|_)'
            JOIN pg_depend m ON m.classid = 'pg_proc'::regclass AND m.objid = f.oid AND m.deptype = 'e'
            JOIN pg_extension e ON m.refclassid = 'pg_extension'::regclass AND e.oid = m.refobjid AND e.extname = 'idgen'
        WHERE p.deptype = 'n');
END;
COMMENT ON FUNCTION @extschema@.idgen_check() IS
'Lists problems before they cause errors: the server''s state, generators that run out, ids that can collide, unsuitable defaults and types, settings that do not match. No rows if it finds none.';
