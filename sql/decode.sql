-- Reading ids of the default generator.
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT * FROM idgen_decode(0);
SELECT * FROM idgen_decode(4194303);  -- all of worker and sequence
SELECT * FROM idgen_decode(4194304);  -- one millisecond
SELECT * FROM idgen_decode(382105250858795012);
SELECT * FROM idgen_decode(9223372036854775807);
SELECT idgen_timestamp(0), idgen_timestamp(382105250858795012), idgen_timestamp(9223372036854775807);
-- A literal of unknown type resolves; NULL returns NULL; any integer type is accepted.
SELECT idgen_decode('123'), idgen_timestamp('123');
SELECT idgen_decode(NULL) IS NULL AS decode_null, idgen_timestamp(NULL) IS NULL AS timestamp_null;
SELECT (idgen_decode(5::smallint)).sequence, (idgen_decode(5::int)).sequence;
-- Errors.
SELECT idgen_decode(-1);
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_timestamp((-9223372036854775808)::bigint);
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_decode('9223372036854775808');
\echo :LAST_ERROR_SQLSTATE
-- IMMUTABLE: the time and each field can be used in indexes and generated columns.
CREATE TABLE read_ids (
    id bigint PRIMARY KEY DEFAULT idgen_next(),
    generated_at timestamptz GENERATED ALWAYS AS (idgen_timestamp(id)) STORED,
    worker_id integer GENERATED ALWAYS AS ((idgen_decode(id)).worker_id) STORED);
CREATE INDEX ON read_ids (idgen_timestamp(id));
CREATE INDEX ON read_ids (((idgen_decode(id)).worker_id));
CREATE INDEX ON read_ids (((idgen_decode(id)).sequence));
CREATE INDEX ON read_ids (((idgen_decode(id)).generated_at));
INSERT INTO read_ids SELECT FROM generate_series(1, 1000);
SELECT count(*), count(DISTINCT id), min(worker_id), max(worker_id),
       bool_and(generated_at = (idgen_decode(id)).generated_at) AS same_time,
       bool_and(generated_at BETWEEN now() - interval '1 min' AND now() + interval '1 min') AS now_or_so
FROM read_ids;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM read_ids WHERE idgen_timestamp(id) > now();
DROP TABLE read_ids;
