# Waiting for ids: visible in the statistics, ended by a cancel, and an error with the numbers after idgen.max_wait.
use strict;
use warnings;

use Cwd qw(abs_path);
use IdgenTest;
use IdgenTest::Faults;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('waits', conf => <<'CONF');
idgen.max_ahead = '100ms'
idgen.ceiling_window = '1s'
idgen.max_wait = '1h'
CONF
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION idgen');
wait_for_ids($node);
my $named = $node->safe_psql('postgres', "SELECT current_setting('server_version_num')::int >= 170000") eq 't';

# Without the worker the ceiling stays where it is, and a session that keeps asking for ids has to wait.
my $worker = pid_of_worker($node);
kill('STOP', $worker);
my $waiter = $node->background_psql('postgres', on_error_stop => 0);
my $pid = $waiter->query_safe('SELECT pg_backend_pid()');
$waiter->query_until(qr/started/, "\\echo started\nSELECT count(id) FROM (SELECT idgen_batch(1000000000000) AS id) ids;\n");
ok($node->poll_query_until('postgres', "SELECT waiting AND waiting_for > '0' AND waits > 0 FROM idgen_stat_backends WHERE pid = $pid"),
	'idgen_stat_backends shows a waiting session');
ok($node->poll_query_until('postgres', "SELECT bool_or(wait_event_type = 'Extension' AND wait_event = '"
	  . ($named ? 'IdgenId' : 'Extension') . "') FROM pg_stat_activity WHERE pid = $pid"),
	'pg_stat_activity shows it, too');

ok($node->poll_query_until('postgres', 'SELECT ceiling < clock_timestamp() FROM idgen_status()'), 'the ceiling is reached');
like(error_of($node, "SET idgen.max_wait = '50ms'; SELECT idgen_next()"),
	qr/ERROR:  55000: could not issue an id: the durable ceiling is reached\nDETAIL:  The ceiling is .*The caller waited \d+ ms.*\nHINT:  See last_error/,
	'after idgen.max_wait the call fails with the numbers');

$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
ok($node->poll_query_until('postgres', "SELECT NOT waiting FROM idgen_stat_backends WHERE pid = $pid"), 'a cancel ends the wait');

$waiter->query_until(qr/started/, "\\echo started\nSELECT count(idgen_next()) FROM generate_series(1, 10);\nSELECT 'went on';\n");
ok($node->poll_query_until('postgres', "SELECT waiting FROM idgen_stat_backends WHERE pid = $pid"), 'the session waits again');
kill('CONT', $worker);
ok($node->poll_query_until('postgres', "SELECT NOT waiting FROM idgen_stat_backends WHERE pid = $pid"), 'the session gets ids when the worker runs again');
$waiter->quit;
cmp_ok($node->safe_psql('postgres', "SELECT extract(epoch FROM waited) * 1000 FROM idgen_stat_generators"),
	'>', 0, 'the time waited is counted when the session has ended');

# Ids that are requested faster than the layout allows are ahead of the clock all the time: the log says so once.
$node->safe_psql('postgres', "SELECT idgen_create_generator('slow', 'js53')");
my $position = log_position($node);
my $hasty = $node->background_psql('postgres', on_error_stop => 0);
$hasty->query_until(qr/started/, "\\echo started\nSELECT count(id) FROM (SELECT idgen_batch(1000000000000, 'slow') AS id) ids;\n");
ok_logged($node, qr/LOG:  idgen: ids have been ahead of the id clock for more than 1 s\n.*DETAIL:  The next id is \d+ ms ahead\. Callers wait when it is more than "idgen.max_ahead" \(100 ms\) ahead\./,
	$position, 'the log says that ids have been ahead for long');
ok($node->poll_query_until('postgres', "SELECT count(pg_cancel_backend(pid)) > 0 FROM pg_stat_activity WHERE query ~ 'slow' AND pid <> pg_backend_pid()"), 'cancelled');
$hasty->quit;
$node->stop;

# A session keeps waiting while a new background worker starts to look.
my $alone = new_server('alone', conf => "idgen.worker_source = 'lease'\nidgen.lease_store = 'redis://127.0.0.1:1'\nidgen.max_wait = '1h'");
$alone->start;
$alone->safe_psql('postgres', 'CREATE EXTENSION idgen');
$waiter = $alone->background_psql('postgres', on_error_stop => 0);
$waiter->query_until(qr/started/, "\\echo started\nSELECT idgen_next();\n");
ok_logged($alone, qr/LOG:  idgen: callers waited for ids 1 time, \d+\.\d+ s in total\n/, 0, 'the log reports a wait');
$position = log_position($alone);
ok(kill_worker($alone, 'TERM'), 'the worker ends');
ok_logged($alone, qr/LOG:  idgen: callers are still waiting for ids, \d+\.\d+ s in total since the last report\n/, $position, 'the next worker reports the wait that continues');
$alone->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ 'idgen_next' AND pid <> pg_backend_pid()");
$waiter->quit;
$alone->stop;

# With clocks that stand still ids run ahead for certain: 4,096 per ms, up to max_ahead.
my $shim = PostgreSQL::Test::Utils::tempdir() . '/still_clock.so';
system_or_bail('cc', '-shared', '-fPIC', '-O2', '-o', $shim, 'bench/still_clock.c', '-ldl');
my $statements = "SET idgen.max_wait = 0\nSELECT count(idgen_next()) FROM generate_series(1, 409600)\n"
  . "SELECT count(idgen_next()) FROM generate_series(1, 10000)\n";
my ($out, $err) = ('', '');
{
	local $ENV{LD_PRELOAD} = $shim;
	IPC::Run::run([ 'postgres', '--single', '-j', '-D', $node->data_dir, '-c', 'log_error_verbosity=verbose', 'postgres' ],
		'<', \(join("\n", map { "$_;\n" } split(/\n/, $statements))), '>', \$out, '2>', \$err);
}
like($out, qr/count = "409600"/, 'a burst up to max_ahead is issued at once');
like($err, qr/ERROR:  53400: could not issue an id: ids are too far ahead of the clock.*DETAIL:  The next id would exceed "idgen.max_ahead" by \d+ ms.*HINT:  Request fewer than 4096000 ids per second/s,
	'a request beyond max_ahead fails and says by how much');

done_testing();
