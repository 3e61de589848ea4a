-- Generators: create, use, drop, with the SQLSTATE of each refusal.
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
SELECT name, layout, epoch, unit, region_id, app_id, ids_per_second, workers, runs_out_at, note FROM idgen_generators;
SELECT name, layout, epoch, unit, region_id, app_id, ids_per_second, workers, runs_out_at, note, comment
FROM idgen_create_generator('orders', 'sonyflake', comment => 'Orders of the shop');
SELECT name, layout, epoch, unit, region_id, app_id, ids_per_second, workers, runs_out_at, note
FROM idgen_create_generator('eu', 'goflakeid', region_id => 3, app_id => 1);
SELECT layout, epoch, unit, region_id, app_id FROM idgen_create_generator('own',
    ' time:40 , datacenter:5,worker:8, sequence:10', epoch => '2025-01-01', unit => '2 ms');
SELECT layout FROM idgen_create_generator('it''s "quoted" ' || repeat('x', 49), 'js53');
-- Every preset can be created, and its example id uses no bits outside of its layout.
SELECT p AS preset, d.fields, d.tick_epoch, d.tick_unit, d.bits, d.ids_per_second, d.workers, d.runs_out_at, d.note,
       (idgen_decode_layout(d.example_id, p)).worker_id AS example_worker,
       abs(extract(epoch FROM (idgen_decode_layout(d.example_id, p)).generated_at - now())) < 60 AS example_is_of_now
FROM unnest(ARRAY['snowflake', 'genesis', 'sonyflake', 'goflakeid', 'discord', 'twitter', 'instagram', 'js53', 'wide']) p,
     idgen_describe_layout(p) d;

-- Ids are unique, positive and increasing; they have the fixed fields, this server's worker id, and the current time.
SELECT count(DISTINCT id), min(id) > 0 AS positive, bool_and(id > before) AS growing,
       min((idgen_decode(id, 'eu')).region_id) AS region, max((idgen_decode(id, 'eu')).app_id) AS app,
       max((idgen_decode(id, 'eu')).worker_id) = (SELECT worker_id FROM idgen_status()) AS own_worker,
       max(abs(extract(epoch FROM idgen_timestamp(id, 'eu') - now()))) < 60 AS of_now
FROM (SELECT id, lag(id, 1, 0::bigint) OVER (ORDER BY n) AS before
      FROM (SELECT n, idgen_next('eu') AS id FROM generate_series(1, 10000) n) ids) pairs;
SELECT count(DISTINCT id) FROM (
    SELECT idgen_batch(1000, 'orders') AS id UNION ALL SELECT * FROM idgen_batch(1000, 'orders')
    UNION ALL SELECT idgen_next('orders') FROM generate_series(1, 1000)) ids;
SELECT max(idgen_next('it''s "quoted" ' || repeat('x', 49))) < 9007199254740992 AS fits_javascript FROM generate_series(1, 100);
-- The generator may change from row to row, and be NULL.
SELECT g, idgen_next(g) IS NULL AS none FROM unnest(ARRAY['orders', 'eu', 'default', NULL, 'orders']) g;
-- Generators with the same layout share a line: no id is issued twice.
SELECT layout FROM idgen_create_generator('orders2', 'time:39,sequence:8,worker:16', '2014-09-01', '10 ms');
SELECT count(DISTINCT id) FROM (
    SELECT idgen_next('orders') AS id FROM generate_series(1, 500)
    UNION ALL SELECT idgen_next('orders2') FROM generate_series(1, 500)) ids;
SELECT generator, ids > 0 AS counted FROM idgen_stat_generators WHERE generator LIKE 'orders%' OR generator = 'default' ORDER BY 1;
-- So do generators that differ only in the width of their time field or the names of their fixed bits.
SELECT name FROM idgen_create_generator('shorter', 'time:40,worker:10,sequence:12');
SELECT name FROM idgen_create_generator('region', 'time:41,region:5,worker:5,sequence:12', region_id => 9);
SELECT name FROM idgen_create_generator('app', 'time:41,app:5,worker:5,sequence:12', app_id => 9);
SELECT count(*), count(DISTINCT id) FROM (
    SELECT CASE n % 2 WHEN 0 THEN idgen_next() ELSE idgen_next('shorter') END AS id FROM generate_series(1, 500) n
    UNION ALL SELECT CASE n % 2 WHEN 0 THEN idgen_next('region') ELSE idgen_next('app') END FROM generate_series(1, 500) n) ids;
-- A generator whose time has run out issues no ids, although other generators on its line do.
SELECT name FROM idgen_create_generator('over', 'time:10,worker:10,sequence:12');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO idgen_catalog.idgen_generator (name, layout) VALUES ('over', 'time:10,worker:10,sequence:12');
\set VERBOSITY sqlstate
SELECT idgen_next('over');
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_batch(1, 'over');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
-- A generator named by a variable, in expressions that keep their call sites.
CREATE FUNCTION new_id(kind text) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN idgen_next(kind); END $$;
CREATE FUNCTION time_of(id bigint, kind text) RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RETURN idgen_timestamp_layout(id, kind); END $$;
SELECT kind, (idgen_decode(new_id(kind), kind)).worker_id = (SELECT worker_id FROM idgen_status()) AS own,
       abs(extract(epoch FROM idgen_timestamp(new_id(kind), kind) - now())) < 60 AS of_now
FROM unnest(ARRAY['eu', 'orders', 'default', 'own', 'eu']) kind;
DO $$
DECLARE
    kind text;
    id bigint;
BEGIN
    FOREACH kind IN ARRAY ARRAY['eu', 'orders', 'default', 'own', 'eu'] LOOP
        id := idgen_next(kind);
        IF abs(extract(epoch FROM idgen_timestamp(id, kind) - now())) > 60 THEN RAISE '% is no id of %', id, kind; END IF;
    END LOOP;
END $$;
SELECT kind, time_of(4194304, kind) FROM unnest(ARRAY['discord', 'snowflake', 'js53', 'sonyflake', 'discord']) kind;
DROP FUNCTION new_id, time_of;
-- In a column default, a prepared statement, PL/pgSQL; functions with a generator argument are STABLE.
CREATE TABLE shop (id bigint PRIMARY KEY DEFAULT idgen_next('orders'), note text);
INSERT INTO shop (note) SELECT 'n' FROM generate_series(1, 1000);
PREPARE one AS INSERT INTO shop (note) VALUES ('p');
EXECUTE one; EXECUTE one; EXECUTE one; EXECUTE one; EXECUTE one; EXECUTE one; EXECUTE one;
DO $$ BEGIN FOR i IN 1..10 LOOP INSERT INTO shop DEFAULT VALUES; END LOOP; END $$;
SELECT count(*), count(DISTINCT (idgen_decode(id, 'orders')).worker_id) AS workers FROM shop;
SELECT proname, pg_get_function_identity_arguments(oid), provolatile FROM pg_proc
WHERE proname IN ('idgen_decode', 'idgen_timestamp', 'idgen_min_id', 'idgen_max_id', 'idgen_decode_layout', 'idgen_timestamp_layout')
ORDER BY 1, 2;

-- Definitions cannot be changed, comments can.
SELECT idgen_comment_on_generator('orders', 'All orders');
SELECT comment FROM idgen_generators WHERE name = 'orders';
SELECT idgen_comment_on_generator('orders', NULL);
UPDATE idgen_catalog.idgen_generator SET layout = 'wide' WHERE name = 'orders';
\echo :LAST_ERROR_SQLSTATE
UPDATE idgen_catalog.idgen_generator SET name = 'bestellungen' WHERE name = 'orders';
\echo :LAST_ERROR_SQLSTATE
-- The built-in generator cannot be dropped or changed.
SELECT idgen_drop_generator('default');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO idgen_catalog.idgen_generator (name, layout, built_in) VALUES ('more', 'wide', true);
\echo :LAST_ERROR_SQLSTATE
-- A row added by INSERT is validated and completed in the same way.
INSERT INTO idgen_catalog.idgen_generator (name, layout) VALUES ('plain', 'wide') RETURNING *;
INSERT INTO idgen_catalog.idgen_generator (name, layout) VALUES ('bad', 'worker:3,time:41');
\echo :LAST_ERROR_SQLSTATE

-- After a drop, a default that uses the generator fails with an error that names it.
SELECT idgen_drop_generator('plain'), idgen_drop_generator('plain', if_exists => true);
SELECT idgen_drop_generator('plain');
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_drop_generator('orders');
INSERT INTO shop (note) VALUES ('x');
\echo :LAST_ERROR_SQLSTATE
EXECUTE one;
\echo :LAST_ERROR_SQLSTATE
-- Created again with another layout: the session uses the new definition at once.
SELECT layout FROM idgen_create_generator('orders', 'wide');
SELECT (idgen_decode(idgen_next('orders'), 'wide'::text)).worker_id;
\echo :LAST_ERROR_SQLSTATE
SELECT (idgen_decode_layout(idgen_next('orders'), 'wide')).worker_id = (SELECT worker_id FROM idgen_status()) AS wide_now;
-- A rolled-back generator does not exist, in this session either.
BEGIN;
SELECT layout FROM idgen_create_generator('fleeting', 'js53');
SELECT idgen_next('fleeting') > 0 AS given;
ROLLBACK;
SELECT idgen_next('fleeting');
\echo :LAST_ERROR_SQLSTATE
BEGIN;
SELECT idgen_drop_generator('eu');
SAVEPOINT a;
SELECT idgen_next('eu');
ROLLBACK;
SELECT idgen_next('eu') > 0 AS back;
BEGIN;
DELETE FROM idgen_catalog.idgen_generator WHERE NOT built_in;
SELECT idgen_next('eu');
ROLLBACK;
SELECT idgen_next('eu') > 0 AS back;
TRUNCATE idgen_catalog.idgen_generator;
\echo :LAST_ERROR_SQLSTATE

-- Errors.
\set VERBOSITY terse
\set refuse 'SELECT name FROM idgen_create_generator'
:refuse('orders', 'snowflake');
\echo :LAST_ERROR_SQLSTATE
:refuse(NULL);
\echo :LAST_ERROR_SQLSTATE
:refuse('');
\echo :LAST_ERROR_SQLSTATE
:refuse(repeat('x', 64));
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_next(repeat('x', 64));
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_next('');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
:refuse('x', '');
:refuse('x', ' , ');
:refuse('x', 'time:41,worker:10,sequence');
:refuse('x', 'time:41,worker:10,sequence:-1');
:refuse('x', 'time:41,worker:10,sequence:1000');
:refuse('x', 'time:41,worker:0,sequence:12');
:refuse('x', 'time:41,worker:32,sequence:4');
:refuse('x', 'time:41,shard:10,sequence:12');
:refuse('x', 'time:41,worker:5,sequence:12,worker:5');
:refuse('x', 'time:41,region:2,worker:5,sequence:12,datacenter:2');
:refuse('x', 'time:41,worker:12,sequence:12');
:refuse('x', 'worker:10,sequence:12');
:refuse('x', 'worker:10,time:41,sequence:12');
:refuse('x', 'time:41,sequence:12');
:refuse('x', 'time:63');
:refuse('x', 'Time:41,Worker:10');
:refuse('x', 'time:41,worker:10,sequence:12', unit => '1500 us');
:refuse('x', 'time:41,worker:10,sequence:12', unit => '0');
:refuse('x', 'time:41,worker:10,sequence:12', unit => '-1 ms');
:refuse('x', 'time:41,worker:10,sequence:12', unit => '1 month');
:refuse('x', 'time:41,worker:10,sequence:12', unit => '2 days');
:refuse('x', 'time:28,worker:10,sequence:12', unit => '1 minute');
\echo :LAST_ERROR_SQLSTATE
:refuse('x', 'time:56,worker:3', unit => '1 s');
:refuse('x', epoch => 'infinity');
:refuse('x', epoch => '1969-12-31');
:refuse('x', epoch => '2025-01-01 00:00:00.0001');
:refuse('x', epoch => '9999-01-01');
:refuse('x', region_id => 1);
:refuse('x', 'genesis', region_id => 32);
:refuse('x', 'genesis', region_id => -1);
:refuse('x', 'genesis', app_id => 0);
\echo :LAST_ERROR_SQLSTATE
-- Ids with too many bits, and ids of another layout.
SELECT idgen_decode(-1, 'default');
SELECT idgen_decode(9007199254740992, 'it''s "quoted" ' || repeat('x', 49));
SELECT idgen_batch(-1, 'eu');
SELECT count(*) FROM idgen_batch(0, 'eu');

-- As text, in every format.
SELECT f, idgen_decode(CASE f WHEN 'decimal' THEN t::bigint WHEN 'base32' THEN idgen_from_base32(t)
    WHEN 'base58' THEN idgen_from_base58(t) WHEN 'base62' THEN idgen_from_base62(t) ELSE idgen_from_hex(t) END, 'eu') IS NOT NULL AS read
FROM unnest(ARRAY['decimal', 'base32', 'base58', 'base62', 'hex']) f, LATERAL idgen_next_text(f, 'eu') t;
SELECT idgen_from_base62(idgen_next_text('base62')) > 0 AS read, idgen_next_text('base62', NULL) IS NULL AS none;
SELECT idgen_next_text('base64');
\echo :LAST_ERROR_SQLSTATE

-- The trigger works on its own table only. A subscriber to all tables receives the built-in row, which it has already.
CREATE TABLE other (a int);
CREATE TRIGGER stolen BEFORE INSERT ON other FOR EACH ROW EXECUTE FUNCTION idgen_generator_changed();
INSERT INTO other VALUES (1);
\echo :LAST_ERROR_SQLSTATE
DROP TABLE other;
INSERT INTO idgen_catalog.idgen_generator SELECT * FROM idgen_catalog.idgen_generator WHERE built_in;
INSERT INTO idgen_catalog.idgen_generator (name, layout, built_in) VALUES ('default', 'wide', true);
\echo :LAST_ERROR_SQLSTATE

-- Only the owner creates, changes and drops generators; everybody may use them.
CREATE ROLE regress_idgen_user;
SET ROLE regress_idgen_user;
SELECT idgen_next('eu') > 0 AS given, (SELECT count(*) > 0 FROM idgen_generators) AS listed;
\set VERBOSITY sqlstate
:refuse('mine');
SELECT idgen_drop_generator('eu');
SELECT idgen_comment_on_generator('eu', 'x');
INSERT INTO idgen_catalog.idgen_generator (name, layout) VALUES ('mine', 'wide');
DELETE FROM idgen_catalog.idgen_generator;
TRUNCATE idgen_catalog.idgen_generator;
\set VERBOSITY default
RESET ROLE;
GRANT EXECUTE ON FUNCTION idgen_create_generator, idgen_drop_generator TO regress_idgen_user;
SET ROLE regress_idgen_user;
:refuse('mine');
SELECT idgen_drop_generator('mine');
RESET ROLE;
REVOKE EXECUTE ON FUNCTION idgen_create_generator, idgen_drop_generator FROM regress_idgen_user;
DROP ROLE regress_idgen_user;
DROP TABLE shop;
-- if_not_exists, for migrations: an existing generator is kept, with a warning if its definition differs.
SELECT name, layout FROM idgen_create_generator('migrated', 'js53', if_not_exists => true);
SELECT name, layout FROM idgen_create_generator('migrated', 'js53', if_not_exists => true);
SELECT name, layout FROM idgen_create_generator('migrated', 'wide', if_not_exists => true);
SELECT name, layout FROM idgen_create_generator('default', if_not_exists => true);
SELECT name, layout FROM idgen_create_generator('migrated', 'none such', if_not_exists => true);
SELECT count(idgen_drop_generator(name)) FROM idgen_catalog.idgen_generator WHERE NOT built_in;
