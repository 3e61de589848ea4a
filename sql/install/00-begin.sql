-- Part of idgen's install script: the build concatenates sql/install/*.sql, in order, into idgen--VERSION.sql.
\echo Use "CREATE EXTENSION idgen" to load this file. \quit

-- Nothing is looked up in the target schema, where others may have put operators, functions, types or casts that match
-- better: the extension's objects are qualified with @extschema@ and everything else is pg_catalog's.
SET LOCAL search_path = pg_catalog, pg_temp;
