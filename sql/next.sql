-- Issuing ids.
-- Positive, increasing within a session, unique.
WITH ids AS MATERIALIZED (SELECT n, idgen_next() AS id FROM generate_series(1, 100000) n)
SELECT count(*), count(DISTINCT id), bool_and(id > 0) AS positive,
       bool_and(id > before OR before IS NULL) AS increasing
FROM (SELECT id, lag(id) OVER (ORDER BY n) AS before FROM ids) pairs;
-- As text, from the same line.
SELECT idgen_next() < idgen_next_text()::bigint AS text_is_later, idgen_next_text() ~ '^[0-9]{18,19}$' AS decimal;
-- Batches.
SELECT count(*), count(DISTINCT id), min(id) > idgen_next() - (1000::bigint << 22) AS recent FROM idgen_batch(5000) id;
SELECT bool_and(id > before OR before IS NULL) AS increasing
FROM (SELECT id, lag(id) OVER (ORDER BY n) AS before
      FROM idgen_batch(5000) WITH ORDINALITY AS batch(id, n)) pairs;
SELECT count(*) FROM idgen_batch(0);
SELECT count(*) FROM idgen_batch(NULL);
SELECT count(*) FROM (SELECT idgen_batch(3)) in_the_select_list;
SELECT count(*) FROM (SELECT * FROM idgen_batch(9223372036854775807) LIMIT 2) nothing_is_made_in_advance, LATERAL (SELECT 1) one
WHERE false;
SELECT idgen_batch(-1);
\echo :LAST_ERROR_SQLSTATE
-- A huge batch can be cancelled.
SET statement_timeout = '100ms';
SELECT count(*) FROM idgen_batch(9223372036854775807);
RESET statement_timeout;
-- A volatile default: each row gets its own id, even within a statement and in a sub-select per row.
CREATE TABLE orders (id bigint PRIMARY KEY DEFAULT idgen_next(), customer text);
INSERT INTO orders (customer) SELECT 'c' || n FROM generate_series(1, 10000) n;
INSERT INTO orders (customer) VALUES ('a'), ('b') RETURNING id > 0 AS issued;
COPY orders (customer) FROM stdin;
x
y
\.
SELECT count(*) = count(DISTINCT id) AS distinct_ids, count(*) FROM orders;
ALTER TABLE orders ADD COLUMN other bigint DEFAULT idgen_next();
SELECT count(DISTINCT other) = count(*) AS distinct_in_a_rewrite FROM orders;
-- Ids are not rolled back, so none is issued again.
BEGIN;
CREATE TEMP TABLE seen AS SELECT idgen_next() AS id;
SELECT id AS rolled_back FROM seen \gset
ROLLBACK;
SELECT idgen_next() > :rolled_back AS later;
-- A read-only transaction can get ids, because that writes nothing.
BEGIN READ ONLY;
SELECT idgen_next() > 0 AS issued;
COMMIT;
-- Parallel workers: the plan has a Gather node, and the ids differ.
CREATE TABLE wide AS SELECT n FROM generate_series(1, 100000) n;
ANALYZE wide;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT idgen_next() FROM wide;
CREATE TABLE parallel_ids AS SELECT idgen_next() AS id FROM wide;
SELECT count(*), count(DISTINCT id) FROM parallel_ids;
DROP TABLE orders, wide, parallel_ids;
-- The error for a column that cannot hold ids names it. Elsewhere the cast raises its own error.
CREATE TABLE narrow (id integer DEFAULT idgen_next(), small smallint, wide bigint DEFAULT idgen_next());
INSERT INTO narrow DEFAULT VALUES;
\echo :LAST_ERROR_SQLSTATE
INSERT INTO narrow (id) VALUES (DEFAULT), (1);
INSERT INTO narrow (id, small) VALUES (1, idgen_next());
INSERT INTO narrow (id) VALUES (idgen_next() % 100), (2) RETURNING id < 100 AS fits, wide > 0 AS wide;
UPDATE narrow SET id = DEFAULT;
CREATE DOMAIN narrow_id AS integer CHECK (VALUE > 0);
ALTER TABLE narrow ALTER id TYPE narrow_id;
INSERT INTO narrow DEFAULT VALUES;
SELECT idgen_next()::integer;
ALTER TABLE narrow ALTER COLUMN id TYPE bigint;
INSERT INTO narrow DEFAULT VALUES RETURNING id > 0 AS issued;
DROP TABLE narrow;
DROP DOMAIN narrow_id;
