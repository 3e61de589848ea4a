-- The tables that every client is pointed at. Reviews have ids that fit a JavaScript number.
CREATE EXTENSION idgen;
SELECT FROM idgen_create_generator('reviews', 'js53');
CREATE TABLE authors (id bigint PRIMARY KEY DEFAULT idgen_next(), name text NOT NULL);
CREATE TABLE books (id bigint PRIMARY KEY DEFAULT idgen_next(), author_id bigint NOT NULL, title text NOT NULL,
    CONSTRAINT books_author_id_authors_id_fk FOREIGN KEY (author_id) REFERENCES authors (id));
CREATE TABLE reviews (id bigint PRIMARY KEY DEFAULT idgen_next('reviews'), stars integer NOT NULL);
