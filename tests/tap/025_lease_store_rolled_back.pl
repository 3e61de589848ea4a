# The store is restored from a snapshot in which a former holder still holds the worker id, which another server has leased since:
# the former holder, suspended meanwhile, must not be taken for the holder when it is resumed.
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
ok_status($sleeper, "state = 'ok' AND worker_id = 0", 'the first server has the worker id');
$fleet->ok_flows('clients get ids from it');
$store->save;
my $token = $store->record(0, 'back')->{token};
ok(pause_server($sleeper), 'the first server is suspended');
my $asleep_at = $store->now + 1000;    # how far ids may run ahead
$heir->start;
$fleet->add($heir);
ok_status($heir, "state = 'ok' AND worker_id = 0", 'another server gets the worker id');
$fleet->ok_flows('clients get ids from it', $heir);
ok(pause_server($heir), 'the other server is suspended in the middle of its lease');
my $promised = $store->record(0, 'back')->{ceiling};
$store->restart;
is($store->record(0, 'back')->{token}, $token, 'the store is restored: the first server is the holder again');
resume_server($sleeper);
ok_status($sleeper, "state = 'waiting'", 'the resumed server has lost the worker id all the same, and waits');
ok(wait_until { my $record = $store->record(0, 'back'); $store->is_held($record) && $record->{token} ne $token },
    'the status says that the quarantine ends by itself');
ok_status($sleeper, "state = 'ok' AND worker_id = 0", 'the resumed server gets the worker id after the quarantine');
$fleet->ok_flows('clients get ids', $sleeper);
my $first = $sleeper->safe_psql('postgres',
    'SELECT (extract(epoch FROM min(idgen_timestamp(id))) * 1000)::bigint FROM orders'
      . " WHERE idgen_timestamp(id) > to_timestamp($asleep_at / 1000.0)");
cmp_ok($first, '>=', 0 + $promised, 'its ids are above the ceiling of the other server');
resume_server($heir);
ok_status($heir, "state = 'waiting'", 'the other server, resumed last, has lost the worker id');
$fleet->ok_flows('clients still get ids', $sleeper);
$fleet->retire($sleeper);
$sleeper->stop;
ok_status($heir, "state = 'ok' AND worker_id = 0", 'the other server gets the worker id again when it is free');
$fleet->ok_flows('clients get ids from it', $heir);
$fleet->check('resurrected');
$_->stop foreach $heir, $store;

done_testing();
