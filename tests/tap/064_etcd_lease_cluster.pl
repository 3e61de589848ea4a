# Leases from an etcd of three members: the leader is lost, the quorum is lost and restored, a member is replaced.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::EtcdLeases;
use IdgenTest::Faults;
use IdgenTest::Fleet;
use IdgenTest::LeaseServer;
use Test::More;

IdgenTest::Etcd::skip_without_etcd();
my $store = IdgenTest::EtcdLeases->new(members => 3);
# A window that outlasts an election of a busy machine, and room for a worker that is late.
my $conf    = "idgen.lease_ttl = '45s'\nidgen.max_ahead = '15s'\n";
my @servers = map { lease_server("server$_", $store, conf => $conf, start => 1) } 1, 2;
ok_status($_, "state = 'ok'", $_->name . ': the state becomes ok') foreach @servers;
is(join(',', sort map { worker_id_of($_) } @servers), '0,1', 'the servers have different worker ids');
# Until the quorum is lost nobody waits for an id: these clients get an error at once if there is none, and an error fails the test.
my $fleet = IdgenTest::Fleet->new(conninfo => q(options='-c idgen.max_wait=0'));
$fleet->add(@servers);
my %fence_of = map { $_->name => status_of($_)->{lease_fence} } @servers;

sub ok_same_leases {
    my ($name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    foreach my $server (@servers) {
        ok_renews($server, "$name: " . $server->name . ' renews');
        is(status_of($server)->{lease_fence}, $fence_of{ $server->name }, "$name: " . $server->name . ' has the same lease');
    }
    $fleet->ok_flows("$name: clients get ids");
    return;
}

my $leader = $store->leader;
$leader->kill9;
ok_same_leases('the leader is killed');
$leader->start;
$leader = $store->leader;
$leader->pause;
ok_same_leases('the leader hangs');
$leader->resume;
ok_same_leases('the former leader is back');

# A server that starts while one member is missing.
my ($follower) = $store->followers;
$follower->kill9;
my $late = lease_server('late', $store, start => 1);
ok_status($late, "state = 'ok'", 'a member is down: a new server gets a worker id');
$fleet->ok_flows('a member is down: clients get ids');
$follower->start;

# A leader that hands over before it stops.
$leader = $store->leader;
$leader->stop;
ok_same_leases('the leader is stopped');
$leader->start;

# A member whose data is lost.
$store->replace_member(($store->followers)[0]);
ok_same_leases('a member is replaced');
$fleet->retire;    # no client got an error

# --- no quorum: ids flow up to the ceiling, and end there

$fleet = IdgenTest::Fleet->new(ledger => $fleet->ledger);
$fleet->add(@servers, $late);
$fleet->ok_flows('clients get ids');
$store->lose_quorum(pause => 1);
ok_out_of_ids($late, 'no quorum: ids end at the ceiling');
ok_status($late, "state = 'failing' AND last_error IS NOT NULL AND advice IS NOT NULL", 'no quorum: the status tells');
ok(kill_postmaster($servers[1]), 'no quorum: a server crashes');
$servers[1]->start;
is($servers[1]->safe_psql('postgres', 'SELECT 1'), 1, 'no quorum: it starts');
isnt(status_of($servers[1])->{state}, 'ok', 'no quorum: it has no worker id yet');
$store->restore_quorum;
ok_status($_, "state = 'ok'", 'a quorum again: ' . $_->name . ' is ok') foreach @servers, $late;
$fleet->ok_flows('a quorum again: clients get ids');

$fleet->check('an etcd of three members');
$_->stop foreach @servers, $late;

done_testing();
