-- Text forms of ids and UUIDs.
-- Published values of TSID's and Crockford's base32 and Bitcoin's base58. From 2^63 on, bigints are negative.
SELECT idgen_to_base32(38390726480144748), idgen_to_base32(1234);
SELECT idgen_to_base58(1428076403798048768), idgen_to_base58(57);
SELECT id, idgen_to_base32(id), idgen_to_base58(id), idgen_to_base62(id), idgen_to_hex(id), idgen_to_unsigned(id)
FROM (VALUES (0), (1), (382105250858795012), (9223372036854775807), ((-9223372036854775808)::bigint), (-1)) ids(id);
SELECT idgen_from_base32('FZZZZZZZZZZZZ'), idgen_from_base58('jpXCZedGfVQ'), idgen_from_base62('LygHa16AHYF'),
       idgen_from_hex('ffffffffffffffff'), idgen_from_unsigned('18446744073709551615');
SELECT idgen_from_unsigned('9223372036854775807'), idgen_from_unsigned('9223372036854775808'), idgen_from_unsigned('0');
-- Round trips over the whole range and around every power of two.
CREATE TABLE ids AS
    SELECT DISTINCT id FROM (
        SELECT (1::bigint << bit) + off AS id FROM generate_series(0, 62) bit, generate_series(-1, 1) off
        UNION ALL SELECT -(1::bigint << bit) - off FROM generate_series(0, 62) bit, generate_series(-1, 1) off
        UNION ALL SELECT (n * 922337203685477.58)::bigint FROM generate_series(-10000, 10000) n) made;
SELECT count(*) > 20000 AS many,
       bool_and(idgen_from_base32(idgen_to_base32(id)) = id) AS base32,
       bool_and(idgen_from_base58(idgen_to_base58(id)) = id) AS base58,
       bool_and(idgen_from_base62(idgen_to_base62(id)) = id) AS base62,
       bool_and(idgen_from_hex(idgen_to_hex(id)) = id) AS hex,
       bool_and(idgen_from_unsigned(idgen_to_unsigned(id)) = id) AS unsigned,
       bool_and(idgen_to_unsigned(id)::numeric = id + CASE WHEN id < 0 THEN 2::numeric ^ 64 ELSE 0 END) AS same_number
FROM ids;
-- Forms of fixed length sort like unsigned numbers.
SELECT bool_and(base32 < next_base32) AS base32, bool_and(base62 < next_base62) AS base62,
       bool_and(hex < next_hex) AS hex
FROM (SELECT idgen_to_base32(id) COLLATE "C" AS base32, lead(idgen_to_base32(id)) OVER by_number AS next_base32,
             idgen_to_base62(id) COLLATE "C" AS base62, lead(idgen_to_base62(id)) OVER by_number AS next_base62,
             idgen_to_hex(id) COLLATE "C" AS hex, lead(idgen_to_hex(id)) OVER by_number AS next_hex
      FROM ids WINDOW by_number AS (ORDER BY idgen_to_unsigned(id)::numeric)) pairs;
-- Also accepted: the other case in base32 and hex, and base32's look-alikes.
SELECT idgen_to_base32(idgen_from_base32('o123456789abc')), idgen_to_base32(idgen_from_base32('000000000ILil')),
       idgen_to_hex(idgen_from_hex('0123456789ABCdef'));
-- ULIDs.
SELECT uuid_to_ulid('017f22e2-79b0-7cc3-98c4-dc0c0c07398f'), uuid_from_ulid('01ARYZ6S41TSV4RRFFQ69G5FAV');
SELECT uuid_to_ulid('00000000-0000-0000-0000-000000000000'), uuid_to_ulid('ffffffff-ffff-ffff-ffff-ffffffffffff');
SELECT bool_and(uuid_from_ulid(uuid_to_ulid(uuid)) = uuid) AS same,
       bool_and(uuid_to_ulid(uuid) COLLATE "C" > before OR before IS NULL) AS sorts_alike
FROM (SELECT uuid, lag(uuid_to_ulid(uuid)) OVER (ORDER BY uuid) AS before
      FROM (SELECT md5(n::text)::uuid AS uuid FROM generate_series(1, 10000) n) made) pairs;
SELECT count(*) AS functions,
       bool_and(provolatile = 'i' AND proisstrict AND proparallel = 's' AND procost = 1) AS as_promised
FROM pg_proc WHERE proname ~ '^idgen_(to|from)_|^uuid_(to|from)_ulid';
SELECT idgen_to_base32(NULL) IS NULL AND idgen_from_base32(NULL) IS NULL AND uuid_to_ulid(NULL) IS NULL
       AND uuid_from_ulid(NULL) IS NULL AS nulls;
-- Values in a table, a generated column, an index, and a TOAST table.
CREATE TABLE texts (id bigint, base58 text GENERATED ALWAYS AS (idgen_to_base58(id)) STORED, long text);
ALTER TABLE texts ALTER long SET STORAGE EXTERNAL;
INSERT INTO texts (id, long) SELECT n * 77777, repeat('z', 5000) FROM generate_series(1, 100) n;
CREATE INDEX ON texts (idgen_to_base32(id));
SELECT bool_and(idgen_from_base58(base58) = id) AS same FROM texts;
SELECT idgen_from_base58(long) FROM texts WHERE id = 77777;
\echo :LAST_ERROR_SQLSTATE
DROP TABLE texts;
-- Errors say what is wrong, at which character, and what is valid.
SELECT idgen_from_base32('0123-456-789A');
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_from_base32('0123456789ABu');
SELECT idgen_from_base32('0123456789AB');
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_from_base32('');
SELECT idgen_from_base32('G000000000000');
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_from_base58('11');
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_from_base58('4KGMNY8jT8O');
SELECT idgen_from_base58('jpXCZedGfVR');
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_from_base58('');
SELECT idgen_from_base62('LygHa16AHYG');
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_from_base62('7n42DGM5Tfl_');
SELECT idgen_from_base62('zz');
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_from_hex('0x54d7f0e0f5a0a');
SELECT idgen_from_hex('54d');
SELECT idgen_from_hex('00000000000000000');
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_from_unsigned('-1');
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_from_unsigned('+1');
SELECT idgen_from_unsigned(' 1');
SELECT idgen_from_unsigned('007');
SELECT idgen_from_unsigned('');
SELECT idgen_from_unsigned('18446744073709551616');
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_from_unsigned('100000000000000000000');
\echo :LAST_ERROR_SQLSTATE
SELECT uuid_from_ulid('80000000000000000000000000');
\echo :LAST_ERROR_SQLSTATE
SELECT uuid_from_ulid('017f22e2-79b0-7cc3-98c4-dc0c0c07398f');
\echo :LAST_ERROR_SQLSTATE
SELECT uuid_from_ulid('0123456789ABC');
-- Multibyte and non-printable characters.
SELECT idgen_from_base32('0123456789ABé');
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_from_base62('1234567890一');
SELECT idgen_from_hex('0123456789abcde🙂');
SELECT idgen_from_unsigned(E'12\t');
SELECT uuid_from_ulid(repeat('é', 100));
DROP TABLE ids;
