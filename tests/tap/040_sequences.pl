# Sequences in a real Redis: order, batches, the maximum, cycles, TTLs by the store's clock, setting and deleting keys, values
# beyond 2^53, several servers on one store, and mistakes of an earlier implementation outside of PostgreSQL.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Redis;
use IdgenTest::RedisCluster;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $store = IdgenTest::Redis->new(appendonly => 'no');
my @nodes = map { sequence_server("sequence_$_") } 1 .. 2;
my $node  = $nodes[0];

sub sequence_server {
    my ($name) = @_;
    my $server = new_server($name, conf => "idgen.sequence_store = '" . $store->url(socket => 1) . "'\n");
    $server->start;
    $server->safe_psql('postgres', <<'SQL');
CREATE EXTENSION idgen;
SELECT idgen_create_sequencer('ten', max_value => 10);
SELECT idgen_create_sequencer('uneven', start => 3, step => 4, max_value => 20, cycle => true);
SELECT idgen_create_sequencer('round', max_value => 10, cycle => true);
SELECT idgen_create_sequencer('zero', start => 0, step => 5);
SELECT idgen_create_sequencer('day', 'shop:day:', ttl => '1 h');
SELECT idgen_create_sequencer('visit', ttl => '1 h', ttl_mode => 'sliding');
SELECT idgen_create_sequencer('brief', ttl => '200 ms');
SELECT idgen_create_sequencer('brief_sliding', ttl => '1.8 s', ttl_mode => 'sliding');
SELECT idgen_create_sequencer('high', start => 9007199254740990, max_value => 9223372036854775800);
SELECT idgen_create_sequencer('high_round', start => 9007199254740990, max_value => 9007199254740999, cycle => true);
SELECT idgen_create_sequencer('edge', start => 9223372036854775800, step => 3, cycle => true);
SELECT idgen_create_sequencer('wide', start => 0, step => 4611686018427387904);
SQL
    return $server;
}

sub ask { my ($sql, $server) = @_; return ($server // $node)->safe_psql('postgres', $sql) }
sub key { my ($sequencer, $key) = @_; return ask("SELECT key_prefix FROM idgen_sequencers WHERE name = '$sequencer'") . '{' . length($key) . ":$key}" }

# The values of one call, in the order in which they are returned.
sub values_of {
    my ($key, $count, $sequencer) = @_;
    $sequencer //= 'default';
    return ask("SELECT string_agg(value::text, ' ' ORDER BY ordinality) FROM idgen_sequence('$key', $count, '$sequencer') WITH ORDINALITY");
}

sub ok_error {
    my ($sql, $pattern, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return like(error_of($node, $sql), $pattern, $name);
}

# --- values are in order over all servers

is(values_of('a', 3),  '1 2 3',   'a batch is in order');
is(ask(q(SELECT idgen_sequence_next('a'))), 4, 'a single value follows the batch');
is(ask(q(SELECT idgen_sequence_next('a')), $nodes[1]), 5, 'another server gets the next value');
is(ask(q(SELECT string_agg(key || value, ' ' ORDER BY ordinality) FROM idgen_sequence_next_keys(ARRAY['a', 'b', 'a', 'c']) WITH ORDINALITY)),
    'a6 b1 a7 c1', 'several keys in one call get values in their order');
is(ask(q(SELECT count(*), count(DISTINCT value), min(value), max(value) FROM idgen_sequence('large', 1000000))), '1000000|1000000|1|1000000',
    'a batch of a million values');
is(ask(q(SELECT count(DISTINCT value), max(value) FROM idgen_sequence_next_keys(ARRAY(SELECT 'many' FROM generate_series(1, 10000))))), '10000|10000',
    'ten thousand keys in one call');
is(ask(q(BEGIN; SELECT idgen_sequence_next('rolled'); ROLLBACK; SELECT idgen_sequence_next('rolled'))), "1\n2", 'a rollback does not give a value back');
is(values_of('z', 3, 'zero'), '0 5 10', 'a sequence that starts at 0');

# --- keys are usable by other programs

is($store->cli('GET', key('default', 'a')), 7, 'another program reads the last value');
is($store->cli('INCRBY', key('default', 'a'), 10), 17, 'another program takes ten values');
is(ask(q(SELECT idgen_sequence_next('a'))), 18, 'the server continues after them');
is(ask(q(SELECT idgen_sequence_next('2026-11-20', 'day'))), 1, 'a sequencer with a chosen prefix');
is($store->cli('GET', 'shop:day:{10:2026-11-20}'), 1, 'the store\'s key begins with the prefix');

# --- keys that must not collide

is(ask(q(SELECT idgen_sequence_next('same'), idgen_sequence_next('same', 'ten'))), '1|1', 'the same key in another sequencer is another sequence');
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION idgen');
is($node->safe_psql('other', q(SELECT idgen_sequence_next('same'))), 1, 'the same key in another database is another sequence');
$node->safe_psql('postgres', q(CREATE DATABASE "a{}b%"));
$node->safe_psql('a{}b%', 'CREATE EXTENSION idgen');
is($node->safe_psql('a{}b%', q(SELECT idgen_sequence_next('k{}'))), 1, 'names may contain braces');
is($store->cli('GET', $node->safe_psql('a{}b%', q(SELECT key_prefix FROM idgen_sequencers)) . '{3:k{}}'), 1, 'a key with braces is where the view says');

# --- the maximum

is(values_of('full', 7, 'ten'), '1 2 3 4 5 6 7', 'values close to the maximum');
# The earlier implementation returned the values that fitted and lost the rest.
ok_error(q(SELECT * FROM idgen_sequence('full', 4, 'ten')), qr/2200H.*The last value is 7 and the maximum of sequencer "ten" is 10: 3 are left, but 4 were requested\. None was taken\./s,
    'a batch that crosses the maximum fails and says how many values are left');
is(ask(q(SELECT idgen_sequence_peek('full', 'ten'))), 7, 'the failed batch takes no value');
is(values_of('full', 3, 'ten'), '8 9 10', 'the last three values can be taken');
ok_error(q(SELECT idgen_sequence_next('full', 'ten')), qr/2200H.*0 are left/s, 'after the maximum there are no values');
# The earlier implementation returned the same values at every call.
ok_error(q(SELECT * FROM idgen_sequence('huge', 11, 'ten')), qr/2200H.*No value has been issued yet.*10 are left, but 11 were/s,
    'a batch larger than the maximum fails') for 1 .. 2;
is(values_of('huge', 10, 'ten'), '1 2 3 4 5 6 7 8 9 10', 'the failed batches have taken no value');
ok_error(q(SELECT * FROM idgen_sequence_next_keys(ARRAY['huge', 'huge2'], 'ten')), qr/2200H/, 'a call fails if one of its keys is at the maximum');

# --- cycles

is(values_of('u', 3, 'uneven'), '3 7 11', 'a cycle begins at its start');
is(values_of('u', 4, 'uneven'), '15 19 3 7', 'a batch continues at the start, even if the maximum is not a value of the cycle');
cmp_ok($store->cli('GET', key('uneven', 'u') . ':g'), '>', 0, 'the key\'s generation is raised at the start of a cycle');
is(values_of('u', 5, 'uneven'), '11 15 19 3 7', 'a batch as large as the cycle');
ok_error(q(SELECT * FROM idgen_sequence('u', 6, 'uneven')), qr/22023.*A cycle of sequencer "uneven" has 5 values/s, 'a batch larger than the cycle fails');
is(ask(q(SELECT idgen_sequence_peek('u', 'uneven'))), 7, 'the failed batch takes no value');
is(ask(q(SELECT idgen_sequence_set('r', 10, 'round'); SELECT idgen_sequence_next('r', 'round'))), "\n1", 'the cycle continues from the maximum itself');
# Batches of every size.
my ($position, $wrong) = (0, 0);
foreach my $round (1 .. 60) {
    my $count = 1 + $round * 7 % 10;
    my $expected = join(' ', map { 1 + ($position + $_) % 10 } 0 .. $count - 1);
    ++$wrong if values_of('sizes', $count, 'round') ne $expected;
    $position += $count;
}
is($wrong, 0, 'batches of every size go round without a gap or a repetition');

# --- values that doubles cannot hold

is(values_of('k', 4, 'high'), '9007199254740990 9007199254740991 9007199254740992 9007199254740993', 'values above 2^53 are not repeated within a batch');
is(ask(q(SELECT count(DISTINCT v), max(v) FROM (SELECT idgen_sequence_next('k', 'high') v FROM generate_series(1, 100)) x)), '100|9007199254741093', 'values above 2^53 are not repeated one by one');
is(values_of('k', 8, 'high_round'), join(' ', map { "900719925474099$_" } 0 .. 7), 'a cycle above 2^53');
is(values_of('k', 5, 'high_round'), join(' ', map { "900719925474099$_" } 8, 9, 0, 1, 2), 'a cycle above 2^53 begins again exactly at its start');
is(values_of('k', 2, 'edge'), '9223372036854775800 9223372036854775803', 'a cycle close to 2^63');
is(values_of('k', 3, 'edge'), '9223372036854775806 9223372036854775800 9223372036854775803', 'a cycle close to 2^63 begins again exactly at its start');
is(values_of('k', 2, 'wide'), '0 4611686018427387904', 'steps whose sum exceeds bigint');
ok_error(q(SELECT idgen_sequence_next('k', 'wide')), qr/2200H.*The last value is 4611686018427387904.*0 are left/s, 'the last of them is followed by an error');
ask(q(SELECT idgen_sequence_set('top', 9223372036854775805)));
ok_error(q(SELECT * FROM idgen_sequence('top', 3)), qr/2200H.*The last value is 9223372036854775805.*2 are left/s, 'a batch that would pass 2^63 - 1 fails');
is(values_of('top', 2), '9223372036854775806 9223372036854775807', 'values up to 2^63 - 1');
ok_error(q(SELECT idgen_sequence_next('top')), qr/2200H.*The last value is 9223372036854775807.*0 are left/s, 'a value past 2^63 - 1 fails');

# --- set, peek and delete

is(ask(q(SELECT idgen_sequence_peek('s') IS NULL)), 't', 'a new key has no value');
is(ask(q(SELECT idgen_sequence_set_if_not_exists('s', 41))), 't', 'set_if_not_exists sets a new key');
is(ask(q(SELECT idgen_sequence_next('s'), idgen_sequence_peek('s'))), '42|42', 'the next value follows the one that was set');
is(ask(q(SELECT idgen_sequence_set_if_not_exists('s', 7), idgen_sequence_peek('s'))), 'f|42', 'set_if_not_exists leaves an existing value');
is(ask(q(SELECT idgen_sequence_set('s', 7); SELECT idgen_sequence_next('s'))), "\n8", 'set replaces an existing value');
my $generation = $store->cli('GET', key('default', 's') . ':g');
cmp_ok($generation, '>', 1_000_000_000_000, 'set gives the key a generation: the time');
ask(q(SELECT idgen_sequence_set('s', 7)));
cmp_ok($store->cli('GET', key('default', 's') . ':g'), '>', $generation, 'a second set gives it a later generation');
$generation = $store->cli('GET', key('default', 's') . ':g');
is(ask(q(SELECT idgen_sequence_delete_key('s'), idgen_sequence_delete_key('s'))), 't|f', 'a key can be deleted once');
cmp_ok($store->cli('GET', key('default', 's') . ':g'), '>', $generation, 'the generation of a deleted key stays, and is later');
is(ask(q(SELECT idgen_sequence_next('s'))), 1, 'a deleted key begins again');
# A key below the start, as of a sequencer with another definition.
$store->cli('SET', key('high', 'low'), 5);
is(values_of('low', 2, 'high'), '9007199254740990 9007199254740991', 'a value below the start counts as none');
$store->cli('SET', key('ten', 'above'), 15);
ok_error(q(SELECT idgen_sequence_next('above', 'ten')), qr/2200H.*The last value is 15.*0 are left/s, 'a value above the maximum counts as the maximum');

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
is(ask(q(SELECT max(idgen_sequence_next('t', 'brief_sliding')) FROM (SELECT pg_sleep(0.3) FROM generate_series(1, 8) OFFSET 0) pauses)), 8, 'a sliding TTL does not end while the key is used');

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

# --- several servers and clients on one store under load

$_->safe_psql('postgres', 'CREATE TABLE taken (key text, value bigint, at bigserial)') foreach @nodes;
my $script = $node->basedir . '/load.sql';
append_to_file($script, <<'SQL');
\set n random(1, 5)
\set c random(1, 3)
INSERT INTO taken (key, value) SELECT 'load' || :n, value FROM idgen_sequence('load' || :n, :c);
INSERT INTO taken (key, value) VALUES ('load1', idgen_sequence_next('load1'));
INSERT INTO taken (key, value) SELECT key, value FROM idgen_sequence_next_keys(ARRAY['load1', 'load2', 'load1']);
INSERT INTO taken (key, value) SELECT 'r', idgen_sequence_next('r_load', 'high');
SQL
my @runs = map {
    my $server = $_;
    IPC::Run::start([ 'pgbench', '-n', '-T', 4, '-c', 4, '-f', $script, '-h', $server->host, '-p', $server->port, 'postgres' ],
        '>', \my $out, '2>', \my $err)
} @nodes;
$_->finish foreach @runs;
is(join(' ', map { $_->result(0) } @runs), '0 0', 'two servers with four clients each take values for 4 s');
my @taken = map { split(/\n/, ask('SELECT key, value FROM taken', $_)) } @nodes;
my %seen;
++$seen{$_} foreach @taken;
cmp_ok(scalar @taken, '>', 1000, scalar(@taken) . ' values');
is(scalar(keys %seen), scalar(@taken), 'all values are distinct');
my %of;
foreach (@taken) { my ($key, $value) = split(/\|/); push(@{ $of{$key} }, $value) }
foreach my $key (sort keys %of) {
    my @values = sort { $a <=> $b } @{ $of{$key} };
    my $first  = $key eq 'r' ? 9007199254740990 : 1;
    is("$values[0] " . ($values[-1] - $values[0] + 1), "$first " . @values, "$key: the values have no gaps");
}

# --- a store that lost its data

$store->cli('FLUSHALL');
cmp_ok(ask(q(SELECT idgen_sequence_next('load1'))), '>', 1, 'a store that lost a key does not begin again at 1');

$_->stop foreach @nodes;
done_testing();
