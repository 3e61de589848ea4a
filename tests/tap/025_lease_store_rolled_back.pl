# A record that comes back from the dead: a server sleeps past its lease, another takes its worker id, and then the store
# goes back to a snapshot in which the sleeper is still the holder. Who wakes up must not be taken for it.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Faults;
use IdgenTest::Fleet;
use IdgenTest::LeaseServer;
use IdgenTest::Redis;
use Test::More;

my $store = IdgenTest::Redis->new(appendonly => 'no');
my ($sleeper, $heir) =
  map { lease_server($_, $store, conf => "idgen.lease_prefix = 'back'\nidgen.max_workers = 1\n") } qw(sleeper heir);
my $fleet = IdgenTest::Fleet->new;
$sleeper->start;
$fleet->add($sleeper);
declare_new($sleeper);
ok_status($sleeper, "state = 'ok' AND worker_id = 0", 'the first has the worker id');
$fleet->ok_flows('ids flow on it');
$store->save;
my $token = $store->record(0, 'back')->{token};
ok(pause_server($sleeper), 'it falls asleep');
my $asleep_at = $store->now + 1000;    # and ids may run ahead so far
$heir->start;
$fleet->add($heir);
ok_status($heir, "state = 'ok' AND worker_id = 0", 'another takes the worker id');
$fleet->ok_flows('ids flow there', $heir);
ok(pause_server($heir), 'which falls asleep, too, in the middle of a lease');
my $promised = $store->record(0, 'back')->{ceiling};
$store->restart;
is($store->record(0, 'back')->{token}, $token, 'the store is back at when the first was the holder');
resume_server($sleeper);
ok_status($sleeper, "state = 'waiting'", 'who wakes up has lost it all the same, and waits');
ok(wait_until { my $record = $store->record(0, 'back'); $store->is_held($record) && $record->{token} ne $token },
    'until the store may give it away');
ok_status($sleeper, "state = 'ok' AND worker_id = 0", 'then it has it again');
$fleet->ok_flows('ids flow', $sleeper);
my $first = $sleeper->safe_psql('postgres',
    'SELECT (extract(epoch FROM min(idgen_timestamp(id))) * 1000)::bigint FROM orders'
      . " WHERE idgen_timestamp(id) > to_timestamp($asleep_at / 1000.0)");
cmp_ok($first, '>=', 0 + $promised, 'with nothing that the other was promised');
resume_server($heir);
ok_status($heir, "state = 'waiting'", 'who sleeps longest has lost it');
$fleet->ok_flows('ids flow still', $sleeper);
$fleet->retire($sleeper);
$sleeper->stop;
ok_status($heir, "state = 'ok' AND worker_id = 0", 'and has it again when it is free');
$fleet->ok_flows('ids flow there in the end', $heir);
$fleet->check('resurrected');
$_->stop foreach $heir, $store;

done_testing();
