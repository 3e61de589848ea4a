-- UUIDs of version 7, RFC 9562.
SET timezone = 'UTC';
SET datestyle = 'ISO';
-- The RFC's own example, appendix A.6.
SELECT uuid_v7_timestamp('017f22e2-79b0-7cc3-98c4-dc0c0c07398f');
SELECT generated_at, to_hex(rand_a) AS rand_a, to_hex(rand_b) AS rand_b
FROM uuid_v7_decode('017f22e2-79b0-7cc3-98c4-dc0c0c07398f');
-- The ends of the range.
SELECT uuid_v7_timestamp('00000000-0000-7000-8000-000000000000'), uuid_v7_timestamp('ffffffff-ffff-7fff-bfff-ffffffffffff');
SELECT uuid_v7_timestamp(NULL) IS NULL AS timestamp_null, uuid_v7_decode(NULL) IS NULL AS decode_null;
-- Refused: other versions (RFC 9562 A.1, A.3), other variants, nil and max.
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
-- New ones: version, variant, time, order, randomness.
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
