-- idgen_adopt() and idgen_fill_past().
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set adopted 'SELECT regexp_replace(step, ''below [0-9]+'', ''below ...'') AS step FROM idgen_adopt'
CREATE TABLE was_serial (id bigserial PRIMARY KEY, note text);
INSERT INTO was_serial (note) SELECT 'old' FROM generate_series(1, 100);
:adopted('was_serial', 'id') step;
INSERT INTO was_serial (note) SELECT 'new' FROM generate_series(1, 100);
SELECT note, count(*), max(id) < 1000 AS small FROM was_serial GROUP BY note ORDER BY note;
SELECT pg_get_serial_sequence('was_serial', 'id') IS NULL AS owns_none, nextval('was_serial_id_seq');
CREATE SCHEMA "Odd schema";
CREATE TABLE "Odd schema"."Odd table" ("Odd id" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
INSERT INTO "Odd schema"."Odd table" DEFAULT VALUES;
SELECT name FROM idgen_create_generator('it''s', 'wide');
:adopted('"Odd schema"."Odd table"', 'Odd id', 'it''s') step;
INSERT INTO "Odd schema"."Odd table" DEFAULT VALUES;
SELECT (idgen_decode("Odd id", 'it''s')).worker_id = (SELECT worker_id FROM idgen_status()) AS own FROM "Odd schema"."Odd table" WHERE "Odd id" > 1;
CREATE TABLE plain (id bigint);
:adopted('plain', 'id') step;
:adopted('plain', 'id') step;
CREATE DOMAIN order_id AS bigint;
CREATE TABLE parted (id order_id, part int) PARTITION BY LIST (part);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
:adopted('parted', 'id') step;
INSERT INTO parted (part) VALUES (1);
INSERT INTO parted_1 (part) VALUES (1);
SELECT count(DISTINCT id) FROM parted;
-- Errors, which change nothing.
CREATE TABLE narrow (id serial PRIMARY KEY, small smallint, word text, twice bigint GENERATED ALWAYS AS (2) STORED, large bigint);
INSERT INTO narrow (large) VALUES (9000000000000000000);
:adopted('narrow', 'id') step;
\echo :LAST_ERROR_SQLSTATE
:adopted('narrow', 'small') step;
:adopted('narrow', 'word') step;
:adopted('narrow', 'twice') step;
\echo :LAST_ERROR_SQLSTATE
:adopted('narrow', 'nothing') step;
\echo :LAST_ERROR_SQLSTATE
:adopted('narrow', 'ctid') step;
:adopted('idgen_generators', 'name') step;
\echo :LAST_ERROR_SQLSTATE
:adopted('plain', 'id', 'missing') step;
\echo :LAST_ERROR_SQLSTATE
:adopted(NULL, 'id') step;
:adopted('plain', 'id', NULL) step;
\echo :LAST_ERROR_SQLSTATE
:adopted('plain', 'id', 'default') step;
\set VERBOSITY sqlstate
:adopted('narrow', 'large') step;
\set VERBOSITY default
SELECT column_default FROM information_schema.columns WHERE table_name = 'narrow' AND column_name IN ('id', 'large') ORDER BY 1;
CREATE ROLE regress_idgen_other;
SET ROLE regress_idgen_other;
\set VERBOSITY sqlstate
:adopted('plain', 'id') step;
SELECT idgen_fill_past('plain', 'id', 'id');
\set VERBOSITY default
RESET ROLE;
-- Row-level security does not hide the largest id.
CREATE TABLE hidden (id bigint);
INSERT INTO hidden VALUES (9000000000000000000);
ALTER TABLE hidden ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE hidden OWNER TO regress_idgen_other;
GRANT USAGE ON SCHEMA public TO regress_idgen_other;
SET ROLE regress_idgen_other;
\set VERBOSITY sqlstate
:adopted('hidden', 'id') step;
\set VERBOSITY default
SHOW row_security;
RESET ROLE;
DROP TABLE hidden;

-- Ids for rows of the past, in the order of their times: many in one millisecond, and a second call that adds more there.
CREATE TABLE past (n int, id bigint UNIQUE, at timestamptz);
INSERT INTO past SELECT n, NULL, timestamptz '2025-01-01' + n / 3 * interval '1 ms' FROM generate_series(1, 10000) n;
SELECT idgen_fill_past('past', 'id', 'at');
SELECT count(DISTINCT id), bool_and(idgen_timestamp(id) = at) AS of_their_time, min((idgen_decode(id)).worker_id) AS worker
FROM past;
SELECT count(*) AS out_of_order FROM (SELECT at, lag(at) OVER (ORDER BY id) AS before FROM past) p WHERE at < before;
INSERT INTO past SELECT -n, NULL, timestamptz '2025-01-01' + n / 5000 * interval '1 ms' FROM generate_series(1, 10000) n;
SELECT idgen_fill_past('past', 'id', 'at'), idgen_fill_past('past', 'id', 'at');
SELECT count(DISTINCT id), max(idgen_timestamp(id) - at) AS furthest FROM past;
-- Another worker id, another generator, a partitioned table.
CREATE TABLE past_parted (id bigint, at timestamptz, part int) PARTITION BY LIST (part);
CREATE TABLE past_parted_1 PARTITION OF past_parted FOR VALUES IN (1);
CREATE TABLE past_parted_2 PARTITION OF past_parted FOR VALUES IN (2);
INSERT INTO past_parted SELECT NULL, '2025-01-01', 1 + n % 2 FROM generate_series(1, 100) n;
SELECT name FROM idgen_create_generator('tens', 'sonyflake');
SELECT idgen_fill_past('past_parted', 'id', 'at', 77, 'tens');
SELECT count(DISTINCT id), min((idgen_decode(id, 'tens')).worker_id) AS worker, min(idgen_timestamp(id, 'tens')) AS at FROM past_parted;
-- The table can be altered in the same transaction, as docs/migration.md does, and after a call that was rolled back.
CREATE TABLE past_in_one (at timestamptz);
INSERT INTO past_in_one SELECT timestamptz '2025-01-01' + n * interval '1 s' FROM generate_series(1, 2500) n;
BEGIN;
ALTER TABLE past_in_one ADD COLUMN id bigint;
SAVEPOINT before;
SELECT idgen_fill_past('past_in_one', 'id', 'at');
ROLLBACK TO before;
SELECT idgen_fill_past('past_in_one', 'id', 'at');
ALTER TABLE past_in_one ALTER COLUMN id SET DEFAULT idgen_next(), ALTER COLUMN id SET NOT NULL, ADD PRIMARY KEY (id);
COMMIT;
DROP TABLE past_in_one;
-- Errors.
INSERT INTO past VALUES (0, NULL, NULL), (0, NULL, '2023-12-31'), (0, NULL, 'infinity'), (0, NULL, '2025-01-01');
SELECT idgen_fill_past('past', 'id', 'at');
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_fill_past('past', 'id', 'at', worker_id => 1024);
SELECT idgen_fill_past('past', 'id', 'at', worker_id => -1);
SELECT idgen_fill_past('past', 'id', 'at', worker_id => (SELECT worker_id FROM idgen_status()));
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_fill_past('past', NULL, 'at');
SELECT idgen_fill_past('past', 'id', 'at', generator => NULL);
SELECT idgen_fill_past('past', 'n', 'at');
\set VERBOSITY sqlstate
SELECT idgen_fill_past('past', 'id', 'nothing');
\set VERBOSITY default
SELECT idgen_fill_past('past_parted_1', 'id', 'at');
\echo :LAST_ERROR_SQLSTATE
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT idgen_fill_past('past', 'id', 'at');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT idgen_adopt('plain', 'id');
ROLLBACK;
CREATE FUNCTION pg_temp.leave_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER leave_out BEFORE UPDATE ON past FOR EACH ROW EXECUTE FUNCTION pg_temp.leave_out();
DELETE FROM past WHERE at IS NULL OR at NOT BETWEEN '2024-01-01' AND now();
SELECT idgen_fill_past('past', 'id', 'at');
\echo :LAST_ERROR_SQLSTATE
CREATE OR REPLACE FUNCTION pg_temp.leave_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.id := 7; RETURN NEW; END';
SELECT idgen_fill_past('past', 'id', 'at');
\echo :LAST_ERROR_SQLSTATE

DROP TABLE was_serial, "Odd schema"."Odd table", plain, parted, narrow, past, past_parted;
DROP SEQUENCE was_serial_id_seq;
DROP DOMAIN order_id;
DROP SCHEMA "Odd schema";
REVOKE USAGE ON SCHEMA public FROM regress_idgen_other;
DROP ROLE regress_idgen_other;
SELECT count(idgen_drop_generator(name)) FROM idgen_catalog.idgen_generator WHERE NOT built_in;
