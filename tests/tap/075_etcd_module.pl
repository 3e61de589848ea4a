# The tests' own etcd does what the tests of idgen rely on: it can lose its leader and its quorum, forget, fill up, and ask for
# passwords and certificates.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Etcd;
use IdgenTest::Tls;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

IdgenTest::Etcd::skip_without_etcd();

# --- one member

my $options = [ '--quota-backend-bytes', 8 * 1024 * 1024 ];
my $etcd = IdgenTest::Etcd->new(options => $options);
is($etcd->url, 'etcd://127.0.0.1:' . $etcd->port, 'the URL names the port');
is($etcd->get('/a/1'), undef, 'a key that does not exist has no value');
$etcd->put("/a/$_", "value $_") foreach 1 .. 3;
$etcd->put('/b/1', '');
is($etcd->value('/a/2'), 'value 2', 'a key has the value that was put');
is($etcd->value('/b/1'), '', 'a value may be empty');
is($etcd->count('/a/'), 3, 'keys are counted by prefix');
is(join(' ', map { $_->{key} } $etcd->list('/a/')), '/a/1 /a/2 /a/3', 'keys are listed by prefix, sorted');
is($etcd->count(''), 4, 'the empty prefix means all keys');
cmp_ok($etcd->get('/a/3')->{mod_revision}, '<', $etcd->revision, 'a key has the revision of its last change');

$etcd->call('lease/grant', { ID => 4711, TTL => 60 });
$etcd->put('/a/2', 'leased', 4711);
is(join(' ', $etcd->leases), '4711', 'leases are listed');
is($etcd->lease_left(4711)->{grantedTTL}, 60, 'a lease has the TTL that was granted');
$etcd->revoke(4711);
is($etcd->count('/a/'), 2, 'a revoked lease takes its keys along');
$etcd->delete('/a/3');
$etcd->delete_prefix('/b/');
is(join(' ', map { $_->{key} } $etcd->list('')), '/a/1', 'keys are deleted, alone and by prefix');

my $before = $etcd->requests;
$etcd->put('/count', $_) foreach 1 .. 5;
my $after = $etcd->requests;
is($after->{Put} - ($before->{Put} // 0), 5, 'requests are counted by method');
is($after->{total} - $before->{total}, 5, 'counting them is not counted');

my $snapshot = PostgreSQL::Test::Utils::tempdir_short() . '/snapshot';
my $cluster_id = $etcd->cluster_id;
my $revision = $etcd->revision;
$etcd->save_snapshot($snapshot);
$etcd->put('/late', 1);
is($etcd->revision, $revision + 1, 'a change makes a new revision');
$etcd->restart;
is($etcd->value('/late'), 1, 'a kill loses nothing');
$etcd->restore_snapshot($snapshot);
is($etcd->value('/late'), undef, 'a restored snapshot lacks what was put after it');
is($etcd->revision, $revision, 'and its revision is that of the snapshot');
is($etcd->cluster_id, $cluster_id, 'the cluster keeps its id');
$etcd->restore_snapshot($snapshot, new_token => 1);
isnt($etcd->cluster_id, $cluster_id, 'or gets another');

$etcd->stop;
$etcd->member(0)->save_data("$snapshot.data");
$etcd->start;
$etcd->put('/late', 2);
$etcd->stop;
$etcd->member(0)->restore_data("$snapshot.data");
$etcd->start;
is($etcd->value('/late'), undef, 'a data directory that is copied back lacks what was put after the copy');

like($etcd->fill, qr/database space exceeded/, 'a store beyond its quota refuses to write');
is(($etcd->alarms)[0]{alarm}, 'NOSPACE', 'and raises the alarm');
$etcd->make_room;
is(scalar($etcd->alarms), 0, 'the alarm can be disarmed');
$etcd->put('/after', 1);
is($etcd->value('/after'), 1, 'after that it can be written again');
my ($status, $reply) = $etcd->try_call('kv/range', { key => 'Lw==', revision => $revision });
like($reply->{error}, qr/compacted/, 'the history was dropped');
$etcd->stop;

# --- three members

my $cluster = IdgenTest::Etcd->new(members => 3, options => [ '--snapshot-count', 20 ]);
is(scalar(split(/,/, $cluster->url)), 3, 'the URL of a cluster names all members');
my $leader = $cluster->leader;
$cluster->put('/a', 1);
$leader->kill9;
isnt($cluster->leader, $leader, 'another member leads after the leader was killed');
is($cluster->value('/a'), 1, 'and nothing is lost');
$leader->start;
is(scalar($cluster->working), 3, 'the killed member comes back');

$leader = $cluster->leader;
$leader->pause;
isnt($cluster->leader, $leader, 'another member leads while the leader is suspended');
$leader->resume;
isnt($cluster->leader, $leader, 'the former leader notices');

foreach my $pause (0, 1) {
    $cluster->lose_quorum(pause => $pause);
    ($status, $reply) = $cluster->try_call('kv/put', { key => 'YQ==', value => 'YQ==' });
    isnt($status, 200, 'without a quorum nothing is written: ' . ($reply->{error} // ''));
    $cluster->restore_quorum;
    $cluster->put('/b', $pause);
    is($cluster->value('/b'), $pause, 'it is written again when the quorum is back');
}

$cluster->put("/many/$_", $_) foreach 1 .. 50;
my ($follower) = $cluster->followers;
$cluster->replace_member($follower);
my ($code, $range) = $follower->post('kv/range', { key => 'L21hbnkv', range_end => 'L21hbnkw', count_only => \1, serializable => \1 });
is($range->{count}, 50, 'a member without data gets all of it from the leader');
$cluster->save_snapshot("$snapshot.cluster");
$cluster->put('/late', 1);
$cluster->restore_snapshot("$snapshot.cluster");
is($cluster->value('/late'), undef, 'a restored cluster lacks what was put after the snapshot');
is($cluster->count('/many/'), 50, 'and has what was put before it');
$cluster->kill9;

# --- users

my $guarded = IdgenTest::Etcd->new(auth_token_ttl => 2);
$guarded->add_user('idgen', 'secret', '/idgen/');
$guarded->enable_auth;
is($guarded->url(user => 'idgen', password => 'secret', prefix => '/idgen'),
    'etcd://idgen:secret@127.0.0.1:' . $guarded->port . '/idgen', 'the URL names the user and the prefix');
$guarded->put('/other/1', 1);
is($guarded->count(''), 1, 'the test itself is root');
my $login = sub { my ($password) = @_; return $guarded->member(0)->post('auth/authenticate', { name => 'idgen', password => $password }) };
($status, $reply) = $login->('wrong');
isnt($status, 200, 'a wrong password is refused');
($status, $reply) = $login->('secret');
is($status, 200, 'the right one is not');
my $token = $reply->{token};
($status) = $guarded->member(0)->post('kv/put', { key => 'L2lkZ2VuLzE=', value => 'MQ==' }, $token);
is($status, 200, 'the user may write below its prefix');
($status, $reply) = $guarded->member(0)->post('kv/range', { key => 'L290aGVyLzE=' }, $token);
like($reply->{error}, qr/permission denied/, 'and read nothing else');
ok( wait_until {
        ($status, $reply) = $guarded->member(0)->post('kv/range', { key => 'L2lkZ2VuLzE=' }, $token);
        sleep(3) if $status == 200;
        return $status != 200;
    },
    'a login that is not used expires');
like($reply->{error}, qr/invalid auth token/, 'etcd says so');
is($guarded->value('/idgen/1'), 1, 'the test logs in again');
$guarded->stop;

# --- certificates

my $tls = IdgenTest::Tls->new;
my $secure = IdgenTest::Etcd->new(tls => $tls, tls_clients => 1);
like($secure->url, qr/^etcds:/, 'the URL says that TLS is wanted');
$secure->put('/a', 1);
my $get = sub {
    my ($out, $error);
    my $ok = IPC::Run::run([ 'etcdctl', '--endpoints', 'https://127.0.0.1:' . $secure->port, '--dial-timeout', $_[0], '--command-timeout', $_[0], @_[ 1 .. $#_ ], 'get', '/a' ],
        '<', \'', '>', \$out, '2>', \$error);
    return $ok ? $out : "error: $error";
};
is($get->('60s', '--cacert', $tls->ca, '--cert', $tls->cert, '--key', $tls->key), "/a\n1\n", 'a client with a certificate is served');
like($get->('2s', '--cacert', $tls->ca), qr/^error/, 'a client without one is not');
$secure->stop;

done_testing();
