const { PGHOST, PGPORT, PGUSER, PGDATABASE } = process.env;
module.exports = {
  dialect: 'postgresql',
  schema: __dirname + '/drizzle.schema.js',
  // Or it would drop the extension's views, which PostgreSQL refuses. One would write '!idgen_*'; by name, a table of the
  // extension is noticed here.
  tablesFilter: ['!idgen_generators', '!idgen_sequencers', '!idgen_stat_*'],
  dbCredentials: { url: `postgres://${PGUSER}@${PGHOST}:${PGPORT}/${PGDATABASE}` },
};
