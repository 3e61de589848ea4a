# What a transaction was given is known on disk before the transaction has committed: where the disk fails it does not
# commit, and nothing that was given counts.
use strict;
use warnings;

use IdgenTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use StoreTest;
use Test::More;

my $store = StoreTest::Redis->new(appendonly => 'no');
my $fault = PostgreSQL::Test::Utils::tempdir() . '/fault';
sub disk_fails { my ($what) = @_; unlink $fault; append_to_file($fault, $what) if defined $what; return }

my $node = new_server('disk', conf => "idgen.sequence_store = '" . $store->url(socket => 1) . "'\nfsync = on\nmax_prepared_transactions = 2\n");
{
    local $ENV{LD_PRELOAD} = IdgenTest::shim('disk_shim');
    local $ENV{IDGEN_DISK_FILE} = 'idgen.marks';
    local $ENV{IDGEN_DISK_FAULT} = $fault;
    $node->start;
}
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION idgen;
SELECT idgen_create_sequencer('message', cache => 1000);
CREATE TABLE given (key text, value bigint, PRIMARY KEY (key, value));
SQL
sub ask { my ($sql) = @_; return $node->safe_psql('postgres', $sql) }
sub give { my ($key, $sequencer) = @_; return "INSERT INTO given SELECT '$key', idgen_sequence_next('$key', '" . ($sequencer // 'default') . "')" }
sub given { my ($key) = @_; return ask("SELECT coalesce(string_agg(value::text, ' ' ORDER BY value), '') FROM given WHERE key = '$key'") }

# --- a sync that fails

ask(give('known'));
disk_fails('sync');
like(error_of($node, give('new')), qr/ERROR:  58030: could not sync file "idgen.marks": Input\/output error\nDETAIL:  It keeps how far/, 'the first value of a key');
is(given('new'), '', 'its transaction has not committed');
ask(give('known'));
is(given('known'), '1 2', 'a value that was written ahead waits for no disk');
is(ask('SELECT idgen_sequence_peek(\'new\')'), 1, 'nor does what takes no value');
like(error_of($node, "BEGIN;\nSELECT idgen_sequence_next('new');\nSELECT 'in between';\nCOMMIT;"), qr/ERROR:  58030/, 'a transaction learns of it when it commits');
like(error_of($node, "BEGIN;\nSELECT idgen_sequence_next('new');\nPREPARE TRANSACTION 'p';"), qr/ERROR:  58030/, 'or when it is prepared');
is(error_of($node, "BEGIN;\nSELECT idgen_sequence_next('new');\nROLLBACK;"), '', 'one that is rolled back does not need it');
like(error_of($node, 'DO $$ BEGIN PERFORM idgen_sequence_next(\'new\'); COMMIT; END $$'), qr/ERROR:  58030/, 'nor can a procedure commit');
disk_fails();
ask(give('new'));
is(given('new'), '6', 'when the disk is well again the key goes on, above what was asked for');

# --- segments: who takes from one that this session fetched waits, too

disk_fails('sync');
like(error_of($node, give('s', 'message')), qr/ERROR:  58030/, 'the first segment of a key');
like(error_of($node, give('s', 'message')), qr/ERROR:  58030/, 'and the second');
disk_fails();
ask(give('s', 'message'));
is(given('s'), '3', 'which go on when the disk is well');
my $position = log_position($node);
disk_fails('sync');
my $error = error_of($node, 'SELECT count(idgen_sequence_next(\'s\', \'message\')) FROM generate_series(1, 20000)');
like($error, qr/ERROR:  58030/, 'many values, of segments that were fetched meanwhile');
ok(wait_until { logged_since($node, qr/idgen cannot fetch values of sequences ahead: It keeps how far/, $position) }, 'nothing is fetched ahead');
disk_fails();
ask("INSERT INTO given SELECT 's', idgen_sequence_next('s', 'message') FROM generate_series(1, 20000)");
is(ask(q(SELECT count(*) FROM given WHERE key = 's')), 20001, 'until the disk is well');

# --- who does not wait for the disk when he commits does not wait for this, either

$position = log_position($node);
disk_fails('sync');
ask("SET synchronous_commit = off;\n" . give('async'));
is(given('async'), '1', 'a transaction that does not wait for the disk');
ok(wait_until { logged_since($node, qr/idgen cannot record how far sequences have come/, $position) }, 'it is synced soon after');
disk_fails();
ask("SET synchronous_commit = off;\n" . give('async'));
is(given('async'), '1 2', 'and goes on');

# --- a disk that is full

disk_fails('write');
like(error_of($node, give('full')), qr/ERROR:  53100: could not write file "idgen.marks": No space left/, 'a record that can\'t be written');
like(error_of($node, give('full')), qr/ERROR:  53100/, 'nor with the next value');
like(error_of($node, 'SELECT * FROM idgen_sequence_next(ARRAY[\'known\', \'full\'])'), qr/ERROR:  53100/, 'among several keys');
like(error_of($node, give('full', 'message')), qr/ERROR:  53100/, 'a segment\'s');
ask(give('known'));
disk_fails();
ask(give('full'));
is(given('full'), '4', 'when there is room the key goes on');
is(given('known'), '1 2 4', 'and what had room was not held up');

# --- it was all for this: a crash together with a store that has forgotten

$store->cli('FLUSHALL');
ok(kill_postmaster($node), 'the server crashes');
$node->start;
ask(give($_)) foreach qw(known new async full);
ask(give('s', 'message'));
is(ask('SELECT count(*) FROM given'), 20002 + 4 + 2 + 3 + 2, 'no value came twice');

$node->stop;
done_testing();
