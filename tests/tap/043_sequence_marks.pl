# High-water marks: after a store has lost data (FLUSHALL, a restart from older data), no value below a server's mark is returned,
# also after restarts and crashes of the server. Keys that another server has set or deleted are not raised.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::FakeRedis qw(strings);
use IdgenTest::Faults;
use IdgenTest::Proxy;
use IdgenTest::Redis;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $store = IdgenTest::Redis->new(appendonly => 'no');
# Keys are hashed with a secret of each server, so that nobody can choose a key that shares another's mark. Which marks are evicted
# depends on it, so the tests continue with fixed secrets.
my @secrets;
my @nodes = map { marked_server("marks_$_") } 1 .. 2;
my ($node, $other) = @nodes;
unlike($secrets[0], qr/^0*$/, 'a server has a secret');
isnt($secrets[0], $secrets[1], 'each server has a secret of its own');

sub secret_of { return unpack('x16 H32', slurp_file($_[0]->data_dir . '/idgen.marks')) }
sub set_secret {
    my ($server, $secret) = @_;
    $server->stop;
    open(my $file, '+<:raw', $server->data_dir . '/idgen.marks') or die "could not open: $!";
    seek($file, 16, 0);
    print $file pack('H32', $secret);
    close($file) or die "could not write: $!";
    $server->start;
    return;
}

sub marked_server {
    my ($name) = @_;
    my $server = new_server($name, conf => "idgen.sequence_store = '" . $store->url(socket => 1) . "'\nidgen.max_sequence_marks = 64\n");
    $server->start;
    push(@secrets, secret_of($server));
    set_secret($server, sprintf('%032x', scalar(@secrets)));
    $server->safe_psql('postgres', <<'SQL');
CREATE EXTENSION idgen;
SELECT idgen_create_sequencer('fives', start => 5, step => 5, max_value => 100);
SELECT idgen_create_sequencer('day', ttl => '1 h');
SELECT idgen_create_sequencer('round', max_value => 5, cycle => true);
SQL
    return $server;
}

sub ask { my ($sql, $server) = @_; return ($server // $node)->safe_psql('postgres', $sql) }
sub take { my ($key, $server, $sequencer) = @_; return ask("SELECT idgen_sequence_next('$key', '" . ($sequencer // 'default') . "')", $server) }
sub take_all {
    my ($key, $count, $sequencer) = @_;
    return ask("SELECT min(value), max(value), count(DISTINCT value) FROM idgen_sequence('$key', $count, '" . ($sequencer // 'default') . "') value");
}
sub key { my ($key) = @_; return ask("SELECT key_prefix FROM idgen_sequencers WHERE name = 'default'") . '{' . length($key) . ":$key}" }
sub told { my ($server) = @_; return scalar(() = slurp_file(($server // $node)->logfile) =~ /sequence store had forgotten values of/g) }

# --- all data is lost

is(take_all('a', 100), '1|100|100', 'a hundred values');
is(ask(q(SELECT string_agg(value::text, ' ') FROM idgen_sequence_next_keys(ARRAY['b', 'c', 'c']))), '1 1 2', 'values of other keys');
$store->cli('FLUSHALL');
is(take('a'), 101, 'after FLUSHALL the next value is above them');
is($store->cli('GET', key('a')), 101, 'the store is raised to it');
is(told(), 1, 'the loss is logged');
like(slurp_file($node->logfile), qr/had forgotten values of "idgen:seq:[^"]*\{1:a\}".*It returned 1 after it had returned 100/s, 'the log has both values');
is(take('a'), 102, 'the key continues');
is(take_all('b', 10), '2|11|10', 'a batch of a lost key');
is(ask(q(SELECT string_agg(key || value, ' ') FROM idgen_sequence_next_keys(ARRAY['c', 'd', 'c', 'a']))), 'c3 d1 c4 a103', 'several keys, some of which were lost');
is(take_all('f', 3, 'fives'), '5|15|3', 'a sequencer whose definition needs the script');
$store->cli('FLUSHALL');
is(take('f', $node, 'fives'), 20, 'its lost key continues above the mark');
like(error_of($node, q(SELECT * FROM idgen_sequence('f', 17, 'fives'))), qr/ERROR:  2200H:.*The last value is 20/s, 'its maximum still counts');
$store->cli('FLUSHALL');
like(error_of($node, q(SELECT * FROM idgen_sequence('f', 17, 'fives'))), qr/ERROR:  2200H:.*The last value is 20 .*16 are left, but 17 were requested/s,
    'after a loss the maximum still counts');

# --- some data is lost: the store is back at an older state

$store->cli('SET', key('a'), 50);
is(take('a'), 104, 'a value that has gone back is raised');
my $before = told();
$store->cli('INCRBY', key('a'), 1000);
is(take('a'), 1105, 'a value that another program has raised is not changed');
is(told(), $before, 'nothing is logged for that');
$store->cli('CONFIG', 'SET', 'save', '3600 1');
$store->cli('SAVE');
is(take_all('a', 5), '1106|1110|5', 'values after the last snapshot');
$store->kill9;
$store->start;
is(take('a'), 1111, 'the key continues after the store was killed and restarted from the snapshot');

# --- changes by other servers are not undone

is(take('a', $other), 1112, 'another server takes a value');
ask(q(SELECT idgen_sequence_set('a', 10)), $other);
is(take('a'), 11, 'a lower value set by another server takes effect');
is(take('a', $other), 12, 'the other server continues from the value that it set');
ask(q(SELECT idgen_sequence_delete_key('a')), $other);
is(take('a'), 1, 'a key deleted by another server begins again');
ask(q(SELECT idgen_sequence_set('a', 500)), $other);
$store->cli('FLUSHALL');
is(take('a', $other), 501, 'after a loss the server that set a key continues it');
is(take('a'), 502, 'the other server does so, too');
$store->cli('FLUSHALL');
ask(q(SELECT idgen_sequence_set('a', 3)), $other);
is(take('a'), 4, 'a key set after a loss keeps its value, even if a mark is higher');
$store->cli('FLUSHALL');
is(ask(q(SELECT idgen_sequence_set_if_not_exists('a', 7))), 't', 'set_if_not_exists sets a key that was lost');
is(take('a', $other), 8, 'all servers continue from there');

# --- several servers know different marks

is(take_all('e', 20), '1|20|20', 'one server takes twenty values');
is(take('e', $other), 21, 'another server takes one');
is(take_all('e', 20), '22|41|20', 'the first server takes twenty more');
$store->cli('FLUSHALL');
is(take('e', $other), 22, 'after a loss a server with a lower mark does not know of the later values');
is(take('e'), 42, 'a server with a higher mark raises the store');
is(take('e', $other), 43, 'from then on all servers continue above it');

# --- no marks for keys with a TTL and for cycles

is(take('t', $node, 'day'), 1, 'a key with a TTL');
is(take_all('r', 4, 'round'), '1|4|4', 'a cycle');
$store->cli('FLUSHALL');
is(take('t', $node, 'day'), 1, 'a lost key with a TTL begins again');
is(take('r', $node, 'round'), 1, 'a lost cycle begins again');

# --- under load no loss is reported by mistake, and values have no gaps

my $told = told($node) + told($other);
my $script = PostgreSQL::Test::Utils::tempdir . '/take.sql';
append_to_file($script, "INSERT INTO given SELECT idgen_sequence_next('load');\n");
$_->safe_psql('postgres', 'CREATE TABLE given (value bigint PRIMARY KEY)') foreach @nodes;
my @runs = map {
    my $server = $_;
    IPC::Run::start([ 'pgbench', '-n', '-c', '4', '-t', '500', '-f', $script, '-h', $server->host, '-p', $server->port, 'postgres' ], '>', \my $out, '2>', \my $err)
} @nodes;
$_->finish foreach @runs;
my %given = map { $_ => 1 } map { split(/\n/, ask('SELECT value FROM given', $_)) } @nodes;
is(scalar(keys %given), 4000, 'two servers with four clients each: every value is distinct');
is((sort { $b <=> $a } keys %given)[0], 4000, 'no value is missing');
is(told($node) + told($other), $told, 'no loss was reported');

# --- failures in the middle of a call

my $proxy = IdgenTest::Proxy->new($store);
change_settings($node, "idgen.sequence_store = '" . $proxy->url . "'", "idgen.sequence_timeout = '1min'");
is(take('x'), 1, 'a value through the proxy');
$proxy->drop_replies;
like(error_of($node, q(SET idgen.sequence_timeout = '2s'; SELECT idgen_sequence_next('x'))), qr/ERROR:  08006: .*The store may have executed/s, 'a reply is lost');
$proxy->pass;
is(take('x'), 3, 'the next call skips the lost value');
$store->cli('FLUSHALL');
$store->pause;
like(error_of($node, q(SET idgen.sequence_timeout = '300ms'; SELECT idgen_sequence_next('x'))), qr/ERROR:  08006/, 'a store that lost its data and stalls');
$store->resume;
cmp_ok(take('x'), '>', 3, 'the store is raised when it continues');

# --- two Redis that both act as the store, and one server that asks both at the same time

my $twin = IdgenTest::Redis->new(appendonly => 'no');
is(take_all('twice', 5), '1|5|5', 'five values');
$twin->cli('SET', key('twice'), 5);
my $session = $node->background_psql('postgres');
is($session->query_safe(q(SELECT idgen_sequence_next('warm'))), 1, 'a session with a connection');
$proxy->hold_replies;
$session->{stdin} .= "SELECT 'slow ' || idgen_sequence_next('twice');\n\\echo done\n";
$session->{run}->pump_nb;
ok(wait_until { $store->cli('GET', key('twice')) == 6 }, 'the first store counts the sixth value, but the reply is held');
change_settings($node, "idgen.sequence_store = '" . $twin->url . "'");
is(take('twice'), 6, 'the second store returns the sixth value to another session');
$proxy->let_go;
ok(wait_until { $session->{run}->pump_nb; $session->{stdout} =~ /^done$/m }, 'the held reply arrives');
like($session->{stdout}, qr/^slow 7$/m, 'the session does not return the sixth value again');
$session->quit;
is(take('twice'), 8, 'no other session does: the second store is raised above the values of the first');
change_settings($node, "idgen.sequence_store = '" . $store->url(socket => 1) . "'");

# --- more keys than marks

ask(q(SELECT count(idgen_sequence_next('key' || n)) FROM generate_series(1, 1000) n));
is(take('key1000'), 2, 'a thousand keys with 64 marks');
$store->cli('FLUSHALL');
is(take('key1000'), 3, 'the last key has a mark');
is(take('key1'), 1, 'the first key has lost its mark');

# Keys that a role uses once do not evict another role's marks.
ask('CREATE ROLE flooder LOGIN');
ask("DO 'BEGIN EXECUTE (SELECT string_agg(format(''GRANT EXECUTE ON FUNCTION %s TO flooder'', oid::regprocedure), ''; '') FROM pg_proc WHERE proname ~ ''^idgen_sequence''); END'");
take("used$_") foreach (1 .. 5) x 3;
$node->safe_psql('postgres', q(SELECT count(idgen_sequence_next('once' || n)) FROM generate_series(1, 5000) n), extra_params => [ '-U', 'flooder' ]);
$store->cli('FLUSHALL');
is(join(' ', map { take("used$_") } 1 .. 5), '4 4 4 4 4', 'keys in use keep their marks');
# Keys that a role uses repeatedly evict only that role's own marks.
$node->safe_psql('postgres', q(SELECT count(idgen_sequence_next('twice' || n) + idgen_sequence_next('twice' || n)) FROM generate_series(1, 2000) n), extra_params => [ '-U', 'flooder' ]);
$store->cli('FLUSHALL');
cmp_ok(scalar(grep { take("used$_") == 5 } 1 .. 5), '>=', 4, 'keys in use keep their marks while another role uses many keys repeatedly');

# Databases that a role creates do not help it.
ask('CREATE ROLE maker LOGIN CREATEDB');
my @maker = (extra_params => [ '-U', 'maker' ]);
take("used$_") foreach (1 .. 5) x 3;
foreach my $database (map { "made$_" } 1 .. 8) {
    $node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0", @maker);
    $node->safe_psql($database, 'CREATE EXTENSION idgen', @maker);
    $node->safe_psql($database, q(SELECT count(idgen_sequence_next('twice' || n) + idgen_sequence_next('twice' || n)) FROM generate_series(1, 100) n), @maker);
}
$store->cli('FLUSHALL');
cmp_ok(scalar(grep { take("used$_") > 1 } 1 .. 5), '>=', 4, 'keys in use keep their marks while another role creates databases');

# --- marks survive a stop of the server

is(take_all('g', 10), '1|10|10', 'ten values');
$node->restart;
$store->cli('FLUSHALL');
is(take('g'), 11, 'after a restart the server knows the exact mark');
is(take_all('g', 1000), '12|1011|1000', 'a thousand more values');

# --- after a crash marks are ahead of the values returned

sub crash { ok(kill_postmaster($node), 'the server crashes'); $node->start; return }
$node->stop('immediate');
$node->start;
is(take('g'), 1012, 'an immediate shutdown loses no mark');
crash();
is(take('g'), 1013, 'if the store has lost nothing, no value is skipped after a crash');
crash();
$told = told();
$store->cli('FLUSHALL');
my $after = take('g');
cmp_ok($after, '>', 1013, 'if the store was emptied, values after a crash are above all that may have been returned');
cmp_ok($after, '<=', 1013 + 2 * 65536, 'after a loss values are not far above the mark');
is(told(), $told + 1, 'the loss is logged');
$store->cli('SAVE');
is(take_all('g', 5), join('|', $after + 1, $after + 5, 5), 'five more values');
$store->kill9;
crash();
$store->start;
is($store->cli('GET', key('g')), $after, 'the store has gone back to before those');
$told = told();
cmp_ok(take('g'), '>', $after + 5, 'a store other than the one before the crash is raised');
like(slurp_file($node->logfile), qr/may have forgotten values of "[^"]*\{1:g\}".*It returned @{[$after + 1]}, and it may not be the store that had returned/s, 'the log has the reason');
$store->cli('SAVE');
$after = take('g');
$store->kill9;
$store->start;
is(take('g'), $after + 1, 'while the server runs it knows the exact mark, whatever happens to the store');

is(take('one'), 1, 'a key of which one value was returned');
crash();
$store->cli('FLUSHALL');
cmp_ok(take('one'), '>', 1, 'after a crash and a loss it is not returned again');
ask(q(SELECT idgen_sequence_set('one', 10)));
crash();
is(take('one'), 11, 'after a crash a value that was set is kept');
ask(q(SELECT idgen_sequence_set('one', 5)), $other);
crash();
is(take('one'), 6, 'after a crash a lower value set by another server is kept');
is(ask(q(SELECT idgen_sequence_delete_key('one'))), 't', 'the key is deleted');
crash();
is(take('one'), 1, 'after a crash a deleted key begins again');

# A killed session makes the whole server restart, and its shared memory is lost.
is(take_all('killed', 100), '1|100|100', 'a hundred values');
ok(kill_backend($node), 'a session is killed');
wait_for_ids($node);
is(take('killed'), 101, 'no value is skipped');

# --- a marks file of another size, damaged, and invalid

is(take_all('sized', 10), '1|10|10', 'ten values');
$node->append_conf('postgresql.conf', 'idgen.max_sequence_marks = 128');
$node->restart;
$store->cli('FLUSHALL');
is(take('sized'), 11, 'a table of another size takes the marks from the file');
is(secret_of($node), sprintf('%032x', 1), 'the secret of the hashes is kept');
my $file = $node->data_dir . '/idgen.marks';
is(-s $file, 64 * (1 + 128), 'the file has the size of the table');
$node->stop;
open my $marks, '+<:raw', $file or die $!;
for my $place (1 .. 128) { seek($marks, 64 * $place + 16, 0); print $marks 'x' }
close $marks or die $!;
$node->start;
like(slurp_file($node->logfile), qr/ignoring parts of file "idgen.marks".*records, [1-9][0-9]* are damaged/s, 'damaged records are ignored');
is(take('sized'), 12, 'other records are kept');
$node->stop;
append_to_file($file, 'x');
truncate($file, 100);
$node->start;
like(slurp_file($node->logfile), qr/ignoring parts of file "idgen.marks".*128 are missing/s, 'missing records are reported');
$node->stop;
truncate($file, 10);
$node->start;
like(slurp_file($node->logfile), qr/ignoring file "idgen.marks"/, 'an invalid file is ignored');
is(take('sized'), 13, 'sequences continue without it');

# --- a marks file that cannot be written: no value is returned without a mark

unlink $file;
mkdir $file or die $!;
like(error_of($node, q(SELECT idgen_sequence_next('new'))), qr/ERROR:  .*could not open file "idgen.marks"/, 'a value without a mark fails');
rmdir $file or die $!;
is(take('new'), 2, 'a missing file is written again');
is(-s $file, 64 * (1 + 128), 'the file is complete');

# The file is removed while sessions have it open.
my $opened = $node->background_psql('postgres');
is($opened->query_safe(q(SELECT idgen_sequence_next('opened'))), 1, 'a session that has the file open');
unlink $file;
is($opened->query_safe(q(SELECT idgen_sequence_next('opened2'))), 1, 'the session takes a value after the file was removed');
$opened->quit;
ok(-e $file, 'the file is written again');
like(slurp_file($node->logfile), qr/file "idgen.marks" was removed or replaced; it is written again/, 'writing the file again is logged');
crash();
$store->cli('FLUSHALL');
cmp_ok(take($_), '>', 1, 'the session\'s values are known after a crash') foreach qw(opened opened2);

# A server that cannot write a file of another size when it starts.
$node->append_conf('postgresql.conf', 'idgen.max_sequence_marks = 4096');
ok(kill_postmaster($node), 'the server crashes');
mkdir "$file.new" or die $!;
$node->start;
like(slurp_file($node->logfile), qr/idgen: could not record high-water marks of sequences/, 'the server logs that it cannot write the file');
is(take('opened2'), $store->cli('GET', key('opened2')), 'a key with a mark in the old file continues');
like(error_of($node, q(SELECT idgen_sequence_next('many1'))), qr/ERROR:  .*could not write file "idgen.marks.new"/, 'a key without a mark fails');
rmdir "$file.new" or die $!;
ask(q(SELECT idgen_sequence_next('many' || n) FROM generate_series(1, 500) n));
crash();
$store->cli('FLUSHALL');
is(ask(q(SELECT count(*) FROM (SELECT idgen_sequence_next('many' || n) v FROM generate_series(1, 500) n) x WHERE v = 1)), 0, 'when the file can be written, all keys have marks after a crash');

# --- a store that repeats itself is asked again, with increasing pauses

my %replies  = (GET => "\$-1\r\n", INCRBY => ":1\r\n", SCRIPT => "\$40\r\n" . 'a' x 40 . "\r\n");
my $repeater = IdgenTest::FakeRedis->new(sub {
    my ($verb, @words) = @_;
    return $replies{$verb} // ((grep { $_ eq 'writer' } @words) ? "\$3\r\nrun\r\n" : strings('ok', 1, 0));
});
is(take_all('lie', 5), '1|5|5', 'five values of the real store');
change_settings($node, "idgen.sequence_store = '" . $repeater->url . "'");
ok(wait_until { ask('SHOW idgen.sequence_store') eq $repeater->url }, 'the repeating store is in use');
like(error_of($node, q(SET idgen.sequence_timeout = '2s'; SELECT idgen_sequence_next('lie'))),
    qr/ERROR:  08P01: the sequence store repeats values\nDETAIL:  It returned values of "[^"]*\{3:lie\}" that were issued before \d+ times in a row, most recently 1,/, 'the error says that values are repeated');
cmp_ok($repeater->commands, '>', 1, 'the store was asked again');
cmp_ok($repeater->commands, '<', 100, 'there were pauses between the requests');
$repeater->stop;

$_->stop foreach @nodes;
done_testing();
