# A generator whose layout cannot hold the worker ids that this server has, or may lease, is rejected with both numbers. One that
# was restored from a dump issues no ids.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('worker');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'idgen'\nidgen.worker_id = 100");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION idgen');

sub error_of
{
	my ($sql) = @_;
	my ($result, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $err;
}

sub set
{
	my (@settings) = @_;
	$node->append_conf('postgresql.conf', join("\n", @settings));
	$node->reload;
	return;
}

# A static worker id that is too large.
like(error_of("SELECT idgen_create_generator('narrow', 'js53')"),
	qr/ERROR:  55000: this server's worker id 100 does not fit the layout.*worker ids from 0 to 63.*HINT/s, 'worker id 100 in a layout of 64: the generator is rejected');
is($node->safe_psql('postgres', 'SELECT count(*) FROM idgen_generators'), '1', 'the rejected generator does not exist');
# As if restored from another server's dump.
$node->safe_psql('postgres', "INSERT INTO idgen_catalog.idgen_generator (name, layout) VALUES ('narrow', 'js53')");
like(error_of("SELECT idgen_next('narrow')"), qr/ERROR:  55000: this server's worker id 100 does not fit the layout/, 'a restored generator that does not fit issues no ids');
is($node->safe_psql('postgres', "SELECT (idgen_decode(64 * 64 + 63 * 64, 'narrow')).worker_id"), '63', 'its ids can be decoded');
set('idgen.worker_id = 63');
$node->poll_query_until('postgres', 'SELECT worker_id = 63 FROM idgen_status()') or die 'the worker id did not change';
is($node->safe_psql('postgres', "SELECT (idgen_decode(idgen_next('narrow'), 'narrow')).worker_id"), '63', 'the largest worker id fits');
# The line exists now: a worker id that no longer fits is rejected when ids are reserved.
set('idgen.worker_id = 64');
$node->poll_query_until('postgres', 'SELECT worker_id = 64 FROM idgen_status()') or die 'the worker id did not change';
like(error_of("SELECT idgen_next('narrow')"), qr/ERROR:  55000: could not issue an id: worker id 64 does not fit the layout.*holds worker ids from 0 to 63/s,
	'a worker id that does not fit is rejected, not masked');
is($node->safe_psql('postgres', 'SELECT idgen_next() > 0'), 't', 'the other generators issue ids');

# A range to lease from: rejected before any worker id is leased.
set("idgen.worker_source = 'lease'", "idgen.lease_store = 'redis://127.0.0.1:1'");
$node->poll_query_until('postgres', "SELECT current_setting('idgen.worker_source') = 'lease'") or die 'the settings were not reloaded';
like(error_of("SELECT idgen_create_generator('small', 'time:41,worker:4')"),
	qr/ERROR:  55000: the layout's worker field is too small for leased worker ids.*4 bits and holds 16 worker ids; "idgen.max_workers" is 1024/s,
	'refused: 16 of 1024');
is($node->safe_psql('postgres', "SELECT object FROM idgen_check() WHERE finding LIKE '%max_workers%'"), 'generator narrow', 'idgen_check() finds the range');
like(error_of("CREATE TABLE past (id bigint, at timestamptz); SELECT idgen_fill_past('past', 'id', 'at')"),
	qr/ERROR:  55000: worker id 1023 may be leased to a server.*HINT:  Lower "idgen.max_workers" on all servers to 1023/s, 'ids for earlier times cannot be made with a worker id that may be leased');
set('idgen.max_workers = 16');
$node->poll_query_until('postgres', "SELECT current_setting('idgen.max_workers') = '16'") or die 'the settings were not reloaded';
is($node->safe_psql('postgres', "SELECT workers FROM idgen_create_generator('small', 'time:41,worker:4')"), '16', 'a range that fits is accepted');
is($node->safe_psql('postgres', "SELECT idgen_fill_past('past', 'id', 'at')"), '0', 'ids for earlier times can be made');
like($node->safe_psql('postgres', 'SELECT finding FROM idgen_check()'), qr/^Its state is "\w+"\.[^\n]*$/, 'idgen_check() finds only that the store is missing');

$node->stop;
done_testing();
