-- Leased worker ids, without a store: invalid settings, privileges, errors.
\set VERBOSITY terse
ALTER SYSTEM SET idgen.lease_store = 'http://:secret@localhost';
ALTER SYSTEM SET idgen.lease_store = 'redis://:secret@';
ALTER SYSTEM SET idgen.lease_store = 'redis://:secret@localhost:0';
ALTER SYSTEM SET idgen.lease_store = 'redis://:secret@localhost/x';
ALTER SYSTEM SET idgen.lease_store = 'redis+sentinel://localhost';
ALTER SYSTEM SET idgen.lease_store = 'unix://relative';
\set VERBOSITY default
ALTER SYSTEM SET idgen.lease_store = 'redis://user:secret@[::1';
\set VERBOSITY sqlstate
ALTER SYSTEM SET idgen.lease_prefix = '';
ALTER SYSTEM SET idgen.lease_ttl = '10ms';
ALTER SYSTEM SET idgen.max_workers = 1025;
ALTER SYSTEM SET idgen.max_workers = 0;
SET idgen.lease_ttl = '1min';

\set VERBOSITY terse

-- Privileges.
CREATE ROLE idgen_regress_nobody;
SET ROLE idgen_regress_nobody;
SELECT * FROM idgen_workers();
SELECT idgen_declare_new_prefix();
RESET ROLE;
DROP ROLE idgen_regress_nobody;
\set VERBOSITY default
SELECT * FROM idgen_workers();
SELECT idgen_declare_new_prefix();

-- Waiting until the server can issue ids.
SELECT idgen_wait_ready();
SELECT idgen_wait_ready('0');
SELECT idgen_wait_ready(NULL);
SELECT idgen_wait_ready('1 month');
