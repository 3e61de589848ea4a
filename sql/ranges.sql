-- Time ranges as ranges of ids: idgen_min_id() and idgen_max_id(), with indexes and partitions.
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT name, layout, epoch, unit FROM idgen_create_generator('ranges_10ms', 'sonyflake');
SELECT name, layout, epoch, unit FROM idgen_create_generator('ranges_64', 'discord');
SELECT name, layout, epoch, unit FROM idgen_create_generator('ranges_53', 'js53');

-- id >= idgen_min_id(t) if and only if idgen_timestamp(id) >= t; id <= idgen_max_id(t) if and only if idgen_timestamp(id) <= t.
-- The first and last ids of ticks at the epoch, after it and before the end are compared with times a microsecond around the
-- same ticks; then random ids with times around each other. The ids are computed, not issued.
CREATE TABLE range_layouts (generator text, epoch timestamptz, unit_us bigint, shift integer, ticks bigint);
INSERT INTO range_layouts VALUES
    ('default', '2024-01-01', 1000, 22, 1::bigint << 41),
    ('ranges_10ms', '2014-09-01', 10000, 24, 1::bigint << 39),
    ('ranges_64', '2015-01-01', 1000, 22, 1::bigint << 41),  -- while the highest of its 42 bits is zero
    ('ranges_53', '2024-01-01', 1000, 12, 1::bigint << 41);
CREATE FUNCTION range_time(epoch timestamptz, us bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE
    AS $$ SELECT epoch + us / 1000000 * interval '1 s' + us % 1000000 * interval '1 us' $$;
CREATE TABLE range_ids AS
    SELECT generator, tick << shift | low AS id, range_time(epoch, tick * unit_us) AS time
    FROM range_layouts,
         unnest(ARRAY[0, 1, 2, 99, 100, 86399999, 86400000, 63158400000, ticks / 2, ticks - 2, ticks - 1]) AS tick,
         unnest(ARRAY[0, 1, 1 << (shift - 1), (1 << shift) - 1]) AS low
    UNION
    SELECT generator, id, range_time(epoch, (id >> shift) * unit_us)
    FROM range_layouts, generate_series(1, 40) AS n,
         LATERAL (SELECT hashint8extended(n, 0) & ((ticks - 1) << shift | ((1 << shift) - 1))) AS scattered (id);
CREATE TABLE range_pairs AS
    SELECT i.generator, i.id, i.time AS made_at, o.time + d * interval '1 us' AS at
    FROM range_layouts l
    JOIN range_ids i USING (generator)
    JOIN range_ids o USING (generator),
         unnest(ARRAY[-unit_us - 1, -unit_us, -unit_us / 2, -1, 0, 1, 400, unit_us - 1, unit_us, unit_us + 1]) AS d;
-- idgen_timestamp() returns the time that the id was computed from.
SELECT generator, count(*) AS ids, bool_and(idgen_timestamp(id, generator) = time) AS same_time,
       bool_and(id BETWEEN idgen_min_id(time, generator) AND idgen_max_id(time, generator)) AS in_its_own_range
FROM range_ids GROUP BY generator ORDER BY generator;
-- After the beginning of the last tick there may be no lower bound: see below.
WITH bounded AS MATERIALIZED (
    SELECT p.* FROM range_pairs p JOIN range_layouts USING (generator)
    WHERE at <= range_time(epoch, (ticks - 1) * unit_us) OR generator = 'ranges_53')
SELECT generator, count(*) AS pairs,
       count(*) FILTER (WHERE (id >= idgen_min_id(at, generator)) <> (made_at >= at)) AS min_wrong,
       count(*) FILTER (WHERE (id < idgen_min_id(at, generator)) <> (made_at < at)) AS before_wrong,
       count(*) FILTER (WHERE idgen_min_id(at, generator) - 1 > idgen_max_id(at, generator)) AS gap
FROM bounded GROUP BY generator ORDER BY generator;
SELECT generator, count(*) AS pairs,
       count(*) FILTER (WHERE (id <= idgen_max_id(at, generator)) <> (made_at <= at)) AS max_wrong,
       count(*) FILTER (WHERE (id > idgen_max_id(at, generator)) <> (made_at > at)) AS after_wrong
FROM range_pairs GROUP BY generator ORDER BY generator;
-- Without a generator, the functions are those of generator "default".
SELECT count(*) FILTER (WHERE idgen_min_id(at) <> idgen_min_id(at, 'default')) AS min_wrong,
       count(*) FILTER (WHERE idgen_max_id(at) <> idgen_max_id(at, 'default')) AS max_wrong
FROM range_pairs WHERE generator = 'default' AND at <= range_time('2024-01-01', ((1::bigint << 41) - 1) * 1000);

-- Within a tick, a lower bound is rounded up and an upper bound down.
SELECT at, idgen_min_id(at) >> 22 AS min_ms, idgen_max_id(at) >> 22 AS max_ms,
       idgen_min_id(at, 'ranges_10ms') >> 24 AS min_10ms, idgen_max_id(at, 'ranges_10ms') >> 24 AS max_10ms
FROM unnest(ARRAY['2024-01-01 00:00:00', '2024-01-01 00:00:00.000001', '2024-01-01 00:00:00.000999',
                  '2024-01-01 00:00:00.001', '2024-01-01 00:00:00.009999', '2024-01-01 00:00:00.01']::timestamptz[]) AS at;

-- Before the epoch and after the end.
SELECT at, idgen_min_id(at) AS min_id, idgen_max_id(at) AS max_id,
       idgen_min_id(at, 'ranges_64') AS min_64, idgen_max_id(at, 'ranges_64') AS max_64
FROM unnest(ARRAY['-infinity', '4714-11-24 00:00:00 BC', '1969-12-31 23:59:59.999999', '2014-12-31 23:59:59.999999',
                  '2015-01-01', '2023-12-31 23:59:59.999999', '2024-01-01', '2024-01-01 00:00:00.001']::timestamptz[]) AS at;
SELECT at, idgen_max_id(at) AS max_id, idgen_max_id(at, 'ranges_64') AS max_64,
       idgen_min_id(at, 'ranges_53') AS min_53, idgen_max_id(at, 'ranges_53') AS max_53
FROM unnest(ARRAY['2093-09-06 15:47:35.551', '2093-09-06 15:47:35.552', '294276-12-31 23:59:59.999999',
                  'infinity']::timestamptz[]) AS at;
SELECT idgen_min_id('2093-09-06 15:47:35.551') >> 22 = (1::bigint << 41) - 1 AS last_tick;
SELECT idgen_min_id('2093-09-06 15:47:35.551001');
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_min_id('294276-12-31 23:59:59.999999');
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_min_id('infinity', 'ranges_64');
\echo :LAST_ERROR_SQLSTATE
-- NULL returns NULL; a generator that does not exist.
SELECT idgen_min_id(NULL) IS NULL AS min_null, idgen_max_id(NULL) IS NULL AS max_null,
       idgen_min_id(NULL, 'default') IS NULL AS min_time_null, idgen_max_id(now(), NULL) IS NULL AS max_name_null;
SELECT idgen_min_id(now(), 'no such');
\echo :LAST_ERROR_SQLSTATE

-- The primary key is used as an index on the time.
CREATE TABLE range_orders (id bigint PRIMARY KEY, day integer NOT NULL);
INSERT INTO range_orders
    SELECT idgen_min_id(timestamptz '2025-12-01' + n * interval '10 min') + n, n / 144 FROM generate_series(0, 8639) AS n;
VACUUM ANALYZE range_orders;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT * FROM range_orders WHERE id >= idgen_min_id(timestamptz '2026-01-01');
EXPLAIN (COSTS OFF) SELECT * FROM range_orders WHERE id >= idgen_min_id(now() - interval '1 day');
EXPLAIN (COSTS OFF) SELECT * FROM range_orders
    WHERE id >= idgen_min_id(timestamptz '2026-01-01', 'default') AND id < idgen_min_id(timestamptz '2026-01-02', 'default');
SELECT count(*) = 144 AS a_day, min(day), max(day) FROM range_orders
    WHERE id >= idgen_min_id(timestamptz '2026-01-01') AND id < idgen_min_id(timestamptz '2026-01-02');
SELECT count(*), max(idgen_timestamp(id)) FROM range_orders WHERE id <= idgen_max_id(timestamptz '2025-12-24 18:00');
RESET enable_bitmapscan;

-- A BRIN index stays at a few pages: ids arrive nearly in order.
CREATE TABLE range_events (id bigint NOT NULL, filler text NOT NULL);
INSERT INTO range_events SELECT id, repeat('x', 100) FROM range_orders ORDER BY id;
CREATE INDEX range_events_id ON range_events USING brin (id) WITH (pages_per_range = 4);
VACUUM ANALYZE range_events;
EXPLAIN (COSTS OFF) SELECT count(*) FROM range_events WHERE id >= idgen_min_id(timestamptz '2026-01-28');
SELECT count(*) FROM range_events WHERE id >= idgen_min_id(timestamptz '2026-01-28');
RESET enable_seqscan;

-- Partitions by month: bounds are evaluated when the partition is created, so they can use a generator.
CREATE TABLE range_parted (id bigint PRIMARY KEY, generated_at timestamptz GENERATED ALWAYS AS (idgen_timestamp(id)) STORED)
    PARTITION BY RANGE (id);
CREATE TABLE range_parted_old PARTITION OF range_parted
    FOR VALUES FROM (MINVALUE) TO (idgen_min_id('2026-01-01'));
CREATE TABLE range_parted_2026_01 PARTITION OF range_parted
    FOR VALUES FROM (idgen_min_id('2026-01-01')) TO (idgen_min_id('2026-02-01'));
CREATE TABLE range_parted_2026_02 PARTITION OF range_parted
    FOR VALUES FROM (idgen_min_id('2026-02-01', 'default')) TO (idgen_min_id('2026-03-01', 'default'));
CREATE TABLE range_parted_2026_03 PARTITION OF range_parted
    FOR VALUES FROM (idgen_min_id('2026-03-01')) TO (MAXVALUE);
SELECT relname, pg_get_expr(relpartbound, oid) FROM pg_class
    WHERE relispartition AND relkind = 'r' AND relname LIKE 'range\_parted\_%' ORDER BY relname COLLATE "C";
INSERT INTO range_parted
    SELECT unnest(ARRAY[idgen_min_id(month), idgen_min_id(month) - 1, idgen_max_id(month), idgen_max_id(month) + 1])
    FROM unnest(ARRAY['2026-01-01', '2026-02-01', '2026-03-01']::timestamptz[]) AS month;
SELECT tableoid::regclass AS part, count(*), min(generated_at), max(generated_at) FROM range_parted
    GROUP BY tableoid ORDER BY min(id);
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_indexonlyscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM range_parted
    WHERE id >= idgen_min_id(timestamptz '2026-02-10') AND id < idgen_min_id(timestamptz '2026-02-11');
-- A time that is known only at execution prunes at execution.
SET plan_cache_mode = force_generic_plan;
PREPARE since (timestamptz) AS SELECT id FROM range_parted WHERE id >= idgen_min_id($1);
EXPLAIN (COSTS OFF) EXECUTE since ('2026-02-10');
EXPLAIN (COSTS OFF) EXECUTE since ('2026-03-10');
DEALLOCATE since;
-- A condition on the time itself prunes nothing, because the partition key is the id.
RESET enable_seqscan;
EXPLAIN (COSTS OFF) SELECT id FROM range_parted WHERE idgen_timestamp(id) >= '2026-03-10';
RESET plan_cache_mode;
RESET enable_bitmapscan;
RESET enable_indexonlyscan;

DROP TABLE range_layouts, range_ids, range_pairs, range_orders, range_events, range_parted;
DROP FUNCTION range_time;
SELECT idgen_drop_generator(name) FROM idgen_generators WHERE name LIKE 'ranges\_%' ORDER BY name;
