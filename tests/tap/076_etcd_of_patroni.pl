# Leases and sequences in an etcd that others use as well: the user and the role of docs/etcd.md, made by the commands as they stand
# there, reach one prefix and nothing else. What a wrong password says, and how a password is changed.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Etcd;
use IdgenTest::LeaseServer;
use PostgreSQL::Test::Utils;
use Test::More;

IdgenTest::Etcd::skip_without_etcd();

my ($section) = slurp_file('docs/etcd.md') =~ /^### Prefix, user and role\n(.*?)^###/ms or die 'the commands are not in docs/etcd.md';
my ($commands) = $section =~ /```sh\n(.*?)```/s or die 'docs/etcd.md has no commands';
my ($prefix)   = $section =~ m{^idgen.lease_store = 'etcd://idgen\@[^/]+(/\w+)'}m or die 'docs/etcd.md has no URL';

my $etcd = IdgenTest::Etcd->new(auth_token_ttl => 2);
$etcd->put('/service/main/leader', 'db1');
$etcd->put('/idgenerator/1', 'somebody else');
$etcd->call('lease/grant', { ID => 4711, TTL => 3600 });
$etcd->put('/service/main/members/db1', '{}', 4711);
$etcd->enable_auth('root password');

my $directory = PostgreSQL::Test::Utils::tempdir_short();
my $password_file = "$directory/idgen.password";
sub write_password {
    my ($password) = @_;
    unlink($password_file);
    append_to_file($password_file, "$password\n");
    return;
}
write_password('secret');
is(scalar($commands =~ s{/etc/postgresql/idgen\.password}{$password_file}g), 1, 'the commands read the password file');
{
    local $ENV{ETCDCTL_ENDPOINTS} = '127.0.0.1:' . $etcd->port;
    local $ENV{ETCDCTL_USER} = 'root:root password';
    is(system('sh', '-e', '-c', $commands), 0, 'the commands of the documentation run');
}

# --- what the role reaches

my $member = $etcd->member(0);
my (undef, $login) = $member->post('auth/authenticate', { name => 'idgen', password => 'secret' });
my $token = $login->{token};
foreach my $key ('/service/main/leader', '/idgenerator/1', '/idgen') {
    my $body = { IdgenTest::Etcd::key_of($key) };
    my ($code, $reply) = $member->post('kv/range', $body, $token);
    like($reply->{error}, qr/permission denied/, "idgen's user may not read $key");
    ($code, $reply) = $member->post('kv/put', $body, $token);
    like($reply->{error}, qr/permission denied/, "idgen's user may not write $key");
}
my ($code, $reply) = $member->post('lease/revoke', { ID => 4711 }, $token);
like($reply->{error}, qr/permission denied/, "idgen's user may not revoke a lease that others' keys are bound to");

# --- servers

my $url = $etcd->url(user => 'idgen', prefix => $prefix);
my @servers = map { lease_server("server$_", $url, conf => "idgen.lease_password_file = '$password_file'\n", start => 1) } 1, 2;
wait_until_ok($_) foreach @servers;
isnt(worker_id_of($servers[0]), worker_id_of($servers[1]), 'two servers lease two worker ids');
wait_for_ids($servers[0]);
is($servers[0]->safe_psql('postgres', q(SELECT idgen_sequence_next('a'))), 1, 'the sequence store is the same etcd');
is($servers[1]->safe_psql('postgres', q(SELECT idgen_sequence_next('a'))), 2, 'for both servers');
cmp_ok($etcd->count("$prefix/"), '>=', 5, 'their keys are below the prefix');
is($etcd->count("$prefix/"), $etcd->count('') - 3, 'and nothing of theirs is elsewhere');
is($etcd->value('/service/main/leader'), 'db1', "Patroni's keys are as they were");

# --- another login while servers renew: the tokens live for two seconds

is($servers[0]->safe_psql('postgres', q(SELECT idgen_sequence_next('a'); SELECT pg_sleep(3); SELECT idgen_sequence_next('a'))), "3\n\n4",
    'a backend whose token expired logs in again');
ok_renews($_, 'leases are renewed after a token would have expired') foreach @servers;

# --- the password changes

write_password('another');
$etcd->change_password('idgen', 'another');
ok_renews($_, 'servers read the file again when their token is refused') foreach @servers;
is($servers[1]->safe_psql('postgres', q(SELECT idgen_sequence_next('a'))), 5, 'so do sessions');

write_password('xyzzy');
my $refused = lease_server('refused', $url, conf => "idgen.lease_password_file = '$password_file'\n", start => 1);
ok_status($refused, "last_error LIKE '%authentication failed%'", 'the status of a server with a wrong password says so');
unlike(status_in_words($refused), qr/xyzzy/, 'it does not show the password');
unlike(slurp_file($refused->logfile), qr/xyzzy/, 'nor does the log');
write_password('another');
wait_until_ok($refused, 'it gets a worker id when the file is right, without a reload');

# --- a user without the role

$etcd->call('auth/user/add', { name => 'stranger', password => 'another' });
change_settings($refused, "idgen.lease_store = '" . $etcd->url(user => 'stranger', prefix => $prefix) . "'");
ok_status($refused, "last_error LIKE '%permission denied%'", 'the status of a server whose user has no role says so');

$_->stop foreach @servers, $refused;
$etcd->stop;
done_testing();
