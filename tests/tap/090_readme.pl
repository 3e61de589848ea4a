# The README's quick start, run: every SQL block gives the output that stands below it.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
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

my $readme = slurp_file('README.md');
my ($quick_start) = $readme =~ /^## Quick start\n(.*?)^## /ms or die 'no quick start in README.md';
my @steps;
push @steps, [ $1, $2 ] while $quick_start =~ /```sql\n(.*?)```\n\n```text\n(.*?)```/gs;
cmp_ok(scalar @steps, '>=', 5, 'the quick start has steps');

my $node = PostgreSQL::Test::Cluster->new('readme');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'idgen'\nidgen.worker_id = 1\ntimezone = 'UTC'");
$node->start;

for my $step (@steps)
{
	my ($sql, $expected) = @$step;
	my ($out, $err);
	# Not psql's quiet, unaligned mode, which the test module's own calls use.
	IPC::Run::run([ 'psql', '-X', '-d', $node->connstr('postgres') ], '<', \$sql, '>', \$out, '2>', \$err);
	my ($first_line) = $sql =~ /^(.*)$/m;
	is(normalised($out . $err), normalised($expected), $first_line);
}

$node->stop;
done_testing();
