# Etcds that cannot be used: wrong address, password or certificate, or not etcd at all. idgen_status() says what is wrong, the
# server continues, and a reload with the right settings is enough. Nobody sees a password. (023 is the same for Redis.)
use strict;
use warnings;

use IdgenTest;
use IdgenTest::EtcdLeases;
use IdgenTest::Fleet;
use IdgenTest::LeaseServer;
use IdgenTest::NotRedis;
use IdgenTest::Tls;
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use Test::More;

IdgenTest::Etcd::skip_without_etcd();
my $password = 'p@ss:w/rd%25+geheim';
my $encoded  = 'p%40ss%3Aw%2Frd%2525%2Bgeheim';
my @secrets  = ($password, $encoded, 'wrongpw1', 'rotatedpw1', 'malformedpw1');
my $store    = IdgenTest::EtcdLeases->new;
$store->add_user('idgen', $password, '/idgen:');
$store->enable_auth;
my $good = $store->url(user => 'idgen', password => $encoded);

my $node  = lease_server('bad_store', $good, conf => "log_min_messages = debug1\n", start => 1);
my $fleet = IdgenTest::Fleet->new;
$fleet->add($node);
ok_status($node, "state = 'ok'", 'a password that contains every character with a meaning in URLs');
$fleet->ok_flows('clients get ids');
my $begun_at = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');
my $nowhere  = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') // die;
my $closed   = $nowhere->sockport;    # nobody listens there once this socket is closed
close($nowhere);

sub store_is { return "idgen.lease_store = '$_[0]'" }

# Uses these settings, and waits until the status matches the pattern.
sub ok_bad {
    my ($name, $pattern, @settings) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    change_settings($node, @settings);
    ok_status($node, "state IN ('failing', 'refused') AND coalesce(reason, '') || ' ' || coalesce(last_error, '') ~* '$pattern' AND advice IS NOT NULL", "$name: the status gives the reason");
    note(status_in_words($node));
    return;
}

sub ok_good {
    my ($name, @settings) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    change_settings($node, @settings);
    ok_status($node, "state = 'ok'", "$name: the server is ok");
    $fleet->ok_flows("$name: clients get ids");
    return;
}

# --- authentication

ok_bad('the wrong password', 'password|authentication', store_is($store->url(user => 'idgen', password => 'wrongpw1')));
my $error = ok_out_of_ids($node, 'the wrong password: ids end at the ceiling');
like($error, qr/ERROR:  55000: could not issue an id: .*\nDETAIL:  .*\w.*\nHINT:  .*\w/, 'the wrong password: idgen_next() fails with reason, detail and hint');
ok_bad('no user', 'requires a user and a password: set them in "idgen.lease_store"', store_is($store->url));
ok_good('the right password', store_is($good));
ok_bad('keys that the user may not use', 'permission denied', "idgen.lease_prefix = 'other'");
ok_good('keys that it may use', "idgen.lease_prefix = 'idgen:worker'");

my $file = $node->basedir . '/password';
append_to_file($file, "$password\n");
chmod(0600, $file);
ok_good('a password file', store_is($store->url(user => 'idgen')), "idgen.lease_password_file = '$file'");
ok_bad('a password file that is not there', 'password', "idgen.lease_password_file = '$file.none'");
ok_good('the right file again', "idgen.lease_password_file = '$file'");
ok_good('back to the URL', store_is($good), "idgen.lease_password_file = ''");

# --- the address

ok_bad('a closed port', 'refused', store_is("etcd://127.0.0.1:$closed"));
ok_bad('a host name that is none', 'resolve|not known|name', store_is('etcd://no-such-host.invalid'));
ok_good('one of two hosts is away', store_is("etcd://idgen:$encoded\@127.0.0.1:$closed,127.0.0.1:" . $store->port));
ok_good('the right place', store_is($good));

# --- the server behind the address

sub memory_of_worker {
    my ($peak) = slurp_file('/proc/' . pid_of_worker($node) . '/status') =~ /VmHWM:\s+(\d+) kB/;
    return $peak;
}

foreach my $kind (qw(http ssh garbage huge line bulk close silence)) {
    my $fake = IdgenTest::NotRedis->new($kind);
    ok_bad("not etcd ($kind)", 'etcd|HTTP|protocol|closed|reset|reply|within|too large', store_is('etcd://127.0.0.1:' . $fake->port));
    ok($fake->wait_for_connections(2), "not etcd ($kind): the server tries again");
    cmp_ok(memory_of_worker(), '<', 200_000, "not etcd ($kind): the worker's memory stays small");
    $fake->stop;
}
ok_good('an etcd', store_is($good));

# --- TLS

my %tls = (
    right     => IdgenTest::Tls->new,
    expired   => IdgenTest::Tls->new(days => -1),
    elsewhere => IdgenTest::Tls->new(names => 'DNS:elsewhere.example'));
my %secure = map { $_ => IdgenTest::EtcdLeases->new(tls => $tls{$_}) } keys %tls;
ok_bad('a CA that did not make the certificate', 'certificate', store_is($secure{right}->url), "idgen.lease_tls_ca_file = '" . $tls{elsewhere}->ca . "'");
ok_bad('no CA named, and a CA that nobody knows', 'certificate', "idgen.lease_tls_ca_file = ''");
ok_bad('a CA file that is not there', 'lease_tls_ca_file|No such file', "idgen.lease_tls_ca_file = '/nonexistent/ca.crt'");
ok_bad('a certificate that has expired', 'certificate.*expired', store_is($secure{expired}->url), "idgen.lease_tls_ca_file = '" . $tls{expired}->ca . "'");
ok_bad('a certificate for another name', 'certificate|name|match', store_is($secure{elsewhere}->url), "idgen.lease_tls_ca_file = '" . $tls{elsewhere}->ca . "'");
ok_bad('TLS where none is spoken', 'TLS|SSL|protocol|closed|within', store_is('etcds://127.0.0.1:' . $store->port));
ok_bad('no TLS where it is spoken', 'closed|reset|protocol|etcd|HTTP', store_is('etcd://127.0.0.1:' . $secure{right}->port));
$_->stop foreach values %secure;
ok_good('in the end', store_is($good), "idgen.lease_tls_ca_file = ''");

# --- invalid settings: the previous ones stay in effect

my $position = log_position($node);
change_settings($node, store_is('etcd://idgen:malformedpw1@127.0.0.1:99999'));
ok_logged($node, qr/idgen\.lease_store/, $position, 'an invalid port: the log says so');
ok_status($node, "state = 'ok'", 'an invalid URL: the previous one stays in effect');
$fleet->ok_flows('an invalid URL: clients get ids');
change_settings($node, store_is($good));

# --- nobody sees a password

sub ok_secret {
    my ($text, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @seen = grep { index($text, $_) >= 0 } @secrets;
    return is("@seen", '', $name);
}

ok_secret($node->safe_psql('postgres', 'SHOW idgen.lease_store'), 'SHOW does not show a password to a superuser');
ok_secret($node->safe_psql('postgres', "SELECT setting FROM pg_settings WHERE name LIKE 'idgen.%'"), 'pg_settings does not show a password');
ok_secret($node->safe_psql('postgres', 'SELECT row_to_json(s) FROM idgen_status() s'), 'the status does not show a password');
ok_secret(slurp_file('/proc/' . pid_of_worker($node) . '/cmdline'), 'ps does not show a password');

$fleet->check('unusable etcds');
is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $begun_at, 'the server never restarted');
$node->stop;
my $log = slurp_file($node->logfile);
ok_secret($log, 'the log has no password, whatever was reloaded');
unlike($log, qr/terminated by signal|PANIC|crash of another server process/, 'no process crashed');

done_testing();
