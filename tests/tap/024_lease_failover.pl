# Failovers of Redis: Sentinel with and without the loss of acknowledged writes, a deposed master that does not know it, and
# Redis Cluster.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Faults;
use IdgenTest::Fleet;
use IdgenTest::LeaseServer;
use IdgenTest::RedisCluster;
use IdgenTest::Sentinel;
use Test::More;

# A lease long enough that a failover falls into its life.
my $ttl = "idgen.lease_ttl = '9s'\n";

# --- Sentinel

my $sentinel = IdgenTest::Sentinel->new;
my $conf     = "${ttl}idgen.max_workers = 3\n";
my ($first, $second, $third, $fourth) = map { lease_server("sentinel_$_", $sentinel, conf => $conf) } qw(first second third fourth);
my $fleet = IdgenTest::Fleet->new;
$_->start foreach $first, $second;
$fleet->add($first, $second);
declare_new($first);
ok_status($_, "state = 'ok'", 'Sentinel: ' . $_->name . ': the state becomes ok') foreach $first, $second;
my %id_of = map { $_->name => worker_id_of($_) } $first, $second;
$fleet->ok_flows('Sentinel: clients get ids');
like(status_of($first)->{lease_holder} // '', qr/\S/, 'Sentinel: the status names the holder');

sub ok_as_before {
    my ($name, @nodes) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    foreach my $node (@nodes) {
        ok_renews($node, "$name: " . $node->name . ' renews');
        ok_same_worker($node, $id_of{ $node->name }, "$name: " . $node->name . ': ok with the same worker id');
    }
    $fleet->ok_flows("$name: clients get ids", @nodes);
    return;
}

my $old = $sentinel->master;
ok($sentinel->fail_over, 'Sentinel: another master takes over');
ok_as_before('a new master', $first, $second);
isnt($sentinel->master, $old, 'a failover: the master is another one');
ok(wait_until { my %info = $old->info('replication'); $info{role} eq 'slave' }, 'a failover: the old master follows it');

# The first sentinel in the servers' URL is down.
($sentinel->sentinels)[0]->stop;
ok($sentinel->wait_until_whole, 'one sentinel less');
ok_as_before('one Sentinel less', $first, $second);
$old = $sentinel->master;
$old->kill9;
ok($sentinel->wait_for_master_after($old), 'the master dies: another one takes over');
ok_as_before('the master died', $first, $second);
($sentinel->sentinels)[0]->start;
$old->start;
ok($sentinel->wait_until_whole, 'Sentinel is complete again');
ok( wait_until { my %info = $sentinel->master->info('replication'); ($info{connected_slaves} // 0) == 2 }, 'with two replicas');

# The third server's lease is acknowledged, but reaches no replica. The server is suspended, so that it cannot claim it again, and
# its worker id is the only one left: the fourth server must get it, in time.
my @replicas = $sentinel->cut_off_replicas;
$old = $sentinel->master;
$third->start;
$fleet->add($third);
ok_status($third, "state = 'ok' AND worker_id = 2", 'a lost write: a third server gets a worker id')
  or diag('a quarantine that began at the last failover may not be over');
$fleet->ok_flows('a lost write: clients get ids from it', $third);
ok(pause_server($third), 'a lost write: the third server is suspended');
my $promised = $old->record(2)->{ceiling};
$old->kill9;
$_->resume foreach @replicas;
ok($sentinel->wait_for_master_after($old), 'a lost write: another master takes over');
ok(!defined $sentinel->master->record(2), 'a lost write: the new master does not know the third server');
ok_as_before('a lost write', $first, $second);
$fourth->start;
$fleet->add($fourth);
ok_status($fourth, "state = 'ok' AND worker_id = 2", 'a lost write: a fourth server gets its worker id');
$fleet->ok_flows('a lost write: clients get ids from it', $fourth);
ok_ids_after($fourth, $promised, 'a lost write: ids of the fourth server are above the ceiling of the third');
# Two masters would be a split brain, against which no rule helps but idgen.redis_replicas, below.
is(scalar($sentinel->masters), 1, 'a lost write: Sentinel has made only one master') or diag($sentinel->events);
resume_server($third);
ok_status($third, "state = 'waiting'", 'a lost write: the resumed server has no worker id');
$fleet->ok_flows('a lost write: clients get ids from the others', $first, $second, $fourth);
$fleet->retire($fourth);
$fourth->stop;
ok_status($third, "state = 'ok' AND worker_id = 2", 'a lost write: it gets a worker id when one is free');
$fleet->check('Sentinel');
$_->stop foreach $first, $second, $third;
$_->stop foreach $sentinel->redis, $sentinel->sentinels;

# --- a split brain: the old master still answers the server that knows its address

# A master that does not learn that it was deposed.
my $deaf = qq(rename-command REPLICAOF ""\nrename-command SLAVEOF ""\n);

# Without idgen.redis_replicas only luck, or min-replicas-to-write, keeps others from getting the worker id that the server on
# the wrong side still uses. Servers that have a worker id keep it.
{
    my $split = IdgenTest::Sentinel->new(master_conf => $deaf);
    my $old   = $split->master;
    my $wrong = lease_server('wrong_side', $old->url, conf => $ttl);
    my $right = lease_server('right_side', $split, conf => $ttl);
    my $fleet = IdgenTest::Fleet->new;
    $wrong->start;
    $fleet->add($wrong);
    declare_new($wrong);
    $right->start;
    $fleet->add($right);
    ok_status($_, "state = 'ok'", 'split: ' . $_->name . ': the state becomes ok') foreach $wrong, $right;
    $fleet->ok_flows('split: clients get ids');
    my %id_of = map { $_->name => worker_id_of($_) } $wrong, $right;
    ok($split->fail_over, 'split: a new master takes over');
    my %info = $old->info('replication');
    is($info{role}, 'master', 'split: the old master still considers itself master');
    $old->cli('CLIENT', 'KILL', 'TYPE', 'normal');    # a server that looks for the master now finds the new one
    ok(wait_until { scalar($split->master->held) == 2 && $split->master->record($id_of{right_side})->{expiry} > $old->record($id_of{right_side})->{expiry} },
        'split: one server follows the new master');
    ok(wait_until { $old->record($id_of{wrong_side})->{expiry} > $split->master->record($id_of{wrong_side})->{expiry} },
        'split: the other server follows the old one');
    foreach ($wrong, $right) {
        ok_renews($_, 'split: both renew, ' . $_->name);
        ok_same_worker($_, $id_of{ $_->name }, 'split: same worker id, ' . $_->name);
    }
    $fleet->ok_flows('split: clients get ids on both sides');
    $fleet->check('split without replicas');
    $_->stop foreach $wrong, $right, $split->redis, $split->sentinels;
}

# With it, the server on the wrong side stops at its ceiling, and only after that its worker id, the only one left, goes to a new
# server on the right side.
{
    my $split    = IdgenTest::Sentinel->new(master_conf => $deaf);
    my $old      = $split->master;
    my $conf     = "${ttl}idgen.max_workers = 2\nidgen.redis_replicas = 1\nidgen.lease_timeout = '2s'\n";
    my $wrong    = lease_server('replicas_wrong_side', $old->url, conf => $conf);
    my $right    = lease_server('replicas_right_side', $split, conf => $conf);
    my $newcomer = lease_server('replicas_newcomer', $split, conf => $conf);
    my $fleet    = IdgenTest::Fleet->new;
    $wrong->start;
    $fleet->add($wrong);
    declare_new($wrong);
    ok_status($wrong, "state = 'ok' AND worker_id = 0", 'split with replicas: one server has the first worker id');
    $right->start;
    $fleet->add($right);
    ok_status($right, "state = 'ok' AND worker_id = 1", 'split with replicas: the other server has the second one');
    $fleet->ok_flows('split with replicas: clients get ids');
    ok($split->fail_over, 'split with replicas: a new master takes over');
    my %info = $old->info('replication');
    is($info{role}, 'master', 'split with replicas: the old master still considers itself master');
    my $error = ok_out_of_ids($wrong, 'split with replicas: on the wrong side ids end at the ceiling');
    like($error, qr/ERROR:  55000: could not issue an id: /, 'split with replicas: idgen_next() fails with the reason');
    ok_status($wrong, "concat(reason, last_error) ~ 'replica'", 'split with replicas: the status gives the reason');
    ok_renews($right, 'split with replicas: on the right side renewals count');
    $fleet->ok_flows('split with replicas: clients get ids from the right side', $right);
    $newcomer->start;
    $fleet->add($newcomer);
    ok_status($newcomer, "state = 'ok' AND worker_id = 0", 'split with replicas: a new server gets the worker id');
    $fleet->ok_flows('split with replicas: and issues', $newcomer, $right);
    ok_ids_after($newcomer, ceiling_of($wrong), 'split with replicas: its ids are above the ceiling on the wrong side');
    ok_out_of_ids($wrong, 'split with replicas: no ids are issued on the wrong side');
    # The server on the wrong side is told where the master is.
    change_settings($wrong, "idgen.lease_store = '" . $split->url . "'", 'idgen.max_workers = 3');
    change_settings($_, 'idgen.max_workers = 3') foreach $right, $newcomer;
    # The new range makes all servers acquire a worker id again, in any order.
    ok( wait_until {
            my @status = map { status_of($_) } $wrong, $right, $newcomer;
            return join(' ', sort map { ($_->{state} // '') . ($_->{worker_id} // '') } @status) eq 'ok0 ok1 ok2';
        },
        'split with replicas: each server on the right side has a worker id of its own');
    $fleet->ok_flows('split with replicas: clients get ids everywhere');
    $fleet->check('split with replicas');
    $_->stop foreach $wrong, $right, $newcomer, $split->redis, $split->sentinels;
}

# --- Redis Cluster

my $key     = 'idgen:worker';
my $cluster = IdgenTest::RedisCluster->new;
# The servers know two nodes that do not own the slot, so the first reply is MOVED.
my $owner  = $cluster->owner($key);
my @others = grep { $_ != $owner } ($cluster->nodes)[ 0 .. 2 ];
($first, $second) = map { lease_server("cluster_$_", $cluster->url(nodes => \@others), conf => $ttl) } qw(first second);
$fleet = IdgenTest::Fleet->new;
$_->start foreach $first, $second;
$fleet->add($first, $second);
declare_new($first);
ok_status($_, "state = 'ok'", 'Cluster: ' . $_->name . ': the state becomes ok') foreach $first, $second;
%id_of = map { $_->name => worker_id_of($_) } $first, $second;
$fleet->ok_flows('Cluster: clients get ids');
is(scalar($owner->held), 2, 'Cluster: the records are on the node that owns the slot');
is(scalar(worker_rows($second)), 2, 'Cluster: idgen_workers() finds them there');

ok($cluster->fail_over($key), 'Cluster: a replica takes over');
like($owner->try_cli('HKEYS', $key), qr/MOVED/, 'Cluster: the old owner replies MOVED');
ok_as_before('Cluster, MOVED', $first, $second);

ok($cluster->wait_until_whole, 'Cluster: whole');
my $to = $cluster->move_slot($key, sub {
    my ($from) = @_;
    like($from->try_cli('HKEYS', $key), qr/ASK/, 'Cluster: the slot is being moved, the owner replies ASK');
    ok_as_before('Cluster, ASK', $first, $second);
});
ok(wait_until { ($cluster->owner($key) // 0) == $to }, 'Cluster: the slot has moved');
ok_as_before('Cluster, moved', $first, $second);

ok( wait_until { my $replica = $cluster->replica_of($to); $replica && $replica->try_cli('DBSIZE') eq '1' }, 'Cluster: the new owner has a replica');
$to->kill9;
ok($cluster->wait_for_owner_after($key, $to), 'Cluster: the owner dies, its replica takes over');
ok_as_before('Cluster, a dead owner', $first, $second);
is(scalar($cluster->owner($key)->held), 2, 'Cluster: the new owner has the records');
$to->start;
ok_as_before('Cluster, the dead one is back', $first, $second);
$fleet->check('Cluster');
$_->stop foreach $first, $second;

done_testing();
