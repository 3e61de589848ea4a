// TypeORM: the schema builder leaves idgen's relations alone, and save() gets the id from the server, as a string.
const { DataSource, EntitySchema } = require('typeorm');

function check(what, condition, shown) {
  console.log((condition ? 'ok - ' : 'not ok - ') + what, shown === undefined ? '' : shown);
  if (!condition) process.exit(1);
}

const id = (generator) => ({ type: 'bigint', primary: true, default: () => `idgen_next(${generator})` });
const Author = new EntitySchema({ name: 'Author', tableName: 'authors', columns: { id: id(''), name: { type: 'text' } } });
const Book = new EntitySchema({
  name: 'Book', tableName: 'books', columns: { id: id(''), author_id: { type: 'bigint' }, title: { type: 'text' } },
});
const Review = new EntitySchema({
  name: 'Review', tableName: 'reviews', columns: { id: id("'reviews'"), stars: { type: 'integer' } },
});

(async () => {
  const source = await new DataSource({
    type: 'postgres', host: process.env.PGHOST, port: +process.env.PGPORT, username: process.env.PGUSER,
    database: process.env.PGDATABASE, entities: [Author, Book, Review],
  }).initialize();
  // TypeORM also renames keys, which has nothing to do with idgen.
  const statements = async () => (await source.driver.createSchemaBuilder().log()).upQueries.map((q) => q.query);
  const first = await statements();
  check('the schema builder changes nothing of idgen', !first.some((s) => /idgen_(catalog|generator|sequencer|stat)|DROP TABLE|DROP VIEW/.test(s)),
    first);
  await source.synchronize();
  check('after schema:sync there is nothing to do', (await statements()).length === 0, await statements());
  const author = await source.getRepository('Author').save({ name: 'Ada' });
  check('save() sets the id, a string', typeof author.id === 'string' && BigInt(author.id) > 1n << 40n);
  const some = await source.getRepository('Author').save([{ name: 'Grace' }, { name: 'Barbara' }]);
  check('save() sets the ids of several rows', BigInt(some[0].id) !== BigInt(some[1].id));
  await source.destroy();
})().catch((error) => { console.error(error); process.exit(1); });
