# Sequences when something fails: a wait is interrupted; a store stalls, refuses, is no store, is restarted or has something else
# at the key; a backend is killed. Callers get an error in time, and later calls are right: no value is returned twice, and no
# reply reaches another call than its own.
#
# 071 runs this file with etcd, without what is Redis' own.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::NotRedis;
use IdgenTest::Proxy;
use IdgenTest::Redis;
use IdgenTest::SequenceStore;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $store = sequence_store();
my $redis = $store->isa('IdgenTest::Redis');
my $proxy = IdgenTest::Proxy->new($store);
# Without marks each call is one request; 043 has faults with marks.
my $node  = new_server('sequence_faults', conf => "idgen.max_sequence_marks = 0\n");
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION idgen;
SELECT idgen_create_sequencer('ten', max_value => 10);
SELECT idgen_create_sequencer('ordinary', 'f:');
SELECT idgen_create_sequencer('scripted', 'g:', max_value => 1000000);
SQL

sub ask { my ($sql) = @_; return $node->safe_psql('postgres', $sql) }

sub store_is {
    my ($url, @more) = @_;
    change_settings($node, "idgen.sequence_store = '$url'", @more);
    (my $shown = $url) =~ s{//([^:/]*):[^@]*@}{//$1:***@};
    wait_until { return ask('SHOW idgen.sequence_store') eq $shown } or die "the new setting did not take effect";
    return;
}

# The statement fails with this error, and does not wait for the minute that a call may take unless its session sets less. The limit
# is far from both.
sub ok_error {
    my ($sql, $pattern, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $begun = time();
    like(error_of($node, $sql), $pattern, $name);
    cmp_ok(time() - $begun, '<', 45, "$name: in time");
    return;
}

# Runs statements in one session and returns the output, then the errors.
sub session_of {
    my (@statements) = @_;
    my (undef, $out, $error) = $node->psql('postgres', join("\n", '\set VERBOSITY sqlstate', @statements), on_error_stop => 0);
    return "$out|" . join(' ', $error =~ /ERROR:\s+(\w+)/g);
}

# --- interrupted waits

store_is($proxy->url);
is(ask(q(SELECT idgen_sequence_next('w', 'ordinary'))), 1, 'a value through the proxy');
$proxy->delay(400);
my $begun = time();
# On a busy machine the second call may not even have asked the store.
like(session_of(
        q(SELECT idgen_sequence_next('w', 'ordinary');),
        q(SET statement_timeout = '200ms';),
        q(SELECT idgen_sequence_next('w', 'ordinary');),
        q(RESET statement_timeout;),
        q(SELECT idgen_sequence_next('w', 'ordinary');),
        q(SELECT idgen_sequence_next('x', 'ordinary');)),
    qr/^2\n[34]\n1\|57014$/, 'statement_timeout ends a wait, and the late reply reaches no other call');
cmp_ok(time() - $begun, '<', 45, 'the session ends in time');
is(session_of(
        q(SET idgen.sequence_timeout = '200ms';),
        q(SELECT idgen_sequence_next('w', 'scripted');),
        q(RESET idgen.sequence_timeout;),
        q(SELECT idgen_sequence_next('w', 'scripted') < 3;)),
    't|08006', 'idgen.sequence_timeout ends a wait, and the late reply reaches no other call');
$proxy->pass;

is(ask(q(SELECT idgen_sequence_next('c', 'ordinary'))), 1, 'a value of another key');
$proxy->drop_replies;
my $client = IPC::Run::start([ 'psql', '-XAtq', '-v', 'VERBOSITY=sqlstate', '-d', $node->connstr('postgres'), '-c', q(SELECT idgen_sequence_next('c', 'ordinary')) ],
    '<', '/dev/null', '>', \my $out, '2>', \my $error);
ok($proxy->wait_until_dropped, 'a request is carried out, and its reply is lost');
ok(wait_until { $store->last_value('f:{1:c}') > 1 }, 'the store has counted the value');
my $pid = ask(q(SELECT pid FROM pg_stat_activity WHERE query LIKE '%sequence_next%' AND state = 'active' AND pid <> pg_backend_pid()));
ok(wait_until { ask("SELECT wait_event_type, state FROM pg_stat_activity WHERE pid = $pid") eq 'Extension|active' }, 'pg_stat_activity shows the wait');
ask("SELECT pg_cancel_backend($pid)");
$client->finish;
like($error, qr/57014/, 'a cancel ends the wait');
$proxy->pass;
# A request to etcd is repeated when its reply is late, and each repetition may take a value.
my $again = $redis ? '==' : '>=';
my $next = ask(q(SELECT idgen_sequence_next('c', 'ordinary')));
cmp_ok($next, $again, 3, 'the next call skips the lost value');

$proxy->drop_replies;
$client = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', q(SELECT idgen_sequence_next('c', 'ordinary')) ],
    '<', '/dev/null', '>', \$out, '2>', \$error);
ok($proxy->wait_until_dropped, 'a second reply is lost');
ok(wait_until { $store->last_value('f:{1:c}') > $next }, 'the store has counted that value, too');
$pid = ask(q(SELECT pid FROM pg_stat_activity WHERE query LIKE '%sequence_next%' AND state = 'active' AND pid <> pg_backend_pid()));
kill('KILL', $pid);
eval { $client->finish };
$proxy->pass;
cmp_ok(wait_for_ids($node, q(SELECT idgen_sequence_next('c', 'ordinary'))), $again, $next + 2, 'kill -9 of the backend: no value is returned twice');

# A set is not repeated.
$proxy->drop_replies;
like(error_of($node, q(SET idgen.sequence_timeout = '2s'; SELECT idgen_sequence_set('set', 20, 'ordinary'))), qr/08006.*The store may have executed the request/s,
    'a set whose reply is lost is an error');
$proxy->pass;
ok(wait_until { $store->last_value('f:{3:set}') eq '20' }, 'the set was carried out');
is(ask(q(SELECT idgen_sequence_next('set', 'ordinary'))), 21, 'the key continues from there');

# --- a store that stalls

$store->pause;
ok_error(q(SET idgen.sequence_timeout = '2s'; SELECT idgen_sequence_next('p', 'ordinary')),
    qr/ERROR:  08006: the sequence store does not answer.*no reply within \d\.\d+ s\. The store may have executed.*idgen\.sequence_timeout/s, 'a stalled store: the error says that the request may have been carried out');
ok_error(q(SET statement_timeout = '300ms'; SELECT * FROM idgen_sequence_next_keys(ARRAY(SELECT 'p' || n FROM generate_series(1, 10000) n), 'ordinary')),
    qr/57014/, 'a stalled store that does not read requests: statement_timeout ends the call');
$store->resume;
like(ask(q(SELECT idgen_sequence_next('p', 'ordinary'))), qr/^[12]$/, 'the store continues');

# --- no store, or something else

$proxy->refuse;
ok_error(q(SELECT idgen_sequence_next('p', 'ordinary')), qr/ERROR:  08006: .*refused\.\n/s, 'a store that is down: the error does not say that the request may have been carried out');
$proxy->pass;
my %pattern = $redis ? (
    (map { $_ => qr/ERROR:  08P01: .*does not speak the Redis protocol/s } qw(http ssh garbage nested huge)),
    status => qr/ERROR:  08P01: unexpected reply from the sequence store/,
    (map { $_ => qr/ERROR:  08006: .*no reply within/s } qw(silence partial)),
    # Which error these get depends on the speed of the machine.
    (map { $_ => qr/ERROR:  08(P01|006): .*(does not speak the Redis protocol|no reply within)/s } qw(line bulk)),
    close => qr/ERROR:  08006: .*(closed|reset)/s,
) : (
    (map { $_ => qr/ERROR:  08(P01|006): .*(is not etcd|HTTP|no reply within|closed|reset)/s } qw(http ssh garbage huge partial line bulk)),
    silence => qr/ERROR:  08006: .*no reply within/s,
    close => qr/ERROR:  08006: .*(closed|reset)/s,
);
foreach my $kind (sort keys %pattern) {
    my $fake = IdgenTest::NotRedis->new($kind);
    store_is($fake->url($store));
    ok_error(q(SET idgen.sequence_timeout = '1s'; SELECT idgen_sequence_next('p', 'ordinary')), $pattern{$kind}, "no store ($kind)");
    ok_error(q(SET idgen.sequence_timeout = '1s'; SELECT * FROM idgen_sequence_next_keys(ARRAY['p', 'q'], 'scripted')), qr/ERROR:  08/, "no store ($kind), many keys");
    $fake->stop;
}
my $fake = IdgenTest::NotRedis->new('silence');
store_is($fake->url($store));
is(session_of(
        q(SET statement_timeout = '200ms';),
        (q(SELECT idgen_sequence_next('p', 'ordinary');)) x 3),
    '|57014 57014 57014', 'a server that never replies: each call ends after statement_timeout');
# The background worker, which announces its static worker id to the store, connects, too.
cmp_ok($fake->connections, '>=', 3, 'each interrupted wait has closed its connection');
$fake->stop;

# --- a session's connection

# The sockets of a session that are connected to the store.
sub connections {
    my ($pid)  = @_;
    my $port   = sprintf('%04X', $store->port);
    my %socket = map { ("socket:[$_]" => 1) } slurp_file('/proc/net/tcp') =~ /^ *\d+: \S+ [0-9A-F]{8}:$port 01 +(?:\S+ +){5}(\d+)/mg;
    return grep { $socket{$_} } map { readlink($_) // '' } glob("/proc/$pid/fd/*");
}
store_is($store->url);
is(session_of(q(SELECT count(idgen_sequence_next('kept', 'ordinary')) FROM generate_series(1, 100);)), '100|', 'many calls in one session');
my $session = $node->background_psql('postgres', on_error_stop => 0);
my $backend = $session->query_safe('SELECT pg_backend_pid()');
$session->query_safe(q(SELECT idgen_sequence_next('kept', 'ordinary')));
my @before = connections($backend);
is(scalar(@before), 1, 'a session has one connection');
$session->query_safe(q(SELECT idgen_sequence_next('kept', 'ordinary'))) foreach 1 .. 5;
is(join(' ', connections($backend)), "@before", 'it keeps it');
$store->pause;
$session->query(q(SET statement_timeout = '200ms'; SELECT idgen_sequence_next('kept', 'ordinary')));
is(join(' ', connections($backend)), '', 'an interrupted wait closes the connection at once, not with the next call');
$store->resume;
$session->query('RESET statement_timeout');
like($session->query(q(SELECT idgen_sequence_next('kept', 'ordinary'))), qr/^10[78]$/, 'the next call opens another connection');
$session->quit;
$store->set_value('f:{4:kept}', 105);
$session = $node->background_psql('postgres');
$session->query_safe(q(SELECT idgen_sequence_peek('kept', 'ordinary')));

# --- a store that is restarted, or replaced

$store->restart;
is($session->query_safe(q(SELECT idgen_sequence_next('kept', 'ordinary'))), 106, 'a session continues after a restart of the store');
if ($redis) {
    $store->cli('CLIENT', 'KILL', 'TYPE', 'normal');
    is($session->query_safe(q(SELECT idgen_sequence_next('kept', 'scripted'))), 1, 'a session continues after its connection was closed');
}
my $second = sequence_store($redis ? (password => 'p@ss') : ());
my @user   = $redis ? () : (user => 'idgen');
if (!$redis) {
    $second->add_user('idgen', 'p@ss', '');
    $second->enable_auth;
}
my $wrong = 'etcdserver: authentication failed, invalid user ID or password';
my %refusal = $redis ? (
    none   => qr/^(?!.*idgen\.lease).*ERROR:  08006: .*requires a password: set one in "idgen\.sequence_store"\./s,
    wrong  => qr/ERROR:  08006: .*login is refused: WRONGPASS invalid username-password pair/s,
    lease  => qr/requires a password: set one in "idgen\.lease_store", or in the file that "idgen\.lease_password_file" names\./s,
    secret => qr/ERROR:  08006: .*requires a password/s,
) : (
    none   => qr/^(?!.*idgen\.lease).*ERROR:  08006: .*requires a user and a password: set them in "idgen\.sequence_store"/s,
    wrong  => qr/ERROR:  08006: .*$wrong/s,
    lease  => qr/ERROR:  08006: .*$wrong.*"idgen\.lease_store"/s,
    secret => qr/ERROR:  08006: .*$wrong/s,
);
store_is($second->url(@user, password => 'p%40ss'));
is($session->query_safe(q(SELECT idgen_sequence_next('kept', 'ordinary'))), 1, 'after a reload the session uses the other store');
is($session->query_safe(q(SHOW idgen.sequence_store)), $second->url(@user, password => '***'), 'SHOW does not show the password');
$session->quit;
store_is($second->url);
ok_error(q(SELECT idgen_sequence_next('p')), $refusal{none},
    'a missing password: the error names the setting that the URL came from, and no other');
store_is($second->url(@user, password => 'wrong'));
ok_error(q(SELECT idgen_sequence_next('p')), $refusal{wrong}, 'a wrong password: the error has the store\'s message');
# Without a setting of their own, sequences use the lease store with its password file.
append_to_file($node->basedir . '/password', "p\@ss\n");
chmod(0600, $node->basedir . '/password');
store_is('', "idgen.lease_store = '" . $second->url(@user) . "'", "idgen.lease_password_file = '" . $node->basedir . "/password'");
is(ask(q(SELECT idgen_sequence_next('kept', 'ordinary'))), 2, 'without a sequence store the lease store is used');
change_settings($node, "idgen.lease_password_file = ''");
wait_until { ask('SHOW idgen.lease_password_file') eq '' } or die 'the new setting did not take effect';
ok_error(q(SELECT idgen_sequence_next('p')), $refusal{lease},
    'the lease store without its password: the error names the lease store\'s settings');
change_settings($node, "idgen.lease_password_file = '" . $node->basedir . "/password'");
# The lease store's password is not sent to another store.
store_is($second->url(@user));
ok_error(q(SELECT idgen_sequence_next('p')), $refusal{secret}, 'another store does not get the lease store\'s password');
$second->stop;

store_is($store->url);
redis_refuses() if $redis;

# --- a Redis that refuses

sub redis_refuses {
    my $replica = IdgenTest::Redis->new(appendonly => 'no', conf => 'replicaof 127.0.0.1 ' . $store->port . "\n");
    store_is($replica->url);
    wait_until { return $replica->try_cli('ROLE') =~ /\bconnected\b/ } or die 'the replica does not follow its master';
    ok_error(q(SELECT idgen_sequence_next('p', 'ordinary')), qr/ERROR:  08006: .*READONLY/s, 'a replica refuses a plain command');
    ok_error(q(SELECT idgen_sequence_next('p', 'scripted')), qr/ERROR:  08006: .*READONLY/s, 'a replica refuses the script');
    ok_error(q(SELECT * FROM idgen_sequence_next_keys(ARRAY['p', 'q'], 'ordinary')), qr/ERROR:  08006: .*READONLY/s, 'a replica refuses several keys');
    store_is('redis://127.0.0.1:' . $replica->port . ',127.0.0.1:' . $store->port);
    like(ask(q(SELECT idgen_sequence_next('p', 'ordinary'))), qr/^\d+$/, 'the master is found if its replica is listed first');
    $replica->kill9;    # a Redis that has just become a replica may be too busy for a shutdown
    store_is($store->url);
    $store->cli('CONFIG', 'SET', 'maxmemory', '1');
    ok_error(q(SELECT idgen_sequence_next('p', 'ordinary')), qr/ERROR:  55000: the sequence store refused key "p".*OOM/s, 'out of memory: a plain command is refused');
    ok_error(q(SELECT idgen_sequence_next('p', 'scripted')), qr/ERROR:  55000: the sequence store refused key "p".*OOM/s, 'out of memory: the script is refused');
    ok_error(q(SELECT * FROM idgen_sequence_next_keys(ARRAY['p', 'q'], 'scripted')), qr/ERROR:  55000: .*OOM/s, 'out of memory: several keys are refused');
    like(ask(q(SELECT idgen_sequence_peek('p', 'ordinary'))), qr/^\d+$/, 'out of memory: a value can still be read');
    $store->cli('CONFIG', 'SET', 'maxmemory', '0');
    $store->cli('CONFIG', 'SET', 'min-replicas-to-write', '1');
    ok_error(q(SELECT idgen_sequence_next('p', 'ordinary')), qr/ERROR:  08006: .*NOREPLICAS/s, 'too few replicas: a plain command is refused');
    $store->cli('CONFIG', 'SET', 'min-replicas-to-write', '0');

    # --- a Redis user with the documented privileges

    $store->cli('ACL', 'SETUSER', 'counter', 'on', '>counterpw1', '~f:*', '~g:*', '-@all', '+get', '+mget', '+incrby', '+evalsha', '+eval', '+script|load',
        qw(+set +incr +decrby +del +pexpire +pttl +time +info));
    store_is($store->url(user => 'counter', password => 'counterpw1'));
    $store->cli('SCRIPT', 'FLUSH');
    is(ask(q(SELECT idgen_sequence_set('acl', 5, 'ordinary'), idgen_sequence_next('acl', 'ordinary'), idgen_sequence_delete_key('acl', 'ordinary'), idgen_sequence_next('acl', 'scripted'))),
        '|6|t|1', 'the documented privileges are enough');
    ask(q(SELECT idgen_create_sequencer('acl_day', 'f:day:', max_value => 3, cycle => true, ttl => '1 d')));
    is(ask(q(SELECT string_agg(value::text, ' ') FROM idgen_sequence('acl', 2, 'acl_day')) . q(; SELECT string_agg(value::text, ' ') FROM idgen_sequence('acl', 2, 'acl_day'))),
        "1 2\n3 1", 'the documented privileges are enough for a cycle and a TTL');
    ok_error(q(SELECT idgen_sequence_next('acl')), qr/ERROR:  55000: .*refused key "acl".*(NOPERM|permission)/s, 'the user has no access to other keys');
    store_is($store->url);
    return;
}

# --- keys that hold something else

foreach my $sequencer (qw(ordinary scripted)) {
    my $prefix = $sequencer eq 'ordinary' ? 'f:' : 'g:';
    if ($redis) {
        $store->cli('RPUSH', "$prefix\{4:list}", 'a', 'b');
        ok_error("SELECT $_", qr/ERROR:  42804: .*"list".*"$prefix\{4:list}" is not a string/s, "$sequencer: a key of another type fails: $_")
          foreach "idgen_sequence_next('list', '$sequencer')", "idgen_sequence_peek('list', '$sequencer')", "idgen_sequence_set('list', 1, '$sequencer')",
          "idgen_sequence_delete_key('list', '$sequencer')";
        is($store->cli('LLEN', "$prefix\{4:list}"), 2, "$sequencer: a key of another type is not changed");
    }
    foreach my $text ('twelve', '-5', '', '1.5', '007', ' 1', '9223372036854775808') {
        $store->set_value("$prefix\{1:t}", $text);
        ok_error("SELECT $_", qr/ERROR:  22P02: .*"t".*"$prefix\{1:t}" is not an integer/s, "$sequencer: '$text' is not a value: $_")
          foreach "idgen_sequence_next('t', '$sequencer')", "idgen_sequence_peek('t', '$sequencer')";
    }
    is(ask("SELECT idgen_sequence_set('t', 5, '$sequencer'); SELECT idgen_sequence_next('t', '$sequencer')"), "\n6", "$sequencer: setting a value repairs the key");
}

unlike(slurp_file($node->logfile), qr/p\@ss|p%40ss/, 'the log has no password');
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP/, 'no process crashed');
done_testing();
