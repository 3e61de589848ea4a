# Runs the SQL blocks of the README's quick start and of other pages: a block with output below it must produce that output.
use strict;
use warnings;

use IdgenTest::Redis;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# Replaces what differs between runs: ids, UUIDs, and the widths of column rules.
sub normalised
{
	my ($text) = @_;
	$text =~ s/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/UUID/g;
	$text =~ s/\b\d{18,19}\b/ID/g;
	$text =~ s/^-+(\+-+)*$/RULE/mg;
	$text =~ s/ +/ /g;
	$text =~ s/ +$//mg;
	$text =~ s/\s+\z//;
	return $text;
}

# The blocks of a page run in order, in a database of their own.
my %pages = ('README.md' => '^## Quick start\n(.*?)^## ', map { ("docs/$_.md" => '(.*)') } qw(generators migration sequencers ranges));

my $store = IdgenTest::Redis->new(appendonly => 'no');
my $node = PostgreSQL::Test::Cluster->new('readme');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'idgen'\nidgen.worker_id = 1\ntimezone = 'UTC'\nautovacuum = off\nidgen.sequence_store = '" . $store->url . "'");
$node->start;

foreach my $page (sort keys %pages)
{
	my ($story) = slurp_file($page) =~ /$pages{$page}/ms or die "$page has nothing to run";
	my @steps;
	push @steps, [ $1, $2 ] while $story =~ /```sql\n((?:(?!```).)*?)```\n\n```text\n(.*?)```/gs;
	cmp_ok(scalar @steps, '>=', 4, "$page has SQL blocks");

	my $database = $page =~ s/\W/_/gr;
	$node->safe_psql('postgres', "CREATE DATABASE \"$database\"");
	$node->safe_psql($database, 'CREATE EXTENSION idgen') if $story !~ /^CREATE EXTENSION/m;
	foreach my $step (@steps)
	{
		my ($sql, $expected) = @$step;
		my ($out, $err);
		# Not psql's quiet, unaligned mode, which the test module's own calls use.
		IPC::Run::run([ 'psql', '-X', '-d', $node->connstr($database) ], '<', \$sql, '>', \$out, '2>', \$err);
		my ($first_line) = $sql =~ /^(.*)$/m;
		is(normalised($out . $err), normalised($expected), "$page: $first_line") or diag("the output was:\n$out$err");
	}
}

$node->stop;
done_testing();
