# SQLAlchemy and alembic: autogenerate finds nothing to change, and the session gets ids from the server.
import os, sys
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Text, create_engine, insert, text
from sqlalchemy.orm import Session, declarative_base

def check(what, condition, shown=''):
    print(('ok - ' if condition else 'not ok - ') + what, shown)
    if not condition:
        sys.exit(1)

Base = declarative_base()

class Author(Base):
    __tablename__ = 'authors'
    id = Column(BigInteger, primary_key=True, autoincrement=False, server_default=text('idgen_next()'))
    name = Column(Text, nullable=False)

class Book(Base):
    __tablename__ = 'books'
    id = Column(BigInteger, primary_key=True, autoincrement=False, server_default=text('idgen_next()'))
    author_id = Column(BigInteger, ForeignKey('authors.id'), nullable=False)
    title = Column(Text, nullable=False)

class Review(Base):
    __tablename__ = 'reviews'
    id = Column(BigInteger, primary_key=True, autoincrement=False, server_default=text("idgen_next('reviews'::text)"))
    stars = Column(Integer, nullable=False)

engine = create_engine('postgresql+psycopg2:///' + os.environ['PGDATABASE'])
with engine.connect() as connection:
    for schemas in (False, True):
        context = MigrationContext.configure(connection, opts={
            'compare_type': True, 'compare_server_default': True, 'include_schemas': schemas,
            'include_name': lambda name, type, parents: type != 'schema' or name in (None, 'public')})
        found = compare_metadata(context, Base.metadata)
        check('alembic finds nothing to change' + (', with schemas by name' if schemas else ''), found == [], found or '')

with Session(engine) as session:
    author = Author(name='Ada')
    session.add(author)
    session.flush()
    check('add() and flush() set the id', author.id > 1 << 40)
    authors = [Author(name=name) for name in ('Grace', 'Barbara')]
    session.add_all(authors)
    session.flush()
    check('add_all() sets the ids', authors[0].id < authors[1].id)
    ids = session.execute(insert(Author).values([{'name': 'Edith'}, {'name': 'Jean'}]).returning(Author.id)).scalars().all()
    check('an INSERT of several rows returns their ids', len(ids) == 2 and ids == sorted(ids))
    session.commit()
