# Endpoints of two etcd clusters in one URL, and a cluster in place of another: a server does not lease a worker id from a
# cluster that is not the one of its last lease before one TTL has passed.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::EtcdLeases;
use IdgenTest::Faults;
use IdgenTest::Fleet;
use IdgenTest::LeaseServer;
use Test::More;

IdgenTest::Etcd::skip_without_etcd();
my ($one, $other) = map { IdgenTest::EtcdLeases->new } 1 .. 2;
isnt($one->cluster_id, $other->cluster_id, 'two clusters');
my %id_of = map { $_->port => sprintf('%x', $_->cluster_id) } $one, $other;
my ($id, $other_id) = @id_of{ $one->port, $other->port };

# Nobody waits for this TTL.
my $url    = $one->url(ports => [ $one->port, $other->port ]);
my $server = lease_server('server', $url, conf => "idgen.lease_ttl = '10min'\nidgen.lease_window = '20s'\n");
my $fleet  = IdgenTest::Fleet->new;
$other->stop;
$server->start;
$server->safe_psql('postgres', 'CREATE EXTENSION idgen');
$fleet->add($server);
ok_status($server, "state = 'ok'", 'a worker id from one cluster');
$other->start;
$fleet->ok_flows('clients get ids');

# --- the other one answers

my $ceiling  = ceiling_of($server);
my $position = log_position($server);
$one->stop;
ok_status($server, "state = 'waiting' AND worker_id IS NULL AND reason ~ 'cluster $other_id,.* cluster $id\\.' AND advice ~ 'members of one cluster'",
    'the other cluster answers: the status names both, and what to do');
ok_logged($server, qr/WARNING: .*idgen: another etcd cluster answers in place of the lease store/, $position, 'the log says so');
ok_logged($server, qr/DETAIL: .* cluster $other_id,.* cluster $id\./, $position, 'the log names both');
ok_logged($server, qr/lost the lease of worker id 0: another etcd cluster answers/, $position, 'the lease is given up');
ok(wait_until { ($other->record(0) // {})->{ceiling} }, 'the other cluster is told the ceiling');
cmp_ok($other->record(0)->{ceiling}, '>=', $ceiling, 'so that nobody starts below it');
is(scalar($other->held), 0, 'no worker id is leased from the other cluster');

# --- back

$position = log_position($server);
$other->stop;
$one->start;
ok_status($server, "state = 'ok'", 'the former cluster is back: a worker id at once');
ok_logged($server, qr/idgen: leasing worker ids from etcd cluster $id\b/, $position, 'the log says so');
$fleet->ok_flows('clients get ids again');

# --- after a crash the local file knows the cluster

$fleet->retire($server);
ok(kill_postmaster($server), 'the server is killed');
$one->stop;
$other->start;
$server->start;
ok_status($server, "state = 'waiting' AND reason ~ 'cluster $other_id,.* cluster $id\\.'", 'after a crash the other cluster is noticed, too');
is(scalar($other->held), 0, 'no worker id is leased from it');

# --- after one TTL: the cluster was replaced

change_settings($server, q(idgen.lease_ttl = '3s'), q(idgen.lease_window = '-1'));
ok_status($server, "state = 'ok' AND worker_id IS NOT NULL", 'after one TTL a worker id is leased from the other cluster');
is(scalar($other->held), 1, 'which has it');
$fleet->add($server);
$fleet->ok_flows('clients get ids');
ok_renews($server, 'and it is renewed');
$fleet->check('two clusters');
$server->stop;
is(scalar($other->held), 0, 'a stop releases it');
$other->stop;

done_testing();
