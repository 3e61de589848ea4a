// The application's tables, and one that the database does not have yet.
const { bigint, integer, pgTable, text } = require('drizzle-orm/pg-core');
const { sql } = require('drizzle-orm');

const id = () => bigint('id', { mode: 'bigint' }).primaryKey().default(sql`idgen_next()`);
exports.authors = pgTable('authors', { id: id(), name: text('name').notNull() });
exports.books = pgTable('books', {
  id: id(),
  author_id: bigint('author_id', { mode: 'bigint' }).notNull().references(() => exports.authors.id),
  title: text('title').notNull(),
});
exports.reviews = pgTable('reviews', {
  id: bigint('id', { mode: 'number' }).primaryKey().default(sql`idgen_next('reviews'::text)`),
  stars: integer('stars').notNull(),
});
exports.shops = pgTable('shops', { id: id(), name: text('name').notNull() });
