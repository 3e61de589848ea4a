# Sequences in etcd when something fails: the tests of 041, and, with three members, a leader that is killed under load, and a lost
# quorum. No value is given twice.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Etcd;
use IdgenTest::SequenceStore;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

IdgenTest::Etcd::skip_without_etcd();

subtest 'with etcd, the tests of 041' => sub {
    local $IdgenTest::SequenceStore::class = 'IdgenTest::Etcd';
    do './tests/tap/041_sequence_faults.pl';
    die $@ if $@;
};

my $store = IdgenTest::Etcd->new(members => 3);
my $node  = new_server('etcd_faults', conf => "idgen.sequence_store = '" . $store->url . "'\n");
$node->start;
$node->safe_psql('postgres', q(CREATE EXTENSION idgen; SELECT idgen_create_sequencer('cached', 'c:', cache => 50)));

# --- the leader is killed under load

my $dir = PostgreSQL::Test::Utils::tempdir();
my $sql = q(SELECT 'one', idgen_sequence_next('one');
SELECT 'batch', value FROM idgen_sequence('batch', 5);
SELECT key, value FROM idgen_sequence_next_keys(ARRAY['x', 'y', 'x', 'one']);
SELECT 'cached', idgen_sequence_next('cached', 'cached') FROM generate_series(1, 40);
);
append_to_file("$dir/sql", $sql x 10);
my @load = map {
    my $file = "$dir/load_$_";
    append_to_file($file, '');
    my $client = 'while [ ! -e "$1/stop" ] && kill -0 $PPID 2>/dev/null; do psql -XAtq -d "$2" -f "$1/sql"; done';
    { file => $file, run => IPC::Run::start([ 'sh', '-c', $client, 'sh', $dir, $node->connstr('postgres') ], '>>', $file, '2>>', "$file.err") }
} 1 .. 6;
ok(wait_until { !grep { -s $_->{file} < 1000 } @load }, 'six sessions take values');
my $leader = $store->leader;
$leader->kill9;
my %at = map { $_->{file} => -s $_->{file} } @load;
ok(wait_until { !grep { -s $_->{file} < $at{ $_->{file} } + 1000 } @load }, 'they go on after the leader was killed');
append_to_file("$dir/stop", '');
$_->{run}->finish foreach @load;
$store->start;
my %given;
my ($lines, $repeated, $errors) = (0, 0, 0);
foreach my $load (@load) {
    $errors += () = slurp_file("$load->{file}.err") =~ /ERROR/g;
    foreach my $line (split(/\n/, slurp_file($load->{file}))) {
        ++$lines;
        ++$repeated if $given{$line}++;
    }
}
is($repeated, 0, "no value is given twice: $lines values");
is($errors, 0, 'no session got an error');

# --- no quorum

my $last = $node->safe_psql('postgres', q(SELECT idgen_sequence_next('quorum')));
$store->lose_quorum;
like(error_of($node, q(SET idgen.sequence_timeout = '2s'; SELECT idgen_sequence_next('quorum'))), qr/08006.*the sequence store does not answer/s,
    'without a quorum there is an error in time');
$store->restore_quorum;
cmp_ok(wait_for_ids($node, q(SELECT idgen_sequence_next('quorum'))), '>', $last, 'with a quorum again there are values');

$node->stop;
done_testing();
