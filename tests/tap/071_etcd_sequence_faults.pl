# Sequences in an etcd of three members when something fails: the leader is killed under load, replies are lost, the quorum is
# lost, a wait is cancelled. No value is given twice.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Etcd;
use IdgenTest::Proxy;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

IdgenTest::Etcd::skip_without_etcd();

my $store = IdgenTest::Etcd->new(members => 3);
my $proxy = IdgenTest::Proxy->new($store->port);
my $node  = new_server('etcd_faults', conf => "idgen.sequence_store = '" . $store->url . "'\nidgen.sequence_timeout = '20s'\n");
$node->start;
$node->safe_psql('postgres', q(CREATE EXTENSION idgen; SELECT idgen_create_sequencer('cached', 'c:', cache => 50)));

sub ask { my ($sql) = @_; return $node->safe_psql('postgres', $sql) }

sub store_is {
    my ($url) = @_;
    change_settings($node, "idgen.sequence_store = '$url'");
    wait_until { ask('SHOW idgen.sequence_store') eq $url } or die 'the new setting did not take effect';
    return;
}

# --- the leader is killed under load

my $dir = PostgreSQL::Test::Utils::tempdir();
my $sql = q(SELECT 'one', idgen_sequence_next('one');
SELECT 'batch', value FROM idgen_sequence('batch', 5);
SELECT key, value FROM idgen_sequence_next_keys(ARRAY['x', 'y', 'x', 'one']);
SELECT 'cached', idgen_sequence_next('cached', 'cached') FROM generate_series(1, 40);
);
my @load = map {
    my $file = "$dir/load_$_";
    append_to_file("$file.sql", $sql x 150);
    {
        file => $file,
        run  => IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', "$file.sql" ], '>', $file, '2>', "$file.err")
    }
} 1 .. 6;
ok(wait_until { -s $load[0]{file} && -s $load[5]{file} }, 'six sessions take values');
my $leader = $store->leader;
$leader->kill9;
my $progress = sub { my $size = 0; $size += -s $_->{file} foreach @load; return $size };
my $at = $progress->();
ok(wait_until { $progress->() > $at + 1000 }, 'they go on after the leader was killed');
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

# --- lost replies

store_is('etcd://127.0.0.1:' . $proxy->port);
is(ask(q(SELECT idgen_sequence_next('lost'))), 1, 'a value through the proxy');
$proxy->drop_replies;
my $failed = error_of($node, q(SET idgen.sequence_timeout = '1s'; SELECT idgen_sequence_next('lost')));
like($failed, qr/08006.*the sequence store does not answer/s, 'a lost reply is an error if etcd cannot be asked again');
$proxy->pass;
cmp_ok(ask(q(SELECT idgen_sequence_next('lost'))), '>', 2, 'the values that it carried are skipped');
$proxy->drop_replies;
like(error_of($node, q(SET idgen.sequence_timeout = '1s'; SELECT idgen_sequence_set('new', 20))), qr/08006.*The store may have executed the request/s,
    'a set whose reply is lost is an error, and is not repeated');
$proxy->pass;
is(ask(q(SELECT idgen_sequence_next('new'))), 21, 'it was carried out');

# --- an interrupted wait

$proxy->hold_all;
like(error_of($node, q(SET statement_timeout = '200ms'; SELECT idgen_sequence_next('lost'))), qr/57014/, 'a cancel ends the wait');
$proxy->let_go;
$proxy->pass;
my @after = map { ask(q(SELECT idgen_sequence_next('lost'))) } 1 .. 2;
cmp_ok($after[1], '>', $after[0], 'the calls after it get values of their own');

# --- no quorum

store_is($store->url);
my $last = ask(q(SELECT idgen_sequence_next('quorum')));
$store->lose_quorum;
like(error_of($node, q(SET idgen.sequence_timeout = '2s'; SELECT idgen_sequence_next('quorum'))), qr/08006.*the sequence store does not answer/s,
    'without a quorum there is an error in time');
$store->restore_quorum;
cmp_ok(wait_for_ids($node, q(SELECT idgen_sequence_next('quorum'))), '>', $last, 'with a quorum again there are values');

$node->stop;
done_testing();
