-- Sequencers: create, list, drop, with the SQLSTATE of each refusal.
SET intervalstyle = 'postgres';
SELECT * FROM idgen_sequencers;
SELECT * FROM idgen_create_sequencer('orders', start => 1000, step => 10, max_value => 99999, cycle => true, comment => 'Orders of the shop');
SELECT * FROM idgen_create_sequencer('days', 'shop:day:', ttl => '2 days');
SELECT * FROM idgen_create_sequencer('visits', ttl => '30 min', ttl_mode => 'sliding');
SELECT name, start, step FROM idgen_create_sequencer('zero', start => 0);
SELECT name, start, max_value FROM idgen_create_sequencer('last', start => 9223372036854775807);
SELECT name, key_prefix, start, step, max_value, cycle, ttl, ttl_mode, cache FROM idgen_create_sequencer('nulls', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
-- Braces in names are escaped: a Redis Cluster would read them as a hash tag.
SELECT key_prefix FROM idgen_create_sequencer('a{}%');

-- Definitions cannot be changed, comments can.
UPDATE idgen_catalog.idgen_sequencer SET comment = 'All orders' WHERE name = 'orders' RETURNING comment;
SELECT idgen_comment_on_sequencer('orders', 'Orders of all shops');
SELECT comment FROM idgen_sequencers WHERE name = 'orders';
SELECT idgen_comment_on_sequencer('orders', NULL);
SELECT comment IS NULL AS removed FROM idgen_sequencers WHERE name = 'orders';
SELECT idgen_comment_on_sequencer('none', 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_comment_on_sequencer(NULL, 'x');
\echo :LAST_ERROR_SQLSTATE
UPDATE idgen_catalog.idgen_sequencer SET step = 1 WHERE name = 'orders';
\echo :LAST_ERROR_SQLSTATE
UPDATE idgen_catalog.idgen_sequencer SET name = 'bestellungen' WHERE name = 'orders';
\echo :LAST_ERROR_SQLSTATE
-- The built-in sequencer cannot be dropped or changed.
SELECT idgen_drop_sequencer('default');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO idgen_catalog.idgen_sequencer (name, built_in) VALUES ('more', true);
\echo :LAST_ERROR_SQLSTATE
-- A row added by INSERT is validated in the same way.
INSERT INTO idgen_catalog.idgen_sequencer (name) VALUES ('plain') RETURNING *;
INSERT INTO idgen_catalog.idgen_sequencer (name, step) VALUES ('bad', 0);
\echo :LAST_ERROR_SQLSTATE
INSERT INTO idgen_catalog.idgen_sequencer (name, cache) VALUES ('bad', 0);
\echo :LAST_ERROR_SQLSTATE

-- The table cannot be truncated, and its trigger works on no other.
TRUNCATE idgen_catalog.idgen_sequencer;
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE other (LIKE idgen_catalog.idgen_sequencer);
CREATE TRIGGER other BEFORE INSERT ON other FOR EACH ROW EXECUTE FUNCTION idgen_sequencer_changed();
INSERT INTO other DEFAULT VALUES;
\echo :LAST_ERROR_SQLSTATE
DROP TABLE other;
-- A subscriber to all tables receives the built-in row, which it has already.
INSERT INTO idgen_catalog.idgen_sequencer (name, built_in) VALUES ('default', true);
SELECT count(*) FROM idgen_catalog.idgen_sequencer WHERE name = 'default';

-- Drop.
SELECT idgen_drop_sequencer('plain'), idgen_drop_sequencer('plain', if_exists => true);
SELECT idgen_drop_sequencer('plain');
\echo :LAST_ERROR_SQLSTATE

-- Errors.
\set refuse 'SELECT name FROM idgen_create_sequencer'
\set VERBOSITY terse
:refuse('orders');
\echo :LAST_ERROR_SQLSTATE
:refuse(NULL);
\echo :LAST_ERROR_SQLSTATE
:refuse('');
\echo :LAST_ERROR_SQLSTATE
:refuse(repeat('x', 64));
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
:refuse('x', '');
:refuse('x', repeat('p', 256));
:refuse('x', 'shop{}');
:refuse('x', step => 0);
\echo :LAST_ERROR_SQLSTATE
:refuse('x', step => -1);
:refuse('x', start => -1);
:refuse('x', start => 10, max_value => 9);
:refuse('x', step => 10, max_value => 9);
:refuse('x', ttl => '0');
:refuse('x', ttl => '-1 s');
:refuse('x', ttl => '1 month');
:refuse('x', ttl => '1500 us');
:refuse('x', ttl => '36501 days');
:refuse('x', ttl => '1 day', ttl_mode => 'always');
:refuse('x', cache => 0);
:refuse('x', cache => 1000001);
:refuse('x', cache => 1000, cycle => true);
:refuse('x', cache => 1000, ttl => '1 day');
\echo :LAST_ERROR_SQLSTATE

-- Only the owner creates and drops sequencers.
CREATE ROLE regress_idgen_user;
SET ROLE regress_idgen_user;
SELECT count(*) > 0 AS listed FROM idgen_sequencers;
\set VERBOSITY sqlstate
SHOW idgen.sequence_store;
:refuse('mine');
SELECT idgen_drop_sequencer('orders');
SELECT idgen_comment_on_sequencer('orders', 'mine');
INSERT INTO idgen_catalog.idgen_sequencer (name) VALUES ('mine');
DELETE FROM idgen_catalog.idgen_sequencer;
TRUNCATE idgen_catalog.idgen_sequencer;
RESET ROLE;
GRANT EXECUTE ON FUNCTION idgen_create_sequencer TO regress_idgen_user;
SET ROLE regress_idgen_user;
\set VERBOSITY default

-- A chosen prefix can be another database's, so only superusers choose one, or roles that they allow to.
SELECT key_prefix FROM idgen_create_sequencer('mine');
:refuse('chosen', 'shop:');
\echo :LAST_ERROR_SQLSTATE
SET idgen.allowed_key_prefixes = 'shop:';
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY sqlstate
-- Not even one below the database's own prefix: the database can be renamed.
:refuse('chosen', 'idgen:seq:18:contrib_regression:4:mine:');
\set VERBOSITY default
RESET ROLE;
SET idgen.allowed_key_prefixes = 'a{b}';
SET idgen.allowed_key_prefixes = 'shop:', 'idgen:';
SET ROLE regress_idgen_user;
SELECT key_prefix FROM idgen_create_sequencer('chosen', 'shop:eu:');
\set VERBOSITY sqlstate
:refuse('other', 'shop');
-- A wide allowed prefix does not include the default prefixes of other databases.
:refuse('other', 'idgen:seq:5:other:7:default:');
RESET ROLE;
SET idgen.allowed_key_prefixes = 'idgen:seq:5:other:';
SET ROLE regress_idgen_user;
SELECT key_prefix FROM idgen_create_sequencer('other', 'idgen:seq:5:other:7:default:');
:refuse('more', 'shop:');
RESET ROLE;
RESET idgen.allowed_key_prefixes;
-- Rows added by INSERT, as by the restore of a dump.
GRANT INSERT ON idgen_catalog.idgen_sequencer TO regress_idgen_user;
SET ROLE regress_idgen_user;
INSERT INTO idgen_catalog.idgen_sequencer (name, key_prefix) VALUES ('restored', 'shop:');
INSERT INTO idgen_catalog.idgen_sequencer (name) VALUES ('restored') RETURNING name, key_prefix;
\set VERBOSITY default

-- if_not_exists, for migrations: an existing sequencer is kept, whoever created it.
SELECT name, key_prefix FROM idgen_create_sequencer('chosen', 'shop:eu:', if_not_exists => true);
SELECT name, step FROM idgen_create_sequencer('chosen', 'shop:eu:', step => 2, if_not_exists => true);
SELECT name, key_prefix FROM idgen_create_sequencer('chosen', if_not_exists => true);
SELECT name, step FROM idgen_create_sequencer('later', step => 2, if_not_exists => true);
RESET ROLE;
REVOKE ALL ON FUNCTION idgen_create_sequencer FROM regress_idgen_user;
REVOKE INSERT ON idgen_catalog.idgen_sequencer FROM regress_idgen_user;
SELECT count(idgen_drop_sequencer(name)) FROM idgen_sequencers WHERE name IN ('mine', 'chosen', 'other', 'restored', 'later');
DROP ROLE regress_idgen_user;
-- A rolled-back sequencer does not exist, even for a session that used it; one that is created again is read again.
BEGIN;
SELECT name FROM idgen_create_sequencer('fleeting', max_value => 5);
SELECT * FROM idgen_sequence('k', 0, 'fleeting');
ROLLBACK;
\set VERBOSITY terse
SELECT * FROM idgen_sequence('k', 0, 'fleeting');
SELECT * FROM idgen_sequence('k', 9901, 'orders');
SELECT idgen_drop_sequencer('orders');
SELECT max_value FROM idgen_create_sequencer('orders', max_value => 3, cycle => true);
SELECT * FROM idgen_sequence('k', 4, 'orders');
\set VERBOSITY default
SELECT count(idgen_drop_sequencer(name)) FROM idgen_catalog.idgen_sequencer WHERE NOT built_in;
