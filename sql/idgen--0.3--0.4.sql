-- idgen 0.3 -> 0.4. Frozen once released.
\echo Use "ALTER EXTENSION idgen UPDATE TO '0.4'" to load this file. \quit

-- generators

CREATE TABLE idgen_generator (
    name text COLLATE "C" PRIMARY KEY,
    layout text NOT NULL,
    epoch timestamptz NOT NULL,
    unit interval NOT NULL,
    region_id integer,
    app_id integer,
    comment text,
    built_in boolean NOT NULL DEFAULT false);
COMMENT ON TABLE idgen_generator IS
'The generators of this database, by name; idgen_generators shows what follows from each. Rows are judged as they come in, never change but for their comment, and are dumped by pg_dump (not the built-in ones).';
GRANT SELECT ON idgen_generator TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idgen_generator', 'WHERE NOT built_in');

CREATE FUNCTION idgen_generator_changed() RETURNS trigger
    LANGUAGE c VOLATILE
    AS 'MODULE_PATHNAME', 'idgen_sql_generator_trigger';
COMMENT ON FUNCTION idgen_generator_changed() IS
'Judges every row that comes into idgen_generator, and tells all sessions that definitions have changed.';
REVOKE ALL ON FUNCTION idgen_generator_changed() FROM PUBLIC;
CREATE TRIGGER idgen_generator_changed BEFORE INSERT OR UPDATE OR DELETE ON idgen_generator
    FOR EACH ROW EXECUTE FUNCTION idgen_generator_changed();
CREATE TRIGGER idgen_generator_emptied BEFORE TRUNCATE ON idgen_generator
    FOR EACH STATEMENT EXECUTE FUNCTION idgen_generator_changed();
-- Also where rows come by logical replication.
ALTER TABLE idgen_generator ENABLE ALWAYS TRIGGER idgen_generator_changed;
ALTER TABLE idgen_generator ENABLE ALWAYS TRIGGER idgen_generator_emptied;

INSERT INTO idgen_generator (name, layout, comment, built_in)
    VALUES ('default', 'snowflake', 'What idgen_next() and the other functions without a generator use.', true);

CREATE FUNCTION idgen_describe_layout(
    layout text, epoch timestamptz DEFAULT NULL, unit interval DEFAULT NULL,
    region_id integer DEFAULT NULL, app_id integer DEFAULT NULL,
    OUT fields text, OUT tick_epoch timestamptz, OUT tick_unit interval, OUT bits integer,
    OUT ids_per_second bigint, OUT workers bigint, OUT runs_out_at timestamptz, OUT example_id bigint, OUT note text)
    LANGUAGE c STABLE PARALLEL SAFE COST 5
    AS 'MODULE_PATHNAME', 'idgen_sql_describe_layout';
COMMENT ON FUNCTION idgen_describe_layout(text, timestamptz, interval, integer, integer) IS
'What a layout is good for, without making anything: its fields, ids per second of one worker, number of workers, when its time runs out, an id of worker 1 as of now. layout: a list of fields with their bits, the highest first, of time, region (or datacenter), app, worker, sequence; or snowflake, genesis, sonyflake, goflakeid, discord, twitter, instagram, js53, wide, which have an epoch and a unit of their own. 22023 for one that is none.';

CREATE VIEW idgen_generators AS
    SELECT g.name, g.layout, g.epoch, g.unit, g.region_id, g.app_id,
           d.ids_per_second, d.workers, d.runs_out_at, d.example_id, d.note, g.comment
    FROM idgen_generator g, idgen_describe_layout(g.layout, g.epoch, g.unit, g.region_id, g.app_id) d;
GRANT SELECT ON idgen_generators TO PUBLIC;
COMMENT ON VIEW idgen_generators IS
'The generators of this database, and what follows from each: ids per second of one worker, how many workers can have different ids, when the time field runs out, an id of worker 1 as of now.';

CREATE FUNCTION idgen_create_generator(
    name text, layout text DEFAULT 'snowflake', epoch timestamptz DEFAULT NULL, unit interval DEFAULT NULL,
    region_id integer DEFAULT NULL, app_id integer DEFAULT NULL, comment text DEFAULT NULL)
    RETURNS idgen_generators
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'idgen_sql_create_generator';
COMMENT ON FUNCTION idgen_create_generator(text, text, timestamptz, interval, integer, integer, text) IS
'Makes a generator, for idgen_next(name) and the other functions that take one, and returns its row of idgen_generators. Time comes first in its layout, and there is a worker field; at most 63 bits, or 64 while the highest is zero. Generators of one layout, epoch, unit, region and app share their ids: none is given twice. Never changed afterwards. 42710 where the name is taken; 22023 for a layout in which no ids can be issued; 55000 where this server''s worker ids don''t fit it; 53400 past idgen.max_generators. For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION idgen_create_generator(text, text, timestamptz, interval, integer, integer, text) FROM PUBLIC;

CREATE FUNCTION idgen_drop_generator(name text, if_exists boolean DEFAULT false) RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'idgen_sql_drop_generator';
COMMENT ON FUNCTION idgen_drop_generator(text, boolean) IS
'Drops a generator: true, or false where there was none and if_exists is true. Column defaults that name it fail from then on; idgen_check() lists them. 42704 where there is none; 55000 for a built-in one. For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION idgen_drop_generator(text, boolean) FROM PUBLIC;

CREATE FUNCTION idgen_comment_on_generator(name text, comment text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'idgen_sql_comment_generator';
COMMENT ON FUNCTION idgen_comment_on_generator(text, text) IS
'Sets the comment of a generator, or takes it away with NULL. 42704 where there is none. For the extension''s owner, unless granted.';
REVOKE ALL ON FUNCTION idgen_comment_on_generator(text, text) FROM PUBLIC;

CREATE FUNCTION idgen_next(generator text) RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_next_generator';
COMMENT ON FUNCTION idgen_next(text) IS
'A new id of a generator, as idgen_next() gives them. NULL for NULL. Raises 42704 where there is no such generator, 53400 where the server has no room for another layout (idgen.max_generators), and what idgen_next() raises.';

CREATE FUNCTION idgen_batch(count bigint, generator text) RETURNS SETOF bigint
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 1 ROWS 1000
    AS 'MODULE_PATHNAME', 'idgen_sql_batch_generator';
COMMENT ON FUNCTION idgen_batch(bigint, text) IS
'count new ids of a generator in increasing order. None for NULL; 22023 for a negative count; 42704 where there is no such generator.';

-- reading ids of generators, and of others

CREATE FUNCTION idgen_decode(id bigint, generator text,
    OUT generated_at timestamptz, OUT region_id integer, OUT app_id integer, OUT worker_id integer, OUT sequence bigint)
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 2
    AS 'MODULE_PATHNAME', 'idgen_sql_decode_generator';
COMMENT ON FUNCTION idgen_decode(bigint, text) IS
'The fields of an id of a generator; NULL for a field that its layout does not have. 22023 for a number with more bits than the layout, 42704 where there is no such generator. For indexes and generated columns: idgen_decode_layout().';

CREATE FUNCTION idgen_timestamp(id bigint, generator text) RETURNS timestamptz
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_timestamp_generator';
COMMENT ON FUNCTION idgen_timestamp(bigint, text) IS
'When an id of a generator was made: the beginning of its tick. 22023 for a number with more bits than the layout, 42704 where there is no such generator.';

CREATE FUNCTION idgen_decode_layout(id bigint, layout text, epoch timestamptz DEFAULT NULL, unit interval DEFAULT NULL,
    OUT generated_at timestamptz, OUT region_id integer, OUT app_id integer, OUT worker_id integer, OUT sequence bigint)
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 2
    AS 'MODULE_PATHNAME', 'idgen_sql_decode_layout';
COMMENT ON FUNCTION idgen_decode_layout(bigint, text, timestamptz, interval) IS
'The fields of an id of any layout, whoever made it; ids of 64 bits as negative numbers, too (idgen_from_unsigned() reads the decimal form). layout, epoch and unit as in idgen_describe_layout(); without them 2024-01-01 00:00 UTC and 1 ms. NULL where id or layout is. 22023 for a layout that is none, or a number with more bits than it; 22008 for a time that no timestamp can say.';

CREATE FUNCTION idgen_timestamp_layout(id bigint, layout text, epoch timestamptz DEFAULT NULL, unit interval DEFAULT NULL)
    RETURNS timestamptz
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_timestamp_layout';
COMMENT ON FUNCTION idgen_timestamp_layout(bigint, text, timestamptz, interval) IS
'When an id of any layout was made: the generated_at of idgen_decode_layout().';

-- time as a range of ids

CREATE FUNCTION idgen_min_id(at timestamptz) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_min_id';
COMMENT ON FUNCTION idgen_min_id(timestamptz) IS
'The bound for which id >= idgen_min_id(at) means idgen_timestamp(id) >= at, of every id of the default generator. 0 before its epoch; 22008 where all ids are earlier.';

CREATE FUNCTION idgen_max_id(at timestamptz) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_max_id';
COMMENT ON FUNCTION idgen_max_id(timestamptz) IS
'The bound for which id <= idgen_max_id(at) means idgen_timestamp(id) <= at, of every id of the default generator. -1 before its epoch. Ids can run ahead of the clock by idgen.max_ahead, so id <= idgen_max_id(now()) can miss some that exist.';

CREATE FUNCTION idgen_min_id(at timestamptz, generator text) RETURNS bigint
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_min_id_generator';
COMMENT ON FUNCTION idgen_min_id(timestamptz, text) IS
'As idgen_min_id(at), of the ids of a generator. 42704 where there is no such generator.';

CREATE FUNCTION idgen_max_id(at timestamptz, generator text) RETURNS bigint
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'idgen_sql_max_id_generator';
COMMENT ON FUNCTION idgen_max_id(timestamptz, text) IS
'As idgen_max_id(at), of the ids of a generator. 42704 where there is no such generator.';
