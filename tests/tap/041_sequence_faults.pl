# Sequences when something goes wrong: a wait that is cancelled, a store that stalls, refuses, is no Redis or has something
# else at the key, a backend that is killed, a store that is restarted. Whoever asks gets an error in time, and what comes
# after is right: no value twice, none that was meant for another call.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::NotRedis;
use IdgenTest::Proxy;
use IdgenTest::Redis;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $store = IdgenTest::Redis->new;
my $proxy = IdgenTest::Proxy->new($store);
# Each call is one request then, whatever the server knows of the key; 043 has the faults with marks.
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
    wait_until { return ask('SHOW idgen.sequence_store') eq $shown } or die "the store's setting is not taken over";
    return;
}

# It fails as it should, and in less than so many seconds.
sub ok_error {
    my ($sql, $pattern, $name, $within) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $begun = time();
    like(error_of($node, $sql), $pattern, $name);
    cmp_ok(time() - $begun, '<', $within // 2, "$name: in time");
    return;
}

# Statements of one session, errors and all, as psql shows them.
sub session_of {
    my (@statements) = @_;
    my (undef, $out, $error) = $node->psql('postgres', join("\n", '\set VERBOSITY sqlstate', @statements), on_error_stop => 0);
    return "$out|" . join(' ', $error =~ /ERROR:\s+(\w+)/g);
}

# --- a wait that is ended

store_is($proxy->url, "idgen.sequence_timeout = '1min'");
is(ask(q(SELECT idgen_sequence_next('w', 'ordinary'))), 1, 'through the proxy');
$proxy->delay(400);
my $begun = time();
is(session_of(
        q(SELECT idgen_sequence_next('w', 'ordinary');),
        q(SET statement_timeout = '200ms';),
        q(SELECT idgen_sequence_next('w', 'ordinary');),
        q(RESET statement_timeout;),
        q(SELECT idgen_sequence_next('w', 'ordinary');),
        q(SELECT idgen_sequence_next('x', 'ordinary');)),
    "2\n4\n1|57014", 'statement_timeout ends the wait; the late reply is nobody else\'s');
cmp_ok(time() - $begun, '<', 8, 'in time');
is(session_of(
        q(SET idgen.sequence_timeout = '200ms';),
        q(SELECT idgen_sequence_next('w', 'scripted');),
        q(SET idgen.sequence_timeout = '10s';),
        q(SELECT idgen_sequence_next('w', 'scripted') < 3;)),
    't|08006', 'idgen.sequence_timeout likewise');
$proxy->pass;

$proxy->drop_replies;
my $client = IPC::Run::start([ 'psql', '-XAtq', '-v', 'VERBOSITY=sqlstate', '-d', $node->connstr('postgres'), '-c', q(SELECT idgen_sequence_next('c', 'ordinary')) ],
    '<', '/dev/null', '>', \my $out, '2>', \my $error);
ok($proxy->wait_until_dropped, 'a request is carried out, and its reply lost');
is($store->cli('GET', 'f:{1:c}'), 1, 'the store has given a value');
my $pid = ask(q(SELECT pid FROM pg_stat_activity WHERE query LIKE '%sequence_next%' AND state = 'active' AND pid <> pg_backend_pid()));
is(ask("SELECT wait_event_type, state FROM pg_stat_activity WHERE pid = $pid"), 'Extension|active', 'the wait is seen');
$begun = time();
ask("SELECT pg_cancel_backend($pid)");
$client->finish;
cmp_ok(time() - $begun, '<', 2, 'a cancel ends the wait at once');
like($error, qr/57014/, 'with its own error');
$proxy->pass;
is(ask(q(SELECT idgen_sequence_next('c', 'ordinary'))), 2, 'the next call is right: a value is lost, none is given twice');

$proxy->drop_replies;
$client = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', q(SELECT idgen_sequence_next('c', 'ordinary')) ],
    '<', '/dev/null', '>', \$out, '2>', \$error);
ok($proxy->wait_until_dropped, 'once more');
$pid = ask(q(SELECT pid FROM pg_stat_activity WHERE query LIKE '%sequence_next%' AND state = 'active' AND pid <> pg_backend_pid()));
kill('KILL', $pid);
eval { $client->finish };
$proxy->pass;
is(wait_for_ids($node, q(SELECT idgen_sequence_next('c', 'ordinary'))), 4, 'kill -9 of the backend: none is given twice');

# --- a store that stalls

$store->pause;
ok_error(q(SET idgen.sequence_timeout = '300ms'; SELECT idgen_sequence_next('p', 'ordinary')),
    qr/ERROR:  08006: the sequence store does not answer.*no reply within 0\.300 s\. It may have carried out.*idgen\.sequence_timeout/s, 'a store that stalls');
ok_error(q(SET statement_timeout = '300ms'; SELECT * FROM idgen_sequence_next_keys(ARRAY(SELECT 'p' || n FROM generate_series(1, 10000) n), 'ordinary')),
    qr/57014/, 'and takes not even what it is asked');
$store->resume;
like(ask(q(SELECT idgen_sequence_next('p', 'ordinary'))), qr/^[12]$/, 'when it goes on');

# --- no store, or none that is one

$proxy->refuse;
ok_error(q(SELECT idgen_sequence_next('p', 'ordinary')), qr/ERROR:  08006: .*refused\.\n/s, 'a store that is away: nothing is said to be unsure');
$proxy->pass;
my %pattern = (
    (map { $_ => qr/ERROR:  08P01: .*does not speak Redis' protocol/s } qw(http ssh garbage nested huge)),
    status => qr/ERROR:  08P01: unexpected reply from sequence store/,
    (map { $_ => qr/ERROR:  08006: .*no reply within/s } qw(silence partial)),
    # Whether so much has come by then, is the machine's.
    (map { $_ => qr/ERROR:  08(P01|006): .*(does not speak Redis' protocol|no reply within)/s } qw(line bulk)),
    close => qr/ERROR:  08006: .*closed|reset/s,
);
foreach my $kind (sort keys %pattern) {
    my $fake = IdgenTest::NotRedis->new($kind);
    store_is($fake->url);
    ok_error(q(SET idgen.sequence_timeout = '1s'; SELECT idgen_sequence_next('p', 'ordinary')), $pattern{$kind}, "not a Redis ($kind)", 5);
    ok_error(q(SET idgen.sequence_timeout = '1s'; SELECT * FROM idgen_sequence_next_keys(ARRAY['p', 'q'], 'scripted')), qr/ERROR:  08/, "not a Redis ($kind), many keys", 5);
    $fake->stop;
}
my $fake = IdgenTest::NotRedis->new('silence');
store_is($fake->url);
is(session_of(
        q(SET statement_timeout = '200ms';),
        (q(SELECT idgen_sequence_next('p', 'ordinary');)) x 3),
    '|57014 57014 57014', 'one that says nothing');
# The background worker, which tells the store of its static worker id, comes too.
cmp_ok($fake->connections, '>=', 3, 'each wait that was ended has ended its connection');
$fake->stop;

# --- one connection, kept, closed

sub connections { return () = $store->cli('CLIENT', 'LIST', 'TYPE', 'normal') =~ /cmd=(?!client)/g }
store_is($store->url);
my $before = connections();
is(session_of(q(SELECT count(idgen_sequence_next('kept', 'ordinary')) FROM generate_series(1, 100);), '\! sleep 0.2'), '100|', 'many calls');
ok(wait_until { return connections() == $before }, 'the connection is closed when the session ends');
my $session = $node->background_psql('postgres');
$session->query_safe(q(SELECT idgen_sequence_next('kept', 'ordinary'))) foreach 1 .. 5;
is(connections(), $before + 1, 'a session has one connection, and keeps it');

$session->quit;
$session = $node->background_psql('postgres', on_error_stop => 0);
$session->query(q(SELECT idgen_sequence_next('kept', 'ordinary')));
$store->pause;
$session->query(q(SET statement_timeout = '200ms'; SELECT idgen_sequence_next('kept', 'ordinary')));
$store->resume;
ok(wait_until { return connections() == $before }, 'a wait that is ended closes it at once, and not with the next call');
like($session->query(q(SELECT idgen_sequence_next('kept', 'ordinary'))), qr/^10[78]$/, 'which opens another');
$session->quit;
$store->cli('SET', 'f:{4:kept}', 105);
$session = $node->background_psql('postgres');
$session->query_safe(q(SELECT idgen_sequence_peek('kept', 'ordinary')));

# --- a store that is restarted, and one that another takes the place of

$store->restart;
is($session->query_safe(q(SELECT idgen_sequence_next('kept', 'ordinary'))), 106, 'restarted between two calls: the session goes on');
$store->cli('CLIENT', 'KILL', 'TYPE', 'normal');
is($session->query_safe(q(SELECT idgen_sequence_next('kept', 'scripted'))), 1, 'a connection that was closed between two calls');
my $second = IdgenTest::Redis->new(password => 'p@ss');
store_is($second->url(password => 'p%40ss'));
is($session->query_safe(q(SELECT idgen_sequence_next('kept', 'ordinary'))), 1, 'a reload: the session goes to the other store');
is($session->query_safe(q(SHOW idgen.sequence_store)), $second->url(password => '***'), 'whose password is not shown');
$session->quit;
store_is($second->url);
ok_error(q(SELECT idgen_sequence_next('p')), qr/ERROR:  08006: .*wants a password/s, 'no password');
store_is($second->url(password => 'wrong'));
ok_error(q(SELECT idgen_sequence_next('p')), qr/ERROR:  08006: .*log-in is refused: WRONGPASS invalid username-password pair/s, 'the wrong password');
# The lease's store serves where no other is set, with its password file.
append_to_file($node->basedir . '/password', "p\@ss\n");
store_is('', "idgen.lease_store = '" . $second->url . "'", "idgen.lease_password_file = '" . $node->basedir . "/password'");
is(ask(q(SELECT idgen_sequence_next('kept', 'ordinary'))), 2, 'the store of the lease, where no other is set');
# Its password is not for others.
store_is($second->url);
ok_error(q(SELECT idgen_sequence_next('p')), qr/ERROR:  08006: .*wants a password/s, 'another store is not told its password');
$second->stop;

# --- a store that refuses

store_is($store->url);
my $replica = IdgenTest::Redis->new(appendonly => 'no', conf => 'replicaof 127.0.0.1 ' . $store->port . "\n");
store_is($replica->url);
wait_until { return $replica->try_cli('ROLE') =~ /\bconnected\b/ } or die 'the replica does not follow';
ok_error(q(SELECT idgen_sequence_next('p', 'ordinary')), qr/ERROR:  08006: .*READONLY/s, 'a replica');
ok_error(q(SELECT idgen_sequence_next('p', 'scripted')), qr/ERROR:  08006: .*READONLY/s, 'a replica, by the script');
ok_error(q(SELECT * FROM idgen_sequence_next_keys(ARRAY['p', 'q'], 'ordinary')), qr/ERROR:  08006: .*READONLY/s, 'a replica, many keys');
store_is('redis://127.0.0.1:' . $replica->port . ',127.0.0.1:' . $store->port);
like(ask(q(SELECT idgen_sequence_next('p', 'ordinary'))), qr/^\d+$/, 'a replica and its master: the master is found');
$replica->kill9;    # a Redis that has just become one may be too busy to heed less
store_is($store->url);
$store->cli('CONFIG', 'SET', 'maxmemory', '1');
ok_error(q(SELECT idgen_sequence_next('p', 'ordinary')), qr/ERROR:  55000: the sequence store refuses key "p".*OOM/s, 'out of memory');
ok_error(q(SELECT idgen_sequence_next('p', 'scripted')), qr/ERROR:  55000: the sequence store refuses key "p".*OOM/s, 'out of memory, by the script');
ok_error(q(SELECT * FROM idgen_sequence_next_keys(ARRAY['p', 'q'], 'scripted')), qr/ERROR:  55000: .*OOM/s, 'out of memory, many keys');
like(ask(q(SELECT idgen_sequence_peek('p', 'ordinary'))), qr/^\d+$/, 'a value can still be read');
$store->cli('CONFIG', 'SET', 'maxmemory', '0');
$store->cli('CONFIG', 'SET', 'min-replicas-to-write', '1');
ok_error(q(SELECT idgen_sequence_next('p', 'ordinary')), qr/ERROR:  08006: .*NOREPLICAS/s, 'too few replicas');
$store->cli('CONFIG', 'SET', 'min-replicas-to-write', '0');

# --- a user with just what is needed

$store->cli('ACL', 'SETUSER', 'counter', 'on', '>counterpw1', '~f:*', '~g:*', '-@all', '+get', '+mget', '+incrby', '+evalsha', '+eval', '+script|load',
    qw(+set +incr +decrby +del +pexpire +pttl +time +info));
store_is($store->url(user => 'counter', password => 'counterpw1'));
$store->cli('SCRIPT', 'FLUSH');
is(ask(q(SELECT idgen_sequence_set('acl', 5, 'ordinary'), idgen_sequence_next('acl', 'ordinary'), idgen_sequence_delete_key('acl', 'ordinary'), idgen_sequence_next('acl', 'scripted'))),
    '|6|t|1', 'the rights that the documentation names are enough');
ask(q(SELECT idgen_create_sequencer('acl_day', 'f:day:', max_value => 3, cycle => true, ttl => '1 d')));
is(ask(q(SELECT string_agg(value::text, ' ') FROM idgen_sequence('acl', 2, 'acl_day')) . q(; SELECT string_agg(value::text, ' ') FROM idgen_sequence('acl', 2, 'acl_day'))),
    "1 2\n3 1", 'also for a cycle and a TTL');
ok_error(q(SELECT idgen_sequence_next('acl')), qr/ERROR:  55000: .*refuses key "acl".*(NOPERM|permission)/s, 'and no other key is theirs');
store_is($store->url);

# --- something else at the key

foreach my $sequencer (qw(ordinary scripted)) {
    my $prefix = $sequencer eq 'ordinary' ? 'f:' : 'g:';
    $store->cli('RPUSH', "$prefix\{4:list}", 'a', 'b');
    ok_error("SELECT $_", qr/ERROR:  42804: .*"list".*"$prefix\{4:list}" is no string/s, "$sequencer: a key of another type, $_")
      foreach "idgen_sequence_next('list', '$sequencer')", "idgen_sequence_peek('list', '$sequencer')", "idgen_sequence_set('list', 1, '$sequencer')",
      "idgen_sequence_delete_key('list', '$sequencer')";
    is($store->cli('LLEN', "$prefix\{4:list}"), 2, "$sequencer: is not touched");
    foreach my $text ('twelve', '-5', '', '1.5', '007', ' 1', '9223372036854775808') {
        $store->cli('SET', "$prefix\{1:t}", $text);
        ok_error("SELECT $_", qr/ERROR:  22P02: .*"t".*"$prefix\{1:t}" is no whole number/s, "$sequencer: '$text' is no value, $_")
          foreach "idgen_sequence_next('t', '$sequencer')", "idgen_sequence_peek('t', '$sequencer')";
    }
    is(ask("SELECT idgen_sequence_set('t', 5, '$sequencer'); SELECT idgen_sequence_next('t', '$sequencer')"), "\n6", "$sequencer: a value that is set mends it");
}

unlike(slurp_file($node->logfile), qr/p\@ss|p%40ss/, 'no password is in the log');
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP/, 'and nothing crashed');
done_testing();
