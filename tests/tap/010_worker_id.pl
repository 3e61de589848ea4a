# Where a worker id comes from: a number, an environment variable, the host name, the private address. The status shows which;
# an id that is missing or does not fit is refused with the reason; a reload changes it while clients insert.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

delete $ENV{SHARD_ID};
$ENV{MACHINE_ID} = '42';
$ENV{TOO_LARGE} = '1024';
$ENV{NOT_A_NUMBER} = '42a';

my $node = PostgreSQL::Test::Cluster->new('source');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'idgen'\nidgen.max_wait = '1min'");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION idgen');
$node->safe_psql('postgres', 'CREATE TABLE given (id bigint PRIMARY KEY DEFAULT idgen_next())');

# Changes the settings, reloads, and waits until the status matches the condition.
sub set_and_expect
{
	my ($settings, $condition, $name) = @_;
	$node->safe_psql('postgres', "ALTER SYSTEM SET $_") for @$settings;
	$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
	ok($node->poll_query_until('postgres', "SELECT $condition FROM idgen_status()"), $name)
	  or diag($node->safe_psql('postgres', 'SELECT * FROM idgen_status()'));
}

sub refused
{
	my ($name) = @_;
	my ($code, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSET idgen.max_wait = '100ms';\nSELECT idgen_next()");
	like($err, qr/55000: could not issue an id: the server is not ready/, "$name: idgen_next() fails");
	return $err;
}

sub insert { $node->safe_psql('postgres', 'INSERT INTO given SELECT FROM generate_series(1, 1000)') }

is($node->safe_psql('postgres', 'SELECT worker_id, worker_source FROM idgen_status()'),
	'0|built-in default', 'the default worker id is 0');
like($node->safe_psql('postgres', 'SELECT advice FROM idgen_status()'), qr/built-in default/, 'the advice says that nobody has chosen it');
insert();

set_and_expect(['idgen.worker_id = 5'], "worker_id = 5 AND worker_source = 'idgen.worker_id'", 'a number');
insert();

set_and_expect(
	[ "idgen.worker_source = 'env'" ],
	qq{state = 'refused' AND reason LIKE '%"SHARD_ID" is not set%'},
	'env: a variable that is not set is refused');
like(refused('no environment variable'), qr/HINT:  .*"idgen.worker_env".*"idgen.worker_source"/, 'the hint names both settings');
set_and_expect(
	[ "idgen.worker_env = 'NOT_A_NUMBER'" ],
	qq{state = 'refused' AND reason LIKE '%"42a", which is not a worker id%'},
	'env: a variable that is not a number is refused');
set_and_expect(
	[ "idgen.worker_env = 'TOO_LARGE'" ],
	q{state = 'refused' AND reason LIKE '%1024%does not fit%0 to 1023%'},
	'env: a number that does not fit the layout is refused');
refused('too large');
set_and_expect(
	[ "idgen.worker_env = 'MACHINE_ID'" ],
	q{state = 'ok' AND worker_id = 42 AND worker_source = 'environment variable MACHINE_ID'},
	'env: the worker id comes from the variable');
insert();

my $hostname = `hostname`;
chomp $hostname;
my ($ordinal) = $hostname =~ /^[^.]*-(\d+)(?:\.|$)/;
set_and_expect(
	[ "idgen.worker_source = 'hostname'" ],
	defined $ordinal && $ordinal <= 1023
	? "worker_id = $ordinal AND worker_source = 'host name $hostname'"
	: "state = 'refused' AND reason LIKE '%$hostname%'",
	"hostname: the worker id comes from \"$hostname\", or is refused");

# The addresses according to another program.
my %numbers;
for my $address (split ' ', `hostname -I 2>/dev/null`)
{
	next unless $address =~ /^(\d+)\.(\d+)\.(\d+)\.(\d+)$/;
	next unless $1 == 10 || ($1 == 172 && $2 >= 16 && $2 < 32) || ($1 == 192 && $2 == 168) || ($1 == 169 && $2 == 254);
	$numbers{ ($3 << 8 | $4) & 1023 } = 1;
}
my @numbers = keys %numbers;
set_and_expect(
	[ "idgen.worker_source = 'ip'" ],
	@numbers == 1
	? "worker_id = $numbers[0] AND worker_source ~ '^low 10 bits of [0-9.]+\$'"
	: "state = 'refused' AND reason LIKE '%private IPv4 address%'",
	'the private address: ' . scalar(@numbers) . ' different ones');
set_and_expect(
	[ "idgen.worker_interface = 'nosuch0'" ],
	q{state = 'refused' AND reason LIKE '%"nosuch0" is down or has no private IPv4 address%'},
	'ip: an interface that does not exist is refused');
refused('no address');

set_and_expect([ "idgen.worker_source = 'static'" ], "state = 'ok' AND worker_id = 5", 'static: the worker id is the setting again');
insert();
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT id) FROM given'), '4000|4000', 'every id is distinct');
is( $node->safe_psql('postgres', 'SELECT string_agg(DISTINCT (idgen_decode(id)).worker_id::text, \',\') FROM given'),
	'0,42,5', 'ids contain the worker id that was in use');

# The worker id changes while clients insert.
my $script = $node->basedir . '/insert.sql';
append_to_file($script, "INSERT INTO given DEFAULT VALUES;\n");
my $load = IPC::Run::start(
	[ 'pgbench', '-n', '-c4', '-j2', '-T3', '-f', $script, $node->connstr('postgres') ],
	'>', \my $out, '2>', \my $err);
for my $number (6, 7, 8, 6, 7, 8)
{
	set_and_expect(["idgen.worker_id = $number"], "worker_id = $number", "worker id $number takes effect under load");
}
ok(IPC::Run::finish($load), 'no client failed') or diag($err);
like($out, qr/number of failed transactions: 0 /, 'no transaction failed');
is($node->safe_psql('postgres', 'SELECT count(*) - count(DISTINCT id) FROM given'), '0', 'every id is distinct');

$node->stop;
done_testing();
