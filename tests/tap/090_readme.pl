# The README's quick start and the pages of docs that show SQL, run: every block gives the output that stands below it.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use StoreTest;
use Test::More;

# What differs from run to run: ids, UUIDs, and the widths of the lines that rule a column of them.
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

# SQL and what it prints, in turn.
sub steps
{
	my ($text) = @_;
	my @steps;
	push @steps, [ $1, $2 ] while $text =~ /```sql\n(.*?)```\n\n```text\n(.*?)```/gs;
	return @steps;
}

my $store = StoreTest::Redis->new(appendonly => 'no');
my $node = PostgreSQL::Test::Cluster->new('readme');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'idgen'\nidgen.worker_id = 1\ntimezone = 'UTC'\nidgen.sequence_store = '" . $store->url . "'");
$node->start;

sub run_steps
{
	my ($database, $where, @steps) = @_;
	for my $step (@steps)
	{
		my ($sql, $expected) = @$step;
		my ($out, $err);
		# Not psql's quiet, unaligned mode, which the test module's own calls use.
		IPC::Run::run([ 'psql', '-X', '-d', $node->connstr($database) ], '<', \$sql, '>', \$out, '2>', \$err);
		my ($first_line) = $sql =~ /^(.*)$/m;
		is(normalised($out . $err), normalised($expected), "$where: $first_line");
	}
	return;
}

my ($quick_start) = slurp_file('README.md') =~ /^## Quick start\n(.*?)^## /ms or die 'no quick start in README.md';
my @quick_start = steps($quick_start);
cmp_ok(scalar @quick_start, '>=', 5, 'the quick start has steps');
run_steps('postgres', 'README.md', @quick_start);

# The pages that go from block to block, each in a database of its own.
for my $page (qw(generators migration sequencer))
{
	$node->safe_psql('postgres', "CREATE DATABASE $page");
	$node->safe_psql($page, 'CREATE EXTENSION idgen');
	my @steps = steps(scalar slurp_file("docs/$page.md"));
	cmp_ok(scalar @steps, '>=', 3, "docs/$page.md has steps");
	run_steps($page, "docs/$page.md", @steps);
}

$node->stop;
done_testing();
