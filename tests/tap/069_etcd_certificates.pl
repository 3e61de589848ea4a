# Certificates of an etcd and of its clients that are wrong, have expired or are missing. The status says what is wrong, ids end at the
# ceiling, and the server goes on by itself when the files are right again: nobody reloads, let alone restarts it.
use strict;
use warnings;

use File::Copy qw(copy);
use IdgenTest;
use IdgenTest::EtcdLeases;
use IdgenTest::Fleet;
use IdgenTest::LeaseServer;
use IdgenTest::Tls;
use PostgreSQL::Test::Utils;
use Test::More;

IdgenTest::Etcd::skip_without_etcd();

# The files in use are copies, which the test replaces.
my $tls      = IdgenTest::Tls->new;
my $stranger = IdgenTest::Tls->new;
$tls->issue('expired',   days  => -1);
$tls->issue('elsewhere', names => 'DNS:elsewhere.example.com');
my %path = map { my $name = $_; map { ("$name.$_" => PostgreSQL::Test::Utils::tempdir() . "/$name.$_") } qw(crt key) } qw(store client);
$path{ca} = PostgreSQL::Test::Utils::tempdir() . '/ca.crt';

# Replaces the certificate and key of the store or of the client, and the certificate of the authority that the client trusts.
sub use_pair {
    my ($name, $cert, $key) = @_;
    copy($cert, $path{"$name.crt"}) && copy($key, $path{"$name.key"}) or die "could not copy: $!";
    chmod(0600, $path{"$name.key"});
    return;
}
sub trust { copy($_[0], $path{ca}) or die "could not copy: $!"; return }

sub mend {
    use_pair($_, $tls->cert, $tls->key) foreach qw(store client);
    return trust($tls->ca);
}
mend();

# What IdgenTest::Etcd asks of an IdgenTest::Tls.
sub IdgenTest::Replaced::ca   { return $tls->ca }
sub IdgenTest::Replaced::cert { return $path{'store.crt'} }
sub IdgenTest::Replaced::key  { return $path{'store.key'} }

my $etcd   = IdgenTest::EtcdLeases->new(tls => bless({}, 'IdgenTest::Replaced'), tls_clients => 1);
my @client = ("idgen.lease_tls_cert_file = '$path{'client.crt'}'", "idgen.lease_tls_key_file = '$path{'client.key'}'");
# A handshake takes long on a busy machine. What is wrong here does not show by a timeout.
my @patience = ("idgen.lease_connect_timeout = '10s'", "idgen.lease_timeout = '10s'");
my $server = lease_server('server', $etcd, start => 1, conf => join("\n", "idgen.lease_tls_ca_file = '$path{ca}'", @client, @patience) . "\n");
my $fleet  = IdgenTest::Fleet->new;
$fleet->add($server);
ok_status($server, "state = 'ok' AND last_error IS NULL", 'with a certificate of the authority the server gets a worker id');
$fleet->ok_flows('clients get ids');

# Makes a change, and the store end all connections, so that it takes effect.
sub ok_refused {
    my ($what, $pattern, $break) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $worker_id = worker_id_of($server);
    $etcd->kill9;
    $break->();
    $etcd->start;
    ok_status($server, "state = 'failing' AND last_error ~* '$pattern' AND advice ~ 'lease_tls'", "$what: the status says what is wrong, and what to do");
    note(status_in_words($server));
    my $error = ok_out_of_ids($server, "$what: ids end at the ceiling");
    like($error, qr/ERROR:  55000: could not issue an id: .*\nDETAIL:  .*\w.*\nHINT:  .*\w/, "$what: callers are told the reason");
    my $issued = $server->safe_psql('postgres', 'SELECT (extract(epoch FROM max(idgen_timestamp(id))) * 1000)::bigint FROM orders');
    cmp_ok($issued, '<', $etcd->record($worker_id)->{ceiling}, "$what: no id is beyond the ceiling in the store");
    return;
}

sub ok_again {
    my ($what, $mend) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $mend->();
    ok_status($server, "state = 'ok' AND renewal_failures = 0", "$what: the server is ok again by itself");
    return $fleet->ok_flows("$what: clients get ids again");
}

my $unloaded = 'could not load.*lease_tls_cert_file';
my $refused  = 'TLS: .*(certificate|unknown ca)';                  # in the words of OpenSSL's version
my $unknown  = 'not trusted|could not load the TLS authorities';    # a system without ca-certificates has none to load
foreach (
    [ 'the store has a certificate of another authority', 'not trusted', sub { use_pair('store', $stranger->cert, $stranger->key) } ],
    [ 'the store has a certificate that has expired', 'not trusted.*expired', sub { use_pair('store', $tls->cert('expired'), $tls->key('expired')) } ],
    [ 'the store has a certificate for another host', 'not trusted.*mismatch', sub { use_pair('store', $tls->cert('elsewhere'), $tls->key('elsewhere')) } ],
    [ 'the server trusts another authority', 'not trusted', sub { trust($stranger->ca) } ],
    [ 'the authority\'s certificate is missing', 'lease_tls_ca_file', sub { unlink($path{ca}) } ],
    [ 'the server has a certificate of another authority', $refused, sub { use_pair('client', $stranger->cert, $stranger->key) } ],
    [ 'the server has a certificate that has expired', $refused, sub { use_pair('client', $tls->cert('expired'), $tls->key('expired')) } ],
    [ 'the server\'s certificate is missing', $unloaded, sub { unlink($path{'client.crt'}) } ],
    [ 'the server\'s key is another one\'s', $unloaded, sub { use_pair('client', $tls->cert, $stranger->key) } ]) {
    my ($what, $pattern, $break) = @$_;
    ok_refused($what, $pattern, $break);
    ok_again($what, \&mend);
}

ok_refused('the server shows no certificate', $refused,
    sub { change_settings($server, "idgen.lease_tls_cert_file = ''", "idgen.lease_tls_key_file = ''") });
ok_again('the server shows a certificate', sub { change_settings($server, @client) });

# Wrong settings.
sub store_is { return "idgen.lease_store = '$_[0]'" }
foreach (
    [ 'TLS where none is spoken', 'TLS|SSL|protocol|closed|within', store_is('etcds://127.0.0.1:' . $etcd->member(0)->control_port) ],
    [ 'no TLS where it is spoken', 'closed|reset|protocol|HTTP|is not etcd', store_is('etcd://127.0.0.1:' . $etcd->port) ],
    [ 'no authority named, and one that nobody knows', $unknown, store_is($etcd->url), "idgen.lease_tls_ca_file = ''" ]) {
    my ($what, $pattern, @settings) = @$_;
    change_settings($server, @settings);
    ok_status($server, "state = 'failing' AND last_error ~* '$pattern' AND advice IS NOT NULL", "$what: the status says so");
}
ok_again('the right settings', sub { change_settings($server, "idgen.lease_tls_ca_file = '$path{ca}'") });

$fleet->check('certificates');
unlike(slurp_file($server->logfile), qr/terminated by signal|PANIC|TRAP/, 'no process crashed');
$_->stop foreach $server, $etcd;
done_testing();
