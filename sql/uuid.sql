-- UUIDs of version 7, RFC 9562.
SET timezone = 'UTC';
SET datestyle = 'ISO';
-- The RFC's own example, appendix A.6.
SELECT uuid_v7_timestamp('017f22e2-79b0-7cc3-98c4-dc0c0c07398f');
SELECT generated_at, to_hex(rand_a) AS rand_a, to_hex(rand_b) AS rand_b
FROM uuid_v7_decode('017f22e2-79b0-7cc3-98c4-dc0c0c07398f');
-- The limits of the range.
SELECT uuid_v7_timestamp('00000000-0000-7000-8000-000000000000'), uuid_v7_timestamp('ffffffff-ffff-7fff-bfff-ffffffffffff');
SELECT uuid_v7_timestamp(NULL) IS NULL AS timestamp_null, uuid_v7_decode(NULL) IS NULL AS decode_null;
-- Errors: other versions (RFC 9562 A.1, A.3), other variants, nil and max.
SELECT uuid_v7_timestamp('c232ab00-9414-11ec-b3c8-9f6bdeced846');
\echo :LAST_ERROR_SQLSTATE
SELECT uuid_v7_timestamp('919108f7-52d1-4320-9bac-f847db4148a8');
\echo :LAST_ERROR_SQLSTATE
SELECT uuid_v7_decode('00000000-0000-0000-0000-000000000000');
\echo :LAST_ERROR_SQLSTATE
SELECT uuid_v7_decode('ffffffff-ffff-ffff-ffff-ffffffffffff');
\echo :LAST_ERROR_SQLSTATE
SELECT uuid_v7_decode('017f22e2-79b0-7cc3-c8c4-dc0c0c07398f');
\echo :LAST_ERROR_SQLSTATE
-- New UUIDs: version, variant, time, order, randomness.
WITH made AS MATERIALIZED (SELECT n, uuid_v7() AS id FROM generate_series(1, 100000) n)
SELECT count(*), count(DISTINCT id), bool_and(id::text ~ '^.{8}-.{4}-7.{3}-[89ab].{3}-.{12}$') AS shaped,
       bool_and(uuid_v7_timestamp(id) BETWEEN now() - interval '1 min' AND now() + interval '1 min') AS now_or_so,
       bool_and(id > before OR before IS NULL) AS increasing,
       count(DISTINCT right(id::text, 12)) AS random_tails
FROM (SELECT n, id, lag(id) OVER (ORDER BY n) AS before FROM made) pairs;
-- The time can be indexed.
CREATE TABLE events (id uuid PRIMARY KEY DEFAULT uuid_v7());
CREATE INDEX ON events (uuid_v7_timestamp(id));
INSERT INTO events SELECT FROM generate_series(1, 1000);
SELECT count(*) FROM events WHERE uuid_v7_timestamp(id) > now() - interval '1 min';
DROP TABLE events;
-- id >= uuid_v7_min(t) if and only if its time >= t; id <= uuid_v7_max(t) if and only if its time <= t.
SELECT uuid_v7_min('2022-02-22 19:22:22+00'), uuid_v7_max('2022-02-22 19:22:22+00');
SELECT uuid_v7_min('2022-02-22 19:22:22.000001+00'), uuid_v7_max('2022-02-22 19:22:22.000999+00');
SELECT t, uuid_v7_min(t), uuid_v7_max(t) FROM (VALUES
    ('-infinity'::timestamptz), ('4714-11-24 00:00:00+00 BC'), ('1969-12-31 23:59:59.999999+00'),
    ('1970-01-01 00:00:00+00'), ('10889-08-02 05:31:50.655+00'), ('10889-08-02 05:31:50.655001+00'),
    ('294276-12-31 23:59:59.999999+00'), ('infinity')) times(t);
SELECT count(*) AS pairs, bool_and((id >= uuid_v7_min(t)) = (uuid_v7_timestamp(id) >= t)) AS min_holds,
       bool_and((id <= uuid_v7_max(t)) = (uuid_v7_timestamp(id) <= t)) AS max_holds
FROM (SELECT uuid_v7('2026-01-01 00:00:00+00'::timestamptz + n * interval '1 ms') AS id
      FROM generate_series(-5, 5) n, generate_series(1, 20)) made,
     (SELECT '2026-01-01 00:00:00+00'::timestamptz + n * interval '0.2 ms' AS t FROM generate_series(-30, 30) n) times;
SELECT uuid_v7_min(NULL) IS NULL AND uuid_v7_max(NULL) IS NULL AND uuid_v7(NULL) IS NULL AS nulls;
-- For rows of the past: the millisecond of the time, and random bits.
SELECT count(DISTINCT id), count(DISTINCT right(id::text, 12)) AS random_tails,
       count(DISTINCT substr(id::text, 15, 4)) > 3000 AS random_heads,
       bool_and(id::text ~ '^.{8}-.{4}-7.{3}-[89ab].{3}-.{12}$') AS shaped,
       bool_and(uuid_v7_timestamp(id) = '2001-02-03 04:05:06.789+00') AS in_time
FROM (SELECT uuid_v7('2001-02-03 04:05:06.789999+00') AS id FROM generate_series(1, 10000)) made;
SELECT uuid_v7_timestamp(uuid_v7('1970-01-01 00:00:00+00')), uuid_v7_timestamp(uuid_v7('10889-08-02 05:31:50.655999+00'));
SELECT uuid_v7('1969-12-31 23:59:59.999999+00');
\echo :LAST_ERROR_SQLSTATE
SELECT uuid_v7('10889-08-02 05:31:50.656+00');
\echo :LAST_ERROR_SQLSTATE
SELECT uuid_v7('infinity');
SELECT uuid_v7('-infinity');
\echo :LAST_ERROR_SQLSTATE
-- The primary key is used as an index on the time.
CREATE TABLE events (id uuid PRIMARY KEY DEFAULT uuid_v7());
INSERT INTO events
    SELECT uuid_v7('2026-01-01 00:00:00+00'::timestamptz + n * interval '1 hour') FROM generate_series(1, 1000) n;
SELECT count(*) FROM events
WHERE id >= uuid_v7_min('2026-01-02 00:00:00+00') AND id < uuid_v7_min('2026-01-03 00:00:00+00');
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM events
WHERE id >= uuid_v7_min('2026-01-02 00:00:00+00') AND id <= uuid_v7_max('2026-01-03 00:00:00+00');
EXPLAIN (COSTS OFF) SELECT id FROM events WHERE id >= uuid_v7_min(now() - interval '1 day');
DROP TABLE events;
