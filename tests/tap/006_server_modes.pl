# Modes and states of the server: single-user mode, dump and restore, pg_upgrade, prepared transactions, and the end of a wait.
use strict;
use warnings;

use File::Copy qw(copy);
use IdgenTest;
use IdgenTest::Clock;
use IdgenTest::Faults;
use IdgenTest::Ledger;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $conf = <<'CONF';
idgen.max_ahead = '1s'
idgen.ceiling_window = '1s'
idgen.max_wait = '60s'
max_prepared_transactions = 5
CONF
# The clock is set back between two modes: only the floor keeps a server above its earlier ids.
my $clock  = IdgenTest::Clock->new;
my $server = new_server('main', conf => $conf);
$clock->start($server);
$server->safe_psql('postgres', <<'SQL');
CREATE EXTENSION idgen;
CREATE TABLE orders (id bigint PRIMARY KEY DEFAULT idgen_next(), made timestamptz GENERATED ALWAYS AS (idgen_timestamp(id)) STORED);
CREATE INDEX ON orders (idgen_timestamp(id));
SQL
my $ledger = IdgenTest::Ledger->new;
my $life   = 0;

sub insert {
    my ($node, $dbname, $count) = @_;
    my @ids = split(/\n/, $node->safe_psql($dbname // 'postgres',
        'INSERT INTO orders SELECT FROM generate_series(1, ' . ($count // 100) . ') RETURNING id'));
    $ledger->add(++$life, @ids);
    return;
}

# Runs statements in single-user mode and adds the ids that they print.
sub single_user {
    my ($sql) = @_;
    my ($in, $out, $err) = ($sql, '', '');
    $clock->step(-2);
    $clock->rule(sub {
        ok(IPC::Run::run([ 'postgres', '--single', '-D', $server->data_dir, 'postgres' ], '<', \$in, '>', \$out, '2>', \$err),
            'single-user mode exits with status 0') or diag($err);
    });
    $clock->step(-2);
    my @ids = $out =~ /(?:id|idgen_next) = "(\d+)"/g;
    $ledger->add(++$life, @ids);
    return scalar @ids;
}

# In single-user mode the only backend is its own worker. Ids continue in both directions.
insert($server);
$server->stop;
is(single_user("SELECT idgen_next();\nSELECT idgen_next();\nINSERT INTO orders DEFAULT VALUES RETURNING id;\n"), 3,
    'single-user mode issues ids');
is(single_user("SELECT idgen_next() FROM generate_series(1, 100);\n"), 100, 'single-user mode issues ids a second time');
$clock->start($server);
insert($server);
$server->stop('immediate');
is(single_user("SELECT idgen_next();\n"), 1, 'single-user mode issues ids after a crash');
$clock->start($server);
insert($server);

# Dump and restore into another database of the same server.
my $dump = "$PostgreSQL::Test::Utils::tmp_check/orders.dump";
$server->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $server->connstr('postgres') ], 'pg_dump');
$server->safe_psql('postgres', 'CREATE DATABASE restored');
$server->command_ok([ 'pg_restore', '--exit-on-error', '-d', $server->connstr('restored'), $dump ], 'pg_restore');
is($server->safe_psql('restored', 'SELECT count(*), count(DISTINCT id), bool_and(made = idgen_timestamp(id)) FROM orders'),
    $server->safe_psql('postgres', 'SELECT count(*), count(*), true FROM orders'), 'the restored table has the same rows');
insert($server, 'restored');
insert($server);

# The ids of prepared transactions survive a crash, and are not issued again.
my $prepared = $server->safe_psql('postgres', <<'SQL');
BEGIN;
INSERT INTO orders DEFAULT VALUES RETURNING id;
PREPARE TRANSACTION 'kept';
SQL
my $given_up = $server->safe_psql('postgres', <<'SQL');
BEGIN;
INSERT INTO orders DEFAULT VALUES RETURNING id;
PREPARE TRANSACTION 'given up';
SQL
$ledger->add(++$life, $prepared, $given_up);
my $crashed = life($server);
$clock->step(-2);
ok(kill_backend($server), 'the server crashes');
$ledger->add(++$life, wait_for_ids($server, "SELECT idgen_next() FROM generate_series(1, 100), pg_control_checkpoint() WHERE redo_lsn > '$crashed'"));
ok($server->poll_query_until('postgres', 'SELECT count(*) = 2 FROM pg_prepared_xacts'), 'both transactions are still prepared');
$server->safe_psql('postgres', "COMMIT PREPARED 'kept'");
$server->safe_psql('postgres', "ROLLBACK PREPARED 'given up'");
insert($server);
is($server->safe_psql('postgres', "SELECT count(*) FROM orders WHERE id = $prepared"), 1, 'the prepared row has its id');

# The data directory is moved: another path, another port, the same server.
insert($server);
$server->stop;
my $moved = PostgreSQL::Test::Cluster->new('moved');
rename($server->data_dir, $moved->data_dir) or die "could not move the data directory: $!";
settle_in($moved);
$clock->step(-2);
$clock->start($moved);
insert($moved);
ok(!logged_since($moved, qr/idgen\.ceiling" is/, 0), 'a moved data directory is not taken for a copy');
$server = $moved;

# pg_upgrade: the new cluster has another system identifier and no local file. If the old file is copied along, it is
# foreign there, but its ceiling still counts.
insert($server);
my $definitions = q(SELECT * FROM idgen_catalog.idgen_generator ORDER BY name; SELECT * FROM idgen_catalog.idgen_sequencer ORDER BY name; SELECT tgname, tgenabled FROM pg_trigger WHERE tgname LIKE 'idgen%' ORDER BY 1);
$server->safe_psql('postgres', q(SELECT idgen_create_generator('flake', 'sonyflake'); SELECT idgen_create_sequencer('fast', cache => 1000)));
my $defined = $server->safe_psql('postgres', $definitions);
$server->stop;
my $upgraded = new_server('upgraded', conf => $conf);
my $bindir = $server->config_data('--bindir');
chdir($PostgreSQL::Test::Utils::tmp_check);
$clock->step(-2);
$clock->rule(sub {
    $upgraded->command_ok(
        [ 'pg_upgrade', '--no-sync', '-b', $bindir, '-B', $bindir, '-d', $server->data_dir, '-D', $upgraded->data_dir,
            '-p', $server->port, '-P', $upgraded->port, '-s', $upgraded->host ],
        'pg_upgrade');
});
ok(!-e ceiling_file($upgraded), 'pg_upgrade leaves the local file behind');
my $with_file = PostgreSQL::Test::Cluster->new('with_file');
system_or_bail('cp', '-a', $upgraded->data_dir, $with_file->data_dir);
settle_in($with_file);
copy(ceiling_file($server), ceiling_file($with_file)) or die "could not copy the local file: $!";
foreach ([ $upgraded, 'without the file', 'is missing' ], [ $with_file, 'with the file', "belongs to another cluster" ]) {
    my ($node, $what, $line) = @$_;
    $clock->start($node);
    is($node->safe_psql('postgres', 'SELECT state FROM idgen_status()'), 'idle', "$what: the server is idle until the first request") if $what =~ /without/;
    my @ids = wait_for_ids($node, 'SELECT idgen_next() FROM generate_series(1, 100)');
    cmp_ok($ids[0], '>', $ledger->max, "pg_upgrade $what: the first id is above all earlier ids");
    ok_logged($node, qr/idgen\.ceiling" \Q$line\E.*\n.*DETAIL:  New ids will be later than/, 0, "pg_upgrade $what: the log says why");
    is($node->safe_psql('postgres', 'SELECT bool_and(made = idgen_timestamp(id)) FROM orders'), 't', "pg_upgrade $what: the rows are there");
    is($node->safe_psql('postgres', $definitions), $defined, "pg_upgrade $what: generators and sequencers are there");
    is($node->safe_psql('postgres', q(SELECT idgen_next('flake') > 0)), 't', "pg_upgrade $what: generators and sequencers can be used");
    $node->stop;
}

# A waiting caller can be interrupted at once. This server has to wait for an hour, because its clock was two hours ahead
# when it issued ids, and it says how long the wait may take.
$server->append_conf('postgresql.conf', "idgen.ceiling_window = '1h'\nidgen.max_wait = '1h'");
$clock->step(7200);
$clock->start($server);
wait_for_ids($server);
$server->stop;
$clock->step(-7200);
$clock->start($server);
like(error_of($server, q(SET idgen.max_wait = '100ms'; SELECT idgen_next();)),
    qr/ERROR:  55000: could not issue an id.*\nDETAIL:  Ids up to .* ahead of the wall clock, may already have been issued.*\nHINT:  .*"idgen.max_ahead" \+ "idgen.ceiling_window"/,
    'idgen.max_wait ends a wait, and the error says what the caller waited for');
like(error_of($server, q(SET statement_timeout = '100ms'; SELECT idgen_next();)), qr/ERROR:  57014: .*statement timeout/,
    'statement_timeout ends a wait');

# A session that waits, and the pid of its backend.
sub waiter {
    my ($name) = @_;
    my %waiter = (in => "SELECT idgen_next();\n", out => '', err => '');
    $waiter{run} = IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $server->connstr('postgres') . " application_name=$name" ],
        '<', \$waiter{in}, '>', \$waiter{out}, '2>', \$waiter{err});
    ok(wait_until {
            $waiter{run}->pump_nb;
            $waiter{pid} = $server->safe_psql('postgres',
                "SELECT pid FROM pg_stat_activity JOIN idgen_stat_backends USING (pid) WHERE application_name = '$name' AND waits > 0");
            return $waiter{pid};
        }, "$name: a session waits");
    return \%waiter;
}

my $cancelled = waiter('cancel');
$server->safe_psql('postgres', "SELECT pg_cancel_backend($cancelled->{pid})");
ok(!$cancelled->{run}->finish, 'pg_cancel_backend(): the wait ends');
like($cancelled->{err}, qr/ERROR:  canceling statement due to user request/, 'pg_cancel_backend(): the error is that of a cancel');

my $terminated = waiter('terminate');
$server->safe_psql('postgres', "SELECT pg_terminate_backend($terminated->{pid})");
ok(!$terminated->{run}->finish, 'pg_terminate_backend(): the wait ends');
like($terminated->{err}, qr/FATAL:  terminating connection due to administrator command/, 'pg_terminate_backend(): the error is that of a termination');

my $stopped = waiter('stop');
ok($server->stop('fast', fail_ok => 1), 'pg_ctl stop -m fast does not wait for a waiting caller');
ok(!$stopped->{run}->finish, 'pg_ctl stop: the wait ends');
like($stopped->{err}, qr/FATAL:  terminating connection due to administrator command/, 'pg_ctl stop: the error is that of a shutdown');

# The operator can end the wait. Nothing is then asserted about the ids, except that they are issued.
$clock->start($server);
my $released = waiter('release');
is($server->safe_psql('postgres', "SELECT idgen_forget_floor() > clock_timestamp() + interval '1 h'"), 't', 'idgen_forget_floor() returns the floor that it gives up');
ok($released->{run}->finish, 'idgen_forget_floor() ends the wait');
like($released->{out}, qr/^\d+$/, 'the waiting caller gets an id');
like(error_of($server, 'SELECT idgen_forget_floor();'), qr/ERROR:  55000: idgen is not waiting for a floor/, 'idgen_forget_floor() fails if the server does not wait');
$server->stop;

$ledger->check('modes');
done_testing();
