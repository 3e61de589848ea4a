# From CREATE EXTENSION to the first id, and what works without shared_preload_libraries.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Ledger;
use PostgreSQL::Test::Utils;
use Test::More;

my $next = 'SELECT idgen_next()';
my $not_preloaded = qr/^psql:<stdin>:2: ERROR:  55000: idgen must be loaded via "shared_preload_libraries"
HINT:  Run ALTER SYSTEM SET shared_preload_libraries = 'idgen'; and restart the server.$/m;

# A new server.
my $server = new_server('main');
$server->start;
ok(!-e ceiling_file($server), 'before CREATE EXTENSION there is no local file');

my $ledger = IdgenTest::Ledger->new;
$server->safe_psql('postgres', 'CREATE EXTENSION idgen');
my $first = $server->safe_psql('postgres', $next);
like($first, qr/^[1-9]\d+$/, 'the first id is issued without waiting');
$ledger->add(1, $first);
wait_until_ok($server);
like(slurp_file('/proc/' . pid_of_worker($server) . '/cmdline'), qr/idgen worker/, 'ps shows the name of the worker');
is( $server->safe_psql('postgres', 'SELECT worker_id, worker_source, ids_issued, last_error IS NULL FROM idgen_status()'),
    '1|idgen.worker_id|1|t',
    'the status shows the worker id, its source and the number of ids');
is($server->safe_psql('postgres', 'SELECT ceiling > clock_timestamp() FROM idgen_status()'), 't', 'the ceiling is ahead of the clock');
ok(-e ceiling_file($server), 'there is a local file');
is((stat(ceiling_file($server)))[2] & 07777, 0600, 'only its owner can read the local file');
is($server->safe_psql('postgres', 'SELECT worker_id FROM idgen_decode(idgen_next())'), 1, 'ids contain the worker id');
is( $server->safe_psql('postgres',
        q(SELECT abs(extract(epoch FROM idgen_timestamp(idgen_next()) - clock_timestamp())) < 60)),
    't', 'ids contain the time');

# The extension dropped and created again, another database, a database made from a template, another schema.
$server->safe_psql('postgres', 'DROP EXTENSION idgen; CREATE EXTENSION idgen');
$ledger->add(2, $server->safe_psql('postgres', $next));
$server->safe_psql('postgres', 'CREATE DATABASE second');
$server->safe_psql('second', 'CREATE EXTENSION idgen; CREATE TABLE t (id bigint PRIMARY KEY DEFAULT idgen_next())');
$ledger->add(3, split(/\n/, $server->safe_psql('second', 'INSERT INTO t SELECT FROM generate_series(1, 100) RETURNING id')));
$server->safe_psql('postgres', 'CREATE DATABASE third TEMPLATE second');
$ledger->add(4, split(/\n/, $server->safe_psql('third', 'INSERT INTO t SELECT FROM generate_series(1, 100) RETURNING id')));
$ledger->add(5, split(/\n/, $server->safe_psql('second', 'INSERT INTO t SELECT FROM generate_series(1, 100) RETURNING id')));
$server->safe_psql('postgres', 'CREATE DATABASE fourth');
$server->safe_psql('fourth', 'CREATE SCHEMA other; CREATE EXTENSION idgen SCHEMA other');
$ledger->add(6, split(/\n/, $server->safe_psql('fourth', <<'SQL')));
SET search_path = '';
CREATE TABLE public.t (id bigint DEFAULT other.idgen_next(), made timestamptz GENERATED ALWAYS AS (other.idgen_timestamp(id)) STORED);
INSERT INTO public.t SELECT FROM generate_series(1, 100) RETURNING id;
SQL
is($server->safe_psql('fourth', q(SET search_path = ''; SELECT count(*) FROM public.t WHERE made = other.idgen_timestamp(id))),
    100, 'the functions find each other in another schema and with an empty search_path');
$server->restart;
$ledger->add(7, scalar wait_for_ids($server));
$ledger->check('one server, several databases');

# A reload changes the worker id.
$server->append_conf('postgresql.conf', 'idgen.worker_id = 1023');
$server->reload;
ok($server->poll_query_until('postgres', 'SELECT worker_id = 1023 FROM idgen_decode(idgen_next())'),
    'a reload changes the worker id');
$server->stop;

# A server that does not preload the library.
my $bare = new_server('bare', conf => "shared_preload_libraries = ''");
$bare->start;
$bare->safe_psql('postgres', 'CREATE EXTENSION idgen');
foreach my $call ('idgen_next()', 'idgen_next_text()', 'idgen_batch(1)') {
    like(error_of($bare, "SELECT $call"), $not_preloaded, "not preloaded: $call fails with the hint");
}
is($bare->safe_psql('postgres', 'SELECT state FROM idgen_status()'), 'not preloaded', 'not preloaded: the status says so');
is($bare->safe_psql('postgres', 'SELECT count(DISTINCT uuid_v7()) FROM generate_series(1, 1000)'),
    1000, 'not preloaded: uuid_v7() works');
is($bare->safe_psql('postgres', q(SET timezone = 'UTC'; SELECT worker_id, sequence, idgen_timestamp(id), generated_at FROM (SELECT (1000::bigint << 22) + 5 * 4096 + 3) AS t (id), idgen_decode(id))),
    '5|3|2024-01-01 00:00:01+00|2024-01-01 00:00:01+00', 'not preloaded: ids can be decoded');

# CREATE EXTENSION before the library was preloaded has declared the server new.
$bare->append_conf('postgresql.conf', "shared_preload_libraries = 'idgen'");
$bare->restart;
my $position = log_position($bare);
my $ids = IdgenTest::Ledger->new;
$ids->add(1, split(/\n/, $bare->safe_psql('postgres', 'SELECT idgen_next() FROM generate_series(1, 1000)')));
is($bare->safe_psql('postgres', q(SELECT clock_ahead < '10 s' FROM idgen_status())), 't', 'preloaded later: the id clock starts without a lead');
$ids->check('preloaded later');
ok(!logged_since($bare, qr/is missing/, 0), 'preloaded later: a missing local file is not reported');
$bare->stop;

done_testing();
