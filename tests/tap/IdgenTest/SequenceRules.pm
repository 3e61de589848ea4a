# Tests of the rules of sequences, which are the same in every store.
package IdgenTest::SequenceRules;

use strict;
use warnings;

use Exporter qw(import);
use IPC::Run;
use IdgenTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(sequence_server ask key values_of ok_error test_sequence_rules test_sequence_load);

my $node;

# A server with sequencers of all kinds. The first one is asked unless another is named.
sub sequence_server {
    my ($name, $url, $conf) = @_;
    my $server = new_server($name, conf => "idgen.sequence_store = '$url'\n" . ($conf // ''));
    $node //= $server;
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

# put: sets a key of the store as another program does.
sub test_sequence_rules {
    my ($other, %params) = @_;

    # --- values are in order over all servers

    is(values_of('a', 3),  '1 2 3',   'a batch is in order');
    is(ask(q(SELECT idgen_sequence_next('a'))), 4, 'a single value follows the batch');
    is(ask(q(SELECT idgen_sequence_next('a')), $other), 5, 'another server gets the next value');
    is(ask(q(SELECT string_agg(key || value, ' ' ORDER BY ordinality) FROM idgen_sequence_next_keys(ARRAY['a', 'b', 'a', 'c']) WITH ORDINALITY)),
        'a6 b1 a7 c1', 'several keys in one call get values in their order');
    is(ask(q(SELECT count(*), count(DISTINCT value), min(value), max(value) FROM idgen_sequence('large', 1000000))), '1000000|1000000|1|1000000',
        'a batch of a million values');
    is(ask(q(SELECT count(DISTINCT value), max(value) FROM idgen_sequence_next_keys(ARRAY(SELECT 'many' FROM generate_series(1, 10000))))), '10000|10000',
        'ten thousand keys in one call');
    is(ask(q(BEGIN; SELECT idgen_sequence_next('rolled'); ROLLBACK; SELECT idgen_sequence_next('rolled'))), "1\n2", 'a rollback does not give a value back');
    is(values_of('z', 3, 'zero'), '0 5 10', 'a sequence that starts at 0');

    # --- keys that must not collide

    is(ask(q(SELECT idgen_sequence_next('same'), idgen_sequence_next('same', 'ten'))), '1|1', 'the same key in another sequencer is another sequence');
    $node->safe_psql('postgres', 'CREATE DATABASE other');
    $node->safe_psql('other', 'CREATE EXTENSION idgen');
    is($node->safe_psql('other', q(SELECT idgen_sequence_next('same'))), 1, 'the same key in another database is another sequence');
    $node->safe_psql('postgres', q(CREATE DATABASE "a{}b%"));
    $node->safe_psql('a{}b%', 'CREATE EXTENSION idgen');
    is($node->safe_psql('a{}b%', q(SELECT idgen_sequence_next('k{}'))), 1, 'names may contain braces');

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
    is(ask(q(SELECT idgen_sequence_delete_key('s'), idgen_sequence_delete_key('s'))), 't|f', 'a key can be deleted once');
    is(ask(q(SELECT idgen_sequence_next('s'))), 1, 'a deleted key begins again');
    # A key below the start, as of a sequencer with another definition.
    $params{put}->(key('high', 'low'), 5);
    is(values_of('low', 2, 'high'), '9007199254740990 9007199254740991', 'a value below the start counts as none');
    $params{put}->(key('ten', 'above'), 15);
    ok_error(q(SELECT idgen_sequence_next('above', 'ten')), qr/2200H.*The last value is 15.*0 are left/s, 'a value above the maximum counts as the maximum');
    return;
}

# Several clients of each server for some seconds, which get more than `least` values.
sub test_sequence_load {
    my ($least, @nodes) = @_;
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
    cmp_ok(scalar @taken, '>', $least, scalar(@taken) . ' values');
    is(scalar(keys %seen), scalar(@taken), 'all values are distinct');
    my %of;
    foreach (@taken) { my ($key, $value) = split(/\|/); push(@{ $of{$key} }, $value) }
    foreach my $key (sort keys %of) {
        my @values = sort { $a <=> $b } @{ $of{$key} };
        my $first  = $key eq 'r' ? 9007199254740990 : 1;
        is("$values[0] " . ($values[-1] - $values[0] + 1), "$first " . @values, "$key: the values have no gaps");
    }
    return;
}

1;
