// drizzle-orm: INSERT ... RETURNING.
const { drizzle } = require('drizzle-orm/node-postgres');
const { Pool } = require('pg');
const { authors, reviews } = require('./drizzle.schema.js');

function check(what, condition) {
  console.log((condition ? 'ok - ' : 'not ok - ') + what);
  if (!condition) process.exit(1);
}

(async () => {
  const pool = new Pool();
  const db = drizzle(pool);
  const [one] = await db.insert(authors).values({ name: 'Ada' }).returning();
  check('returning() has the id, a bigint', one.id > 1n << 40n);
  const some = await db.insert(authors).values([{ name: 'Grace' }, { name: 'Barbara' }]).returning({ id: authors.id });
  check('returning() has the ids of several rows', some.length === 2 && some[0].id < some[1].id);
  const [review] = await db.insert(reviews).values({ stars: 5 }).returning();
  check('an id of the layout js53 is a safe integer', Number.isSafeInteger(review.id));
  await pool.end();
})();
