# The mark of a value is on disk before the transaction that got the value commits. If the disk
# fails, the transaction does not commit.
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
    rename("$fault.new", $fault) or die $!;    # replaced at once, because a hanging process reads it repeatedly
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

# --- a sync fails

ask(give('known'));
disk_fails('sync');
like(error_of($node, give('new')), qr/ERROR:  58030: could not sync file "idgen.marks": Input\/output error\nDETAIL:  This file keeps the high-water marks/, 'a transaction with the first value of a key fails');
is(given('new'), '', 'the transaction did not commit');
ask(give('known'));
is(given('known'), '1 2', 'a value below a mark that is on disk does not wait');
is(ask('SELECT idgen_sequence_peek(\'new\')'), 1, 'a call that takes no value does not wait');
like(error_of($node, "BEGIN;\nSELECT idgen_sequence_next('new');\nSELECT 'in between';\nCOMMIT;"), qr/ERROR:  58030/, 'a transaction fails at commit');
like(error_of($node, "BEGIN;\nSELECT idgen_sequence_next('new');\nPREPARE TRANSACTION 'p';"), qr/ERROR:  58030/, 'a transaction fails at PREPARE TRANSACTION');
is(error_of($node, "BEGIN;\nSELECT idgen_sequence_next('new');\nROLLBACK;"), '', 'a transaction that rolls back does not need the disk');
like(error_of($node, 'DO $$ BEGIN PERFORM idgen_sequence_next(\'new\'); COMMIT; END $$'), qr/ERROR:  58030/, 'a COMMIT in a procedure fails');
disk_fails();
ask(give('new'));
is(given('new'), '6', 'when the disk works again the key continues above the failed values');

# --- segments: a session that takes values of a segment fetched by another session waits, too

disk_fails('sync');
like(error_of($node, give('s', 'message')), qr/ERROR:  58030/, 'a transaction with the first segment of a key fails');
like(error_of($node, give('s', 'message')), qr/ERROR:  58030/, 'a transaction with the second segment fails');
disk_fails();
ask(give('s', 'message'));
is(given('s'), '3', 'the key continues when the disk works');
my $position = log_position($node);
disk_fails('sync');
my $error = error_of($node, 'SELECT count(idgen_sequence_next(\'s\', \'message\')) FROM generate_series(1, 20000)');
like($error, qr/ERROR:  58030/, 'a transaction with values of segments fetched meanwhile fails');
ok(wait_until { logged_since($node, qr/idgen: could not prefetch values of sequences: could not f?sync file "idgen.marks[^"]*": Input/, $position) }, 'no segment is fetched ahead');
disk_fails();
ask("INSERT INTO given SELECT 's', idgen_sequence_next('s', 'message') FROM generate_series(1, 20000)");
is(ask(q(SELECT count(*) FROM given WHERE key = 's')), 20001, 'segments are fetched ahead when the disk works');

# --- transactions that do not wait for WAL at commit do not wait for marks, either

$position = log_position($node);
disk_fails('sync');
ask("SET synchronous_commit = off;\n" . give('async'));
is(given('async'), '1', 'a transaction with synchronous_commit = off commits');
ok(wait_until { logged_since($node, qr/idgen: could not record high-water marks of sequences: could not f?sync file/, $position) }, 'the mark is synced soon after');
disk_fails();
ask("SET synchronous_commit = off;\n" . give('async'));
is(given('async'), '1 2', 'the key continues');

# --- a full disk

disk_fails('write');
like(error_of($node, give('full')), qr/ERROR:  53100: could not write file "idgen.marks": No space left/, 'a value whose mark cannot be written fails');
like(error_of($node, give('full')), qr/ERROR:  53100/, 'the next value of the key fails, too');
like(error_of($node, 'SELECT * FROM idgen_sequence_next_keys(ARRAY[\'known\', \'full\'])'), qr/ERROR:  53100/, 'a call for several keys fails');
like(error_of($node, give('full', 'message')), qr/ERROR:  53100/, 'a segment fails');
ask(give('known'));
disk_fails();
ask(give('full'));
is(given('full'), '4', 'when there is space the key continues');
is(given('known'), '1 2 4', 'keys that had marks were not affected');

# --- a disk that hangs: sessions that wait for it can be interrupted, and others do not wait

sub start_sql {
    my ($name, $sql) = @_;
    my ($out, $err) = ('', '');
    my $self = { name => $name, out => \$out, err => \$err };
    $self->{run} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "SET application_name = '$name'", '-c', $sql ], '<', \'', '>', \$out, '2>', \$err);
    return $self;
}
sub pid_of { my ($self, $condition) = @_; return ask("SELECT pid FROM pg_stat_activity WHERE application_name = '$self->{name}' AND " . ($condition // q(state = 'active'))) }
sub waits { my ($self) = @_; return wait_until { pid_of($self, q(state = 'active' AND wait_event_type IN ('Extension', 'LWLock'))) ne '' } }
# But not for as long as the disk hangs.
sub has_ended { my ($self) = @_; return wait_until { $self->{run}->pump_nb; return !$self->{run}->pumpable } }

foreach my $what (qw(sync write)) {
    disk_fails("hang $what");
    my $stuck = start_sql('stuck', give("stuck $what"));
    ok(wait_until { -e "$fault.hangs" }, "a session waits for the disk: $what");
    my $covered = start_sql('covered', give('known'));
    ok(has_ended($covered) && ${ $covered->{err} } eq '', 'a value below a mark that is on disk does not wait');
    my $open = start_sql('open', "BEGIN; SELECT idgen_sequence_next('open $what'), idgen_sequence_next('open $what', 'message'); ROLLBACK");
    ok(has_ended($open) && ${ $open->{out} } eq "1|1\n", 'a transaction that does not commit does not wait');
    my %waiting = map { $_ => start_sql($_, give("$_ $what")) } qw(cancelled terminated patient);
    ok(waits($_), "$_->{name} waits") foreach values %waiting;
    ask('SELECT pg_cancel_backend(' . pid_of($waiting{cancelled}) . ')');
    ok(has_ended($waiting{cancelled}), 'a cancel ends the wait');
    like(${ $waiting{cancelled}->{err} }, qr/canceling statement due to user request/, 'the canceled statement fails');
    ask('SELECT pg_terminate_backend(' . pid_of($waiting{terminated}) . ')');
    ok(has_ended($waiting{terminated}), 'pg_terminate_backend() ends the wait');
    is(given("cancelled $what") . given("terminated $what"), '', 'neither transaction has committed');
    # A session inside the system call cannot be interrupted before the call returns.
    ask('SELECT pg_terminate_backend(' . pid_of($stuck) . ')');
    disk_fails($what);
    ok(has_ended($stuck), 'the disk replies with an error');
    disk_fails();
    ok(has_ended($waiting{patient}), 'a session that waited continues');
    ask(give("cancelled $what"));
    is(given("cancelled $what"), 2, 'other sessions continue');
}

# The mark of a remainder is written before the store is asked to take it back.
ask(q(SELECT count(idgen_sequence_next('rest', 'message')) FROM generate_series(1, 3000)));
ask(q(SELECT idgen_sequence_set('rest', 5, 'message')));
ask(q(SELECT idgen_sequence_next('rest', 'message')));
disk_fails('hang write');
my $stuck = start_sql('stuck', give('stuck again'));
ok(wait_until { -e "$fault.hangs" }, 'a session waits for the disk');
like(error_of($node, q(SET idgen.sequence_timeout = '2s'; BEGIN; SELECT count(idgen_sequence_next('room' || g, 'message')) FROM generate_series(1, 16) g; ROLLBACK;)),
    qr/ERROR:  58030: timeout while waiting for file "idgen.marks"\nDETAIL:  Process \d+ has not finished writing the file/, 'a call that has to write fails after idgen.sequence_timeout');
disk_fails();
ok(has_ended($stuck), 'the session gets a value when the disk works');

# --- the purpose of it all: a crash together with a loss of the store's data

$store->cli('FLUSHALL');
ok(kill_postmaster($node), 'the server crashes');
$node->start;
ask(give($_)) foreach qw(known new async full);
ask(give('s', 'message'));
ask(give("$_ sync")) foreach qw(stuck cancelled patient);
is(ask('SELECT count(*) - count(DISTINCT (key, value)) FROM given'), 0, 'no value is returned twice');

$node->stop;
done_testing();
