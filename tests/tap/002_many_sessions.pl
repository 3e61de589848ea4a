# Many sessions and parallel workers at once: ids are distinct, and increase within each session.
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

# The number of rows whose id is not above the same client's previous id.
sub backwards {
    my ($table) = @_;
    return $server->safe_psql('postgres',
        "SELECT count(*) FROM (SELECT id <= lag(id) OVER (PARTITION BY client ORDER BY turn) AS backwards FROM $table) t WHERE backwards");
}

# All ids in these tables are distinct and positive. Each call includes the tables of the calls before.
sub all_distinct {
    my ($what, @tables) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $union = join(' UNION ALL ', map { "SELECT id FROM $_" } @tables);
    my ($count, $distinct, $min) = split(/\|/, $server->safe_psql('postgres',
        "SET work_mem = '256MB'; SELECT count(*), count(DISTINCT id), min(id) FROM ($union) t"));
    is($distinct, $count, "$what: count(*) = count(DISTINCT id)");
    cmp_ok($min, '>', 0, "$what: all ids are positive");
    note("$what: $count ids");
    return;
}

# Single rows.
my $insert = "$PostgreSQL::Test::Utils::tmp_check/insert.sql";
append_to_file($insert, 'INSERT INTO orders (client) VALUES (:client_id);');
$server->command_ok([ 'pgbench', '-n', '-f', $insert, '-c', 8, '-j', 2, '-T', 4, $server->connstr('postgres') ],
    '8 clients insert single rows');
is(backwards('orders'), 0, 'single rows: ids increase within each session');
all_distinct('single rows', 'orders');

# Half a million rows per statement.
$server->safe_psql('postgres', 'CREATE UNLOGGED TABLE loads (LIKE orders INCLUDING DEFAULTS); ALTER TABLE loads ALTER turn DROP DEFAULT');
my @sessions = map {
    my $sql = "INSERT INTO loads (client, turn) SELECT $_, i FROM generate_series(1, 500000) i";
    IPC::Run::start([ 'psql', '-XAtq', '-d', $server->connstr('postgres'), '-c', $sql ])
} 1 .. 4;
ok($_->finish, 'a session inserts half a million rows') foreach @sessions;
is(backwards('loads'), 0, 'INSERT ... SELECT: ids increase within each session');
all_distinct('INSERT ... SELECT', 'orders', 'loads');

# Parallel workers. The plan's lowest node, below Gather, must be the one that calls the function.
my $parallel = <<'SQL';
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SQL
$server->safe_psql('postgres', 'ANALYZE loads');
like($server->safe_psql('postgres', "$parallel EXPLAIN (VERBOSE) SELECT idgen_next() FROM loads"),
    qr/^Gather.*\n  Output: \(idgen_next\(\)\)\n  Workers Planned: [12]\n  ->  Parallel Seq Scan.*\n        Output: idgen_next\(\)/,
    'parallel: the plan is a Gather whose workers issue the ids');
like($server->safe_psql('postgres',
        "$parallel EXPLAIN (ANALYZE, COSTS OFF) CREATE UNLOGGED TABLE gathered AS SELECT idgen_next() AS id FROM loads"),
    qr/Workers Launched: [12]/, 'parallel: workers were launched');
all_distinct('parallel', 'orders', 'loads', 'gathered');
is( $server->safe_psql('postgres',
        'SELECT ids_issued - (SELECT count(*) FROM orders) - (SELECT count(*) FROM loads) - (SELECT count(*) FROM gathered) FROM idgen_status()'),
    0, 'the status counts exactly the ids in the tables');

# One id at a time: a session that asks after another one has its id gets a greater id.
$server->append_conf('postgresql.conf', 'idgen.block_size = 1');
$server->restart;
$server->safe_psql('postgres', "CREATE TABLE ordered (asked timestamptz, id bigint, got timestamptz)");
my $take = "$PostgreSQL::Test::Utils::tmp_check/take.sql";
append_to_file($take, 'INSERT INTO ordered SELECT clock_timestamp(), idgen_next(), clock_timestamp() FROM generate_series(1, 20);');
wait_until_ok($server);
$server->command_ok([ 'pgbench', '-n', '-f', $take, '-c', 8, '-j', 2, '-t', 400, $server->connstr('postgres') ],
    '8 clients take single ids with block_size = 1');
is( $server->safe_psql('postgres', <<'SQL'), 0, 'block_size = 1: ids increase strictly over all sessions');
SELECT count(*) FROM (
    SELECT kind, id, max(id) FILTER (WHERE kind = 'got') OVER (ORDER BY at, kind ROWS UNBOUNDED PRECEDING) AS before
    FROM (SELECT asked AS at, 'asked' AS kind, id FROM ordered UNION ALL SELECT got, 'got', id FROM ordered) events) t
WHERE kind = 'asked' AND id <= before;
SQL
all_distinct('block_size = 1', 'orders', 'loads', 'gathered', 'ordered');
$server->stop;

done_testing();
