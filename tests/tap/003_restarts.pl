# Stops and crashes while clients insert: no id is issued twice, and ids after a restart are above all ids before it.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Clock;
use IdgenTest::Faults;
use IdgenTest::Ledger;
use IdgenTest::Load;
use PostgreSQL::Test::Utils;
use Test::More;

# The clock is set back before each fault: only the floor keeps a restarted server above its past.
my $server = new_server('main', conf => <<'CONF');
idgen.max_ahead = '1s'
idgen.ceiling_window = '1s'
idgen.max_wait = '60s'
CONF
my $clock = IdgenTest::Clock->new;
$clock->start($server);
IdgenTest::Load->prepare($server);
my $ledger = IdgenTest::Ledger->new;

my @faults = (
    [ 'pg_ctl stop -m fast'          => sub { $server->stop('fast');      $clock->start($server) } ],
    [ 'pg_ctl stop -m immediate'     => sub { $server->stop('immediate'); $clock->start($server) } ],
    [ 'kill -9 of a backend'         => sub { ok(kill_backend($server),    'a backend was killed') } ],
    [ 'kill -9 of the worker'        => sub { ok(kill_worker($server),     'the worker was killed') } ],
    [ 'kill -9 of the postmaster'    => sub { ok(kill_postmaster($server), 'the postmaster was killed'); $clock->start($server) } ],
);

my $load = IdgenTest::Load->start($server);
ok($load->wait_for_more, 'clients get ids before the faults');
foreach (@faults) {
    my ($fault, $inflict) = @$_;
    my $life = $load->latest_life;
    $clock->step(-1);
    $inflict->();
    ok($load->wait_for_life_after($life), "$fault under load: clients get ids again");
}

# Settings and the worker id change under load.
foreach my $settings (
    "idgen.worker_id = 2\nidgen.block_size = 1",
    "idgen.worker_id = 1\nidgen.max_ahead = '100ms'\nidgen.ceiling_window = '20s'",
    "idgen.block_size = 4096\nidgen.max_clock_step = '1ms'",
    "idgen.worker_id = 2\nidgen.max_ahead = '3s'\nidgen.ceiling_window = '1s'",
    "idgen.worker_id = 1\nidgen.block_size = 256\nidgen.max_clock_step = '1min'") {
    $server->append_conf('postgresql.conf', $settings);
    $server->reload;
    ok($load->wait_for_more, "clients get ids with " . join(', ', split(/\n/, $settings)));
}

# A worker that gets SIGTERM gives its identity up, and the next worker takes it. Clients do not notice.
my $pid = pid_of_worker($server);
ok(kill_worker($server, 'TERM'), 'the worker gets SIGTERM');
ok(wait_until { my $now = pid_of_worker($server); $now && $now != $pid }, 'another worker is started');
ok($load->wait_for_more, 'clients get ids from it');

# Without other load the last id is known. The burst ends in the middle of a tick, one tick ahead of the id clock if the
# machine is fast enough.
$load->stop($ledger);
$load->check_errors('faults under load');
foreach (@faults, [ 'SIGTERM of the worker' => sub { kill_worker($server, 'TERM') } ]) {
    my ($fault, $inflict) = @$_;
    my ($life, $worker) = (life($server), pid_of_worker($server));
    $clock->step(-2);
    my $last = burst($server, 4_000_003);
    $inflict->();
    my $first = wait_for_ids($server,
        "SELECT idgen_next() FROM pg_control_checkpoint(), idgen_status() WHERE redo_lsn > '$life' OR worker_pid <> $worker");
    cmp_ok($first, '>', $last, "$fault after a burst: the next id is above the last one");
    $ledger->add_unordered(undef, $last, $first);
}

$ledger->add_table($server);
$ledger->check('faults');
cmp_ok($ledger->lives, '>', @faults, 'ids were issued in every life of the server');
$server->stop;

done_testing();
