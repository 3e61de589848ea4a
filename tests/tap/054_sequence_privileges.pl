# Privileges on sequences: a tenant who owns a database and its extension without being a superuser reaches no other database's
# keys; a superuser can grant him prefixes; an ordinary role needs EXECUTE to take values.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Redis;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $store = IdgenTest::Redis->new(appendonly => 'no');
my $node  = new_server('rights', conf => "idgen.sequence_store = '" . $store->url(socket => 1) . "'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE ROLE tenant LOGIN CREATEDB; CREATE ROLE guest LOGIN');
$node->safe_psql('postgres', "CREATE DATABASE $_ OWNER tenant") foreach qw(mine other);
$node->safe_psql('postgres', 'CREATE DATABASE shop');
$node->safe_psql($_, 'CREATE EXTENSION idgen') foreach qw(shop other);

# Runs statements in a database as a superuser.
sub ask { my ($sql, $database) = @_; return $node->safe_psql($database // 'shop', $sql) }

# Runs statements as a role that has logged in, so without traces of a superuser.
sub as_role {
    my ($role, $sql, $database) = @_;
    my ($out, $err) = ('', '');
    my $status = $node->psql($database // 'mine', "\\set VERBOSITY verbose\n$sql", stdout => \$out, stderr => \$err, extra_params => [ '-U', $role ]);
    return $status == 0 ? $out : $err;
}
sub tenant { return as_role('tenant', @_) }

sub ok_denied {
    my ($answer, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return like($answer, qr/ERROR:  42501: permission denied to use key prefix.*HINT:  .*idgen\.allowed_key_prefixes/s, $name);
}

# --- prefixes

is(tenant('CREATE EXTENSION idgen'), '', 'a tenant creates the extension');
is(ask(q(SELECT max(value) FROM idgen_sequence('order', 100))), 100, 'another database has a sequence');
my $victim = ask(q(SELECT key_prefix FROM idgen_sequencers WHERE name = 'default'));
my $steal  = "SELECT idgen_create_sequencer('steal', key_prefix => '$victim')";
ok_denied(tenant($steal), 'the tenant cannot use its prefix');
ok_denied(tenant(q(SELECT idgen_create_sequencer('steal', key_prefix => 'mine:'))), 'the tenant cannot use any other prefix');
ok_denied(tenant("INSERT INTO idgen_catalog.idgen_sequencer (name, key_prefix) VALUES ('steal', '$victim')"), 'the tenant cannot insert it into the table');
ok_denied(tenant("COPY idgen_catalog.idgen_sequencer (name, key_prefix) FROM stdin;\nsteal\t$victim\n\\.\n"), 'the tenant cannot copy it into the table');
like(tenant("UPDATE idgen_catalog.idgen_sequencer SET key_prefix = '$victim'"), qr/ERROR:  42501: permission denied for table/, 'the tenant cannot change an existing row');
like(tenant("SET idgen.allowed_key_prefixes = '$victim'; $steal"), qr/ERROR:  42501: permission denied to set parameter/, 'he cannot set the setting that allows prefixes');
like(tenant("ALTER DATABASE mine SET idgen.allowed_key_prefixes = '$victim'"), qr/ERROR:  42501: /, 'he cannot set it for his database');
like(tenant('ALTER TABLE idgen_catalog.idgen_sequencer DISABLE TRIGGER ALL'), qr/ERROR:  42501: /, 'he cannot disable the trigger');

# A function of the tenant that a superuser runs without meaning to runs as the tenant.
tenant(<<"SQL");
CREATE TABLE trap (a int);
INSERT INTO trap VALUES (1);
-- From PostgreSQL 17 on, REINDEX sets a search_path of its own.
CREATE FUNCTION spring(int) RETURNS int IMMUTABLE LANGUAGE plpgsql SET search_path = public AS \$\$
BEGIN
    PERFORM idgen_create_sequencer('trapped', key_prefix => '$victim');
    RETURN \$1;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'it was denied';
    RETURN \$1;
END \$\$;
CREATE INDEX ON trap (spring(a));
CREATE FUNCTION definer() RETURNS void SECURITY DEFINER LANGUAGE sql AS \$\$ SELECT idgen_create_sequencer('defined', key_prefix => '$victim') \$\$;
SQL
my ($out, $err) = ('', '');
$node->psql('mine', 'REINDEX TABLE trap', stdout => \$out, stderr => \$err);
like($err, qr/WARNING:  it was denied/, 'REINDEX by a superuser does not make the tenant a superuser');
ok_denied(error_of($node, 'SELECT definer()', 'mine'), 'a SECURITY DEFINER function of the tenant that a superuser calls does not, either');
is(ask('SELECT count(*) FROM idgen_sequencers', 'mine'), 1, 'nothing was created');

# The tenant's own sequences.
is(tenant(q(SELECT key_prefix FROM idgen_create_sequencer('order'))), 'idgen:seq:4:mine:5:order:', 'a sequencer without a prefix');
is(tenant(q(SELECT idgen_sequence_next('order'))), 1, 'a sequencer without a prefix has values of its own');
is(tenant(q(SELECT idgen_sequence_set('order', 5), idgen_sequence_delete_key('order', 'order'))), '|f', 'the tenant sets and deletes its keys');
is(ask(q(SELECT idgen_sequence_next('order'))), 101, "the other database's sequence continues");

# The caller is himself again after the call, even if it fails while the row is written.
my $holder = $node->background_psql('mine');
$holder->query_safe(q(BEGIN; SELECT idgen_create_sequencer('held')));
$node->psql('mine', <<'SQL', stdout => \$out, stderr => \$err, extra_params => [ '-U', 'tenant' ]);
\set ON_ERROR_STOP off
\set VERBOSITY verbose
BEGIN;
SET lock_timeout = '100ms';
SAVEPOINT s;
SELECT idgen_create_sequencer('held');
ROLLBACK TO s;
SELECT current_user;
COMMIT;
SQL
like($err, qr/ERROR:  55P03: /, 'creating a name that another session is creating fails');
is($out, 'tenant', 'current_user is the tenant after the error');
$holder->query_safe('ROLLBACK');
$holder->quit;
is(tenant(q(SELECT name FROM idgen_create_sequencer('after'); SELECT current_user)), "after\ntenant", 'current_user is the tenant after a success');

# --- prefixes that a superuser allows

ask(q(ALTER DATABASE mine SET idgen.allowed_key_prefixes = 'mine:', 'shared:'));
is(tenant(q(SELECT key_prefix FROM idgen_create_sequencer('allowed', key_prefix => 'shared:a:'))), 'shared:a:', 'an allowed prefix');
ok_denied(tenant(q(SELECT idgen_create_sequencer('s', key_prefix => 'share'))), 'a prefix that only resembles it is denied');
ask(q(ALTER DATABASE mine SET idgen.allowed_key_prefixes = 'idgen:'));
ok_denied(tenant($steal), 'a wide prefix does not reach other databases\' default prefixes');
is(ask(q(SELECT key_prefix FROM idgen_create_sequencer('free', key_prefix => 'anything:')), 'mine'), 'anything:', 'a superuser may choose any prefix');
ask('ALTER DATABASE mine RESET idgen.allowed_key_prefixes');
is(tenant(q(SELECT idgen_sequence_next('a', 'free'))), 1, 'the tenant can use that sequencer');

# --- a dump that the tenant restores

my $dump = $node->basedir . '/mine.sql';
tenant('DROP TABLE trap; DROP FUNCTION spring, definer');
command_ok([ 'pg_dump', '-U', 'tenant', '-d', $node->connstr('mine'), '-f', $dump ], 'the tenant dumps his database');
tenant('CREATE DATABASE restored', 'postgres');
ok_denied($node->psql('restored', "\\set VERBOSITY verbose\n\\i $dump", stdout => \$out, stderr => \$err, extra_params => [ '-U', 'tenant' ]) ? $err : '', 'restoring chosen prefixes into another database is denied');
tenant('DROP DATABASE restored', 'postgres');
tenant('CREATE DATABASE restored', 'postgres');
ask(q(ALTER DATABASE restored SET idgen.allowed_key_prefixes = 'shared:', 'anything:'));
is(tenant("\\i $dump", 'restored') =~ /ERROR/ ? 'error' : '', '', 'restoring chosen prefixes works if a superuser has allowed them');
is(ask(q(SELECT string_agg(name, ' ' ORDER BY name) FROM idgen_sequencers), 'restored'), 'after allowed default free order', 'then all sequencers are there');

# --- a database's name decides its prefix: whoever may create databases gets what the store has under the name

ask('CREATE DATABASE gone', 'postgres');
ask(q(CREATE EXTENSION idgen; SELECT idgen_sequence_set('order', 50)), 'gone');
ask('DROP DATABASE gone', 'postgres');
tenant('ALTER DATABASE restored RENAME TO gone', 'postgres');
is(tenant(q(SELECT idgen_sequence_next('order')), 'gone'), 51, 'a database that takes the name of a former one continues its sequences');
like(tenant('ALTER DATABASE gone RENAME TO shop', 'postgres'), qr/ERROR:  42P04: /, 'a name in use on the server cannot be taken');

# --- ordinary roles

foreach my $call (q(idgen_sequence_next('k')), q(idgen_sequence('k', 2)), q(idgen_sequence_next_keys(ARRAY['k'])), q(idgen_sequence_peek('k')),
    q(idgen_sequence_set('k', 1)), q(idgen_sequence_set_if_not_exists('k', 1)), q(idgen_sequence_delete_key('k')), q(idgen_create_sequencer('k'))) {
    like(as_role('guest', "SELECT $call"), qr/ERROR:  42501: permission denied for function/, "EXECUTE is not granted to PUBLIC: $call");
}
is($store->cli('KEYS', '*{1:k}*'), '', 'the store has no key of the denied calls');
is(as_role('guest', 'SELECT idgen_next() > 0'), 't', 'EXECUTE on idgen_next() is granted to PUBLIC');
tenant('GRANT EXECUTE ON FUNCTION idgen_sequence_next(text, text), idgen_sequence(text, bigint, text) TO guest');
is(as_role('guest', q(SELECT idgen_sequence_next('k'); SELECT max(value) FROM idgen_sequence('k', 2))), "1\n3", 'the owner grants what is needed');
like(as_role('guest', q(SELECT idgen_sequence_delete_key('k'))), qr/ERROR:  42501: /, 'nothing else is granted');

# --- an array whose type the client leaves unknown

is(ask(q(PREPARE many AS SELECT key, value FROM idgen_sequence_next_keys($1); EXECUTE many('{x,y,x}'))), "x|1\ny|1\nx|2", 'a parameter of unknown type is an array of keys');
is($store->cli('EXISTS', $victim . '{5:{x,y}}'), 0, 'a parameter of unknown type is not one key');

$node->stop;
done_testing();
