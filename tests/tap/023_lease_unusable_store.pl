# Stores that cannot be used: wrong address, password or certificate, or no store at all. idgen_status() says what is wrong, the
# server continues, and a reload with the right settings is enough. Nobody sees a password.
#
# 066 runs this file with etcd, without what is Redis' own. Certificates of an etcd are in 069.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Fleet;
use IdgenTest::LeaseServer;
use IdgenTest::NotRedis;
use IdgenTest::Redis;
use IdgenTest::Tls;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $password = 'p@ss:w/rd%25+geheim';
my $encoded  = 'p%40ss%3Aw%2Frd%2525%2Bgeheim';
my $tls      = IdgenTest::Tls->new;
my $store    = lease_store(
    password => $password,
    tls      => $IdgenTest::LeaseServer::store_class eq 'IdgenTest::Redis' ? $tls : undef,
    acl      => [
        'user worker on >workerpw1 ~idgen:* +@all -@dangerous +info',
        'user nobody on >nobodypw1 ~idgen:* +ping',
        'user elsewhere on >elsewherepw1 ~other:* +@all',
    ]);
my $redis = $store->isa('IdgenTest::Redis');
my @user  = $redis ? () : (user => 'idgen');    # etcd knows no password without a user
if (!$redis) {
    $store->add_user('idgen', $password, '/idgen:');
    $store->add_user('worker', 'workerpw1', '/idgen:');
    $store->add_user('elsewhere', 'elsewherepw1', '/other:');
    $store->enable_auth;
}
my @secrets = ($password, $encoded, qw(workerpw1 nobodypw1 elsewherepw1));
my $good    = $store->url(@user, password => $encoded);
my $scheme  = $redis ? 'redis' : 'etcd';

my $node  = lease_server('bad_store', $good, conf => "log_min_messages = debug1\n");
my $fleet = IdgenTest::Fleet->new;
$node->start;
$fleet->add($node);
declare_new($node);
ok_status($node, "state = 'ok'", 'a password that contains every character with a meaning in URLs');
$fleet->ok_flows('clients get ids');
my $begun_at = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');
my $closed   = PostgreSQL::Test::Cluster::get_free_port();    # nobody listens there

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

my $wrong = $redis ? 'WRONGPASS|invalid.*password' : 'authentication failed|invalid user';
ok_bad('the wrong password', $wrong, store_is($store->url(@user, password => 'wrongpw1')));
push(@secrets, 'wrongpw1');
my $error = ok_out_of_ids($node, 'the wrong password: ids end at the ceiling');
like($error, qr/ERROR:  55000: could not issue an id: /, 'the wrong password: idgen_next() fails with the reason');
like($error, qr/DETAIL:  .*\w/, 'the wrong password: the error has a detail');
like($error, qr/HINT:  .*\w/,   'the wrong password: the error has a hint');
ok_bad('no password', $redis ? 'requires a password.*lease_store.*lease_password_file' : 'requires a user and a password: set them in "idgen.lease_store"', store_is($store->url));
ok_good('the right password', store_is($good));
ok_bad('a user without the right', 'NOPERM|permission', store_is($store->url(user => 'nobody', password => 'nobodypw1'))) if $redis;
ok_bad('a user for other keys', 'NOPERM|permission', store_is($store->url(user => 'elsewhere', password => 'elsewherepw1')));
ok_bad('a user that is none', $wrong, store_is($store->url(user => 'ghost', password => 'workerpw1')));
ok_good('a user with just what is needed', store_is($store->url(user => 'worker', password => 'workerpw1')));

# --- a file with the password

my $file = $node->basedir . '/password';
append_to_file($file, "$password\n");
chmod(0600, $file);
ok_good('a password file', store_is($store->url(@user)), "idgen.lease_password_file = '$file'");
ok_bad('a password file that is not there', 'password', "idgen.lease_password_file = '$file.none'");
append_to_file("$file.wrong", "wrongpw1\n");
ok_bad('a password file with the wrong password', $wrong, "idgen.lease_password_file = '$file.wrong'");
ok_good('the right file again', "idgen.lease_password_file = '$file'");

# The password is changed in the store and in the file, but no setting is. Log-ins from before end.
sub change_password {
    my ($to) = @_;
    return $store->change_password('idgen', $to) if !$redis;
    $store->cli('CONFIG', 'SET', 'requirepass', $to);
    $store->{password} = $to;
    return $store->cli('CLIENT', 'KILL', 'TYPE', 'normal');
}
unlink($file);
append_to_file($file, "rotatedpw1\n");
push(@secrets, 'rotatedpw1');
change_password('rotatedpw1');
ok_renews($node, 'a rotated password: the file is read again');
change_password($password);
ok_good('back to the URL', store_is($good), "idgen.lease_password_file = ''");

# --- the address

my $login = ($redis ? '' : 'idgen') . ":$encoded\@";
ok_bad('a closed port', 'refused', store_is("$scheme://127.0.0.1:$closed"));
ok_bad('a host name that is none', 'resolve|not known|name', store_is("$scheme://no-such-host.invalid"));
ok_good('one of two hosts is away', store_is("$scheme://${login}127.0.0.1:$closed,127.0.0.1:" . $store->port));
if ($redis) {
    ok_bad('a socket that is not there', 'No such file', store_is('unix:///nonexistent/redis.sock'));
    ok_bad('a database that is none', 'DB index|out of range', store_is($store->url(password => $encoded, db => 99)));
    ok_bad('a Sentinel that is none', 'sentinel', store_is('redis+sentinel://127.0.0.1:' . IdgenTest::Redis->new->port . '/mymaster'));
    ok_good('the right place', store_is($good));
}
change_settings($node, store_is(''));
ok_status($node, "concat(reason, advice, last_error) ~ 'lease_store'", 'no store: the status says so');
ok_good('no store: the lease lasts until its ceiling');
ok_good('a store again', store_is($good));

# --- the server behind the address

sub memory_of_worker {
    my ($peak) = slurp_file('/proc/' . pid_of_worker($node) . '/status') =~ /VmHWM:\s+(\d+) kB/;
    return $peak;
}

my %pattern = $redis ? (
    (map { $_ => 'protocol|not.*Redis|closed' } qw(http ssh garbage huge nested)),
    line    => 'protocol|no reply',
    bulk    => 'protocol|not.*Redis|too large|no reply|no answer|within',
    close   => 'closed|reset',
    silence => 'no reply|no answer|within|time',
) : (
    (map { $_ => 'etcd|HTTP|protocol|closed|reset|reply|within|too large' } qw(http ssh garbage huge line bulk)),
    close   => 'closed|reset',
    silence => 'no reply|no answer|within|time',
);
foreach my $kind (sort keys %pattern) {
    my $fake = IdgenTest::NotRedis->new($kind);
    ok_bad("no store ($kind)", $pattern{$kind}, store_is($fake->url($store)));
    ok($fake->wait_for_connections(2), "no store ($kind): the server tries again");
    cmp_ok(memory_of_worker(), '<', 200_000, "no store ($kind): the worker's memory stays small");
    $fake->stop;
}
ok_good('a store again', store_is($good));
redis_itself() if $redis;

# --- what only a Redis has

sub redis_itself {
    my $replica = IdgenTest::Redis->new(conf => 'replicaof 127.0.0.1 ' . $store->port . "\nmasterauth \"$password\"\n");
    ok_bad('a replica', 'replica|READONLY', store_is($replica->url));
    $store->cli('SET', 'idgen:text', 'something else');
    ok_bad('a key of another type', 'WRONGTYPE|wrong kind', store_is($good), "idgen.lease_prefix = 'idgen:text'");
    ok_good('a key of its own', "idgen.lease_prefix = 'idgen:worker'");

    # A store that may evict keys when memory is short.
    $store->cli('CONFIG', 'SET', 'maxmemory', '200mb', 'maxmemory-policy', 'allkeys-lru');
    $node->restart;
    $begun_at = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');
    ok_status($node, "concat(reason, advice, last_error) ~* 'maxmemory|evict'", 'a store that may evict: the status warns');
    my $memory = q(SELECT finding FROM idgen_check() WHERE object = 'server' AND finding ~ 'maxmemory');
    like($node->safe_psql('postgres', $memory), qr/evicts keys/, 'a store that may evict: idgen_check() warns');

    # A store that does not evict but can fill up, which is a risk if sequences use the same Redis, also as another user or in another
    # database of it. The first renewal over a new connection reports the change.
    $store->cli('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    $store->cli('CLIENT', 'KILL', 'TYPE', 'normal');
    ok_status($node, "state = 'ok' AND reason ~ 'maxmemory' AND reason !~ 'allkeys' AND advice ~ 'idgen.sequence_store'", 'a store that sequences can fill: the status warns');
    like($node->safe_psql('postgres', $memory), qr/also holds the sequences/, 'a store that sequences can fill: idgen_check() warns');
    change_settings($node, "idgen.sequence_store = '" . $store->url(user => 'worker', password => 'workerpw1', db => 3) . "'");
    like($node->safe_psql('postgres', $memory), qr/also holds the sequences/, 'sequences in another database of the same Redis: the status warns');
    my $separate = IdgenTest::Redis->new;
    change_settings($node, "idgen.sequence_store = '" . $separate->url . "'");
    is($node->safe_psql('postgres', $memory), '', 'sequences in a Redis of their own: idgen_check() does not warn');
    ok_status($node, "state = 'ok' AND reason IS NULL", 'sequences in a Redis of their own: the status does not warn');
    change_settings($node, "idgen.sequence_store = ''");
    $store->cli('CONFIG', 'SET', 'maxmemory', '0');
    $store->cli('CLIENT', 'KILL', 'TYPE', 'normal');
    ok_status($node, "state = 'ok' AND reason IS NULL", 'memory without a limit: nothing warns');
    $separate->stop;

    # --- TLS

    ok_bad('a CA that did not make the certificate', 'certificate', store_is($store->url(tls => 1, password => $encoded)),
        "idgen.lease_tls_ca_file = '" . IdgenTest::Tls->new->ca . "'");
    if (status_in_words($node) =~ /built without/) {
        note('this build has no TLS: ' . status_in_words($node));
    } else {
        ok_bad('no CA named, and a CA that nobody knows', 'certificate', "idgen.lease_tls_ca_file = ''");
        ok_bad('a CA file that is not there', 'lease_tls_ca_file|No such file', "idgen.lease_tls_ca_file = '/nonexistent/ca.crt'");
        ok_good('the right CA', "idgen.lease_tls_ca_file = '" . $tls->ca . "'");
        ok_bad('TLS where none is spoken', 'TLS|SSL|protocol|closed|within', 'idgen.lease_store = \'rediss://127.0.0.1:' . $store->port . "'");
        ok_bad('no TLS where it is spoken', 'closed|reset|protocol|not.*Redis', 'idgen.lease_store = \'redis://127.0.0.1:' . $store->tls_port . "'");

        my $elsewhere = IdgenTest::Tls->new(names => 'DNS:elsewhere.example');
        my $strange   = IdgenTest::Redis->new(tls => $elsewhere);
        ok_bad('a certificate for another name', 'certificate|name|match', store_is($strange->url(tls => 1)),
            "idgen.lease_tls_ca_file = '" . $elsewhere->ca . "'");
        $strange->stop;

        # Each Redis in turn has the store's own data, so that no worker id is leased twice.
        my $mutual = IdgenTest::Redis->new(tls => $tls, tls_clients => 1);
        my @mutual = (store_is($mutual->url(tls => 1)), "idgen.lease_tls_ca_file = '" . $tls->ca . "'", "idgen.lease_prefix = 'idgen:mutual'");
        ok_bad('a certificate is asked for', 'certificate|TLS|SSL|closed', @mutual);
        ok_bad('a key that does not belong to the certificate', 'key', "idgen.lease_tls_cert_file = '" . $tls->cert . "'",
            "idgen.lease_tls_key_file = '" . $elsewhere->key . "'");
        ok_good('the right certificate and key', "idgen.lease_tls_key_file = '" . $tls->key . "'");
        change_settings($node, "idgen.lease_prefix = 'idgen:worker'", "idgen.lease_tls_cert_file = ''", "idgen.lease_tls_key_file = ''");
    }
    ok_good('in the end', store_is($good));
    return;
}

# --- invalid settings: the previous ones stay in effect

my $position = log_position($node);
change_settings($node, store_is('http://127.0.0.1'));
ok_logged($node, qr/idgen\.lease_store/, $position, 'an invalid URL: the log says so');
$position = log_position($node);
change_settings($node, store_is("$scheme://idgen:malformedpw1\@127.0.0.1:99999/x"));
push(@secrets, 'malformedpw1');
ok_logged($node, qr/idgen\.lease_store/, $position, 'an invalid port: the log says so');
ok_status($node, "state = 'ok'", 'an invalid URL: the previous one stays in effect');
$fleet->ok_flows('an invalid URL: clients get ids');
change_settings($node, store_is($good), q(idgen.lease_window = '1h'));
ok_status($node, "concat(reason, advice, last_error) ~ 'lease_window|lease_ttl'", 'a window longer than the lease: the status says so');
change_settings($node, 'idgen.lease_window = -1');
ok_good('a window that fits');

# --- nobody sees a password

change_settings($node, store_is($store->url(user => 'worker', password => 'workerpw1')));
ok_status($node, "state = 'ok'", 'a reload with another password');
change_settings($node, store_is($good));
ok_renews($node, 'a reload with the right password');
$node->safe_psql('postgres', 'CREATE ROLE ordinary');
like(error_of($node, 'SET ROLE ordinary; SHOW idgen.lease_store'), qr/ERROR:  42501: /, 'an ordinary role cannot read the store\'s URL');
like(error_of($node, 'SET ROLE ordinary; SHOW idgen.lease_password_file'), qr/ERROR:  42501: /, 'an ordinary role cannot read the path of the password file');

sub ok_secret {
    my ($text, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @seen = grep { index($text, $_) >= 0 } @secrets;
    is("@seen", '', $name)
      or diag(join("\n", grep { my $line = $_; grep { index($line, $_) >= 0 } @seen } split(/\n/, $text)));
    return;
}

ok_secret($node->safe_psql('postgres', 'SHOW idgen.lease_store'), 'SHOW does not show a password to a superuser');
ok_secret($node->safe_psql('postgres', "SELECT setting FROM pg_settings WHERE name LIKE 'idgen.%'"), 'pg_settings does not show a password to a superuser');
ok_secret($node->safe_psql('postgres', "SET ROLE ordinary; SELECT row_to_json(s) FROM pg_settings s"), 'pg_settings does not show the URL to an ordinary role');
ok_secret($node->safe_psql('postgres', 'SELECT row_to_json(s) FROM idgen_status() s'), 'the status does not show a password');
ok_secret($node->safe_psql('postgres', 'SELECT row_to_json(s) FROM pg_stat_activity s'), 'pg_stat_activity does not show a password');
ok_secret(slurp_file('/proc/' . pid_of_worker($node) . '/cmdline'), 'ps does not show a password');

$fleet->check('unusable stores');
is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $begun_at, 'the server never restarted');
$node->stop;
my $log = slurp_file($node->logfile);
ok_secret($log, 'the log has no password, whatever was reloaded');
unlike($log, qr/terminated by signal|PANIC|crash of another server process/, 'no process crashed');

done_testing();
