# Who may lease from an etcd: users, passwords that change, log-ins that expire. (069 has certificates.)
use strict;
use warnings;

use IdgenTest;
use IdgenTest::EtcdLeases;
use IdgenTest::Fleet;
use IdgenTest::LeaseServer;
use PostgreSQL::Test::Utils;
use Test::More;

IdgenTest::Etcd::skip_without_etcd();

# A log-in holds for so short a time that it expires again and again.
my $store = IdgenTest::EtcdLeases->new(auth_token_ttl => 1);
$store->add_user('idgen', 'secret', '/postgres/');
$store->enable_auth;
my $fleet  = IdgenTest::Fleet->new;
my $server = lease_server('server', $store->url(prefix => '/postgres'), conf => "idgen.lease_ttl = '30s'\n", start => 1);
ok_status($server, "state = 'failing' AND last_error ~ 'user name is empty|user'", 'without a user the store refuses');

my $password = PostgreSQL::Test::Utils::tempdir() . '/password';
append_to_file($password, "wrong\n");
chmod(0600, $password);
change_settings($server, q(idgen.lease_store = ') . $store->url(user => 'idgen', prefix => '/postgres') . q('), "idgen.lease_password_file = '$password'");
ok_status($server, "state = 'failing' AND last_error ~* 'password|authentication'", 'a wrong password is refused, and the status says so');
unlink($password);
append_to_file($password, "secret\n");
chmod(0600, $password);
ok_status($server, "state = 'ok'", 'the right password is read at the next log-in');
$fleet->add($server);
$fleet->ok_flows('clients get ids');
is(scalar($store->held('postgres/idgen:worker')), 1, 'the keys are under the path of the URL');

my $fence = status_of($server)->{lease_fence};
ok_renews($server, "log-ins expire: renewal $_") foreach 1 .. 4;
is(status_of($server)->{lease_fence}, $fence, 'log-ins expire: the lease is the same');
$store->change_password('idgen', 'another');
unlink($password);
append_to_file($password, "another\n");
chmod(0600, $password);
ok_renews($server, "the password changes: renewal $_") foreach 1, 2;
$fleet->ok_flows('clients get ids under changed passwords');

# A prefix that the user may not use.
my $outside = lease_server('outside', $store->url(user => 'idgen', prefix => '/other'), conf => "idgen.lease_password_file = '$password'\n", start => 1);
ok_status($outside, "state = 'failing' AND last_error ~ 'permission denied' AND advice ~ 'permission'", 'without permission: the status says what is missing');
my $grant = qr/HINT:  Grant the user's role in etcd read and write permission for all keys/;
like(slurp_file($outside->logfile), qr/LOG:  idgen: lease store failed: the store says: etcdserver: permission denied\n.*DETAIL:.*\n.*$grant/, 'the log says so, too');
like(error_of($outside, 'SELECT count(*) FROM idgen_workers()'), qr/55000: the lease store refused the request\n.*permission denied.*$grant/s, 'and so does a session that asks the lease store');
like(error_of($outside, q(SELECT idgen_sequence_next('key'))), qr/55000: the sequence store refused key "key"\n.*permission denied.*$grant/s, 'or takes a value of a sequence');
$outside->stop;
$fleet->check('users');
$server->stop;

done_testing();
