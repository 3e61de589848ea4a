# Sequences in a real etcd: the rules that hold in every store, and what is etcd's own: texts and versions of keys, TTLs by
# leases, many keys in one call, contention for one key, limits of etcd, and high-water marks that no commit waits for.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Etcd;
use IdgenTest::SequenceRules;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

IdgenTest::Etcd::skip_without_etcd();

my $store = IdgenTest::Etcd->new;
# The servers announce themselves here, so that only the sequences' requests are counted.
my $elsewhere = IdgenTest::Etcd->new;
my $url   = $store->url(prefix => '/shop');
my @nodes = map { sequence_server("etcd_sequence_$_", $url, "idgen.lease_store = '" . $elsewhere->url . "'\n") } 1 .. 2;
my $node  = $nodes[0];

sub stored { my ($sequencer, $key) = @_; return $store->value('/shop/' . key($sequencer, $key)) }

test_sequence_rules($nodes[1], put => sub { my ($key, $value) = @_; $store->put("/shop/$key", $value) });

# --- what is in etcd

ask(q(SELECT idgen_sequence_next('counted') FROM generate_series(1, 3)));
is(stored('default', 'counted'), '0+1v', 'single values are counted by the version of the key');
is($store->get('/shop/' . key('default', 'counted'))->{version}, 3, 'a put for each value');
$store->put('/shop/' . key('default', 'counted'), 17);
is(ask(q(SELECT idgen_sequence_next('counted'))), 18, 'another program may set the last value');
$store->put('/shop/' . key('default', 'counted'), 'text');
ok_error(q(SELECT idgen_sequence_next('counted')), qr/22P02.*invalid value in the sequence store for key "counted"/s, 'a text that is no value is an error');
ask(q(SELECT idgen_sequence_set('counted', 7)));
is(ask(q(SELECT idgen_sequence_next('counted'))), 8, 'setting the key mends it');
ask(q(SELECT idgen_sequence_delete_key('counted')));
like(stored('default', 'counted'), qr/^- \d+$/, 'a deleted key keeps its generation');
$store->delete('/shop/' . key('default', 'counted'));
is(ask(q(SELECT idgen_sequence_next('counted'))), 1, 'a key that another program deleted begins again');

# --- many keys

sub requests_of {
    my ($sql) = @_;
    my $before = $store->requests->{Txn} // 0;
    my $result = ask($sql);
    return ($result, $store->requests->{Txn} - $before);
}
my $thousand = q(SELECT count(*), min(value), max(value) FROM idgen_sequence_next_keys(ARRAY(SELECT 'm' || n FROM generate_series(1, 1000) n)));
foreach my $round (1 .. 3) {
    my ($result, $requests) = requests_of($thousand);
    is($result, "1000|$round|$round", "1,000 keys, call $round");
    cmp_ok($requests, '<=', 10, "1,000 keys take $requests requests");
}
is(ask(q(SELECT string_agg(key || value, ' ' ORDER BY ordinality) FROM idgen_sequence_next_keys(ARRAY['m1', 'd', 'd', 'm1', 'd'], 'default') WITH ORDINALITY)),
    'm14 d1 d2 m15 d3', 'keys that are named several times get their values in order');

# --- contention

my $rounds   = 40;
my @sessions = map {
    my ($out, $error) = ('', '');
    my $server = $nodes[ $_ % 2 ];
    my $sql = join("\n", ("SELECT idgen_sequence_next('contended');") x $rounds, ("SELECT * FROM idgen_sequence('contended', 3);") x $rounds);
    my $run = IPC::Run::start([ 'psql', '-XAtq', '-d', $server->connstr('postgres') ], '<', \$sql, '>', \$out, '2>', \$error);
    +{ run => $run, out => \$out, error => \$error };
} 1 .. 8;
$_->{run}->finish foreach @sessions;
my @values = map { split(/\n/, ${ $_->{out} }) } @sessions;
is(join('', map { ${ $_->{error} } } @sessions), '', 'eight sessions take single values and batches of one key, without an error');
is(scalar(@values), 8 * $rounds * 4, 'each of them gets all that it asked for');
is(join(' ', sort { $a <=> $b } @values), join(' ', 1 .. @values), 'the values have no repetition and no gap');

# --- marks, which only matter when another store takes etcd's place

sub records { return slurp_file($node->data_dir . '/idgen.marks') }
my $records = records();
ask(q(SELECT idgen_sequence_next('marked')));
isnt(records(), $records, 'a mark is in the file when the transaction has committed');
$records = records();
my $reads = $store->requests->{Range} // 0;
is(ask(q(SELECT max(idgen_sequence_next('marked')) FROM generate_series(1, 25))), 26, 'further values');
is(records(), $records, 'which the record covers already');
cmp_ok(($store->requests->{Range} // 0) - $reads, '<=', 1, 'marks cost no requests');

# --- TTLs

sub lease_of { my ($sequencer, $key) = @_; return $store->get('/shop/' . key($sequencer, $key))->{lease} // 0 }
ask(q(SELECT idgen_sequence_next('t', 'day')));
my $lease = lease_of('day', 't');
cmp_ok($store->lease_left($lease)->{TTL}, '>', 3500, 'a key with a TTL has a lease');
ask(q(SELECT idgen_sequence('t', 5, 'day'), idgen_sequence_set('t', 9, 'day')));
is(lease_of('day', 't'), $lease, 'which stays when values are taken or set');
$store->revoke($lease);
is(ask(q(SELECT idgen_sequence_next('t', 'day'))), 1, 'the key begins again when its lease has ended');
$store->put('/shop/' . key('day', 'bare'), 3);
is(ask(q(SELECT idgen_sequence_next('bare', 'day'))), 4, 'a key that another program made continues');
isnt(lease_of('day', 'bare'), 0, 'and gets a lease');
is(values_of('t', 3, 'brief'), '1 2 3', 'a TTL of less than a second');
ok(wait_until { !defined stored('brief', 't') }, 'ends after whole seconds');
is(ask(q(SELECT max(idgen_sequence_next('t', 'visit')) FROM generate_series(1, 3))), 3, 'a sliding TTL');
my $both = q(SELECT sum(value) FROM idgen_sequence_next_keys(ARRAY['s1', 's2'], 'visit'));
is(ask($both), 2, 'a sliding TTL of several keys');
my $shared = lease_of('visit', 's1');
is(lease_of('visit', 's2'), $shared, 'keys that were used together share a lease');
is(ask(q(SELECT idgen_sequence_next('s1', 'visit'))), 2, 'one of them is used alone');
isnt(lease_of('visit', 's1'), $shared, 'and has a lease of its own then');
is(lease_of('visit', 's2'), $shared, 'the other one keeps its lease');
is(ask($both), 5, 'they are used together again');
is(join(' ', map { lease_of('visit', $_) } 's1', 's2'), "$shared $shared", 'and share the lease of the first time');

# --- two servers under load

test_sequence_load(100, @nodes);

# --- limits of etcd

my $small = IdgenTest::Etcd->new(options => [ '--max-txn-ops', 8, '--max-request-bytes', 20000 ]);
change_settings($node, "idgen.sequence_store = '" . $small->url . "'");
wait_until { ask('SHOW idgen.sequence_store') eq $small->url } or die 'the new setting did not take effect';
is(ask(q(SELECT count(*), min(value), max(value) FROM idgen_sequence_next_keys(ARRAY(SELECT 'small' || n FROM generate_series(1, 300) n)))), '300|1|1',
    'many keys in an etcd that allows 8 operations in a transaction, and 20,000 bytes');
is(ask(q(SELECT count(*), min(value), max(value) FROM idgen_sequence_next_keys(ARRAY(SELECT 'small' || n FROM generate_series(1, 300) n)))), '300|2|2',
    'the next call finds the limits known');

$_->stop foreach @nodes;
done_testing();
