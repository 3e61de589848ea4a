# Many sessions at once: nothing repeats, every session's ids increase, also from parallel workers.
use strict;
use warnings;

use IdgenTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $server = new_server('main', conf => <<'CONF');
idgen.max_wait = '60s'
max_parallel_workers_per_gather = 2
CONF
$server->start;
$server->safe_psql('postgres', <<'SQL');
CREATE EXTENSION idgen;
CREATE SEQUENCE turns;
CREATE TABLE orders (id bigint NOT NULL DEFAULT idgen_next(), client int NOT NULL, turn bigint NOT NULL DEFAULT nextval('turns'));
SQL

# Rows whose id is not above that of the same client's row before.
sub backwards {
    my ($table) = @_;
    return $server->safe_psql('postgres',
        "SELECT count(*) FROM (SELECT id <= lag(id) OVER (PARTITION BY client ORDER BY turn) AS backwards FROM $table) t WHERE backwards");
}

# Each of these checks is over everything handed out up to it.
sub all_distinct {
    my ($what, @tables) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $union = join(' UNION ALL ', map { "SELECT id FROM $_" } @tables);
    my ($count, $distinct, $min) = split(/\|/, $server->safe_psql('postgres',
        "SET work_mem = '256MB'; SELECT count(*), count(DISTINCT id), min(id) FROM ($union) t"));
    is($distinct, $count, "$what: count(*) = count(DISTINCT id)");
    cmp_ok($min, '>', 0, "$what: all are positive");
    note("$what: $count ids");
    return;
}

# Single rows.
my $insert = "$PostgreSQL::Test::Utils::tmp_check/insert.sql";
append_to_file($insert, 'INSERT INTO orders (client) VALUES (:client_id);');
$server->command_ok([ 'pgbench', '-n', '-f', $insert, '-c', 8, '-j', 2, '-T', 4, $server->connstr('postgres') ],
    '8 clients insert single rows');
is(backwards('orders'), 0, 'single rows: increasing within each session');
all_distinct('single rows', 'orders');

# Half a million rows a statement.
$server->safe_psql('postgres', 'CREATE UNLOGGED TABLE loads (LIKE orders INCLUDING DEFAULTS); ALTER TABLE loads ALTER turn DROP DEFAULT');
my @sessions = map {
    my $sql = "INSERT INTO loads (client, turn) SELECT $_, i FROM generate_series(1, 500000) i";
    IPC::Run::start([ 'psql', '-XAtq', '-d', $server->connstr('postgres'), '-c', $sql ])
} 1 .. 4;
ok($_->finish, 'a session loads half a million rows') foreach @sessions;
is(backwards('loads'), 0, 'INSERT ... SELECT: increasing within each session');
all_distinct('INSERT ... SELECT', 'orders', 'loads');

# Parallel workers. The plan's lowest node, below Gather, is to be the one that calls the function.
my $parallel = <<'SQL';
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SQL
$server->safe_psql('postgres', 'ANALYZE loads');
like($server->safe_psql('postgres', "$parallel EXPLAIN (VERBOSE) SELECT idgen_next() FROM loads"),
    qr/^Gather.*\n  Output: \(idgen_next\(\)\)\n  Workers Planned: [12]\n  ->  Parallel Seq Scan.*\n        Output: idgen_next\(\)/,
    'parallel: the plan is a Gather over workers that issue the ids');
like($server->safe_psql('postgres',
        "$parallel EXPLAIN (ANALYZE, COSTS OFF) CREATE UNLOGGED TABLE gathered AS SELECT idgen_next() AS id FROM loads"),
    qr/Workers Launched: [12]/, 'parallel: workers were launched');
all_distinct('parallel', 'orders', 'loads', 'gathered');
is( $server->safe_psql('postgres',
        'SELECT ids_issued - (SELECT count(*) FROM orders) - (SELECT count(*) FROM loads) - (SELECT count(*) FROM gathered) FROM idgen_status()'),
    0, 'the status has counted them, no more and no fewer');

# One id at a time: whoever asks after another has got his id gets a greater one.
$server->append_conf('postgresql.conf', 'idgen.block_size = 1');
$server->restart;
$server->safe_psql('postgres', "CREATE TABLE ordered (asked timestamptz, id bigint, got timestamptz)");
my $take = "$PostgreSQL::Test::Utils::tmp_check/take.sql";
append_to_file($take, 'INSERT INTO ordered SELECT clock_timestamp(), idgen_next(), clock_timestamp() FROM generate_series(1, 20);');
wait_until_ok($server);
$server->command_ok([ 'pgbench', '-n', '-f', $take, '-c', 8, '-j', 2, '-t', 400, $server->connstr('postgres') ],
    '8 clients take single ids with block_size = 1');
is( $server->safe_psql('postgres', <<'SQL'), 0, 'block_size = 1: strictly increasing across all sessions');
SELECT count(*) FROM (
    SELECT kind, id, max(id) FILTER (WHERE kind = 'got') OVER (ORDER BY at, kind ROWS UNBOUNDED PRECEDING) AS before
    FROM (SELECT asked AS at, 'asked' AS kind, id FROM ordered UNION ALL SELECT got, 'got', id FROM ordered) events) t
WHERE kind = 'asked' AND id <= before;
SQL
all_distinct('block_size = 1', 'orders', 'loads', 'gathered', 'ordered');
$server->stop;

done_testing();
