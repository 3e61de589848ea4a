# Runs the isolation tests of tests/isolation/store, which need a store.
use strict;
use warnings;

use File::Basename qw(dirname);
use IdgenTest;
use IdgenTest::Redis;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tester = dirname($ENV{PG_REGRESS} // '') . '/../isolation/pg_isolation_regress';
plan skip_all => "there is no $tester" if !-x $tester;

my $store = IdgenTest::Redis->new(appendonly => 'no');
my $node  = new_server('sequence_sessions', conf => "idgen.sequence_store = '" . $store->url(socket => 1) . "'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE sequences');
$node->safe_psql('sequences', 'CREATE EXTENSION idgen');

my $output = PostgreSQL::Test::Utils::tempdir();
foreach my $spec (map { m{([^/]+)\.spec$} } glob('tests/isolation/store/specs/*.spec')) {
    my ($said, $ok) = ('');
    $ok = IPC::Run::run([ $tester, '--inputdir=tests/isolation/store', "--outputdir=$output", '--use-existing', '--dbname=sequences',
            '--host=' . $node->host, '--port=' . $node->port, $spec ], '<', '/dev/null', '>', \$said, '2>&1');
    ok($ok, "$spec has the expected output") or diag($said . (-e "$output/regression.diffs" ? slurp_file("$output/regression.diffs") : ''));
}

$node->stop;
done_testing();
