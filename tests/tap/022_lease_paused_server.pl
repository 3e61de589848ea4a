# Faults of servers rather than of the store: a server that is suspended while another takes its worker id, crashes, copies
# of the data directory, and clocks that disagree with each other and with the store's.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Clock;
use IdgenTest::Faults;
use IdgenTest::Fleet;
use IdgenTest::LeaseServer;
use IdgenTest::Redis;
use Test::More;

my $store = lease_store();

# --- suspended past the lease, with one worker id for two servers

my $conf = "idgen.lease_prefix = 'sleep'\nidgen.max_workers = 1\n";
my ($sleeper, $heir) = map { lease_server($_, $store, conf => $conf) } qw(sleeper heir);
my $fleet = IdgenTest::Fleet->new(clients => 2);
$sleeper->start;
$fleet->add($sleeper);
declare_new($sleeper);
ok_status($sleeper, "state = 'ok' AND worker_id = 0", 'suspended: the first server has the worker id');
$heir->start;
$fleet->add($heir);
ok_status($heir, "state = 'waiting'", 'suspended: the second server waits for it');
foreach my $turn (1 .. 3) {
    $fleet->ok_flows("suspended, $turn: clients get ids from it", $sleeper);
    ok(pause_server($sleeper), "suspended, $turn: the holder is suspended");
    my $promised = $store->record(0, 'sleep')->{ceiling};
    ok_status($heir, "state = 'ok' AND worker_id = 0", "suspended, $turn: the other server gets the worker id");
    $fleet->ok_flows("suspended, $turn: clients get ids from the other server", $heir);
    ok_ids_after($heir, $promised, "suspended, $turn: its ids are above the ceiling of the suspended server") if $turn == 1;
    resume_server($sleeper);
    ok_status($sleeper, "state = 'waiting'", "suspended, $turn: the resumed server has lost the worker id");
    $fleet->ok_flows("suspended, $turn: clients get ids from the other server", $heir);
    my $error = error_of($sleeper, q(SET idgen.max_wait = '100ms'; SELECT idgen_next()));
    like($error, qr/ERROR:  55000: could not issue an id: /, "suspended, $turn: its callers get the reason");
    ($sleeper, $heir) = ($heir, $sleeper);
}

# A nap that ends below the ceiling has no effect. The worst case is one under load that ends a little later: the server
# resumes in the middle of a reservation. This is repeated around that moment.
foreach my $turn (1 .. 5) {
    ok(pause_server($sleeper), "naps, $turn: the server is suspended");
    # On a busy machine it may have expired, and the other server have it, before this test looks again.
    ok( wait_until {
            my $record = $store->record(0, 'sleep');
            return $record->{expiry} < $store->now + 100 || $record->{port} != $sleeper->port;
        },
        "naps, $turn: the server naps until its lease has just expired");
    resume_server($sleeper);
    my $holder;
    ok( wait_until {
            my $record = $store->record(0, 'sleep');
            ($holder) = grep { $_->port == ($record->{port} // 0) } $sleeper, $heir;
            return $record->{expiry} > $store->now + 1000;    # renewed, or taken by the other server, since
        },
        "naps, $turn: one of the servers has the worker id");
    $fleet->ok_flows("naps, $turn: clients get ids", $holder);
    ($sleeper, $heir) = ($heir, $sleeper) if $holder == $heir;
}

# --- the holder of the only worker id crashes

ok(kill_postmaster($sleeper), 'crash: the holder is killed');
ok_status($heir, "state = 'ok' AND worker_id = 0", 'crash: the other server takes over');
$fleet->ok_flows('crash: clients get ids from it', $heir);
$sleeper->start;
ok_status($sleeper, "state = 'waiting'", 'crash: the restarted server waits');
# A killed backend makes the server reinitialize its shared memory, which holds the lease.
ok(kill_backend($heir), 'crash: a session of the new holder is killed');
ok( wait_until { grep { (status_of($_)->{state} // '') eq 'ok' } $sleeper, $heir }, 'crash: one of the two gets the worker id');
$_->append_conf('postgresql.conf', 'idgen.max_workers = 3') foreach $sleeper, $heir;
$_->reload foreach $sleeper, $heir;
ok_status($_, "state = 'ok'", 'crash: a larger pool is enough for ' . $_->name) foreach $sleeper, $heir;
$fleet->ok_flows('crash: clients get ids from both');
$fleet->check('one worker id');
$_->stop foreach $sleeper, $heir;

# --- a copy of the data directory

my $original = lease_server('original', $store, conf => "idgen.lease_prefix = 'copy'\n");
my $copies   = IdgenTest::Fleet->new;
$original->start;
$copies->add($original);
declare_new($original);
ok_status($original, "state = 'ok'", 'the original is ok');
$copies->ok_flows('the original issues ids');
$copies->retire($original);    # and its table is empty
$original->stop;
my $clean = clone_of($original, 'clean_copy');
$original->start;
$copies->add($original);
$copies->ok_flows('the original issues ids again');
$copies->retire($original);
ok(kill_postmaster($original), 'the original crashes');
my $crashed = clone_of($original, 'crashed_copy');
$_->start foreach $original, $clean, $crashed;
ok_status($_, "state = 'ok'", 'side by side: ' . $_->name) foreach $original, $clean, $crashed;
my %ids = map { worker_id_of($_) => 1 } $original, $clean, $crashed;
is(scalar(keys %ids), 3, 'original and copy have different worker ids');
$copies->add($original, $clean, $crashed);
$copies->ok_flows('side by side: clients get ids');
ok(wait_until { $store->held('copy') == 3 }, 'the lease from before the crash expires');
is(join(',', sort map { $_->{port} } $store->held('copy')), join(',', sort map { $_->port } $original, $clean, $crashed),
    'the store tells them apart');
$copies->check('copies');
$_->stop foreach $original, $clean, $crashed;

# --- clocks an hour apart, from a store whose own clock counts

if (!$store->forgets) {
    done_testing();
    return 1;
}

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
    ok_status($server{$name}, "state = 'ok'", "clocks: $name is ok") if $name ne 'ahead';
}
my @well = @server{qw(true behind stepping)};
ok_status($server{ahead}, "state = 'waiting' AND coalesce(reason, '') ~* 'clock' AND advice IS NOT NULL",
    'clocks: a server an hour ahead of the store waits, and says why');
like(error_of($server{ahead}, q(SET idgen.max_wait = '100ms'; SELECT idgen_next())),
    qr/ERROR:  55000: could not issue an id: .*\n(.*\n)*.*clock/, 'clocks: the error says why, too');
$clocks->ok_flows('clocks: clients get ids from the others', @well);
my $lag = $server{behind}->safe_psql('postgres', 'SELECT extract(epoch FROM idgen_timestamp(idgen_next()))') - time();
note("the time in the ids of the server whose clock lags by an hour: $lag s from the true one");
my $highest = (sort { $b <=> $a } map { $_->{ceiling} } $store->records('clocks'))[0];
cmp_ok($highest, '<=', $store->now + 3000, 'clocks: no worker id is left with a ceiling in the future');

# --- steps at run time

my $stepping = $server{stepping};
$clock{stepping}->step(-3600);
$clocks->ok_flows('an hour back: clients get ids', $stepping);
ok_status($stepping, "state = 'ok'", 'an hour back: the server is ok');
$clock{stepping}->set(0);
$clocks->ok_flows('set right again: clients get ids', $stepping);

# An hour forward, persistently: the server accepts the time after half a minute, and then has to wait for the store. If the
# operator declares that the store never loses data, the server's own clock counts.
$clock{stepping}->step(3600);
$clocks->ok_flows('an hour forward: clients get ids until the new time is accepted', $stepping);
ok_status($stepping, "state = 'waiting' AND coalesce(reason, '') ~* 'clock'", 'an hour forward: when the time is accepted, the server waits and says why');
change_settings($stepping, 'idgen.lease_store_durable = on');
ok_status($stepping, "state = 'ok'", 'an hour forward: a store declared durable grants higher ceilings');
$clocks->ok_flows('an hour forward: clients get ids', $stepping);
my $lead = $stepping->safe_psql('postgres', 'SELECT extract(epoch FROM idgen_timestamp(idgen_next()))') - time();
cmp_ok($lead, '>', 3000, 'an hour forward: ids have the server\'s time');
# A worker id whose ceiling is an hour ahead is not leased while others are free.
$clocks->retire($stepping);
$stepping->stop;
my $next = lease_server('next', $store, conf => "idgen.lease_prefix = 'clocks'\n", start => 1);
ok_status($next, "state = 'ok'", 'a new server is ok');
cmp_ok($store->record(worker_id_of($next), 'clocks')->{ceiling}, '<', $store->now + 60_000, 'its worker id has no ceiling in the future');
$clocks->add($next);
$clocks->ok_flows('clients get ids from it', $next);
$clock{stepping}->set(0);
start_server($stepping);
ok_status($stepping, "state = 'ok'", 'set right and restarted, the server is ok');
$clocks->add($stepping);
$clocks->ok_flows('clients get ids everywhere');

# A step that is small enough to take effect at once, but too large for the store to grant such a ceiling.
change_settings($stepping, 'idgen.lease_store_durable = off');
$clock{stepping}->step(20);
ok_status($stepping, "state <> 'ok' AND coalesce(reason, '') ~* 'clock'", '20 s forward: the server waits and says why');
$clocks->ok_flows('20 s forward: clients get ids from the others', @server{qw(true behind)}, $next);
cmp_ok($store->record(worker_id_of($stepping), 'clocks')->{ceiling}, '<=', $store->now + 3000, '20 s forward: its worker id has no ceiling in the future');

# --- a waiting server whose clock is set right continues without help: it has issued nothing with the wrong time

$clock{ahead}->set(0);
if (ok_status($server{ahead}, "state = 'ok'", 'an hour ahead, set right: the server is ok')) {
    $clocks->add($server{ahead});
    $clocks->ok_flows('an hour ahead, set right: clients get ids', $server{ahead});
}
$clock{stepping}->set(0);
ok_status($stepping, "state = 'ok'", '20 s forward and back: the server is ok');
$clocks->ok_flows('clients get ids everywhere');
$clocks->check('clocks');
$_->stop foreach values %server, $next;

done_testing();
