# A tenant without privileges owns a database, has filled a schema with operators, functions, casts and types that match better
# than the built-in ones, and installs the extension there. None of them may run with more privileges than its caller has, whoever
# calls what, and no table of the tenant may be mistaken for one of the extension.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Redis;
use PostgreSQL::Test::Utils;
use Test::More;

my $store = IdgenTest::Redis->new(appendonly => 'no');
my $node  = new_server('main', conf => "idgen.sequence_store = '" . $store->url(socket => 1) . "'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE ROLE tenant LOGIN; CREATE ROLE other LOGIN');

sub databases {
    $node->safe_psql('postgres', "CREATE DATABASE $_ OWNER tenant TEMPLATE template0") foreach @_;
    return;
}

sub as {
    my ($role, $database, $sql, %params) = @_;
    my @result = $node->psql($database, $sql, extra_params => [ '-U', $role ], on_error_stop => $params{stop} // 1);
    die "$role: $result[2]" if $result[0] != 0 && !$params{may_fail};
    return wantarray ? @result : $result[1];
}

sub error_as { my ($role, $database, $sql) = @_; return (as($role, $database, "\\set VERBOSITY verbose\n$sql", may_fail => 1))[2] }

my $superuser = $node->safe_psql('postgres', 'SELECT current_user');
my $position  = log_position($node);

# What of the tenant's has run since the last call, as "what as whom".
sub strikes {
    my $log = slurp_file($node->logfile, $position);
    $position = log_position($node);
    my %seen;
    return grep { !$seen{$_}++ } $log =~ /LOG:  struck: (.*)$/mg;
}

sub ok_powerless {
    my ($name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($node->safe_psql('postgres', q(SELECT string_agg(rolname, ' ') FROM pg_roles WHERE rolsuper AND rolname IN ('tenant', 'other'))),
        '', "$name: nothing of the tenant has run as another role");
    return;
}

# --- the tenant's schema

# Names that the script or SQL in the library uses, and that the tenant creates as well.
my $script  = slurp_file((glob('sql/idgen--*.sql'))[0]);
my $library = join('', map { slurp_file($_) } glob('src/pg/*/*.cpp'));
my %called  = map { $_ => 1 } ($script =~ /\b([a-z_0-9]+)\(/g, $library =~ /pg_catalog\.([a-z_0-9]+)\(/g, qw(now timezone date_part));
my @ours    = sort keys %{ { map { $_ => 1 } $script =~ /FUNCTION \@extschema\@\.(\w+)\(/g } };
my $called  = join(', ', map { "'$_'" } sort keys %called);

# Every operator name on every pair of types, whether pg_catalog has it or not; every function that is called, with its arguments
# in pg_catalog and with others; the extension's own names with other arguments.
my $hostile = <<'SQL' =~ s/CALLED/$called/r =~ s/OURS/join(', ', map { "'$_'" } @ours)/er;
CREATE SCHEMA s;
CREATE FUNCTION s.strike(what text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE LOG 'struck: % as %', what, current_user;
    EXECUTE 'ALTER ROLE tenant SUPERUSER';
EXCEPTION WHEN OTHERS THEN NULL;
END $$;
CREATE TYPE s.evil AS ENUM ('a');
CREATE FUNCTION s.make(name text, arguments text, result text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE FUNCTION s.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L', name, arguments, result,
        format('BEGIN PERFORM s.strike(%L); RETURN NULL; END', name || '(' || arguments || ')'));
    RETURN true;
EXCEPTION WHEN OTHERS THEN RETURN false;
END $$;
DO $$
DECLARE
    types text[] := '{text,integer,bigint,smallint,boolean,timestamptz,interval,name,oid,regclass,regprocedure,"\"char\"",numeric,anyarray,tid,uuid,s.evil}';
    l text; r text; o text; result text; n integer := 0;
BEGIN
    FOREACH o IN ARRAY '{||,=,<>,<,>,<=,>=,+,-,*,/,>>,<<,&,|,~~,~,!~~}'::text[] LOOP
        FOREACH l IN ARRAY types LOOP
            FOREACH r IN ARRAY types LOOP
                n := n + 1;
                result := CASE WHEN o IN ('||') THEN 'text' WHEN o IN ('+', '-', '*', '/', '>>', '<<', '&', '|') AND l <> 'anyarray'
                    THEN l ELSE 'boolean' END;
                CONTINUE WHEN NOT s.make('o' || n || o, l || ', ' || r, result);
                BEGIN
                    EXECUTE format('CREATE OPERATOR s.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = s.%I)', o, l, r, 'o' || n || o);
                EXCEPTION WHEN OTHERS THEN NULL;
                END;
            END LOOP;
        END LOOP;
    END LOOP;
END $$;
SELECT count(s.make(proname, pg_get_function_identity_arguments(p.oid), pg_get_function_result(p.oid))),
       count(s.make(proname, other, pg_get_function_result(p.oid)))
FROM pg_proc p, unnest('{text,integer,name,"text, integer","text, text","text, name","anyelement","VARIADIC text[]",
    "s.evil","s.evil, s.evil","integer DEFAULT 1"}'::text[]) other
WHERE pronamespace = 'pg_catalog'::regnamespace AND proname IN (CALLED);
SELECT count(s.make(f, a, CASE WHEN f LIKE '%changed' THEN 'trigger' ELSE 'text' END))
FROM unnest(ARRAY[OURS]) f, unnest('{name,integer,varchar,anyelement,s.evil,"integer DEFAULT 1","VARIADIC text[]","VARIADIC integer[]",
    "name, name","varchar, text","integer, integer","anyelement, anyelement","text, text, text, text, text","text, name, name",
    "text, timestamptz, interval, bigint, bigint","name, name, name, text, integer"}'::text[]) a;
-- Casts from and to a type of his own, and types and tables that have built-in names, and those of the extension's tables.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY '{text,integer,bigint,boolean,timestamptz,interval,name,oid,regclass,numeric,date}'::text[] LOOP
        IF s.make('to_evil', t, 's.evil') THEN EXECUTE format('CREATE CAST (%s AS s.evil) WITH FUNCTION s.to_evil(%1$s) AS IMPLICIT', t); END IF;
        IF s.make('to_' || t, 's.evil', t) THEN EXECUTE format('CREATE CAST (s.evil AS %s) WITH FUNCTION s.%I(s.evil) AS IMPLICIT', t, 'to_' || t); END IF;
    END LOOP;
    FOREACH t IN ARRAY '{text,int4,int8,int2,bool,timestamptz,interval,name,oid,regclass,regprocedure,regtype,numeric,uuid,record,trigger}'::text[] LOOP
        EXECUTE format('CREATE DOMAIN s.%I AS pg_catalog.text CHECK (s.strike(VALUE) IS NULL)', t);
    END LOOP;
    FOREACH t IN ARRAY '{pg_class,pg_type,pg_attribute,pg_attrdef,pg_depend,pg_proc,pg_trigger,pg_extension,pg_settings,pg_inherits,
        pg_replication_slots,pg_subscription,pg_database,idgen_generator,idgen_sequencer}'::text[] LOOP
        EXECUTE format('CREATE VIEW s.%I AS SELECT s.strike(%1$L) IS NULL AS struck, 1 AS oid, 2 AS name', t);
    END LOOP;
END $$;
CREATE COLLATION s."C" FROM pg_catalog."en_US";
SQL
$hostile =~ s/CREATE COLLATION.*\n// if $node->safe_psql('postgres', q(SELECT count(*) FROM pg_collation WHERE collname = 'en_US')) eq '0';

databases('shop');
as('tenant', 'shop', $hostile);
cmp_ok(as('tenant', 'shop', q(SELECT count(*) FROM pg_operator WHERE oprnamespace = 's'::regnamespace)), '>', 4000, 'the schema is full of operators');
cmp_ok(as('tenant', 'shop', q(SELECT count(*) FROM pg_cast c WHERE castfunc > 16384)), '>', 15, 'the schema is full of casts');
as('tenant', 'shop', q(SET search_path = s; SELECT 'a'::pg_catalog.text || 1::pg_catalog.int4; SELECT octet_length('a'::pg_catalog.name)));
is_deeply([ sort(grep { /as tenant/ } strikes()) ], [ 'o2||(text, integer) as tenant', 'octet_length(name) as tenant' ],
    'the tenant\'s objects run when he calls them himself');

# --- installing the extension, and calling everything

as('tenant', 'shop', 'CREATE EXTENSION idgen SCHEMA s');
is_deeply([ strikes() ], [], 'CREATE EXTENSION runs nothing of the tenant');
ok_powerless('after CREATE EXTENSION');

# Arguments have the exact types of the functions' parameters, so that the extension's functions are called.
my %values = (
    text => q('x'), bigint => '1', integer => '1', boolean => 'true', 'timestamp with time zone' => q('2026-01-01'),
    interval => q('1 s'), uuid => q('0190a0b0-0000-7000-8000-000000000000'), name => q('id'), regclass => q('s.orders'),
    'text[]' => q('{a,b}'));
my %named = (
    layout => q('snowflake'), generator => q('orders'), sequencer => q('tickets'), format => q('hex'), epoch => q('2024-01-01'),
    unit => q('1 ms'), time_column => q('at'), column_name => q('id'), ttl_mode => q('sliding'), region_id => 'NULL', app_id => 'NULL',
    ttl => 'NULL', key_prefix => 'NULL', start => '1', max_value => '1000', cycle => 'false', cache => '1', worker_id => '60');
my @members = split(/\n/, $node->safe_psql('shop', <<'SQL'));
SELECT p.oid::regprocedure::text, proname,
       (SELECT string_agg(coalesce(p.proargnames[n], '') || ':' || format_type(t, NULL), ';' ORDER BY n)
        FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY a (t, n))
FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'idgen'
WHERE p.prorettype <> 'trigger'::regtype ORDER BY proname LIKE 'idgen_drop%', 1
SQL
cmp_ok(scalar(@members), '>', 50, 'all functions are called');

sub calls {
    my ($suffix) = @_;
    my @calls;
    foreach my $member (@members) {
        my (undef, $name, $arguments) = split(/\|/, $member);
        my @arguments = map {
            my ($argument, $type) = split(/:/, $_, 2);
            my $value = $named{$argument} // $values{$type} // 'NULL';
            $value = "'x$suffix'" if $argument eq 'name' && $type eq 'text';
            $value = q('0000000000000') if $name =~ /from_base32/;
            $value = q('00000000000') if $name =~ /from_base62/;
            $value = q('0000000000000000') if $name =~ /from_hex/;
            $value = q('1') if $name =~ /from_(unsigned|base58)/;
            $value = q('00000000000000000000000000') if $name =~ /from_ulid/;
            $type  = "pg_catalog.timestamptz" if $type eq 'timestamp with time zone';
            "CAST($value AS $type)"
        } split(/;/, $arguments // '');
        push(@calls, "SELECT * FROM s.$name(" . join(', ', @arguments) . ') AS called LIMIT 5;');
    }
    push(@calls, "SELECT * FROM s.$_;") foreach $script =~ /VIEW \@extschema\@\.(\w+)/g;
    push(@calls, "SELECT * FROM idgen_catalog.$_;") foreach qw(idgen_generator idgen_sequencer);
    return @calls;
}

as('tenant', 'shop', <<'SQL');
CREATE TABLE s.orders (id bigint, at timestamptz);
INSERT INTO s.orders SELECT NULL, '2025-01-01' FROM generate_series(1, 10);
SELECT s.idgen_create_generator(name => 'orders'::text, layout => 'js53'::text) IS NOT NULL,
       s.idgen_create_sequencer(name => 'tickets'::text) IS NOT NULL;
INSERT INTO idgen_catalog.idgen_generator (name, layout) VALUES ('row', 'wide');
INSERT INTO idgen_catalog.idgen_sequencer (name) VALUES ('row');
SQL
is_deeply([ strikes() ], [], 'creating generators and sequencers runs nothing of the tenant');
my $round = 0;
foreach my $role ('tenant', $superuser) {
    foreach my $path ('pg_catalog', 's', 's, pg_catalog', 'public') {
        # The script itself must resolve as it is written: types and casts come from pg_catalog.
        my @calls = map { s/CAST\(([^()]*|'[^']*') AS (text|name|interval|uuid|regclass|text\[\])\)/CAST($1 AS pg_catalog.$2)/gr } calls(++$round);
        my ($status, $out, $error) = as($role, 'shop', "SET search_path = $path;\n" . join("\n", @calls), may_fail => 1, stop => 0);
        my $failed = () = $error =~ /ERROR/g;
        cmp_ok($failed, '<', @calls / 3, "$role, path $path: of " . @calls . ' calls most succeed');
        note($error);
        is_deeply([ strikes() ], [], "$role, search_path $path: nothing of the tenant has run");
        as('tenant', 'shop', 'UPDATE s.orders SET id = NULL');
    }
}
ok_powerless('after calling everything');

# --- mistakes that a review found

databases('by_operator', 'by_check');
as('tenant', 'by_operator', <<'SQL');
CREATE SCHEMA s;
CREATE FUNCTION s.rise(text, integer) RETURNS text LANGUAGE plpgsql AS $$
BEGIN RAISE LOG 'struck: || as %', current_user; ALTER ROLE tenant SUPERUSER; RETURN $1; END $$;
CREATE OPERATOR s.|| (LEFTARG = text, RIGHTARG = integer, FUNCTION = s.rise);
CREATE EXTENSION idgen SCHEMA s;
SQL
as('tenant', 'by_operator', q(SELECT s.idgen_create_sequencer('x')));
as($superuser, 'by_operator', 'SELECT * FROM s.idgen_sequencers');
is_deeply([ strikes() ], [], 'the view of sequencers does not call an operator for text and integer');
as('tenant', 'by_check', <<'SQL');
CREATE SCHEMA s;
CREATE FUNCTION s.rise(numeric, integer) RETURNS numeric LANGUAGE plpgsql AS $$
BEGIN RAISE LOG 'struck: * as %', current_user; ALTER ROLE tenant SUPERUSER; RETURN $1; END $$;
CREATE OPERATOR s.* (LEFTARG = numeric, RIGHTARG = integer, FUNCTION = s.rise);
CREATE EXTENSION idgen SCHEMA s;
SQL
as($superuser, 'by_check', 'SELECT * FROM s.idgen_check()');
is_deeply([ strikes() ], [], 'idgen_check() does not call an operator for numeric and integer');
ok_powerless('after the operators');

# --- a table of the tenant, filled by a superuser

as('tenant', 'shop', <<'SQL');
CREATE FUNCTION s.judge(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM s.strike($1); RETURN true; END $$;
CREATE FUNCTION s.fired() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM s.strike('trigger'); PERFORM set_config('search_path', 's', false); RETURN NEW; END $$;
CREATE DOMAIN s.id AS bigint CHECK (s.judge('domain'));
CREATE FUNCTION s.shift(s.id, integer) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN PERFORM s.strike('>> of the domain'); RETURN 1; END $$;
CREATE OPERATOR s.>> (LEFTARG = s.id, RIGHTARG = integer, FUNCTION = s.shift);
CREATE TABLE s.own (id s.id, at timestamptz, mine s.evil, CHECK (s.judge('constraint')));
INSERT INTO s.own VALUES (NULL, '2025-01-01', 'a');
CREATE INDEX ON s.own ((s.judge(id::text)));
-- These run when a query is planned.
CREATE INDEX ON s.own (id) WHERE s.judge('predicate');
CREATE INDEX ON s.own ((s.judge('index')));
CREATE TRIGGER fired BEFORE UPDATE ON s.own FOR EACH ROW EXECUTE FUNCTION s.fired();
ALTER TABLE s.own ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON s.own USING (s.judge('policy'));
SQL
strikes();
# Arguments have exact types: with untyped ones the caller himself would choose a function of the tenant.
my $fill = q(SET search_path = s, pg_catalog; SELECT s.idgen_fill_past('s.own'::pg_catalog.regclass, 'id'::pg_catalog.name, '%s'::pg_catalog.name); SELECT pg_catalog.current_setting('search_path'), current_user);
is(as($superuser, 'shop', sprintf($fill, 'at')), "1\ns, pg_catalog|$superuser", 'a superuser fills the table, and current_user is the superuser afterwards');
my @struck = strikes();
ok((grep { /^trigger as tenant/ } @struck), 'the table\'s trigger runs');
is_deeply([ grep { !/ as tenant$/ } @struck ], [], 'what runs of the tenant runs as the tenant');
ok((!grep { />> of the domain/ } @struck), 'an operator on the tenant\'s domain does not run');
like(error_as($superuser, 'shop', sprintf($fill, 'mine')), qr/42804.*not a built-in type/, 'times of a type of the tenant are rejected');
like(error_as($superuser, 'shop', sprintf($fill, 'own')), qr/42703/, 'a row as the column is rejected');
like(error_as('other', 'shop', sprintf($fill, 'at')), qr/42501/, 'a role without privileges on the table is rejected');
as('tenant', 'shop', 'ALTER TABLE s.own DISABLE TRIGGER ALL, NO FORCE ROW LEVEL SECURITY; DELETE FROM s.own');
strikes();
as($superuser, 'shop', q(SET search_path = s, pg_catalog; SELECT * FROM s.idgen_adopt('s.own'::pg_catalog.regclass, 'id'::pg_catalog.name, 'orders'::pg_catalog.text)));
@struck = strikes();
ok((grep { /^predicate as tenant/ } @struck), 'idgen_adopt() by a superuser reads the table as the tenant');
is_deeply([ grep { !/ as tenant$/ } @struck ], [], 'idgen_adopt() runs nothing of the tenant as another role');
as($superuser, 'shop', q(SET search_path = s, pg_catalog; SELECT s.idgen_guard('s.own'::pg_catalog.regclass, 'id'::pg_catalog.name)));
is_deeply([ strikes() ], [], 'idgen_guard() by a superuser runs nothing of the tenant');
like(as('tenant', 'shop', q(SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 's.own'::regclass)),
    qr/idgen_next\('orders'::text\)/, 'idgen_guard() finds the extension\'s function in the default');
ok_powerless('after filling');

# --- tables that are not the extension's

databases('taken', 'fake');
as('tenant', 'taken', 'CREATE SCHEMA idgen_catalog');
like(error_as('tenant', 'taken', 'CREATE EXTENSION idgen'), qr/42P06/, 'CREATE EXTENSION does not take over an existing schema of that name');
as('tenant', 'fake', 'CREATE SCHEMA s; CREATE EXTENSION idgen SCHEMA s');
foreach my $sql ('CREATE TABLE idgen_catalog.mine (n int)', 'ALTER TABLE idgen_catalog.idgen_generator RENAME TO old', 'DROP TABLE idgen_catalog.idgen_generator',
    'CREATE TRIGGER t BEFORE INSERT ON idgen_catalog.idgen_generator FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
    'CREATE RULE r AS ON INSERT TO idgen_catalog.idgen_sequencer DO INSTEAD NOTHING', 'ALTER SCHEMA idgen_catalog RENAME TO gone',
    'DROP SCHEMA idgen_catalog CASCADE', 'CREATE OR REPLACE VIEW s.idgen_sequencers AS SELECT 1', 'ALTER FUNCTION s.idgen_drop_generator(text, boolean) RESET ALL',
    'ALTER EXTENSION idgen DROP TABLE idgen_catalog.idgen_generator', 'ALTER EXTENSION idgen DROP FUNCTION s.idgen_next(text)',
    'UPDATE idgen_catalog.idgen_generator SET comment = NULL', 'DELETE FROM idgen_catalog.idgen_sequencer') {
    like(error_as('tenant', 'fake', $sql), qr/42501|2BP01/, "denied to the tenant: $sql");
}
my %columns = (
    generator => 'name bigint, layout bigint, epoch bigint, unit bigint, region_id bigint, app_id bigint, comment bigint, built_in bigint',
    sequencer => 'name bigint, key_prefix bigint, start bigint, step bigint, max_value bigint, cycle bigint, ttl bigint, ttl_mode bigint, cache bigint, comment bigint, built_in bigint');
my %use = (
    generator => [ q(SELECT s.idgen_next('x')), q(SELECT * FROM s.idgen_decode(1, 'x')), 'SELECT * FROM s.idgen_stat_generators',
        q(SELECT s.idgen_create_generator('y')), q(SELECT s.idgen_drop_generator('x')), q(SELECT s.idgen_comment_on_generator('x', 'y')) ],
    sequencer => [ q(SELECT s.idgen_sequence_next('k', 'x')), q(SELECT s.idgen_create_sequencer('y')), q(SELECT s.idgen_drop_sequencer('x')), q(SELECT s.idgen_comment_on_sequencer('x', 'y')) ]);
foreach my $kind ('generator', 'sequencer') {
    my $table = "idgen_$kind";
    # Tables in the schema of the functions are ignored.
    as('tenant', 'fake', "CREATE TABLE s.$table ($columns{$kind}); INSERT INTO s.$table VALUES (7, 4096); ALTER EXTENSION idgen ADD TABLE s.$table");
    is(as('tenant', 'fake', "SELECT name FROM s.idgen_create_$kind('good')"), 'good', "$table: a table beside the functions is ignored");

    # Tables in the extension's own schema, which take a careless superuser.
    $node->safe_psql('fake', "ALTER TABLE idgen_catalog.$table RENAME TO ${table}_before; GRANT CREATE ON SCHEMA idgen_catalog TO tenant");
    as('tenant', 'fake', "CREATE TABLE idgen_catalog.$table ($columns{$kind}); INSERT INTO idgen_catalog.$table VALUES (7, 4096)");
    like(error_as('tenant', 'fake', $_), qr/55000: table "$table" is not as the extension created it.*It is not a table of the extension/s, "$table, not a member of the extension: $_")
      foreach @{ $use{$kind} };
    as('tenant', 'fake', "ALTER EXTENSION idgen ADD TABLE idgen_catalog.$table");
    like(error_as('tenant', 'fake', $_), qr/55000: .*Its owner is not/s, "$table, owned by the tenant: $_") foreach @{ $use{$kind} };
    $node->safe_psql('fake', "GRANT EXECUTE ON FUNCTION s.${table}_changed() TO tenant");
    as('tenant', 'fake', "CREATE TRIGGER t BEFORE INSERT OR UPDATE ON idgen_catalog.$table FOR EACH ROW EXECUTE FUNCTION s.${table}_changed()");
    like(error_as('tenant', 'fake', "INSERT INTO idgen_catalog.$table VALUES (7, 4096)"), qr/55000: .*Its owner is not/s, "$table, owned by the tenant: its trigger");
    $node->safe_psql('fake', "ALTER TABLE idgen_catalog.$table OWNER TO \"$superuser\"; GRANT ALL ON idgen_catalog.$table TO tenant");
    like(error_as('tenant', 'fake', $_), qr/55000: .*Its columns differ/s, "$table, with other columns: $_")
      foreach (@{ $use{$kind} }, "INSERT INTO idgen_catalog.$table VALUES (7, 4096)", "UPDATE idgen_catalog.$table SET name = 8");
}
# A function of the tenant with the name of one of the extension, another argument type, and a place in the extension.
databases('namesake');
as('tenant', 'namesake', <<'SQL');
CREATE SCHEMA s;
CREATE EXTENSION idgen SCHEMA s;
CREATE FUNCTION s.idgen_next(bigint) RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT $1';
ALTER EXTENSION idgen ADD FUNCTION s.idgen_next(bigint);
CREATE TABLE s.t (id bigint DEFAULT s.idgen_next(4294967296));
SQL
like(error_as('tenant', 'namesake', q(SELECT s.idgen_guard('s.t'))), qr/22023: could not determine the id column/, 'the argument of such a function is not read as a name');

is($node->safe_psql('postgres', 'SELECT 1'), '1', 'the server is running');
unlike(slurp_file($node->logfile), qr/was terminated by signal|PANIC/, 'no process has crashed');

$store->stop;
done_testing();
