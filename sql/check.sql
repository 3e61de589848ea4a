-- idgen_check(): what it reports about generators, columns and the server, and that it returns no rows when there is no problem.
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT name FROM idgen_create_generator('it''s', 'wide');
SELECT name FROM idgen_create_generator('tens', 'sonyflake');
CREATE DOMAIN order_id AS bigint;
CREATE TABLE parted (id order_id DEFAULT idgen_next(), part int) PARTITION BY LIST (part);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
SELECT * FROM idgen_check();

-- Generators that run out or do not exist, types that do not hold every id, sequences left behind, ids of two generators.
SELECT name FROM idgen_create_generator('ending', 'time:38,worker:10', epoch => '2020-01-01');
SELECT name FROM idgen_create_generator('js', 'js53');
CREATE TABLE narrow_default (id int DEFAULT idgen_next(), "Big" bigint DEFAULT idgen_next('gone'), own bigserial);
ALTER TABLE narrow_default ALTER own SET DEFAULT idgen_next('it''s');
ALTER TABLE parted_1 ALTER id SET DEFAULT idgen_next('tens');
CREATE DOMAIN ticket_id AS bigint DEFAULT idgen_next('lost');
CREATE TABLE tickets (id ticket_id);
CREATE DOMAIN small AS int;
CREATE DOMAIN smaller AS small DEFAULT idgen_next();
CREATE TABLE texts (id text DEFAULT idgen_next_text('hex', 'gone too'), fine text DEFAULT idgen_next_text('hex'),
    either bigint DEFAULT coalesce(idgen_next(), idgen_next('tens')), nested smaller,
    fits float8 DEFAULT idgen_next('js'), fits_not float8 DEFAULT idgen_next());
CREATE TABLE mother (id bigint DEFAULT idgen_next());
CREATE TABLE child () INHERITS (mother);
ALTER TABLE child ALTER id SET DEFAULT idgen_next('tens');
-- A replication slot stands for a standby, which would have the same worker id.
SELECT slot_name FROM pg_create_physical_replication_slot('regress_idgen_standby');
SELECT * FROM idgen_check() ORDER BY 1, 2, 3;
SELECT pg_drop_replication_slot('regress_idgen_standby');
DROP TABLE parted, narrow_default, tickets, texts, mother, child;
DROP DOMAIN order_id, ticket_id, small, smaller;
SELECT count(idgen_drop_generator(name)) FROM idgen_catalog.idgen_generator WHERE NOT built_in;
SELECT * FROM idgen_check();
