-- idgen_guard(): the trigger that it creates, and its errors. The TAP test of guards replicates rows.
CREATE TABLE guarded (id bigint PRIMARY KEY DEFAULT idgen_next(), v text);
SELECT idgen_guard('guarded');
SELECT idgen_guard('guarded');
SELECT tgenabled, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'guarded'::regclass AND NOT tgisinternal;
-- With the generator of the column's default, and with a named one.
SELECT name FROM idgen_create_generator('guarded', 'js53');
CREATE TABLE guarded_by (id bigint, "Other id" bigint DEFAULT idgen_next('guarded'));
SELECT idgen_guard('guarded_by');
SELECT idgen_guard('guarded_by', 'id', 'guarded');
SELECT tgenabled, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'guarded_by'::regclass AND NOT tgisinternal ORDER BY tgname;
-- A domain, and partitions.
CREATE DOMAIN guarded_id AS bigint DEFAULT idgen_next();
CREATE TABLE guarded_parts (id guarded_id, v integer) PARTITION BY RANGE (id);
CREATE TABLE guarded_part PARTITION OF guarded_parts DEFAULT;
SELECT idgen_guard('guarded_parts');
SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE tgname LIKE 'idgen_guard%' AND tgrelid IN ('guarded_parts'::regclass, 'guarded_part'::regclass) ORDER BY 1;
-- It fires for replicated rows only.
INSERT INTO guarded VALUES (DEFAULT, 'a'), (1, 'b'), (2, NULL);
SELECT state FROM idgen_status();
SET session_replication_role = replica;
INSERT INTO guarded VALUES (3, 'of another worker id');
INSERT INTO guarded_by VALUES (NULL, NULL), (-1, -1);
INSERT INTO guarded_parts VALUES (4);
RESET session_replication_role;
SELECT state FROM idgen_status();
-- idgen_check() reports it only if it does not fire for replicated rows.
SELECT severity, finding, advice FROM idgen_check() WHERE object = 'table guarded';
ALTER TABLE guarded ENABLE TRIGGER idgen_guard_id;
SELECT severity, finding, advice FROM idgen_check() WHERE object = 'table guarded';
ALTER TABLE guarded ENABLE REPLICA TRIGGER idgen_guard_id;
-- Errors.
SELECT idgen_guard(NULL);
SELECT idgen_guard('pg_class_oid_index');
SELECT idgen_guard(0);
SELECT idgen_guard('guarded', 'nothing');
SELECT idgen_guard('guarded', 'v');
SELECT idgen_guard('guarded', 'id', 'nothing');
ALTER TABLE guarded_by ALTER id SET DEFAULT idgen_next();
SELECT idgen_guard('guarded_by');
ALTER TABLE guarded_by ALTER id DROP DEFAULT, ALTER "Other id" DROP DEFAULT;
SELECT idgen_guard('guarded_by');
CREATE TABLE guarded_narrow (id integer DEFAULT idgen_next());
SELECT idgen_guard('guarded_narrow');
DROP TABLE guarded_narrow;
SELECT idgen_guard_row();
CREATE TRIGGER wrong AFTER INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION idgen_guard_row();
INSERT INTO guarded DEFAULT VALUES;
DROP TRIGGER wrong ON guarded;
-- A trigger with invalid arguments raises neither an error nor an alarm.
CREATE TRIGGER odd BEFORE INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION idgen_guard_row('id', 'time:99', 'x');
ALTER TABLE guarded ENABLE ALWAYS TRIGGER odd;
SET session_replication_role = replica;
INSERT INTO guarded VALUES (5);
RESET session_replication_role;
-- For the table's owner only.
CREATE ROLE idgen_regress_guest;
GRANT INSERT, SELECT, TRIGGER ON guarded TO idgen_regress_guest;
SET ROLE idgen_regress_guest;
SELECT idgen_guard('guarded');
RESET ROLE;
-- DROP TRIGGER removes the guard.
DROP TRIGGER idgen_guard_id ON guarded;
DROP TABLE guarded, guarded_by, guarded_parts;
DROP DOMAIN guarded_id;
SELECT idgen_drop_generator('guarded');
DROP ROLE idgen_regress_guest;
