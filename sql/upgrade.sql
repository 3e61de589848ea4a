-- An upgraded database equals a fresh one, and the functions of an older script work with this library.
CREATE TEMP TABLE objects (how text, object text, definition text);
CREATE FUNCTION pg_temp.note_objects(how text) RETURNS bigint LANGUAGE sql AS $$
    WITH members AS (
        SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'idgen'),
    noted AS (
        INSERT INTO objects
        SELECT how, pg_describe_object(classid, objid, 0),
               concat_ws(E'\n',
                   CASE WHEN classid = 'pg_proc'::regclass THEN
                       (SELECT pg_get_functiondef(oid) || coalesce(proacl::text, '') FROM pg_proc WHERE oid = objid) END,
                   CASE WHEN classid = 'pg_class'::regclass THEN
                       (SELECT CASE WHEN relkind = 'v' THEN pg_get_viewdef(oid) END || coalesce(relacl::text, '')
                        FROM pg_class WHERE oid = objid) END,
                   CASE WHEN classid = 'pg_class'::regclass THEN
                       (SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, attcollation,
                                                    pg_get_expr(adbin, adrelid)), ', ' ORDER BY attnum)
                        FROM pg_attribute LEFT JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum)
                        WHERE attrelid = objid AND attnum > 0) END,
                   CASE WHEN classid = 'pg_class'::regclass THEN
                       (SELECT string_agg(pg_get_triggerdef(oid) || tgenabled::text, ', ' ORDER BY tgname)
                        FROM pg_trigger WHERE tgrelid = objid) END,
                   CASE WHEN classid = 'pg_class'::regclass THEN
                       (SELECT string_agg(pg_get_constraintdef(oid), ', ' ORDER BY conname)
                        FROM pg_constraint WHERE conrelid = objid) END,
                   obj_description(objid, classid::regclass::name))
        FROM members RETURNING 1)
    SELECT count(*) FROM noted
$$;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
SELECT pg_temp.note_objects('fresh') > 10 AS noted;
DROP EXTENSION idgen;
-- Before the extension has a table of generators, one that has its name is not taken for it.
CREATE EXTENSION idgen VERSION '0.3';
CREATE TABLE idgen_generator (name int);
INSERT INTO idgen_generator VALUES (1);
SELECT count(*) > 0 AS read FROM idgen_stat_generators;
DROP TABLE idgen_generator;
DROP EXTENSION idgen;
CREATE EXTENSION idgen VERSION '0.1';
CREATE TABLE kept (id bigint PRIMARY KEY DEFAULT idgen_next());
INSERT INTO kept DEFAULT VALUES;
SELECT state, worker_id, ids_issued > 0 AS counted FROM idgen_status();
SELECT count(*) FROM idgen_batch(10);
ALTER EXTENSION idgen UPDATE;
INSERT INTO kept DEFAULT VALUES;
SELECT count(DISTINCT id) FROM kept;
SELECT pg_temp.note_objects('upgraded') > 10 AS noted;
SELECT extversion = (SELECT default_version FROM pg_available_extensions WHERE name = 'idgen') AS newest
FROM pg_extension WHERE extname = 'idgen';
(SELECT object, definition FROM objects WHERE how = 'fresh'
 EXCEPT SELECT object, definition FROM objects WHERE how = 'upgraded')
UNION ALL
(SELECT object, definition FROM objects WHERE how = 'upgraded'
 EXCEPT SELECT object, definition FROM objects WHERE how = 'fresh');
-- So do the rows of its table, and what pg_dump takes of them.
SELECT name, layout, epoch, unit, built_in FROM idgen_generator;
SELECT name, start, step, max_value, cycle, ttl_mode, cache, built_in FROM idgen_sequencer;
SELECT extcondition FROM pg_extension WHERE extname = 'idgen';
DROP TABLE kept;
