# What a lease must withstand beyond the store's own faults: a server that sleeps while another takes its worker id, one
# that crashes, a copy of it beside it, and clocks that disagree with each other and with the store's.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Clock;
use IdgenTest::Faults;
use IdgenTest::Fleet;
use IdgenTest::LeaseServer;
use IdgenTest::Redis;
use Test::More;

my $store = IdgenTest::Redis->new;

# --- asleep past the lease, in a pool of one

my $conf = "idgen.lease_prefix = 'sleep'\nidgen.max_workers = 1\n";
my ($sleeper, $heir) = map { lease_server($_, $store, conf => $conf) } qw(sleeper heir);
my $fleet = IdgenTest::Fleet->new(clients => 2);
$sleeper->start;
$fleet->add($sleeper);
declare_new($sleeper);
ok_status($sleeper, "state = 'ok' AND worker_id = 0", 'asleep: the first has the worker id');
$heir->start;
$fleet->add($heir);
ok_status($heir, "state = 'waiting'", 'asleep: the second waits for it');
foreach my $turn (1 .. 3) {
    $fleet->ok_flows("asleep, $turn: ids flow on one", $sleeper);
    ok(pause_server($sleeper), "asleep, $turn: it falls asleep");
    my $promised = $store->record(0, 'sleep')->{ceiling};
    ok_status($heir, "state = 'ok' AND worker_id = 0", "asleep, $turn: the other takes the worker id");
    $fleet->ok_flows("asleep, $turn: ids flow on the other", $heir);
    ok_ids_after($heir, $promised, "asleep, $turn: with nothing that the sleeper was promised") if $turn == 1;
    resume_server($sleeper);
    ok_status($sleeper, "state = 'waiting'", "asleep, $turn: who wakes up has lost it");
    $fleet->ok_flows("asleep, $turn: the other goes on", $heir);
    my $error = error_of($sleeper, q(SET idgen.max_wait = '100ms'; SELECT idgen_next()));
    like($error, qr/ERROR:  55000: no id can be given: /, "asleep, $turn: who asks there is told");
    ($sleeper, $heir) = ($heir, $sleeper);
}

# A nap within the ceiling is nothing; one under load that ends a little after it is the worst that there is: the
# sleeper wakes up in the middle of a reservation. Again and again, at the edge.
foreach my $turn (1 .. 5) {
    ok(pause_server($sleeper), "naps, $turn: asleep");
    ok(wait_until { $store->record(0, 'sleep')->{expiry} < $store->now + 100 }, "naps, $turn: until the lease has just expired");
    resume_server($sleeper);
    my $holder;
    ok( wait_until {
            my $record = $store->record(0, 'sleep');
            ($holder) = grep { $_->port == $record->{port} } $sleeper, $heir;
            return $record->{expiry} > $store->now + 1000;    # renewed, or taken, since
        },
        "naps, $turn: one of them has it");
    $fleet->ok_flows("naps, $turn: ids flow", $holder);
    ($sleeper, $heir) = ($heir, $sleeper) if $holder == $heir;
}

# --- the crash of who has the only worker id

ok(kill_postmaster($sleeper), 'crash: the holder is killed');
ok_status($heir, "state = 'ok' AND worker_id = 0", 'crash: the other takes over');
$fleet->ok_flows('crash: ids flow there', $heir);
$sleeper->start;
ok_status($sleeper, "state = 'waiting'", 'crash: who comes back waits');
# A backend that dies takes the shared memory with it, and the lease that was in there.
ok(kill_backend($heir), 'crash: a session of the new holder is killed');
ok( wait_until { grep { (status_of($_)->{state} // '') eq 'ok' } $sleeper, $heir }, 'crash: one of the two has the worker id in the end');
$_->append_conf('postgresql.conf', 'idgen.max_workers = 3') foreach $sleeper, $heir;
$_->reload foreach $sleeper, $heir;
ok_status($_, "state = 'ok'", 'crash: a larger pool is enough for ' . $_->name) foreach $sleeper, $heir;
$fleet->ok_flows('crash: ids flow on both');
$fleet->check('a pool of one');
$_->stop foreach $sleeper, $heir;

# --- a copy of the data directory

my $original = lease_server('original', $store, conf => "idgen.lease_prefix = 'copy'\n");
my $copies   = IdgenTest::Fleet->new;
$original->start;
$copies->add($original);
declare_new($original);
ok_status($original, "state = 'ok'", 'the original is well');
$copies->ok_flows('the original issues');
$copies->retire($original);    # and its table is empty
$original->stop;
my $clean = clone_of($original, 'clean_copy');
$original->start;
$copies->add($original);
$copies->ok_flows('the original issues again');
$copies->retire($original);
ok(kill_postmaster($original), 'it crashes');
my $crashed = clone_of($original, 'crashed_copy');
$_->start foreach $original, $clean, $crashed;
ok_status($_, "state = 'ok'", 'side by side: ' . $_->name) foreach $original, $clean, $crashed;
my %ids = map { worker_id_of($_) => 1 } $original, $clean, $crashed;
is(scalar(keys %ids), 3, 'each has a worker id of its own');
$copies->add($original, $clean, $crashed);
$copies->ok_flows('side by side: ids flow');
ok(wait_until { $store->held('copy') == 3 }, 'the lease of before the crash runs out');
is(join(',', sort map { $_->{port} } $store->held('copy')), join(',', sort map { $_->port } $original, $clean, $crashed),
    'the store tells them apart');
$copies->check('copies');
$_->stop foreach $original, $clean, $crashed;

# --- clocks an hour apart

my %clock = map { $_ => IdgenTest::Clock->new } qw(ahead behind true stepping);
my %server;
my $clocks = IdgenTest::Fleet->new;
$clock{ahead}->set(3600);
$clock{behind}->set(-3600);
foreach my $name (qw(true behind ahead stepping)) {
    $server{$name} = lease_server("clock_$name", $store, clock => $clock{$name}, conf => "idgen.lease_prefix = 'clocks'\n");
    start_server($server{$name});
    $server{$name}->safe_psql('postgres', 'CREATE EXTENSION idgen');
    $clocks->add($server{$name}) if $name ne 'ahead';
    declare_new($server{$name}) if $name eq 'true';
    ok_status($server{$name}, "state = 'ok'", "clocks: $name is well") if $name ne 'ahead';
}
my @well = @server{qw(true behind stepping)};
ok_status($server{ahead}, "state = 'waiting' AND coalesce(reason, '') ~* 'clock' AND advice IS NOT NULL",
    'clocks: who leads the store by an hour waits, and says so');
like(error_of($server{ahead}, q(SET idgen.max_wait = '100ms'; SELECT idgen_next())),
    qr/ERROR:  55000: no id can be given: .*\n(.*\n)*.*clock/, 'clocks: so does the error');
$clocks->ok_flows('clocks: ids flow on the others', @well);
my $lag = $server{behind}->safe_psql('postgres', 'SELECT extract(epoch FROM idgen_timestamp(idgen_next()))') - time();
note("the time in the ids of the server whose clock lags by an hour: $lag s from the true one");
my $highest = (sort { $b <=> $a } map { $_->{ceiling} } $store->records('clocks'))[0];
cmp_ok($highest, '<=', $store->now + 3000, 'clocks: no worker id is spoilt by a ceiling in the future');

# --- steps while running

my $stepping = $server{stepping};
$clock{stepping}->step(-3600);
$clocks->ok_flows('an hour back: ids flow', $stepping);
ok_status($stepping, "state = 'ok'", 'an hour back: it is well');
$clock{stepping}->set(0);
$clocks->ok_flows('and right again: ids flow', $stepping);

# An hour forward, for good: believed after half a minute, and then it waits. The operator says that this store never
# forgets: then the server's clock is its own affair.
$clock{stepping}->step(3600);
$clocks->ok_flows('an hour forward: ids flow while it is waited out', $stepping);
ok_status($stepping, "state = 'waiting' AND coalesce(reason, '') ~* 'clock'", 'an hour forward: believed, it waits, and says why');
change_settings($stepping, 'idgen.lease_store_durable = on');
ok_status($stepping, "state = 'ok'", 'an hour forward: a store that is said to be durable promises more');
$clocks->ok_flows('an hour forward: ids flow', $stepping);
my $lead = $stepping->safe_psql('postgres', 'SELECT extract(epoch FROM idgen_timestamp(idgen_next()))') - time();
cmp_ok($lead, '>', 3000, 'an hour forward: with the time of that server');
# A worker id whose ceiling is an hour ahead is not picked while there are others.
$clocks->retire($stepping);
$stepping->stop;
my $next = lease_server('next', $store, conf => "idgen.lease_prefix = 'clocks'\n", start => 1);
ok_status($next, "state = 'ok'", 'a server that comes now is well');
cmp_ok($store->record(worker_id_of($next), 'clocks')->{ceiling}, '<', $store->now + 60_000, 'and its worker id is none from the future');
$clocks->add($next);
$clocks->ok_flows('ids flow there', $next);
$clock{stepping}->set(0);
start_server($stepping);
ok_status($stepping, "state = 'ok'", 'set right and started again, it is well');
$clocks->add($stepping);
$clocks->ok_flows('ids flow everywhere');

# A step forward that is small enough to be taken at once, and too large for the store to promise so much.
change_settings($stepping, 'idgen.lease_store_durable = off');
$clock{stepping}->step(20);
ok_status($stepping, "state <> 'ok' AND coalesce(reason, '') ~* 'clock'", '20 s forward: it waits, and says why');
$clocks->ok_flows('20 s forward: the others go on', @server{qw(true behind)}, $next);
cmp_ok($store->record(worker_id_of($stepping), 'clocks')->{ceiling}, '<=', $store->now + 3000, '20 s forward: its worker id is not spoilt');

# --- set right, who waited goes on by itself: it has issued nothing from the time that was wrong

$clock{ahead}->set(0);
if (ok_status($server{ahead}, "state = 'ok'", 'who led by an hour, set right: it is well')) {
    $clocks->add($server{ahead});
    $clocks->ok_flows('who led by an hour, set right: ids flow', $server{ahead});
}
$clock{stepping}->set(0);
ok_status($stepping, "state = 'ok'", '20 s forward and back: it is well');
$clocks->ok_flows('ids flow everywhere');
$clocks->check('clocks');
$_->stop foreach values %server, $next;

done_testing();
