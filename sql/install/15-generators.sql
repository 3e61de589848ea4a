-- Generators: their table and view, and the functions that create, drop and comment on them.

-- The tables are in a schema of their own, which is in nobody's search_path, so that schema tools ignore them. If it
-- exists already, it is somebody else's, and the installation fails.
CREATE SCHEMA idgen_catalog;
GRANT USAGE ON SCHEMA idgen_catalog TO PUBLIC;

CREATE TABLE idgen_catalog.idgen_generator (
    name text COLLATE "C" PRIMARY KEY,
    layout text NOT NULL,
    epoch timestamptz NOT NULL,
    unit interval NOT NULL,
    region_id integer,
    app_id integer,
    comment text,
    built_in boolean NOT NULL DEFAULT false);
COMMENT ON TABLE idgen_catalog.idgen_generator IS
'Generators of this database; pg_dump includes all but the built-in row. Use the view idgen_generators and the functions idgen_create_generator() and idgen_drop_generator().';
GRANT SELECT ON idgen_catalog.idgen_generator TO PUBLIC;
-- Lets the role that creates the extension restore a dump.
GRANT INSERT ON idgen_catalog.idgen_generator TO @extowner@;
SELECT pg_catalog.pg_extension_config_dump('idgen_catalog.idgen_generator', 'WHERE NOT built_in');

CREATE FUNCTION @extschema@.idgen_generator_changed() RETURNS trigger
    LANGUAGE c VOLATILE
    AS 'MODULE_PATHNAME', 'idgen_sql_generator_changed';
COMMENT ON FUNCTION @extschema@.idgen_generator_changed() IS
'Trigger of idgen_generator: validates rows and notifies all sessions of changed definitions.';
REVOKE ALL ON FUNCTION @extschema@.idgen_generator_changed() FROM PUBLIC;
CREATE TRIGGER idgen_generator_changed BEFORE INSERT OR UPDATE OR DELETE ON idgen_catalog.idgen_generator
    FOR EACH ROW EXECUTE FUNCTION @extschema@.idgen_generator_changed();
CREATE TRIGGER idgen_generator_emptied BEFORE TRUNCATE ON idgen_catalog.idgen_generator
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.idgen_generator_changed();
-- ALWAYS: also for rows that arrive by logical replication.
ALTER TABLE idgen_catalog.idgen_generator ENABLE ALWAYS TRIGGER idgen_generator_changed;
ALTER TABLE idgen_catalog.idgen_generator ENABLE ALWAYS TRIGGER idgen_generator_emptied;

INSERT INTO idgen_catalog.idgen_generator (name, layout, comment, built_in)
    VALUES ('default', 'snowflake', 'Used by idgen_next() and the other functions when no generator is given.', true);

CREATE VIEW @extschema@.idgen_generators AS
    SELECT g.name, g.layout, g.epoch, g.unit, g.region_id, g.app_id,
           d.ids_per_second, d.workers, d.runs_out_at, d.example_id, d.note, g.comment
    FROM idgen_catalog.idgen_generator g, @extschema@.idgen_describe_layout(g.layout, g.epoch, g.unit, g.region_id, g.app_id) d;
GRANT SELECT ON @extschema@.idgen_generators TO PUBLIC;
COMMENT ON VIEW @extschema@.idgen_generators IS
'Generators of this database: layout, ids per second and worker, number of workers, when the time field runs out, and an id that worker 1 would issue now.';

CREATE FUNCTION @extschema@.idgen_create_generator(
    name text, layout text DEFAULT 'snowflake', epoch timestamptz DEFAULT NULL, unit interval DEFAULT NULL,
    region_id integer DEFAULT NULL, app_id integer DEFAULT NULL, comment text DEFAULT NULL,
    if_not_exists boolean DEFAULT false)
    RETURNS @extschema@.idgen_generators
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'idgen_sql_create_generator';
COMMENT ON FUNCTION @extschema@.idgen_create_generator(text, text, timestamptz, interval, integer, integer, text, boolean) IS
'Creates a generator for idgen_next(generator) and the other functions that take one. Its definition cannot be changed later. Restricted to the extension''s owner unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_create_generator(text, text, timestamptz, interval, integer, integer, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_create_generator(text, text, timestamptz, interval, integer, integer, text, boolean) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION @extschema@.idgen_drop_generator(name text, if_exists boolean DEFAULT false) RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'idgen_sql_drop_generator';
COMMENT ON FUNCTION @extschema@.idgen_drop_generator(text, boolean) IS
'Drops a generator; returns false if it does not exist and if_exists is true. Column defaults that use it fail from then on. Restricted to the extension''s owner unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_drop_generator(text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_drop_generator(text, boolean) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION @extschema@.idgen_comment_on_generator(name text, comment text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'idgen_sql_comment_on_generator';
COMMENT ON FUNCTION @extschema@.idgen_comment_on_generator(text, text) IS
'Sets the comment of a generator, or removes it if comment is NULL. 42704 if the generator does not exist. Restricted to the extension''s owner unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_comment_on_generator(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_comment_on_generator(text, text) TO @extowner@ WITH GRANT OPTION;
