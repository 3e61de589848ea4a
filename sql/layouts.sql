-- Reading ids of other systems, without creating anything.
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
-- Published ids and their meaning.
SELECT * FROM idgen_decode_layout(175928847299117063, 'discord');
SELECT * FROM idgen_decode_layout(103270115826048975, 'time:47,sequence:16', '1970-01-01');  -- Mastodon
SELECT * FROM idgen_decode_layout(136169504773242881, 'snowflake', '2023-01-01');  -- pgEdge
SELECT * FROM idgen_decode_layout(612728911936419721, 'instagram');
SELECT * FROM idgen_decode_layout(7412281403498303488, 'genesis');
SELECT * FROM idgen_decode_layout(7412281403502493695, 'genesis');
SELECT * FROM idgen_decode_layout(7412281403498430471, 'genesis');
SELECT * FROM idgen_decode_layout(9223372036854775807, 'genesis');
SELECT * FROM idgen_decode_layout(16842753, 'sonyflake');
SELECT * FROM idgen_decode_layout(609132340719452159, 'sonyflake');
SELECT * FROM idgen_decode_layout(199699878170263553, 'sonyflake', '2022-01-01');
SELECT * FROM idgen_decode_layout(61926663663452159, 'sonyflake', '2025-01-01');
SELECT * FROM idgen_decode_layout(619266636520685826, 'sonyflake', '2025-01-01', '1 ms');
SELECT * FROM idgen_decode_layout(79266129708580863, 'time:32,sequence:15,worker:16', '2025-01-01', '1 s');
SELECT * FROM idgen_decode_layout(0, 'goflakeid');
SELECT * FROM idgen_decode_layout(9223372036854775807, 'goflakeid');
SELECT * FROM idgen_decode_layout(-1, 'goflakeid');
SELECT * FROM idgen_decode_layout(1823039878637686785, 'time:41,region:3,app:3,worker:5,sequence:12', '2020-01-01');
SELECT * FROM idgen_decode_layout(-1, 'time:42,sequence:22', '2020-01-01');  -- TSID
SELECT * FROM idgen_decode_layout(38390726480144748, 'time:42,sequence:22', '2020-01-01');
-- From published definitions: the first and the last value of each field.
SELECT f.system, d.* FROM (VALUES
    ('Twitter', (1::bigint << 22) | (2 << 17) | (3 << 12) | 4, 'twitter', NULL::timestamptz, NULL::interval),
    ('Leaf', (1::bigint << 22) | (1023 << 12) | 4095, 'time:41,worker:10,sequence:12', '2010-11-04 01:42:54.657+00', NULL),
    ('Baidu uid-generator', (1::bigint << 35) | (5 << 13) | 6, 'time:28,worker:22,sequence:13', '2016-05-20 00:00+08', '1 s'),
    ('CockroachDB unique_rowid', ((100000::bigint * 86400) << 15) | 7, 'time:48,worker:15', '2015-01-01 00:00+00', '10 us'),
    ('TSID, 1,024 nodes', (1::bigint << 22) | (9 << 12) | 10, 'time:42,worker:10,sequence:12', '2020-01-01 00:00+00', NULL)
    ) f (system, id, layout, epoch, unit), idgen_decode_layout(f.id, f.layout, f.epoch, f.unit) d;
SELECT idgen_timestamp_layout(175928847299117063, 'discord'), idgen_timestamp_layout(-1, 'goflakeid');
-- A NULL id or layout returns NULL; epoch and unit may be omitted or NULL.
SELECT idgen_decode_layout(NULL, 'discord') IS NULL AS id, idgen_decode_layout(1, NULL) IS NULL AS layout,
       idgen_timestamp_layout(NULL, 'discord') IS NULL AS id, idgen_timestamp_layout(1, NULL) IS NULL AS layout,
       idgen_timestamp_layout(0, 'discord', NULL, NULL);
-- The layout may change from row to row.
SELECT l, idgen_timestamp_layout(4194304, l) FROM unnest(ARRAY['discord', 'snowflake', 'discord', 'sonyflake']) l;
-- IMMUTABLE: for indexes and generated columns.
CREATE TABLE tweets (id bigint PRIMARY KEY,
    at timestamptz GENERATED ALWAYS AS (idgen_timestamp_layout(id, 'twitter')) STORED,
    worker integer GENERATED ALWAYS AS ((idgen_decode_layout(id, 'twitter')).worker_id) STORED);
CREATE INDEX ON tweets (idgen_timestamp_layout(id, 'twitter'));
INSERT INTO tweets VALUES (20), (1050118621198921728);
SELECT * FROM tweets;
DROP TABLE tweets;
-- Errors.
SELECT idgen_decode_layout(1, 'snowflakes');
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_decode_layout(-1, 'snowflake');
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_decode_layout(9007199254740992, 'js53');
SELECT idgen_timestamp_layout(9223372036854775807, 'time:63', unit => '1 day');
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_timestamp_layout(9223372036854775807, 'time:63', unit => '1 us');
SELECT idgen_timestamp_layout(1, 'time:63', unit => '1 month');
SELECT fields, tick_epoch, tick_unit, bits, ids_per_second, workers, runs_out_at, note
FROM idgen_describe_layout('time:63', unit => '1 day');
SELECT fields, bits, ids_per_second, workers, note FROM idgen_describe_layout('sequence:62,time:1');
SELECT fields, note FROM idgen_describe_layout(NULL);
-- A time field at the end of all 64 bits.
SELECT fields, bits, ids_per_second, workers, runs_out_at - tick_epoch AS lasts, note,
       now() - idgen_timestamp_layout(example_id, fields, tick_epoch) BETWEEN '-1 s' AND '1 h' AS example_is_of_now
FROM idgen_describe_layout('sequence:32,time:32', epoch => date_trunc('day', now()) - interval '10 days');
