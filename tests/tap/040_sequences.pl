# Sequences in a real Redis: order, batches, the maximum, cycles, TTLs by the store's clock, setting and deleting keys, values
# beyond 2^53, several servers on one store, and mistakes of an earlier implementation outside of PostgreSQL.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Redis;
use IdgenTest::RedisCluster;
use IdgenTest::SequenceRules;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $store = IdgenTest::Redis->new(appendonly => 'no');
my @nodes = map { sequence_server("sequence_$_", $store->url(socket => 1)) } 1 .. 2;
my $node  = $nodes[0];

test_sequence_rules($nodes[1], put => sub { $store->cli('SET', @_) });

# --- keys are usable by other programs

is($store->cli('GET', key('default', 'a')), 7, 'another program reads the last value');
is($store->cli('INCRBY', key('default', 'a'), 10), 17, 'another program takes ten values');
is(ask(q(SELECT idgen_sequence_next('a'))), 18, 'the server continues after them');
is(ask(q(SELECT idgen_sequence_next('2026-11-20', 'day'))), 1, 'a sequencer with a chosen prefix');
is($store->cli('GET', 'shop:day:{10:2026-11-20}'), 1, 'the store\'s key begins with the prefix');

is($store->cli('GET', $node->safe_psql('a{}b%', q(SELECT key_prefix FROM idgen_sequencers)) . '{3:k{}}'), 1, 'a key with braces is where the view says');
cmp_ok($store->cli('GET', key('uneven', 'u') . ':g'), '>', 0, 'the key\'s generation is raised at the start of a cycle');

# --- generations

ask(q(SELECT idgen_sequence_set('s', 7)));
my $generation = $store->cli('GET', key('default', 's') . ':g');
ask(q(SELECT idgen_sequence_delete_key('s')));
cmp_ok($generation, '>', 1_000_000_000_000, 'set gives the key a generation: the time');
ask(q(SELECT idgen_sequence_set('s', 7)));
cmp_ok($store->cli('GET', key('default', 's') . ':g'), '>', $generation, 'a second set gives it a later generation');
$generation = $store->cli('GET', key('default', 's') . ':g');
ask(q(SELECT idgen_sequence_delete_key('s')));
cmp_ok($store->cli('GET', key('default', 's') . ':g'), '>', $generation, 'the generation of a deleted key stays, and is later');

# --- TTLs by the store's clock

sub ttl_of { my ($sequencer, $key) = @_; return $store->cli('PTTL', key($sequencer, $key)) }

sub ok_ttl {
    my ($sequencer, $key, $from, $to, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $ttl = ttl_of($sequencer, $key);
    return ok($ttl >= $from && $ttl <= $to, $name) || diag("$ttl ms");
}
my ($hour, $soon) = (3600_000, 1000_000);
foreach my $sequencer (qw(day visit)) {
    my $sliding = $sequencer eq 'visit';
    my @after = $sliding ? ($hour - 60_000, $hour) : (1, $soon);
    my $how   = $sliding ? 'starts again' : 'continues';
    ask("SELECT idgen_sequence_next('t', '$sequencer')");
    ok_ttl($sequencer, 't', $hour - 60_000, $hour, "$sequencer: the first value starts the TTL");
    $store->cli('PEXPIRE', key($sequencer, 't'), $soon);
    ask("SELECT idgen_sequence('t', 5, '$sequencer')");
    ok_ttl($sequencer, 't', @after, "$sequencer: with the next value the TTL $how");
    $store->cli('PEXPIRE', key($sequencer, 't'), $soon);
    ask("SELECT idgen_sequence_set('t', 50, '$sequencer')");
    ok_ttl($sequencer, 't', @after, "$sequencer: when a value is set the TTL $how");
    $store->cli('PEXPIRE', key($sequencer, 't'), $soon);
    ask("SELECT idgen_sequence_set_if_not_exists('t', 50, '$sequencer'), idgen_sequence_peek('t', '$sequencer')");
    ok_ttl($sequencer, 't', 1, $soon, "$sequencer: if nothing is set or taken the TTL continues");
    # The earlier implementation set the value without a TTL.
    is(ask("SELECT idgen_sequence_set_if_not_exists('new', 7, '$sequencer')"), 't', "$sequencer: set_if_not_exists sets a new key");
    ok_ttl($sequencer, 'new', $hour - 60_000, $hour, "$sequencer: set_if_not_exists starts the TTL");
    ask("SELECT idgen_sequence_set('new2', 7, '$sequencer')");
    ok_ttl($sequencer, 'new2', $hour - 60_000, $hour, "$sequencer: set starts the TTL");
    # A key that another program made has no TTL.
    $store->cli('INCRBY', key($sequencer, 'bare'), 3);
    is(ask("SELECT idgen_sequence_next('bare', '$sequencer')"), 4, "$sequencer: a key that another program made continues");
    ok_ttl($sequencer, 'bare', $hour - 60_000, $hour, "$sequencer: a key that another program made gets the TTL");
    cmp_ok($store->cli('PTTL', key($sequencer, 't') . ':g'), '>=', ttl_of($sequencer, 't'), "$sequencer: the generation outlives the value");
    ask("SELECT idgen_sequence_delete_key('t', '$sequencer')");
    cmp_ok($store->cli('PTTL', key($sequencer, 't') . ':g'), '>', 0, "$sequencer: the generation has a TTL, too");
}
is(values_of('t', 3, 'brief'), '1 2 3', 'a short TTL');
ok(wait_until { $store->cli('EXISTS', key('brief', 't')) == 0 }, 'a TTL that does not slide ends while the key is used');
is(ask(q(SELECT idgen_sequence_next('t', 'brief'))), 1, 'the key begins again after its TTL');
# On a busy machine a pause may be longer than the TTL.
ok( wait_until {
        ask(q(SELECT idgen_sequence_delete_key('t', 'brief_sliding')));
        return ask(q(SELECT max(idgen_sequence_next('t', 'brief_sliding')) FROM (SELECT pg_sleep(0.3) FROM generate_series(1, 8) OFFSET 0) pauses)) == 8;
    },
    'a sliding TTL does not end while the key is used');

# --- a store that has lost the script, and a Redis Cluster

$store->cli('SCRIPT', 'FLUSH');
is(values_of('flushed', 2, 'ten'), '1 2', 'a store that has lost the script is sent it again');
is(ask(q(SELECT count(*), idgen_sequence_peek('t100', 'ten') FROM idgen_sequence_next_keys(ARRAY(SELECT 't' || n FROM generate_series(1, 100) n), 'ten'))), '100|1',
    'many keys in one call of the script');

my $cluster = IdgenTest::RedisCluster->new;
change_settings($nodes[1], "idgen.sequence_store = '" . $cluster->url . "'");
ok(wait_until { ask('SHOW idgen.sequence_store', $nodes[1]) eq $cluster->url }, 'a Cluster: the store is in use');
is(ask(q(SELECT count(*), min(value), max(value) FROM idgen_sequence_next_keys(ARRAY(SELECT 'k' || n FROM generate_series(1, 60) n))), $nodes[1]), '60|1|1',
    'a Cluster: one call for keys on all nodes');
is(ask(q(SELECT count(*), min(value), max(value) FROM idgen_sequence_next_keys(ARRAY(SELECT 'k' || n FROM generate_series(1, 60) n), 'round')), $nodes[1]), '60|1|1',
    'a Cluster: the script\'s two keys are on one node');
is(ask(q(SELECT sum(idgen_sequence_next('k' || n)) FROM generate_series(1, 60) n), $nodes[1]), 120, 'a Cluster: one call per key');
is(ask(q(SELECT string_agg(value::text, ' ') FROM idgen_sequence('k1', 10, 'round')), $nodes[1]), '2 3 4 5 6 7 8 9 10 1', 'a Cluster: a cycle');
$nodes[1]->append_conf('postgresql.conf', "idgen.sequence_store = '" . $store->url . "'");
$nodes[1]->reload;
ok(wait_until { ask('SHOW idgen.sequence_store', $nodes[1]) eq $store->url }, 'the first store is in use again');

test_sequence_load(1000, @nodes);

# --- a store that lost its data

$store->cli('FLUSHALL');
cmp_ok(ask(q(SELECT idgen_sequence_next('load1'))), '>', 1, 'a store that lost a key does not begin again at 1');

$_->stop foreach @nodes;
done_testing();
