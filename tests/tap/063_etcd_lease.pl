# Leases from etcd that end, come back or are forgotten: what only etcd does, on a cluster of one member.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::EtcdLeases;
use IdgenTest::Faults;
use IdgenTest::Fleet;
use IdgenTest::LeaseServer;
use PostgreSQL::Test::Utils;
use Test::More;

IdgenTest::Etcd::skip_without_etcd();
my $store = IdgenTest::EtcdLeases->new(options => [ '--quota-backend-bytes', 24 * 1024 * 1024 ]);

sub fence_of { return status_of($_[0])->{lease_fence} }

# Each prefix has a ledger of its own: ids of different prefixes may be the same.

# --- the lease behind the server's back

my $fleet  = IdgenTest::Fleet->new;
my $server = lease_server('server', $store, start => 1);
$fleet->add($server);
ok_status($server, "state = 'ok' AND worker_id = 0 AND lease_fence > 0", 'a worker id at once, with a fence');
is(fence_of($server), $store->record(0)->{fence}, 'the fence is the revision of the key');
$fleet->ok_flows('clients get ids');

my $fence = fence_of($server);
$store->revoke($store->record(0)->{lease});
ok_status($server, "state = 'ok' AND lease_fence > $fence", 'revoked: the server leases a worker id again');
ok_logged($server, qr/lost the lease of worker id 0/, 0, 'revoked: the log tells of the loss');
$fleet->ok_flows('revoked: clients get ids');

($fence, my $worker) = (fence_of($server), worker_id_of($server));
$store->delete("/idgen:worker/worker/000000$worker");
ok_status($server, "state = 'ok' AND lease_fence > $fence", 'the key deleted: the server leases a worker id again');
$store->delete_prefix('/idgen:worker/');
ok_status($server, "state = 'ok' AND worker_id = 0", 'everything deleted: the server leases a worker id again');
$fleet->ok_flows('everything deleted: clients get ids');

# Compaction and defragmentation.
$fence = fence_of($server);
$store->compact;
$store->defragment;
ok_renews($server, 'compacted and defragmented: the lease is renewed');
is(fence_of($server), $fence, 'compacted and defragmented: it is the same lease');
$fleet->ok_flows('compacted and defragmented: clients get ids');

# --- a TTL that etcd lengthens

my $short = lease_server('short', $store, conf => "idgen.lease_prefix = 'short'\nidgen.lease_ttl = '1s'\nidgen.max_ahead = '200ms'\n", start => 1);
ok_status($short, "state = 'ok'", 'a TTL of 1 s: the server is ok');
my $record = $store->record(0, 'short');
cmp_ok($store->lease_left($record->{lease})->{grantedTTL}, '>', 1, 'a TTL of 1 s: etcd grants a longer one');
ok_renews($short, "a TTL of 1 s: renewal $_") foreach 1 .. 3;
is($store->record(0, 'short')->{fence}, $record->{fence}, 'a TTL of 1 s: the lease does not end');
$short->stop;

# --- a crash: the server's own worker id, at once, and there is no other. The TTL is so long that nobody waits it out.

my $conf = "idgen.lease_prefix = 'crash'\nidgen.max_workers = 1\nidgen.lease_ttl = '10min'\nidgen.lease_window = '20s'\n";
my $crashing = IdgenTest::Fleet->new;
my $only = lease_server('only', $store, conf => $conf, start => 1);
$crashing->add($only);
ok_status($only, "state = 'ok' AND worker_id = 0", 'crash: the server has the only worker id');
$crashing->ok_flows('crash: clients get ids', $only);
foreach my $turn (1 .. 3) {
    my $before = fence_of($only);
    ok(kill_postmaster($only), "crash, $turn: the postmaster is killed");
    $only->start;
    ok_status($only, "state = 'ok' AND worker_id = 0 AND lease_fence > $before", "crash, $turn: it has its own worker id again, under another fence");
    $crashing->ok_flows("crash, $turn: clients get ids", $only);
}
my $before = fence_of($only);
ok(kill_worker($only), 'crash: the worker is killed, and shared memory is lost');
ok_status($only, "state = 'ok' AND worker_id = 0 AND lease_fence > $before", 'crash: it has its own worker id again');
$crashing->ok_flows('crash: clients get ids', $only);

# A release that did not reach the store.
$crashing->retire($only);
$store->member(0)->pause;
$only->stop;
$store->member(0)->resume;
$only->start;
ok_status($only, "state = 'ok' AND worker_id = 0", 'a stop while etcd hangs: the restarted server has its worker id again');

# A copy of the data directory gets no worker id, and the original keeps its own.
$crashing->add($only);
$crashing->retire($only);
ok(kill_postmaster($only), 'copied: the original crashes');
my $copy = clone_of($only, 'copy');
$copy->start;
ok_status($copy, "state = 'waiting' AND worker_id IS NULL", 'copied: the copy does not take the lease over');
$only->start;
ok_status($only, "state = 'ok' AND worker_id = 0", 'copied: the original does');
is(status_of($copy)->{state}, 'waiting', 'copied: the copy still waits');
$crashing->add($only);
$crashing->ok_flows('copied: clients get ids from the original', $only);
$copy->stop;

# --- a store that went back in time

my $snapshot = PostgreSQL::Test::Utils::tempdir() . '/snapshot';
$store->save_snapshot($snapshot);
ok_renews($_, 'restored: ' . $_->name . ' renews after the snapshot') foreach $server, $only;
my %ceiling_of = (server => ceiling_of($server), only => ceiling_of($only));
my %fence_of = (server => fence_of($server), only => fence_of($only));
my $restored = log_position($only);
$store->restore_snapshot($snapshot);
# By its ceiling, if other servers' writes have made up for the revisions.
ok_status($_, "state = 'ok' AND lease_fence > " . $fence_of{ $_->name }, 'restored: ' . $_->name . ' notices, and leases its worker id again')
  foreach $server, $only;
ok_logged($only, qr/lost the lease of worker id 0: the store no longer has a record of it/, $restored, 'restored: the log tells of the loss');
cmp_ok($store->record(0)->{ceiling}, '>=', $ceiling_of{server}, 'restored: the ceiling of its worker id was made up for');
cmp_ok($store->record(0, 'crash')->{ceiling}, '>=', $ceiling_of{only}, 'restored: the ceiling of the other one, too');
$_->ok_flows('restored: clients get ids') foreach $fleet, $crashing;

# --- no space

$store->fill;
ok_status($server, "state = 'failing' AND last_error ~ 'space exceeded' AND advice ~ 'alarm disarm'", 'no space: the status tells, and what to do');
my $error = ok_out_of_ids($server, 'no space: ids end at the ceiling');
like($error, qr/HINT:  .*alarm disarm/, 'no space: the error tells what to do');
$store->make_room;
ok_status($_, "state = 'ok'", 'room again: ' . $_->name . ' is ok') foreach $server, $only;
$_->ok_flows('room again: clients get ids') foreach $fleet, $crashing;

# --- from etcd to a static worker id and back

change_settings($server, q(idgen.worker_source = 'static'), 'idgen.worker_id = 77');
ok_status($server, "state = 'ok' AND worker_id = 77 AND lease_fence IS NULL", 'a static worker id takes effect, and has no fence');
ok(wait_until { $store->count('/idgen:worker/static/0000077') == 1 }, 'it is announced to etcd');
ok(wait_until { $store->held == 0 }, 'the lease is released');
change_settings($server, q(idgen.worker_source = 'lease'));
ok_status($server, "state = 'ok' AND worker_id <> 77 AND lease_fence > 0", 'the worker id is leased again');
$fleet->ok_flows('leased again: clients get ids');

$fleet->check('leases that end');
$crashing->check('crashes');
$_->stop foreach $server, $only;
ok($store->held == 0 && $store->held('crash') == 0, 'after all servers have stopped every worker id is free');

done_testing();
