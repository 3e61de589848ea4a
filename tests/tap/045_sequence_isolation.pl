# Runs the isolation tests of tests/isolation/store, which need a store, with each kind of store.
use strict;
use warnings;

use File::Basename qw(dirname);
use IdgenTest;
use IdgenTest::Etcd;
use IdgenTest::Redis;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tester = dirname($ENV{PG_REGRESS} // '') . '/../isolation/pg_isolation_regress';
plan skip_all => "there is no $tester" if !-x $tester;

my $output = PostgreSQL::Test::Utils::tempdir();

sub run_specs {
    my ($store, $url) = @_;
    my $node = new_server("sequence_sessions_$store", conf => "idgen.sequence_store = '$url'\n");
    $node->start;
    $node->safe_psql('postgres', 'CREATE DATABASE sequences');
    $node->safe_psql('sequences', 'CREATE EXTENSION idgen');
    foreach my $spec (map { m{([^/]+)\.spec$} } glob('tests/isolation/store/specs/*.spec')) {
        my ($said, $ok) = ('');
        $ok = IPC::Run::run([ $tester, '--inputdir=tests/isolation/store', "--outputdir=$output", '--use-existing', '--dbname=sequences',
                '--host=' . $node->host, '--port=' . $node->port, $spec ], '<', '/dev/null', '>', \$said, '2>&1');
        ok($ok, "$store: $spec has the expected output") or diag($said . (-e "$output/regression.diffs" ? slurp_file("$output/regression.diffs") : ''));
    }
    $node->stop;
    return;
}

my $redis = IdgenTest::Redis->new(appendonly => 'no');
run_specs('redis', $redis->url(socket => 1));
SKIP: {
    skip('etcd is not installed', 1) if !IdgenTest::Etcd::is_installed();
    my $etcd = IdgenTest::Etcd->new;
    run_specs('etcd', $etcd->url);
}
done_testing();
