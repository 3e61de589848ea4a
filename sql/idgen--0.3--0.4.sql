-- idgen 0.3 -> 0.4. Frozen once released.
\echo Use "ALTER EXTENSION idgen UPDATE TO '0.4'" to load this file. \quit

-- generators

CREATE TABLE idgen_generator (
    name text COLLATE "C" PRIMARY KEY,
    layout text NOT NULL,
    epoch timestamptz NOT NULL,
    unit interval NOT NULL,
    region_id integer,
    app_id integer,
    comment text,
    built_in boolean NOT NULL DEFAULT false);
COMMENT ON TABLE idgen_generator IS
'The generators of this database, by name; idgen_generators shows what follows from each. Rows are judged as they come in, never change but for their comment, and are dumped by pg_dump (not the built-in ones).';
GRANT SELECT ON idgen_generator TO PUBLIC;
-- Whoever makes the extension, so that he can restore a dump of it, too.
GRANT INSERT ON idgen_generator TO @extowner@;
SELECT pg_catalog.pg_extension_config_dump('idgen_generator', 'WHERE NOT built_in');

CREATE FUNCTION idgen_generator_changed() RETURNS trigger
    LANGUAGE c VOLATILE
    AS 'MODULE_PATHNAME', 'idgen_sql_generator_trigger';
COMMENT ON FUNCTION idgen_generator_changed() IS
'Judges every row that comes into idgen_generator, and tells all sessions that definitions have changed.';
REVOKE ALL ON FUNCTION idgen_generator_changed() FROM PUBLIC;
CREATE TRIGGER idgen_generator_changed BEFORE INSERT OR UPDATE OR DELETE ON idgen_generator
    FOR EACH ROW EXECUTE FUNCTION idgen_generator_changed();
CREATE TRIGGER idgen_generator_emptied BEFORE TRUNCATE ON idgen_generator
    FOR EACH STATEMENT EXECUTE FUNCTION idgen_generator_changed();
-- Also where rows come by logical replication.
ALTER TABLE idgen_generator ENABLE ALWAYS TRIGGER idgen_generator_changed;
ALTER TABLE idgen_generator ENABLE ALWAYS TRIGGER idgen_generator_emptied;

INSERT INTO idgen_generator (name, layout, comment, built_in)
    VALUES ('default', 'snowflake', 'What idgen_next() and the other functions without a generator use.', true);

CREATE FUNCTION idgen_describe_layout(
    layout text, epoch timestamptz DEFAULT NULL, unit interval DEFAULT NULL,
    region_id integer DEFAULT NULL, app_id integer DEFAULT NULL,
    OUT fields text, OUT tick_epoch timestamptz, OUT tick_unit interval, OUT bits integer,
    OUT ids_per_second bigint, OUT workers bigint, OUT runs_out_at timestamptz, OUT example_id bigint, OUT note text)
    LANGUAGE c STABLE PARALLEL SAFE COST 5
    AS 'MODULE_PATHNAME', 'idgen_sql_describe_layout';
COMMENT ON FUNCTION idgen_describe_layout(text, timestamptz, interval, integer, integer) IS
'What a layout is good for, without making anything: its fields, ids per second of one worker, number of workers, when its time runs out, an id of worker 1 as of now. layout: a list of fields with their bits, the highest first, of time, region (or datacenter), app, worker, sequence; or snowflake, genesis, sonyflake, goflakeid, discord, twitter, instagram, js53, wide, which have an epoch and a unit of their own. 22023 for one that is none.';

CREATE VIEW idgen_generators AS
    SELECT g.name, g.layout, g.epoch, g.unit, g.region_id, g.app_id,
           d.ids_per_second, d.workers, d.runs_out_at, d.example_id, d.note, g.comment
    FROM idgen_generator g, idgen_describe_layout(g.layout, g.epoch, g.unit, g.region_id, g.app_id) d;
GRANT SELECT ON idgen_generators TO PUBLIC;
COMMENT ON VIEW idgen_generators IS
'The generators of this database, and what follows from each: ids per second of one worker, how many workers can have different ids, when the time field runs out, an id of worker 1 as of now.';

CREATE FUNCTION idgen_create_generator(
    name text, layout text DEFAULT 'snowflake', epoch timestamptz DEFAULT NULL, unit interval DEFAULT NULL,
    region_id integer DEFAULT NULL, app_id integer DEFAULT NULL, comment text DEFAULT NULL)
    RETURNS idgen_generators
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'idgen_sql_create_generator';
COMMENT ON FUNCTION idgen_create_generator(text, text, timestamptz, interval, integer, integer, text) IS
'Makes a generator, for idgen_next(name) and the other functions that take one, and returns its row of idgen_generators. Time comes first in its layout, and there is a worker field; at most 63 bits, or 64 while the highest is zero. Generators of one layout, epoch, unit, region and app share their ids: none is given twice. Never changed afterwards. 42710 where the name is taken; 22023 for a layout in which no ids can be issued; 55000 where this server''s worker ids don''t fit it; 53400 past idgen.max_generators. For whoever made the extension, unless granted.';
REVOKE ALL ON FUNCTION idgen_create_generator(text, text, timestamptz, interval, integer, integer, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idgen_create_generator(text, text, timestamptz, interval, integer, integer, text) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION idgen_drop_generator(name text, if_exists boolean DEFAULT false) RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'idgen_sql_drop_generator';
COMMENT ON FUNCTION idgen_drop_generator(text, boolean) IS
'Drops a generator: true, or false where there was none and if_exists is true. Column defaults that name it fail from then on; idgen_check() lists them. 42704 where there is none; 55000 for a built-in one. For whoever made the extension, unless granted.';
REVOKE ALL ON FUNCTION idgen_drop_generator(text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idgen_drop_generator(text, boolean) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION idgen_comment_on_generator(name text, comment text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'idgen_sql_comment_generator';
COMMENT ON FUNCTION idgen_comment_on_generator(text, text) IS
'Sets the comment of a generator, or takes it away with NULL. 42704 where there is none. For whoever made the extension, unless granted.';
REVOKE ALL ON FUNCTION idgen_comment_on_generator(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idgen_comment_on_generator(text, text) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION idgen_next(generator text) RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_next_generator';
COMMENT ON FUNCTION idgen_next(text) IS
'A new id of a generator, as idgen_next() gives them. NULL for NULL. Raises 42704 where there is no such generator, 53400 where the server has no room for another layout (idgen.max_generators), and what idgen_next() raises.';

CREATE FUNCTION idgen_batch(count bigint, generator text) RETURNS SETOF bigint
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1 ROWS 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_batch_generator';
COMMENT ON FUNCTION idgen_batch(bigint, text) IS
'count new ids of a generator in increasing order. None for NULL; 22023 for a negative count; 42704 where there is no such generator.';

CREATE FUNCTION idgen_next_text(format text) RETURNS text
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_next_text_form';
COMMENT ON FUNCTION idgen_next_text(text) IS
'A new id as idgen_next() gives it, as text: decimal, base32, base58, base62 or hex, as idgen_to_base32() and the like write it. 22023 for another format.';

CREATE FUNCTION idgen_next_text(format text, generator text) RETURNS text
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_next_text_form';
COMMENT ON FUNCTION idgen_next_text(text, text) IS
'A new id of a generator as text: decimal, base32, base58, base62 or hex. 22023 for another format, 42704 where there is no such generator.';

-- reading ids of generators, and of others

CREATE FUNCTION idgen_decode(id bigint, generator text,
    OUT generated_at timestamptz, OUT region_id integer, OUT app_id integer, OUT worker_id integer, OUT sequence bigint)
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 2
    AS 'MODULE_PATHNAME', 'idgen_sql_decode_generator';
COMMENT ON FUNCTION idgen_decode(bigint, text) IS
'The fields of an id of a generator; NULL for a field that its layout does not have. 22023 for a number with more bits than the layout, 42704 where there is no such generator. For indexes and generated columns: idgen_decode_layout().';

CREATE FUNCTION idgen_timestamp(id bigint, generator text) RETURNS timestamptz
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_timestamp_generator';
COMMENT ON FUNCTION idgen_timestamp(bigint, text) IS
'When an id of a generator was made: the beginning of its tick. 22023 for a number with more bits than the layout, 42704 where there is no such generator.';

CREATE FUNCTION idgen_decode_layout(id bigint, layout text, epoch timestamptz DEFAULT NULL, unit interval DEFAULT NULL,
    OUT generated_at timestamptz, OUT region_id integer, OUT app_id integer, OUT worker_id integer, OUT sequence bigint)
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 2
    AS 'MODULE_PATHNAME', 'idgen_sql_decode_layout';
COMMENT ON FUNCTION idgen_decode_layout(bigint, text, timestamptz, interval) IS
'The fields of an id of any layout, whoever made it; ids of 64 bits as negative numbers, too (idgen_from_unsigned() reads the decimal form). layout, epoch and unit as in idgen_describe_layout(); without them 2024-01-01 00:00 UTC and 1 ms. NULL where id or layout is. 22023 for a layout that is none, or a number with more bits than it; 22008 for a time that no timestamp can say.';

CREATE FUNCTION idgen_timestamp_layout(id bigint, layout text, epoch timestamptz DEFAULT NULL, unit interval DEFAULT NULL)
    RETURNS timestamptz
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_timestamp_layout';
COMMENT ON FUNCTION idgen_timestamp_layout(bigint, text, timestamptz, interval) IS
'When an id of any layout was made: the generated_at of idgen_decode_layout().';

-- time as a range of ids

CREATE FUNCTION idgen_min_id(at timestamptz) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_min_id';
COMMENT ON FUNCTION idgen_min_id(timestamptz) IS
'The bound for which id >= idgen_min_id(at) means idgen_timestamp(id) >= at, of every id of the default generator. 0 before its epoch; 22008 where all ids are earlier.';

CREATE FUNCTION idgen_max_id(at timestamptz) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_max_id';
COMMENT ON FUNCTION idgen_max_id(timestamptz) IS
'The bound for which id <= idgen_max_id(at) means idgen_timestamp(id) <= at, of every id of the default generator. -1 before its epoch. Ids can run ahead of the clock by idgen.max_ahead, so id <= idgen_max_id(now()) can miss some that exist.';

CREATE FUNCTION idgen_min_id(at timestamptz, generator text) RETURNS bigint
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_min_id_generator';
COMMENT ON FUNCTION idgen_min_id(timestamptz, text) IS
'As idgen_min_id(at), of the ids of a generator. 42704 where there is no such generator.';

CREATE FUNCTION idgen_max_id(at timestamptz, generator text) RETURNS bigint
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_max_id_generator';
COMMENT ON FUNCTION idgen_max_id(timestamptz, text) IS
'As idgen_max_id(at), of the ids of a generator. 42704 where there is no such generator.';

-- moving in

CREATE FUNCTION idgen_adopt(table_name regclass, column_name name, generator text DEFAULT NULL) RETURNS SETOF text
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000 ROWS 3
    AS 'MODULE_PATHNAME', 'idgen_sql_adopt';
COMMENT ON FUNCTION idgen_adopt(regclass, name, text) IS
'Makes idgen_next(), or that of a generator, the default of a bigint column that has had other ids (plain, serial or identity), and says what it did, a line each. All in one transaction, under the lock that ALTER TABLE takes. 55000 where existing ids are not all below the new ones; 42804 for a column that can''t hold ids of 64 bits, with the statement that widens an integer. For the table''s owner.';

CREATE FUNCTION idgen_fill_past(table_name regclass, column_name name, time_column name,
    generator text DEFAULT NULL, worker_id integer DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100000
    AS 'MODULE_PATHNAME', 'idgen_sql_fill_past';
COMMENT ON FUNCTION idgen_fill_past(regclass, name, name, text, integer) IS
'Gives every row whose column_name is NULL an id of the time in time_column, in the order of these times, and returns how many. The ids have a worker id that no server may have, the layout''s last unless worker_id says otherwise: so none meets an id that a server issues, and what the column has of it already is not met either. Ids of rows that were deleted may come again, and another table has the same unless it is given another worker_id. 25000 in a transaction that does not see all rows. 22008 where a time is missing, to come, or before the epoch; 55000 where the worker id is this server''s or may be leased.';

-- checks before trouble

CREATE FUNCTION idgen_check(OUT severity text, OUT object text, OUT finding text, OUT advice text)
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
    HAVING count(*) > 0;
END;
COMMENT ON FUNCTION idgen_check() IS
'What will be trouble, a row each: a generator that runs out within five years; two generators whose ids can meet in one column; a default that names no generator; a column that can''t hold every id, or still owns a sequence; a worker field smaller than the range that is leased from; ticks too long for the settings; a worker id that is not leased on a server with standbys, subscribers or subscriptions. No rows: nothing was found.';
-- text forms

CREATE FUNCTION idgen_to_base32(id bigint) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_to_base32';
COMMENT ON FUNCTION idgen_to_base32(bigint) IS
'An id in Crockford''s base32, as TSIDs have it: 13 characters of 0-9 and A-Z without I, L, O and U, which sort like unsigned ids under COLLATE "C". Any bigint has one; a negative one counts as 2^64 more.';

CREATE FUNCTION idgen_from_base32(text text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_from_base32';
COMMENT ON FUNCTION idgen_from_base32(text) IS
'The id that idgen_to_base32() wrote. Exactly 13 characters, in either case; I and L are read as 1, O as 0. 22P02 for anything else, 22003 above 2^64 - 1.';

CREATE FUNCTION idgen_to_base58(id bigint) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_to_base58';
COMMENT ON FUNCTION idgen_to_base58(bigint) IS
'An id in base58 with Bitcoin''s alphabet: at most 11 characters of 1-9, A-Z and a-z without I, O and l. They don''t sort like ids. Any bigint has one; a negative one counts as 2^64 more.';

CREATE FUNCTION idgen_from_base58(text text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_from_base58';
COMMENT ON FUNCTION idgen_from_base58(text) IS
'The id that idgen_to_base58() wrote. 1 to 11 characters; case matters; only the id 0 begins with 1. 22P02 for anything else, 22003 above 2^64 - 1.';

CREATE FUNCTION idgen_to_base62(id bigint) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_to_base62';
COMMENT ON FUNCTION idgen_to_base62(bigint) IS
'An id in base62: 11 characters of 0-9, A-Z and a-z, which sort like unsigned ids under COLLATE "C". Any bigint has one; a negative one counts as 2^64 more.';

CREATE FUNCTION idgen_from_base62(text text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_from_base62';
COMMENT ON FUNCTION idgen_from_base62(text) IS
'The id that idgen_to_base62() wrote. Exactly 11 characters; case matters. 22P02 for anything else, 22003 above 2^64 - 1.';

CREATE FUNCTION idgen_to_hex(id bigint) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_to_hex';
COMMENT ON FUNCTION idgen_to_hex(bigint) IS
'An id in hexadecimal: 16 characters of 0-9 and a-f, which sort like unsigned ids. Any bigint has one; a negative one counts as 2^64 more.';

CREATE FUNCTION idgen_from_hex(text text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_from_hex';
COMMENT ON FUNCTION idgen_from_hex(text) IS
'The id that idgen_to_hex() wrote. Exactly 16 characters, in either case, without a prefix. 22P02 for anything else.';

CREATE FUNCTION idgen_to_unsigned(id bigint) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_to_unsigned';
COMMENT ON FUNCTION idgen_to_unsigned(bigint) IS
'An id in decimal digits without a sign: of a negative bigint those of the same 64 bits, 2^63 and above. Of any other the same as its own text.';

CREATE FUNCTION idgen_from_unsigned(text text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_from_unsigned';
COMMENT ON FUNCTION idgen_from_unsigned(text) IS
'The id that idgen_to_unsigned() wrote. 1 to 20 digits, no sign, no spaces, no leading zeros; from 2^63 on the same 64 bits as a negative bigint. 22P02 for anything else, 22003 above 2^64 - 1.';

CREATE FUNCTION uuid_to_ulid(uuid uuid) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_to_ulid';
COMMENT ON FUNCTION uuid_to_ulid(uuid) IS
'The 128 bits of a UUID, of any version, as a ULID: 26 characters of Crockford''s base32, which sort like UUIDs under COLLATE "C". A ULID begins with 48 bits of Unix milliseconds, as a UUID of version 7 does.';

CREATE FUNCTION uuid_from_ulid(text text) RETURNS uuid
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_from_ulid';
COMMENT ON FUNCTION uuid_from_ulid(text) IS
'The 128 bits of a ULID as a UUID; of one that uuid_to_ulid() wrote, that UUID. Exactly 26 characters, in either case; I and L are read as 1, O as 0. A ULID made elsewhere has random bits where a UUID has its version, so uuid_v7_timestamp() refuses most of them. 22P02 for anything else, 22003 above 2^128 - 1 (the first character is at most 7).';

-- UUIDs by time

CREATE FUNCTION uuid_v7(at timestamptz) RETURNS uuid
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_v7_at';
COMMENT ON FUNCTION uuid_v7(timestamptz) IS
'A UUID of version 7 for a row of the past: with the millisecond of that time, rounded down, and 74 random bits. Those of one millisecond are in no order. 22008 before 1970 and after 10889-08-02 05:31:50.655 UTC.';

CREATE FUNCTION uuid_v7_min(at timestamptz) RETURNS uuid
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_v7_min';
COMMENT ON FUNCTION uuid_v7_min(timestamptz) IS
'The lower bound of a time range in UUIDs of version 7, for the index on the UUIDs themselves: id >= uuid_v7_min(t) exactly where uuid_v7_timestamp(id) >= t. Any time will do; past the last time that a UUID has, the max UUID, which no UUID of version 7 reaches.';

CREATE FUNCTION uuid_v7_max(at timestamptz) RETURNS uuid
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_v7_max';
COMMENT ON FUNCTION uuid_v7_max(timestamptz) IS
'The upper bound of a time range in UUIDs of version 7, for the index on the UUIDs themselves: id <= uuid_v7_max(t) exactly where uuid_v7_timestamp(id) <= t. Any time will do; before 1970, the nil UUID, which every UUID of version 7 is above.';
