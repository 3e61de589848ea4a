-- Sequences, without a store that answers: arguments, privileges, errors.
SELECT name FROM idgen_create_sequencer('orders', start => 1000, step => 10, max_value => 99999, cycle => true);
SELECT proname, pg_get_function_identity_arguments(oid), provolatile, proparallel FROM pg_proc WHERE proname ~ '^idgen_sequence_|^idgen_sequence$' ORDER BY 1, 2;

-- No store is set.
SELECT * FROM idgen_check();
SELECT idgen_sequence_next('k');
\echo :LAST_ERROR_SQLSTATE
-- Invalid arguments are reported without a request to the store.
\set VERBOSITY terse
SELECT idgen_sequence_next('k', 'none such');
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_sequence_next('k', repeat('x', 64));
SELECT idgen_sequence_next('');
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_sequence_next(repeat('k', 513));
SELECT * FROM idgen_sequence('k', 0);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM idgen_sequence('k', -1);
SELECT * FROM idgen_sequence('k', 1000001);
\set VERBOSITY default
SELECT * FROM idgen_sequence('k', 9901, 'orders');
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_sequence_set('k', -1);
\echo :LAST_ERROR_SQLSTATE
SELECT idgen_sequence_set('k', 989, 'orders');
SELECT idgen_sequence_set('k', 100000, 'orders');
SELECT idgen_sequence_set_if_not_exists('k', -9223372036854775808);
SELECT * FROM idgen_sequence_next_keys(ARRAY['k', NULL]);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM idgen_sequence_next_keys(ARRAY(SELECT 'k' FROM generate_series(1, 10001)));
\echo :LAST_ERROR_SQLSTATE
-- NULL arguments, and an empty array.
SELECT idgen_sequence_next(NULL::text), idgen_sequence_next('k', NULL), idgen_sequence_peek(NULL), idgen_sequence_delete_key(NULL);
SELECT count(*) FROM idgen_sequence(NULL);
SELECT count(*) FROM idgen_sequence('k', NULL);
SELECT count(*) FROM idgen_sequence_next_keys(NULL::text[]);
SELECT count(*) FROM idgen_sequence_next_keys('{}'::text[]);

-- The URL of the store: set by superusers, validated, and shown without its password.
ALTER SYSTEM SET idgen.sequence_store = 'http://:secret@localhost';
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY sqlstate
SET idgen.sequence_store = 'redis://localhost';
SET idgen.sequence_timeout = '5ms';
\set VERBOSITY default
ALTER SYSTEM SET idgen.sequence_store = 'unix://:secret@/nonexistent/redis.sock';
SELECT pg_reload_conf();
SELECT pg_sleep(0.3);
SHOW idgen.sequence_store;
-- No store at that address: an error at once, and no value.
SELECT idgen_sequence_next('k');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM idgen_sequence_next_keys(ARRAY['a', 'b']);
\echo :LAST_ERROR_SQLSTATE
-- A store that does not answer: an error when the timeout has passed. (192.0.2.0/24 is reserved for documentation.)
ALTER SYSTEM SET idgen.sequence_store = 'redis://192.0.2.1';
SELECT pg_reload_conf();
SELECT pg_sleep(0.3);
SET idgen.sequence_timeout = '200ms';
SELECT clock_timestamp() AS begun \gset
\set VERBOSITY sqlstate
SELECT idgen_sequence_peek('k');
\set VERBOSITY default
SELECT clock_timestamp() - :'begun' < '1500 ms' AS in_time;
RESET idgen.sequence_timeout;
ALTER SYSTEM RESET idgen.sequence_store;
SELECT pg_reload_conf();
SELECT pg_sleep(0.3);

-- Parameters of unspecified type resolve to an array of keys and to a bigint count.
PREPARE several AS SELECT * FROM idgen_sequence_next_keys($1);
PREPARE batch AS SELECT * FROM idgen_sequence($1, $2);
SELECT name, parameter_types FROM pg_prepared_statements ORDER BY 1;
DEALLOCATE ALL;
SELECT * FROM idgen_sequence('k', 1000001::bigint);
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY sqlstate
SELECT idgen_sequence_next(ARRAY['k']);
\set VERBOSITY default

-- Only the owner sets, deletes or gets values, unless granted.
CREATE ROLE regress_idgen_user;
SET ROLE regress_idgen_user;
\set VERBOSITY sqlstate
SELECT idgen_sequence_set('k', 1);
SELECT idgen_sequence_set_if_not_exists('k', 1);
SELECT idgen_sequence_delete_key('k');
SELECT idgen_sequence_next('k');
SELECT * FROM idgen_sequence('k');
SELECT * FROM idgen_sequence_next_keys(ARRAY['k']);
SELECT idgen_sequence_peek('k');
RESET ROLE;
GRANT EXECUTE ON FUNCTION idgen_sequence_next(text, text) TO regress_idgen_user;
SET ROLE regress_idgen_user;
-- Granted, the call gets as far as the missing store.
SELECT idgen_sequence_next('k');
RESET ROLE;
\set VERBOSITY default
REVOKE ALL ON FUNCTION idgen_sequence_next(text, text) FROM regress_idgen_user;
DROP ROLE regress_idgen_user;

-- With a cache.
SELECT name, cache FROM idgen_create_sequencer('cached', cache => 1000000);
SELECT idgen_sequence_next('k', 'cached');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM idgen_sequence('k', 1000001, 'cached');
SELECT * FROM idgen_sequence('k', -1, 'cached');
SELECT idgen_sequence_next('', 'cached');
SELECT * FROM idgen_sequence_next_keys(ARRAY['k', NULL], 'cached');
SELECT * FROM idgen_sequence_next_keys('{}'::text[], 'cached');
SELECT idgen_drop_sequencer('cached');
SELECT idgen_sequence_next('k', 'cached');
SELECT idgen_drop_sequencer('orders');
