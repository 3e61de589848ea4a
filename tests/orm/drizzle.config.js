const { PGHOST, PGPORT, PGUSER, PGDATABASE } = process.env;
module.exports = {
  dialect: 'postgresql',
  schema: __dirname + '/drizzle.schema.js',
  // Without this filter drizzle-kit would try to drop the extension's views. Applications would write '!idgen_*'; with exact
  // names this test notices tables of the extension.
  tablesFilter: ['!idgen_generators', '!idgen_sequencers', '!idgen_stat_*'],
  dbCredentials: { url: `postgres://${PGUSER}@${PGHOST}:${PGPORT}/${PGDATABASE}` },
};
