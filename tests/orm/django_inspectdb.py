# Django: inspectdb lists only the application's tables, and a BigAutoField gets its ids from DEFAULT idgen_next().
import io, os, sys
import django
from django.conf import settings
from django.core.management import call_command

def check(what, condition, shown=''):
    print(('ok - ' if condition else 'not ok - ') + what, shown)
    if not condition:
        sys.exit(1)

settings.configure(DATABASES={'default': {'ENGINE': 'django.db.backends.postgresql', 'NAME': os.environ['PGDATABASE'],
                                          'HOST': os.environ['PGHOST'], 'PORT': os.environ['PGPORT']}},
                   DEFAULT_AUTO_FIELD='django.db.models.BigAutoField', USE_TZ=True)
django.setup()
from django.db import connection, models

def inspected(**options):
    out = io.StringIO()
    call_command('inspectdb', stdout=out, **options)
    if os.environ.get('VERBOSE'):
        print(out.getvalue())
    return [line.split()[-1].strip("'") for line in out.getvalue().splitlines() if line.strip().startswith('db_table')]

tables = inspected()
check('inspectdb lists exactly the tables of the application', tables == ['authors', 'books', 'reviews'], tables)
print('# with --include-views:', inspected(include_views=True))

class Author(models.Model):
    name = models.TextField()
    class Meta:
        app_label = 'app'
        db_table = 'authors'

# A table that Django creates has a sequence or an identity column, which idgen_adopt() replaces (RunSQL in a migration).
class Post(models.Model):
    title = models.TextField()
    class Meta:
        app_label = 'app'
        db_table = 'app_post'

with connection.schema_editor() as editor:
    editor.create_model(Post)
    editor.execute("SELECT idgen_adopt('app_post', 'id')")

for model, field in ((Author, 'name'), (Post, 'title')):
    one = model.objects.create(**{field: 'Ada'})
    check(f'create() of {model.__name__} sets the id', one.pk > 1 << 40 and model.objects.get(pk=one.pk) == one)
    some = model.objects.bulk_create([model(**{field: 'Grace'}), model(**{field: 'Barbara'})])
    check(f'bulk_create() of {model.__name__} sets the ids', some[0].pk < some[1].pk)
