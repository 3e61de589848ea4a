-- Installation: every object has a comment, and a suitable volatility and parallel safety; the setting prefix is reserved.
CREATE EXTENSION idgen;
SELECT p.proname, p.pronargs, p.provolatile, p.proparallel, p.proisstrict,
       obj_description(p.oid, 'pg_proc') IS NOT NULL AS commented
FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid
WHERE d.refclassid = 'pg_extension'::regclass AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
  AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'idgen')
ORDER BY 1, 2;
-- Comments are short enough for \df+; docs/functions.md has the details.
SELECT pg_describe_object(classoid, objoid, objsubid) AS object, length(description) FROM pg_description
WHERE (classoid, objoid) IN (SELECT classid, objid FROM pg_depend WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass
      AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'idgen'))
  AND length(description) > 200;
SET idgen.no_such_setting = 1;
-- In another schema, with an empty search_path.
DROP EXTENSION idgen;
CREATE SCHEMA ids;
CREATE EXTENSION idgen SCHEMA ids;
SET search_path = '';
SELECT ids.idgen_next() > 0 AS issues, (ids.idgen_decode(ids.idgen_next())).worker_id;
CREATE TABLE public.early (id bigint DEFAULT ids.idgen_next());
RESET search_path;
ALTER EXTENSION idgen SET SCHEMA public;  -- refused: what the script made names its own objects by schema
INSERT INTO early DEFAULT VALUES;
SELECT id > 0 AS issued FROM early;
DROP EXTENSION idgen;  -- refused: a default depends on it
DROP TABLE early;
DROP EXTENSION idgen;
DROP SCHEMA ids;
CREATE EXTENSION idgen;
