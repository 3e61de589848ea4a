-- Settings: units, ranges, contexts.
SELECT name, setting, unit, context, min_val, max_val, boot_val FROM pg_settings WHERE name LIKE 'idgen.%' ORDER BY name;
SELECT count(*) FROM pg_settings WHERE name LIKE 'idgen.%' AND short_desc = '';
SET idgen.max_wait = '250ms';
SHOW idgen.max_wait;
-- Values out of range. (PostgreSQL's wording of the range differs between major versions.)
\set VERBOSITY sqlstate
SET idgen.max_wait = -1;
SET idgen.max_ahead = '1s';
ALTER SYSTEM SET idgen.worker_id = 1024;
ALTER SYSTEM SET idgen.block_size = 0;
ALTER SYSTEM SET idgen.max_ahead = '1 fortnight';
ALTER SYSTEM SET idgen.ceiling_window = '10ms';
