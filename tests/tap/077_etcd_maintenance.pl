# What docs/etcd.md tells an operator to do, done as it stands there, while servers with leases run: getting rid of the disk-space alarm,
# and restoring a snapshot in which worker ids belong to others than at the end. No id is issued twice.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::EtcdLeases;
use IdgenTest::Fleet;
use IdgenTest::LeaseServer;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

IdgenTest::Etcd::skip_without_etcd();

my ($chapter) = slurp_file('docs/etcd.md') =~ /^### Compaction, quota and defragmentation\n(.*?)^###/ms
  or die 'the commands are not in docs/etcd.md';
my (undef, $repair) = $chapter =~ /```sh\n(.*?)```/gs;

my $etcd = IdgenTest::EtcdLeases->new(options => [ '--quota-backend-bytes', 16 * 1024 * 1024 ]);
# A lease that outlasts a short stop of the machine.
my $conf = "idgen.max_workers = 3\nidgen.lease_ttl = '6s'\nidgen.lease_timeout = '5s'\n";
my ($first, $second, $third) = map { lease_server($_, $etcd->url(prefix => '/ids'), conf => $conf) } qw(first second third);
my @servers = ($first, $second, $third);
my $fleet = IdgenTest::Fleet->new;
foreach my $server (@servers) {
    $server->start;
    $fleet->add($server);
    ok_status($server, "state = 'ok'", $server->name . ': ok, and nobody had to declare the prefix new');
}
my %id_of = map { $_->name => worker_id_of($_) } @servers;
is(join(',', sort values %id_of), '0,1,2', 'three servers have three worker ids');
$fleet->ok_flows('clients get ids');

# The load on etcd is told rather than tested: on a busy machine replies are late, and requests repeated.
my ($began, $before, $revision) = (time, $etcd->requests, $etcd->revision);
wait_until { $etcd->revision >= $revision + 40 };
my $after = $etcd->requests;
my %sent = map { $_ => ($after->{$_} // 0) - ($before->{$_} // 0) } qw(Txn LeaseKeepAlive LeaseGrant Put Authenticate);
note(sprintf('three servers with a TTL of 3 s sent in %.1f s: %s', time - $began, join(', ', map { "$sent{$_} $_" } sort keys %sent)));
is($sent{LeaseGrant} + $sent{Put} + $sent{Authenticate}, 0, 'servers that have their worker ids send renewals and keep-alives only');

# --- the disk-space alarm

like($etcd->fill, qr/database space exceeded/, 'no space: etcd refuses to write');
ok_status($_, "state = 'failing' AND last_error ~ 'space exceeded' AND advice ~ 'alarm disarm'",
    'no space: the status of ' . $_->name . ' says so, and what to do') foreach @servers;
$etcd->delete_prefix('zz-filler/');
{
    local $ENV{ETCDCTL_API} = 3;
    local $ENV{ETCDCTL_ENDPOINTS} = '127.0.0.1:' . $etcd->port;
    is(system('sh', '-e', '-c', $repair), 0, 'no space: the commands of the documentation run');
}
is(scalar($etcd->alarms), 0, 'no space: the alarm is off');
ok_status($_, "state = 'ok'", 'there is space again: ' . $_->name . ' is ok') foreach @servers;
$fleet->ok_flows('there is space again: clients get ids');

# --- a snapshot, after which two servers exchange their worker ids

my $snapshot = PostgreSQL::Test::Utils::tempdir() . '/snapshot';
%id_of = map { $_->name => worker_id_of($_) } @servers;
$etcd->save_snapshot($snapshot);
$fleet->retire($second, $third);
$_->stop foreach $second, $third;
foreach my $server ($second, $third) {
    my $other = $server == $second ? $third : $second;
    $server->append_conf('postgresql.conf', "idgen.min_worker = $id_of{ $other->name }\nidgen.max_workers = " . ($id_of{ $other->name } + 1) . "\n");
    $server->start;
    ok_same_worker($server, $id_of{ $other->name }, 'after the snapshot ' . $server->name . ' leases the worker id that ' . $other->name . ' had');
}
$fleet->add($second, $third);
$fleet->ok_flows('clients get ids');

# The restored cluster is started when no server can have ids any more.
$etcd->kill9;
ok_out_of_ids($_, 'ids stop at the ceiling of ' . $_->name) foreach @servers;
$etcd->restore_snapshot($snapshot);
ok_status($_, "state = 'ok'", 'restored: ' . $_->name . ' gets a worker id') foreach @servers;
is(join(',', sort map { worker_id_of($_) } @servers), '0,1,2', 'restored: three servers have three worker ids');
$fleet->ok_flows('restored: clients get ids');

$fleet->check('etcd');
$_->stop foreach @servers, $etcd;
done_testing();
