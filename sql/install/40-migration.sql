-- Moving an existing table to idgen: idgen_adopt() and idgen_fill_past().

CREATE FUNCTION @extschema@.idgen_adopt(table_name regclass, column_name name, generator text DEFAULT 'default') RETURNS SETOF text
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000 ROWS 3
    AS 'MODULE_PATHNAME', 'idgen_sql_adopt';
COMMENT ON FUNCTION @extschema@.idgen_adopt(regclass, name, text) IS
'Makes idgen_next() the default of a bigint column that had other ids (plain, serial or identity), and returns what it did. For the table''s owner.';

CREATE FUNCTION @extschema@.idgen_fill_past(table_name regclass, column_name name, time_column name,
    worker_id integer DEFAULT NULL, generator text DEFAULT 'default') RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100000
    AS 'MODULE_PATHNAME', 'idgen_sql_fill_past';
COMMENT ON FUNCTION @extschema@.idgen_fill_past(regclass, name, name, integer, text) IS
'Gives every row whose column_name is NULL an id for the time in time_column, in that order, under a worker id that no server uses. Returns the number of rows. For the table''s owner.';
