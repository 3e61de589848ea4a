# Sequences over a real Redis: order, batches, the maximum, cycles, TTLs by the store's clock, setting and dropping, numbers
# beyond 2^53; several servers on one store; and what genesis' sequencer got wrong, each as a test.
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

# The values of one call, as it gives them.
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

# --- values, in order, over all servers

is(values_of('a', 3),  '1 2 3',   'a batch, in order');
is(ask(q(SELECT idgen_sequence_next('a'))), 4, 'one more');
is(ask(q(SELECT idgen_sequence_next('a')), $nodes[1]), 5, 'and one on another server');
is(ask(q(SELECT string_agg(key || value, ' ' ORDER BY ordinality) FROM idgen_sequence_next_keys(ARRAY['a', 'b', 'a', 'c']) WITH ORDINALITY)),
    'a6 b1 a7 c1', 'several keys together, in their order');
is(ask(q(SELECT count(*), count(DISTINCT value), min(value), max(value) FROM idgen_sequence('large', 1000000))), '1000000|1000000|1|1000000',
    'a batch of a million');
is(ask(q(SELECT count(DISTINCT value), max(value) FROM idgen_sequence_next_keys(ARRAY(SELECT 'many' FROM generate_series(1, 10000))))), '10000|10000',
    'ten thousand keys in one call');
is(ask(q(BEGIN; SELECT idgen_sequence_next('rolled'); ROLLBACK; SELECT idgen_sequence_next('rolled'))), "1\n2", 'a rollback gives nothing back');
is(values_of('z', 3, 'zero'), '0 5 10', 'from 0');

# --- for other programs

is($store->cli('GET', key('default', 'a')), 7, 'another program reads the last value');
is($store->cli('INCRBY', key('default', 'a'), 10), 17, 'and takes some');
is(ask(q(SELECT idgen_sequence_next('a'))), 18, 'which nobody else gets');
is(ask(q(SELECT idgen_sequence_next('2026-11-20', 'day'))), 1, 'a prefix that was chosen');
is($store->cli('GET', 'shop:day:{10:2026-11-20}'), 1, 'is what the key begins with');

# --- what cannot collide

is(ask(q(SELECT idgen_sequence_next('same'), idgen_sequence_next('same', 'ten'))), '1|1', 'a key of another sequencer is another');
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION idgen');
is($node->safe_psql('other', q(SELECT idgen_sequence_next('same'))), 1, 'and in another database');
$node->safe_psql('postgres', q(CREATE DATABASE "a{}b%"));
$node->safe_psql('a{}b%', 'CREATE EXTENSION idgen');
is($node->safe_psql('a{}b%', q(SELECT idgen_sequence_next('k{}'))), 1, 'braces in names');
is($store->cli('GET', $node->safe_psql('a{}b%', q(SELECT key_prefix FROM idgen_sequencers)) . '{3:k{}}'), 1, 'are where the view says');

# --- the maximum

is(values_of('full', 7, 'ten'), '1 2 3 4 5 6 7', 'up to near the maximum');
# genesis returned what fitted and lost the rest.
ok_error(q(SELECT * FROM idgen_sequence('full', 4, 'ten')), qr/2200H.*The last is 7, the maximum of sequencer "ten" is 10: 3 are left, and 4 were asked for\. None was taken\./s,
    'genesis: a batch that crosses the maximum says what is left');
is(ask(q(SELECT idgen_sequence_peek('full', 'ten'))), 7, 'and takes nothing');
is(values_of('full', 3, 'ten'), '8 9 10', 'so that its tail is not lost');
ok_error(q(SELECT idgen_sequence_next('full', 'ten')), qr/2200H.*0 are left/s, 'then there is none');
# genesis gave the same values at every call.
ok_error(q(SELECT * FROM idgen_sequence('huge', 11, 'ten')), qr/2200H.*None was given so far.*10 are left, and 11 were/s,
    'genesis: a batch larger than the maximum gives nothing') for 1 .. 2;
is(values_of('huge', 10, 'ten'), '1 2 3 4 5 6 7 8 9 10', 'and takes nothing');
ok_error(q(SELECT * FROM idgen_sequence_next_keys(ARRAY['huge', 'huge2'], 'ten')), qr/2200H/, 'one of several keys is at its maximum');

# --- cycles

is(values_of('u', 3, 'uneven'), '3 7 11', 'a cycle begins at its start');
is(values_of('u', 4, 'uneven'), '15 19 3 7', 'and goes on there within a batch, where the maximum is none of its values');
cmp_ok($store->cli('GET', key('uneven', 'u') . ':g'), '>', 0, 'which raises the generation');
is(values_of('u', 5, 'uneven'), '11 15 19 3 7', 'a batch as large as the cycle');
ok_error(q(SELECT * FROM idgen_sequence('u', 6, 'uneven')), qr/22023.*Sequencer "uneven" has 5 values/s, 'one larger than the cycle');
is(ask(q(SELECT idgen_sequence_peek('u', 'uneven'))), 7, 'takes nothing');
is(ask(q(SELECT idgen_sequence_set('r', 10, 'round'); SELECT idgen_sequence_next('r', 'round'))), "\n1", 'from the maximum itself');
# Batches of every size against what they must be.
my ($position, $wrong) = (0, 0);
foreach my $round (1 .. 60) {
    my $count = 1 + $round * 7 % 10;
    my $expected = join(' ', map { 1 + ($position + $_) % 10 } 0 .. $count - 1);
    ++$wrong if values_of('sizes', $count, 'round') ne $expected;
    $position += $count;
}
is($wrong, 0, 'batches of every size go round without a skip or a repetition');

# --- numbers that doubles can't hold

is(values_of('k', 4, 'high'), '9007199254740990 9007199254740991 9007199254740992 9007199254740993', 'genesis: values above 2^53 are not repeated');
is(ask(q(SELECT count(DISTINCT v), max(v) FROM (SELECT idgen_sequence_next('k', 'high') v FROM generate_series(1, 100)) x)), '100|9007199254741093', 'one by one, either');
is(values_of('k', 8, 'high_round'), join(' ', map { "900719925474099$_" } 0 .. 7), 'a cycle above 2^53');
is(values_of('k', 5, 'high_round'), join(' ', map { "900719925474099$_" } 8, 9, 0, 1, 2), 'begins again exactly');
is(values_of('k', 2, 'edge'), '9223372036854775800 9223372036854775803', 'a cycle at 2^63');
is(values_of('k', 3, 'edge'), '9223372036854775806 9223372036854775800 9223372036854775803', 'begins again exactly, too');
is(values_of('k', 2, 'wide'), '0 4611686018427387904', 'steps whose sum is no bigint');
ok_error(q(SELECT idgen_sequence_next('k', 'wide')), qr/2200H.*The last is 4611686018427387904.*0 are left/s, 'and the end of them');
ask(q(SELECT idgen_sequence_set('top', 9223372036854775805)));
ok_error(q(SELECT * FROM idgen_sequence('top', 3)), qr/2200H.*The last is 9223372036854775805.*2 are left/s, '2^63 would be passed: nothing is taken');
is(values_of('top', 2), '9223372036854775806 9223372036854775807', 'up to 2^63 - 1');
ok_error(q(SELECT idgen_sequence_next('top')), qr/2200H.*The last is 9223372036854775807.*0 are left/s, 'and not past it');

# --- setting, peeking, dropping

is(ask(q(SELECT idgen_sequence_peek('s') IS NULL)), 't', 'there is no value yet');
is(ask(q(SELECT idgen_sequence_set_if_not_exists('s', 41))), 't', 'set where there is none');
is(ask(q(SELECT idgen_sequence_next('s'), idgen_sequence_peek('s'))), '42|42', 'the next one follows');
is(ask(q(SELECT idgen_sequence_set_if_not_exists('s', 7), idgen_sequence_peek('s'))), 'f|42', 'not set where there is one');
is(ask(q(SELECT idgen_sequence_set('s', 7); SELECT idgen_sequence_next('s'))), "\n8", 'set in any case');
my $generation = $store->cli('GET', key('default', 's') . ':g');
cmp_ok($generation, '>', 1_000_000_000_000, 'a setting makes a generation of its time');
ask(q(SELECT idgen_sequence_set('s', 7)));
cmp_ok($store->cli('GET', key('default', 's') . ':g'), '>', $generation, 'and the next one a later one');
$generation = $store->cli('GET', key('default', 's') . ':g');
is(ask(q(SELECT idgen_sequence_delete_key('s'), idgen_sequence_delete_key('s'))), 't|f', 'dropped, once');
cmp_ok($store->cli('GET', key('default', 's') . ':g'), '>', $generation, 'of which the generation stays, and is later');
is(ask(q(SELECT idgen_sequence_next('s'))), 1, 'and it begins again');
# A key that lies below the start, of a sequencer of another definition, say.
$store->cli('SET', key('high', 'low'), 5);
is(values_of('low', 2, 'high'), '9007199254740990 9007199254740991', 'a value below the start is as none');
$store->cli('SET', key('ten', 'above'), 15);
ok_error(q(SELECT idgen_sequence_next('above', 'ten')), qr/2200H.*The last is 15.*0 are left/s, 'one above the maximum is at its end');

# --- TTLs, by the store's clock

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
    my $how   = $sliding ? 'begins anew' : 'goes on';
    ask("SELECT idgen_sequence_next('t', '$sequencer')");
    ok_ttl($sequencer, 't', $hour - 60_000, $hour, "$sequencer: the first use begins the TTL");
    $store->cli('PEXPIRE', key($sequencer, 't'), $soon);
    ask("SELECT idgen_sequence('t', 5, '$sequencer')");
    ok_ttl($sequencer, 't', @after, "$sequencer: with a use it $how");
    $store->cli('PEXPIRE', key($sequencer, 't'), $soon);
    ask("SELECT idgen_sequence_set('t', 50, '$sequencer')");
    ok_ttl($sequencer, 't', @after, "$sequencer: with a value that is set it $how");
    $store->cli('PEXPIRE', key($sequencer, 't'), $soon);
    ask("SELECT idgen_sequence_set_if_not_exists('t', 50, '$sequencer'), idgen_sequence_peek('t', '$sequencer')");
    ok_ttl($sequencer, 't', 1, $soon, "$sequencer: where nothing is set or taken it goes on");
    # genesis set the value and no TTL.
    is(ask("SELECT idgen_sequence_set_if_not_exists('new', 7, '$sequencer')"), 't', "$sequencer: a value is set where there was none");
    ok_ttl($sequencer, 'new', $hour - 60_000, $hour, "genesis: $sequencer: and has a TTL");
    ask("SELECT idgen_sequence_set('new2', 7, '$sequencer')");
    ok_ttl($sequencer, 'new2', $hour - 60_000, $hour, "$sequencer: likewise where it is set in any case");
    # Another program may have made the key.
    $store->cli('INCRBY', key($sequencer, 'bare'), 3);
    is(ask("SELECT idgen_sequence_next('bare', '$sequencer')"), 4, "$sequencer: a key that another program made");
    ok_ttl($sequencer, 'bare', $hour - 60_000, $hour, "$sequencer: gets the TTL that it should have");
    cmp_ok($store->cli('PTTL', key($sequencer, 't') . ':g'), '>=', ttl_of($sequencer, 't'), "$sequencer: the generation outlives the value");
    ask("SELECT idgen_sequence_delete_key('t', '$sequencer')");
    cmp_ok($store->cli('PTTL', key($sequencer, 't') . ':g'), '>', 0, "$sequencer: and does not stay for ever");
}
is(values_of('t', 3, 'brief'), '1 2 3', 'a brief TTL');
ok(wait_until { $store->cli('EXISTS', key('brief', 't')) == 0 }, 'ends, also in use');
is(ask(q(SELECT idgen_sequence_next('t', 'brief'))), 1, 'and the key begins again');
is(ask(q(SELECT max(idgen_sequence_next('t', 'brief_sliding')) FROM (SELECT pg_sleep(0.3) FROM generate_series(1, 8) OFFSET 0) pauses)), 8, 'a sliding one does not end while it is used');

# --- a store that knows the script no more, or one of a Cluster

$store->cli('SCRIPT', 'FLUSH');
is(values_of('flushed', 2, 'ten'), '1 2', 'a store that has forgotten the script');
is(ask(q(SELECT count(*), idgen_sequence_peek('t100', 'ten') FROM idgen_sequence_next_keys(ARRAY(SELECT 't' || n FROM generate_series(1, 100) n), 'ten'))), '100|1',
    'many keys by the script');

my $cluster = IdgenTest::RedisCluster->new;
change_settings($nodes[1], "idgen.sequence_store = '" . $cluster->url . "'");
ok(wait_until { ask('SHOW idgen.sequence_store', $nodes[1]) eq $cluster->url }, 'a Cluster as the store');
is(ask(q(SELECT count(*), min(value), max(value) FROM idgen_sequence_next_keys(ARRAY(SELECT 'k' || n FROM generate_series(1, 60) n))), $nodes[1]), '60|1|1',
    'a Cluster: keys of all nodes in one call');
is(ask(q(SELECT count(*), min(value), max(value) FROM idgen_sequence_next_keys(ARRAY(SELECT 'k' || n FROM generate_series(1, 60) n), 'round')), $nodes[1]), '60|1|1',
    'a Cluster: by the script, which needs both its keys on one node');
is(ask(q(SELECT sum(idgen_sequence_next('k' || n)) FROM generate_series(1, 60) n), $nodes[1]), 120, 'a Cluster: key by key');
is(ask(q(SELECT string_agg(value::text, ' ') FROM idgen_sequence('k1', 10, 'round')), $nodes[1]), '2 3 4 5 6 7 8 9 10 1', 'a Cluster: a cycle');
$nodes[1]->append_conf('postgresql.conf', "idgen.sequence_store = '" . $store->url . "'");
$nodes[1]->reload;
ok(wait_until { ask('SHOW idgen.sequence_store', $nodes[1]) eq $store->url }, 'and back');

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
is(join(' ', map { $_->result(0) } @runs), '0 0', 'two servers of four clients each took values for 4 s');
my @taken = map { split(/\n/, ask('SELECT key, value FROM taken', $_)) } @nodes;
my %seen;
++$seen{$_} foreach @taken;
cmp_ok(scalar @taken, '>', 1000, scalar(@taken) . ' values');
is(scalar(keys %seen), scalar(@taken), 'all are distinct');
my %of;
foreach (@taken) { my ($key, $value) = split(/\|/); push(@{ $of{$key} }, $value) }
foreach my $key (sort keys %of) {
    my @values = sort { $a <=> $b } @{ $of{$key} };
    my $first  = $key eq 'r' ? 9007199254740990 : 1;
    is("$values[0] " . ($values[-1] - $values[0] + 1), "$first " . @values, "$key: contiguous from the first one");
}

# --- a store that forgets: genesis began again at 1

$store->cli('FLUSHALL');
cmp_ok(ask(q(SELECT idgen_sequence_next('load1'))), '>', 1, 'genesis: a store that has forgotten a key does not begin again at 1');

$_->stop foreach @nodes;
done_testing();
