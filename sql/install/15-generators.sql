-- Generators: their table and view, and the functions that create, drop and comment on them.

-- A schema that nobody has in his search_path, so that schema tools leave the tables alone. One that is here already is
-- somebody else's.
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
'The generators of this database. Use the view idgen_generators and the functions idgen_create_generator() and idgen_drop_generator(). pg_dump dumps its rows but the built-in ones.';
GRANT SELECT ON idgen_catalog.idgen_generator TO PUBLIC;
-- Whoever makes the extension, so that he can restore a dump of it, too.
GRANT INSERT ON idgen_catalog.idgen_generator TO @extowner@;
SELECT pg_catalog.pg_extension_config_dump('idgen_catalog.idgen_generator', 'WHERE NOT built_in');

CREATE FUNCTION @extschema@.idgen_generator_changed() RETURNS trigger
    LANGUAGE c VOLATILE
    AS 'MODULE_PATHNAME', 'idgen_sql_generator_changed';
COMMENT ON FUNCTION @extschema@.idgen_generator_changed() IS
'Judges every row that comes into idgen_generator, and tells all sessions that definitions have changed.';
REVOKE ALL ON FUNCTION @extschema@.idgen_generator_changed() FROM PUBLIC;
CREATE TRIGGER idgen_generator_changed BEFORE INSERT OR UPDATE OR DELETE ON idgen_catalog.idgen_generator
    FOR EACH ROW EXECUTE FUNCTION @extschema@.idgen_generator_changed();
CREATE TRIGGER idgen_generator_emptied BEFORE TRUNCATE ON idgen_catalog.idgen_generator
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.idgen_generator_changed();
-- Also where rows come by logical replication.
ALTER TABLE idgen_catalog.idgen_generator ENABLE ALWAYS TRIGGER idgen_generator_changed;
ALTER TABLE idgen_catalog.idgen_generator ENABLE ALWAYS TRIGGER idgen_generator_emptied;

INSERT INTO idgen_catalog.idgen_generator (name, layout, comment, built_in)
    VALUES ('default', 'snowflake', 'What idgen_next() and the other functions without a generator use.', true);

CREATE VIEW @extschema@.idgen_generators AS
    SELECT g.name, g.layout, g.epoch, g.unit, g.region_id, g.app_id,
           d.ids_per_second, d.workers, d.runs_out_at, d.example_id, d.note, g.comment
    FROM idgen_catalog.idgen_generator g, @extschema@.idgen_describe_layout(g.layout, g.epoch, g.unit, g.region_id, g.app_id) d;
GRANT SELECT ON @extschema@.idgen_generators TO PUBLIC;
COMMENT ON VIEW @extschema@.idgen_generators IS
'The generators of this database: layout, ids per second of one worker, number of workers, when the time field runs out, an id of worker 1 as of now.';

CREATE FUNCTION @extschema@.idgen_create_generator(
    name text, layout text DEFAULT 'snowflake', epoch timestamptz DEFAULT NULL, unit interval DEFAULT NULL,
    region_id integer DEFAULT NULL, app_id integer DEFAULT NULL, comment text DEFAULT NULL,
    if_not_exists boolean DEFAULT false)
    RETURNS @extschema@.idgen_generators
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'idgen_sql_create_generator';
COMMENT ON FUNCTION @extschema@.idgen_create_generator(text, text, timestamptz, interval, integer, integer, text, boolean) IS
'Creates a generator, for idgen_next(name) and the other functions that take one. A generator never changes. For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_create_generator(text, text, timestamptz, interval, integer, integer, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_create_generator(text, text, timestamptz, interval, integer, integer, text, boolean) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION @extschema@.idgen_drop_generator(name text, if_exists boolean DEFAULT false) RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'idgen_sql_drop_generator';
COMMENT ON FUNCTION @extschema@.idgen_drop_generator(text, boolean) IS
'Drops a generator: true, or false if there was none and if_exists is true. Column defaults that name it fail from then on. For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_drop_generator(text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_drop_generator(text, boolean) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION @extschema@.idgen_comment_on_generator(name text, comment text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'idgen_sql_comment_on_generator';
COMMENT ON FUNCTION @extschema@.idgen_comment_on_generator(text, text) IS
'Sets the comment of a generator, or takes it away with NULL. 42704 if there is none. For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION @extschema@.idgen_comment_on_generator(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.idgen_comment_on_generator(text, text) TO @extowner@ WITH GRANT OPTION;
