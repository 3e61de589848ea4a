# A store that has forgotten does not answer below what a server knows: after FLUSHALL, after a step back to an older state,
# after a restart. What another server has set, dropped or set again after a loss is not undone.
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
# Keys are hashed under a secret of each server, so that nobody can choose one that shares another's mark. What makes room
# for what rests on it, so the tests go on with secrets that are always the same.
my @secrets;
my @nodes = map { marked_server("marks_$_") } 1 .. 2;
my ($node, $other) = @nodes;
unlike($secrets[0], qr/^0*$/, 'a server has a secret');
isnt($secrets[0], $secrets[1], 'of its own');

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
sub told { my ($server) = @_; return scalar(() = slurp_file(($server // $node)->logfile) =~ /the sequence store had forgotten values of/g) }

# --- everything forgotten

is(take_all('a', 100), '1|100|100', 'a hundred values');
is(ask(q(SELECT string_agg(value::text, ' ') FROM idgen_sequence_next_keys(ARRAY['b', 'c', 'c']))), '1 1 2', 'and of other keys');
$store->cli('FLUSHALL');
is(take('a'), 101, 'after FLUSHALL the next one is above them');
is($store->cli('GET', key('a')), 101, 'as the store knows again');
is(told(), 1, 'which is logged');
like(slurp_file($node->logfile), qr/had forgotten values of "idgen:seq:[^"]*\{1:a\}".*It gave 1, and had given 100 before/s, 'with the numbers');
is(take('a'), 102, 'and it goes on');
is(take_all('b', 10), '2|11|10', 'a batch of a key that was forgotten, too');
is(ask(q(SELECT string_agg(key || value, ' ') FROM idgen_sequence_next_keys(ARRAY['c', 'd', 'c', 'a']))), 'c3 d1 c4 a103', 'several keys, of which some were forgotten');
is(take_all('f', 3, 'fives'), '5|15|3', 'a sequencer whose rules need the script');
$store->cli('FLUSHALL');
is(take('f', $node, 'fives'), 20, 'goes on likewise');
like(error_of($node, q(SELECT * FROM idgen_sequence('f', 17, 'fives'))), qr/ERROR:  2200H:.*The last is 20/s, 'up to its maximum');
$store->cli('FLUSHALL');
like(error_of($node, q(SELECT * FROM idgen_sequence('f', 17, 'fives'))), qr/ERROR:  2200H:.*The last is 20, .*16 are left, and 17 were asked for/s,
    'which a store that has forgotten does not move');

# --- something forgotten: a step back to an older state

$store->cli('SET', key('a'), 50);
is(take('a'), 104, 'a value that has gone back is raised');
my $before = told();
$store->cli('INCRBY', key('a'), 1000);
is(take('a'), 1105, 'one that another program has raised is not');
is(told(), $before, 'and nothing is logged');
$store->cli('CONFIG', 'SET', 'save', '3600 1');
$store->cli('SAVE');
is(take_all('a', 5), '1106|1110|5', 'values after the last that was saved');
$store->kill9;
$store->start;
is(take('a'), 1111, 'a store that was killed and started again from an older state');

# --- what others do is not undone

is(take('a', $other), 1112, 'another server takes one');
ask(q(SELECT idgen_sequence_set('a', 10)), $other);
is(take('a'), 11, 'a value that another server has set lower holds');
is(take('a', $other), 12, 'for that one, too');
ask(q(SELECT idgen_sequence_delete_key('a')), $other);
is(take('a'), 1, 'one that another server has dropped begins again');
ask(q(SELECT idgen_sequence_set('a', 500)), $other);
$store->cli('FLUSHALL');
is(take('a', $other), 501, 'who has set it knows it');
is(take('a'), 502, 'and so does the other then');
$store->cli('FLUSHALL');
ask(q(SELECT idgen_sequence_set('a', 3)), $other);
is(take('a'), 4, 'one that was set after a loss holds, also where more was known');
$store->cli('FLUSHALL');
is(ask(q(SELECT idgen_sequence_set_if_not_exists('a', 7))), 't', 'likewise one set where there was none');
is(take('a', $other), 8, 'for all');

# --- what several servers know together: each what it has seen

is(take_all('e', 20), '1|20|20', 'one server has twenty');
is(take('e', $other), 21, 'and another the twenty-first');
is(take_all('e', 20), '22|41|20', 'and the first twenty more');
$store->cli('FLUSHALL');
is(take('e', $other), 22, 'a server that knows less does not know of those');
is(take('e'), 42, 'until one that knows more asks');
is(take('e', $other), 43, 'and from then on');

# --- without marks: keys that end by themselves, and values that begin again

is(take('t', $node, 'day'), 1, 'a key with a TTL');
is(take_all('r', 4, 'round'), '1|4|4', 'a cycle');
$store->cli('FLUSHALL');
is(take('t', $node, 'day'), 1, 'begins again in a store that has forgotten it');
is(take('r', $node, 'round'), 1, 'and so does the cycle');

# --- under load nobody is alarmed for nothing, and what is given is without gaps

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
is((sort { $b <=> $a } keys %given)[0], 4000, 'and none is missing');
is(told($node) + told($other), $told, 'and the store was not thought to have forgotten');

# --- what fails in the middle

my $proxy = IdgenTest::Proxy->new($store);
change_settings($node, "idgen.sequence_store = '" . $proxy->url . "'", "idgen.sequence_timeout = '300ms'");
is(take('x'), 1, 'through a proxy');
$proxy->drop_replies;
like(error_of($node, q(SELECT idgen_sequence_next('x'))), qr/ERROR:  08006: .*It may have carried out/s, 'a reply that is lost');
$proxy->pass;
is(take('x'), 3, 'the next call is right: a value is lost, none is given twice');
$store->cli('FLUSHALL');
$store->pause;
like(error_of($node, q(SELECT idgen_sequence_next('x'))), qr/ERROR:  08006/, 'a store that stalls when it has forgotten');
$store->resume;
cmp_ok(take('x'), '>', 3, 'is raised when it goes on');

# --- two that both take themselves for the store: one server asks both at the same time

my $twin = IdgenTest::Redis->new(appendonly => 'no');
change_settings($node, "idgen.sequence_timeout = '1min'");
is(take_all('twice', 5), '1|5|5', 'five values');
$twin->cli('SET', key('twice'), 5);
my $session = $node->background_psql('postgres');
is($session->query_safe(q(SELECT idgen_sequence_next('warm'))), 1, 'a session with a connection');
$proxy->hold_replies;
$session->{stdin} .= "SELECT 'slow ' || idgen_sequence_next('twice');\n\\echo done\n";
$session->{run}->pump_nb;
ok(wait_until { $store->cli('GET', key('twice')) == 6 }, 'one has given the sixth, of which nobody has heard');
change_settings($node, "idgen.sequence_store = '" . $twin->url . "'");
is(take('twice'), 6, 'the other gives it to somebody else');
$proxy->let_go;
ok(wait_until { $session->{run}->pump_nb; $session->{stdout} =~ /^done$/m }, 'the first goes on');
like($session->{stdout}, qr/^slow 7$/m, 'and does not give it again');
$session->quit;
is(take('twice'), 8, 'nor does any other session: what it was told by the one, the other is raised above');
change_settings($node, "idgen.sequence_store = '" . $store->url(socket => 1) . "'", "idgen.sequence_timeout = '2s'");

# --- more keys than there is room for

ask(q(SELECT count(idgen_sequence_next('key' || n)) FROM generate_series(1, 1000) n));
is(take('key1000'), 2, 'a thousand keys where 64 have marks');
$store->cli('FLUSHALL');
is(take('key1000'), 3, 'the last one used has its mark');
is(take('key1'), 1, 'the first one had to make room');

# Keys that a role uses once do not cost another's their marks.
ask('CREATE ROLE flooder LOGIN');
ask("DO 'BEGIN EXECUTE (SELECT string_agg(format(''GRANT EXECUTE ON FUNCTION %s TO flooder'', oid::regprocedure), ''; '') FROM pg_proc WHERE proname ~ ''^idgen_sequence''); END'");
take("used$_") foreach (1 .. 5) x 3;
$node->safe_psql('postgres', q(SELECT count(idgen_sequence_next('once' || n)) FROM generate_series(1, 5000) n), extra_params => [ '-U', 'flooder' ]);
$store->cli('FLUSHALL');
is(join(' ', map { take("used$_") } 1 .. 5), '4 4 4 4 4', 'keys in use keep their marks');
# Not even if they are used again and again, unless they are that role's own.
$node->safe_psql('postgres', q(SELECT count(idgen_sequence_next('twice' || n) + idgen_sequence_next('twice' || n)) FROM generate_series(1, 2000) n), extra_params => [ '-U', 'flooder' ]);
$store->cli('FLUSHALL');
cmp_ok(scalar(grep { take("used$_") == 5 } 1 .. 5), '>=', 4, 'also where another role uses its keys again');

# Nor if that role makes databases for it.
ask('CREATE ROLE maker LOGIN CREATEDB');
my @maker = (extra_params => [ '-U', 'maker' ]);
take("used$_") foreach (1 .. 5) x 3;
foreach my $database (map { "made$_" } 1 .. 8) {
    $node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0", @maker);
    $node->safe_psql($database, 'CREATE EXTENSION idgen', @maker);
    $node->safe_psql($database, q(SELECT count(idgen_sequence_next('twice' || n) + idgen_sequence_next('twice' || n)) FROM generate_series(1, 100) n), @maker);
}
$store->cli('FLUSHALL');
cmp_ok(scalar(grep { take("used$_") > 1 } 1 .. 5), '>=', 4, 'also where another role has many databases');

# --- what is known survives the server: a stop

is(take_all('g', 10), '1|10|10', 'ten values');
$node->restart;
$store->cli('FLUSHALL');
is(take('g'), 11, 'a server that was stopped and started knows them exactly');
is(take_all('g', 1000), '12|1011|1000', 'more of them');

# --- a crash: the records are ahead of what was given

sub crash { ok(kill_postmaster($node), 'the server crashes'); $node->start; return }
$node->stop('immediate');
$node->start;
is(take('g'), 1012, 'an immediate stop loses nothing, either');
crash();
is(take('g'), 1013, 'a store that has forgotten nothing is believed after a crash, too: no value is skipped');
crash();
$told = told();
$store->cli('FLUSHALL');
my $after = take('g');
cmp_ok($after, '>', 1013, 'one that was emptied goes on above all that may have been given');
cmp_ok($after, '<=', 1013 + 2 * 65536, 'not far above');
is(told(), $told + 1, 'and the log says so');
$store->cli('SAVE');
is(take_all('g', 5), join('|', $after + 1, $after + 5, 5), 'five more');
$store->kill9;
crash();
$store->start;
is($store->cli('GET', key('g')), $after, 'the store has gone back to before those');
$told = told();
cmp_ok(take('g'), '>', $after + 5, 'a store that is another one than before the crash is raised');
like(slurp_file($node->logfile), qr/may have forgotten values of "[^"]*\{1:g\}".*It gave @{[$after + 1]}, and is not the one that, when this server crashed/s, 'with the reason');
$store->cli('SAVE');
$after = take('g');
$store->kill9;
$store->start;
is(take('g'), $after + 1, 'while the server lives it knows exactly, whoever the store is');

is(take('one'), 1, 'a key of which one value was given');
crash();
$store->cli('FLUSHALL');
cmp_ok(take('one'), '>', 1, 'before a crash');
ask(q(SELECT idgen_sequence_set('one', 10)));
crash();
is(take('one'), 11, 'a value that was set');
ask(q(SELECT idgen_sequence_set('one', 5)), $other);
crash();
is(take('one'), 6, 'one that another server has set lower holds after a crash, too');
is(ask(q(SELECT idgen_sequence_delete_key('one'))), 't', 'it is dropped');
crash();
is(take('one'), 1, 'and begins again');

# A killed session takes the whole server with it, and what it knew in memory.
is(take_all('killed', 100), '1|100|100', 'a hundred values');
ok(kill_backend($node), 'a session is killed');
wait_for_ids($node);
is(take('killed'), 101, 'nothing is skipped');

# --- a file of another size, one that is damaged, and one that is none

is(take_all('sized', 10), '1|10|10', 'ten values');
$node->append_conf('postgresql.conf', 'idgen.max_sequence_marks = 128');
$node->restart;
$store->cli('FLUSHALL');
is(take('sized'), 11, 'a table of another size takes what the file has');
is(secret_of($node), sprintf('%032x', 1), 'and the secret of the hashes');
my $file = $node->data_dir . '/idgen.marks';
is(-s $file, 64 * (1 + 128), 'whose size is that of the table');
$node->stop;
open my $marks, '+<:raw', $file or die $!;
for my $place (1 .. 128) { seek($marks, 64 * $place + 16, 0); print $marks 'x' }
close $marks or die $!;
$node->start;
like(slurp_file($node->logfile), qr/ignoring parts of file "idgen.marks".*records [1-9][0-9]* are damaged/s, 'damaged records are not taken');
is(take('sized'), 12, 'and nothing else is lost');
$node->stop;
append_to_file($file, 'x');
truncate($file, 100);
$node->start;
like(slurp_file($node->logfile), qr/ignoring parts of file "idgen.marks".*128 missing/s, 'nor those that are missing');
$node->stop;
truncate($file, 10);
$node->start;
like(slurp_file($node->logfile), qr/ignoring file "idgen.marks"/, 'a file that is none is not taken');
is(take('sized'), 13, 'and the server goes on');

# --- a file that can't be written: no value is given that is not known

unlink $file;
mkdir $file or die $!;
like(error_of($node, q(SELECT idgen_sequence_next('new'))), qr/ERROR:  .*could not open file "idgen.marks"/, 'an error');
rmdir $file or die $!;
is(take('new'), 2, 'a file that is gone is written again');
is(-s $file, 64 * (1 + 128), 'whole');

# Also under sessions that have the old one open.
my $opened = $node->background_psql('postgres');
is($opened->query_safe(q(SELECT idgen_sequence_next('opened'))), 1, 'a session that has the file open');
unlink $file;
is($opened->query_safe(q(SELECT idgen_sequence_next('opened2'))), 1, 'which goes');
$opened->quit;
ok(-e $file, 'it is written again');
like(slurp_file($node->logfile), qr/the file "idgen.marks" was removed or replaced; it is written again/, 'which is logged');
crash();
$store->cli('FLUSHALL');
cmp_ok(take($_), '>', 1, 'what it was given is known after a crash') foreach qw(opened opened2);

# A server that can't write it when it starts, with another size.
$node->append_conf('postgresql.conf', 'idgen.max_sequence_marks = 4096');
ok(kill_postmaster($node), 'the server crashes');
mkdir "$file.new" or die $!;
$node->start;
like(slurp_file($node->logfile), qr/idgen cannot record how far sequences have come/, 'a server that can not write the file says so');
is(take('opened2'), $store->cli('GET', key('opened2')), 'what the old file covers goes on');
like(error_of($node, q(SELECT idgen_sequence_next('many1'))), qr/ERROR:  .*could not write file "idgen.marks.new"/, 'and no key goes on without a mark');
rmdir "$file.new" or die $!;
ask(q(SELECT idgen_sequence_next('many' || n) FROM generate_series(1, 500) n));
crash();
$store->cli('FLUSHALL');
is(ask(q(SELECT count(*) FROM (SELECT idgen_sequence_next('many' || n) v FROM generate_series(1, 500) n) x WHERE v = 1)), 0, 'until it can: then all are known after a crash');

# --- a store that repeats itself is asked again, and less and less often

my %replies  = (GET => "\$-1\r\n", INCRBY => ":1\r\n", SCRIPT => "\$40\r\n" . 'a' x 40 . "\r\n");
my $repeater = IdgenTest::FakeRedis->new(sub {
    my ($verb, @words) = @_;
    return $replies{$verb} // ((grep { $_ eq 'writer' } @words) ? "\$3\r\nrun\r\n" : strings('ok', 1, 0));
});
is(take_all('lie', 5), '1|5|5', 'five values of another');
change_settings($node, "idgen.sequence_store = '" . $repeater->url . "'");
ok(wait_until { ask('SHOW idgen.sequence_store') eq $repeater->url }, 'which gives way to it');
like(error_of($node, q(SELECT idgen_sequence_next('lie'))),
    qr/ERROR:  08P01: the sequence store gives values that have been given before\nDETAIL:  Of "[^"]*\{3:lie\}" it has given such values \d+ times running, the last time 1,/, 'the error says what it does');
cmp_ok($repeater->commands, '>', 1, 'it was asked again');
cmp_ok($repeater->commands, '<', 100, 'it is not asked without a pause');
$repeater->stop;

$_->stop foreach @nodes;
done_testing();
