-- idgen_describe_layout(): what a layout offers, without creating a generator.

CREATE FUNCTION @extschema@.idgen_describe_layout(
    layout text, epoch timestamptz DEFAULT NULL, unit interval DEFAULT NULL,
    region_id integer DEFAULT NULL, app_id integer DEFAULT NULL,
    OUT fields text, OUT tick_epoch timestamptz, OUT tick_unit interval, OUT bits integer,
    OUT ids_per_second bigint, OUT workers bigint, OUT runs_out_at timestamptz, OUT example_id bigint, OUT note text)
    LANGUAGE c STABLE PARALLEL SAFE COST 5
    AS 'MODULE_PATHNAME', 'idgen_sql_describe_layout';
COMMENT ON FUNCTION @extschema@.idgen_describe_layout(text, timestamptz, interval, integer, integer) IS
'Describes a layout without creating a generator: its fields, ids per second and worker, number of workers, when its time field runs out, and an id that worker 1 would issue now.';
