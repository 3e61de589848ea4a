# Crashes in a loop while the clock is set back, a worker that is suspended for longer than its ceiling lasts, and
# acknowledged commits that a crash undoes.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Clock;
use IdgenTest::Faults;
use IdgenTest::Ledger;
use IdgenTest::Load;
use List::Util qw(shuffle);
use Test::More;

my $seed = $ENV{IDGEN_TEST_SEED} // int(rand(1_000_000));
srand($seed);
note("to repeat this run: IDGEN_TEST_SEED=$seed");

my $server = new_server('main', conf => <<'CONF');
idgen.max_ahead = '500ms'
idgen.ceiling_window = '1s'
idgen.max_wait = '60s'
CONF
my $clock = IdgenTest::Clock->new;
$clock->start($server);
IdgenTest::Load->prepare($server);
my $ledger = IdgenTest::Ledger->new;
my $load   = IdgenTest::Load->start($server);
ok($load->wait_for_more, 'clients get ids');

# Kills a process and calls $step: before the process, or the server, is started again.
my %kill = (
    backend    => sub { my ($step) = @_; my $killed = kill_backend($server);    $step->(); return $killed },
    worker     => sub { my ($step) = @_; my $killed = kill_worker($server);     $step->(); return $killed },
    postmaster => sub { my ($step) = @_; my $killed = kill_postmaster($server); $step->(); $clock->start($server); return $killed },
);

my @kinds = shuffle(('backend') x 8, ('worker') x 8, ('postmaster') x 4);
my @steps = shuffle((sub { }) x 10, (sub { $clock->step(-5) }) x 10);
foreach my $turn (0 .. 19) {
    my $life = $load->latest_life;
    my ($before, $after) = shuffle($steps[$turn], sub { });
    $before->();
    burst($server, 200_000);
    ok($kill{ $kinds[$turn] }->($after), "$turn: the $kinds[$turn] was killed");
    ok($load->wait_for_life_after($life), "$turn: clients get ids again") or last;
}
cmp_ok($clock->seconds, '==', -50, 'the clock was set back in half of the turns');

# The worker is suspended past the ceiling that it has made durable: nobody gets ids above it.
ok(kill_worker($server, 'STOP'), 'the worker is suspended');
my $worker = pid_of_worker($server);
my $error;
ok(wait_until { $error = error_of($server, q(SET idgen.max_wait = '100ms'; SELECT idgen_next();)) }, 'no ids are issued above the ceiling');
like($error, qr/ERROR:  55000: could not issue an id: the durable ceiling is reached\nDETAIL:  The ceiling is .*\nHINT:  /, 'the error names the ceiling');
ok(kill('CONT', $worker), 'the worker is resumed');
ok($load->wait_for_more, 'clients, also those that have waited, get ids again');
is($server->safe_psql('postgres', 'SELECT worker_pid FROM idgen_status()'), $worker, 'the worker is the same one');

$load->stop($ledger);
$load->check_errors('crash loop');
$ledger->add_table($server);
$ledger->check('crash loop');
cmp_ok($ledger->lives, '>=', 21, 'ids were issued in every life of the server');

# Commits that were acknowledged and then lost: their ids were seen, and are not issued again.
$server->append_conf('postgresql.conf', "synchronous_commit = off\nwal_writer_delay = '10s'");
$server->stop;
$clock->start($server);
$server->safe_psql('postgres', 'SET synchronous_commit = on; CREATE TABLE fleeting (id bigint NOT NULL DEFAULT idgen_next())');
my $seen = IdgenTest::Ledger->new;
foreach my $round (1 .. 2) {
    my $fleeting = IdgenTest::Load->start($server, script => "INSERT INTO fleeting DEFAULT VALUES RETURNING id;\n" x 200);
    ok($fleeting->wait_for_life_after(0) && $fleeting->wait_for_more(300), "synchronous_commit = off, $round: clients get ids");
    $server->stop('immediate');
    $fleeting->stop($seen);
    $fleeting->check_errors("synchronous_commit = off, $round");
    $clock->start($server);
    cmp_ok($server->safe_psql('postgres', 'SELECT count(*) FROM fleeting'), '<', $seen->count, "synchronous_commit = off, $round: the crash lost rows");
}
$seen->add(2**62, wait_for_ids($server, 'SELECT idgen_next() FROM generate_series(1, 100)'));
$seen->check('synchronous_commit = off');
$server->stop;

done_testing();
