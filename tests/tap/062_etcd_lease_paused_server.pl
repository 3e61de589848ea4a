# Faults of servers that lease from etcd: the tests of 022, and clocks that are hours apart, which etcd does not mind.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Clock;
use IdgenTest::EtcdLeases;
use IdgenTest::Faults;
use IdgenTest::Fleet;
use IdgenTest::LeaseServer;
use Test::More;

IdgenTest::Etcd::skip_without_etcd();
subtest 'with etcd, the tests of 022' => sub {
    local $IdgenTest::LeaseServer::store_class = 'IdgenTest::EtcdLeases';
    do './tests/tap/022_lease_paused_server.pl';
    die $@ if $@;
};

# --- clocks hours apart: every server issues ids at its own time, and no id twice

my $store  = IdgenTest::EtcdLeases->new;
my %clock  = (ahead => IdgenTest::Clock->new(3 * 3600), behind => IdgenTest::Clock->new(-3 * 3600), true => IdgenTest::Clock->new);
my $clocks = IdgenTest::Fleet->new;
my %server = map { $_ => lease_server("clock_$_", $store, clock => $clock{$_}, conf => "idgen.max_workers = 3\n", start => 1) } sort keys %clock;
$clocks->add(values %server);
ok_status($server{$_}, "state = 'ok'", "clocks: $_ is ok") foreach sort keys %server;
$clocks->ok_flows('clocks: clients get ids everywhere');
my %hours = map {
    my $ahead_s = $server{$_}->safe_psql('postgres', 'SELECT extract(epoch FROM idgen_timestamp(idgen_next()))') - time();
    ($_ => sprintf('%.0f', $ahead_s / 3600));
} keys %server;
is("$hours{behind} $hours{true} $hours{ahead}", '-3 0 3', 'clocks: ids have the time of their server');

# The worker id of the server that is ahead can go to no other before its ceiling has been reached.
my $worker_id = worker_id_of($server{ahead});
$clocks->retire($server{ahead});
$server{ahead}->stop;
my $next = lease_server('next', $store, conf => "idgen.max_workers = 3\n", start => 1);
ok_status($next, "state = 'waiting' AND reason ~ 'ahead'", 'clocks: the worker id that is left is hours ahead, and the status says so');
$next->stop;
start_server($server{ahead});
ok_status($server{ahead}, "state = 'ok' AND worker_id = $worker_id", 'clocks: the server itself gets it again');
$clocks->add($server{ahead});
$clocks->ok_flows('clocks: clients get ids everywhere again');
$clocks->check('clocks hours apart');
$_->stop foreach values %server;

done_testing();
