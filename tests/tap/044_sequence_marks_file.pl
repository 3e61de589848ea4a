# What a transaction was given is known on disk before the transaction has committed: where the disk fails it does not
# commit, and nothing that was given counts.
use strict;
use warnings;

use IPC::Run;
use IdgenTest;
use IdgenTest::Faults;
use IdgenTest::Redis;
use IdgenTest::Shim;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $store = IdgenTest::Redis->new(appendonly => 'no');
my $fault = PostgreSQL::Test::Utils::tempdir() . '/fault';
sub disk_fails {
    my ($what) = @_;
    unlink "$fault.hangs";
    append_to_file("$fault.new", $what // 'not');
    rename("$fault.new", $fault) or die $!;    # at once: what hangs looks at it again and again
    return;
}

my $node = new_server('disk', conf => "idgen.sequence_store = '" . $store->url(socket => 1) . "'\nfsync = on\nmax_prepared_transactions = 2\nidgen.max_sequence_keys = 16\n");
{
    local $ENV{LD_PRELOAD} = shim('disk');
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
ok(wait_until { logged_since($node, qr/idgen cannot fetch values of sequences ahead: could not f?sync file "idgen.marks[^"]*": Input/, $position) }, 'nothing is fetched ahead');
disk_fails();
ask("INSERT INTO given SELECT 's', idgen_sequence_next('s', 'message') FROM generate_series(1, 20000)");
is(ask(q(SELECT count(*) FROM given WHERE key = 's')), 20001, 'until the disk is well');

# --- who does not wait for the disk when he commits does not wait for this, either

$position = log_position($node);
disk_fails('sync');
ask("SET synchronous_commit = off;\n" . give('async'));
is(given('async'), '1', 'a transaction that does not wait for the disk');
ok(wait_until { logged_since($node, qr/idgen cannot record how far sequences have come: could not f?sync file/, $position) }, 'it is synced soon after');
disk_fails();
ask("SET synchronous_commit = off;\n" . give('async'));
is(given('async'), '1 2', 'and goes on');

# --- a disk that is full

disk_fails('write');
like(error_of($node, give('full')), qr/ERROR:  53100: could not write file "idgen.marks": No space left/, 'a record that can\'t be written');
like(error_of($node, give('full')), qr/ERROR:  53100/, 'nor with the next value');
like(error_of($node, 'SELECT * FROM idgen_sequence_next_keys(ARRAY[\'known\', \'full\'])'), qr/ERROR:  53100/, 'among several keys');
like(error_of($node, give('full', 'message')), qr/ERROR:  53100/, 'a segment\'s');
ask(give('known'));
disk_fails();
ask(give('full'));
is(given('full'), '4', 'when there is room the key goes on');
is(given('known'), '1 2 4', 'and what had room was not held up');

# --- a disk that hangs: who has to wait for it can be cancelled, and nobody else waits

sub start_sql {
    my ($name, $sql) = @_;
    my ($out, $err) = ('', '');
    my $self = { name => $name, out => \$out, err => \$err };
    $self->{run} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "SET application_name = '$name'", '-c', $sql ], '<', \'', '>', \$out, '2>', \$err);
    return $self;
}
sub pid_of { my ($self, $condition) = @_; return ask("SELECT pid FROM pg_stat_activity WHERE application_name = '$self->{name}' AND " . ($condition // q(state = 'active'))) }
sub waits { my ($self) = @_; return wait_until { pid_of($self, q(state = 'active' AND wait_event_type IN ('Extension', 'LWLock'))) ne '' } }
# Not for as long as the disk hangs.
sub has_ended { my ($self) = @_; for (1 .. 400) { $self->{run}->pump_nb; return 1 if !$self->{run}->pumpable; usleep(50_000) } return 0 }

foreach my $what (qw(sync write)) {
    disk_fails("hang $what");
    my $stuck = start_sql('stuck', give("stuck $what"));
    ok(wait_until { -e "$fault.hangs" }, "a session that the disk does not answer: $what");
    my $covered = start_sql('covered', give('known'));
    ok(has_ended($covered) && ${ $covered->{err} } eq '', 'a value that was written ahead does not wait');
    my $open = start_sql('open', "BEGIN; SELECT idgen_sequence_next('open $what'), idgen_sequence_next('open $what', 'message'); ROLLBACK");
    ok(has_ended($open) && ${ $open->{out} } eq "1|1\n", 'nor a transaction that does not commit');
    my %waiting = map { $_ => start_sql($_, give("$_ $what")) } qw(cancelled terminated patient);
    ok(waits($_), "$_->{name} waits") foreach values %waiting;
    ask('SELECT pg_cancel_backend(' . pid_of($waiting{cancelled}) . ')');
    ok(has_ended($waiting{cancelled}), 'a cancel ends the wait');
    like(${ $waiting{cancelled}->{err} }, qr/canceling statement due to user request/, 'with an error');
    ask('SELECT pg_terminate_backend(' . pid_of($waiting{terminated}) . ')');
    ok(has_ended($waiting{terminated}), 'and so does the end of a session');
    is(given("cancelled $what") . given("terminated $what"), '', 'neither has committed');
    # Whoever is in the system call cannot be ended before that returns; then he leaves it to others.
    ask('SELECT pg_terminate_backend(' . pid_of($stuck) . ')');
    disk_fails($what);
    ok(has_ended($stuck), 'the disk answers, with an error');
    disk_fails();
    ok(has_ended($waiting{patient}), 'who waited goes on');
    ask(give("cancelled $what"));
    is(given("cancelled $what"), 2, 'and so do others');
}

# The mark of values that are given back is written before the store is asked to take them.
ask(q(SELECT count(idgen_sequence_next('rest', 'message')) FROM generate_series(1, 3000)));
ask(q(SELECT idgen_sequence_set('rest', 5, 'message')));
ask(q(SELECT idgen_sequence_next('rest', 'message')));
disk_fails('hang write');
my $stuck = start_sql('stuck', give('stuck again'));
ok(wait_until { -e "$fault.hangs" }, 'a session that the disk does not answer');
like(error_of($node, q(BEGIN; SELECT count(idgen_sequence_next('room' || g, 'message')) FROM generate_series(1, 16) g; ROLLBACK;)),
    qr/ERROR:  58030: the disk does not answer\nDETAIL:  Process \d+ has not finished writing the file "idgen.marks"/, 'a call that has to write does not wait longer than the store may take');
disk_fails();
ok(has_ended($stuck), 'until the disk answers');

# --- it was all for this: a crash together with a store that has forgotten

$store->cli('FLUSHALL');
ok(kill_postmaster($node), 'the server crashes');
$node->start;
ask(give($_)) foreach qw(known new async full);
ask(give('s', 'message'));
ask(give("$_ sync")) foreach qw(stuck cancelled patient);
is(ask('SELECT count(*) - count(DISTINCT (key, value)) FROM given'), 0, 'no value came twice');

$node->stop;
done_testing();
