# Sequences that move from a Redis to an etcd and back, and again: no value is given twice, what was set or deleted in one store
# holds in a store that has never seen the key, and a crash of the server in between changes nothing of that.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Etcd;
use IdgenTest::Redis;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

IdgenTest::Etcd::skip_without_etcd();

my $redis = IdgenTest::Redis->new;
my $etcd  = IdgenTest::Etcd->new;
my $node  = new_server('store_change', conf => "idgen.sequence_store = '" . $redis->url . "'\n");
$node->start;
$node->safe_psql('postgres', q(CREATE EXTENSION idgen; SELECT idgen_create_sequencer('cached', 'c:', cache => 20), idgen_create_sequencer('fives', start => 5, step => 5)));

sub ask { my ($sql) = @_; return $node->safe_psql('postgres', $sql) }

sub store_is {
    my ($store) = @_;
    my $url = $store->url;
    change_settings($node, "idgen.sequence_store = '$url'");
    wait_until { ask('SHOW idgen.sequence_store') eq $url } or die 'the new setting did not take effect';
    return;
}

# Takes values of all keys; they are above all earlier ones. `exactly`: and follow them without a gap. (Values of a segment that
# is left from the last time of the store are lower, but new.)
my (%last, %given);
sub takes_values {
    my ($name, %params) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my %taken;
    push(@{ $taken{single} }, split(/\n/, ask(q(SELECT idgen_sequence_next('single') FROM generate_series(1, 3)))));
    push(@{ $taken{batch} },  split(/\n/, ask(q(SELECT * FROM idgen_sequence('batch', 40)))));
    push(@{ $taken{cached} }, split(/\n/, ask(q(SELECT idgen_sequence_next('cached', 'cached') FROM generate_series(1, 70)))));
    push(@{ $taken{fives} },  split(/\n/, ask(q(SELECT idgen_sequence_next('fives', 'fives') FROM generate_series(1, 2)))));
    foreach my $line (split(/\n/, ask(q(SELECT key, value FROM idgen_sequence_next_keys(ARRAY['x', 'y', 'x', 'single']))))) {
        my ($key, $value) = split(/\|/, $line);
        push(@{ $taken{$key} }, $value);
    }
    my @wrong;
    foreach my $key (sort keys %taken) {
        my $step = $key eq 'fives' ? 5 : 1;
        foreach my $value (@{ $taken{$key} }) {
            my $before = $last{$key} // 0;
            push(@wrong, "$key: $value twice") if $given{$key}{$value}++;
            push(@wrong, "$key: $value after $before") if $key ne 'cached' && ($params{exactly} ? $value != $before + $step : $value <= $before);
            $last{$key} = $value;
        }
    }
    return is(join(', ', @wrong), '', $name);
}

takes_values('values from Redis', exactly => 1);
ask(q(SELECT idgen_sequence_set('set', 1000), idgen_sequence_next('dropped'), idgen_sequence_next('kept')));
ask(q(SELECT idgen_sequence_delete_key('dropped')));

store_is($etcd);
takes_values('etcd continues above them');
takes_values('and goes on', exactly => 1);
is(ask(q(SELECT idgen_sequence_next('set'))), 1001, 'what was set in Redis holds in etcd');
ask(q(SELECT idgen_sequence_set('set', 10)));
is(ask(q(SELECT idgen_sequence_next('set'))), 11, 'setting it back in etcd is not undone');
is(ask(q(SELECT idgen_sequence_next('dropped'))), 1, 'a key that was deleted in Redis begins again in etcd');
ask(q(SELECT idgen_sequence_set('forward', 500)));
ask(q(SELECT idgen_sequence_set('kept', 0)));
is(ask(q(SELECT idgen_sequence_next('kept'))), 1, 'a key may be set back before its first value is taken in etcd');

store_is($redis);
takes_values('Redis continues above the values from etcd');
takes_values('and goes on', exactly => 1);
is(ask(q(SELECT idgen_sequence_next('forward'))), 501, 'what was set in etcd holds in Redis');
is(ask(q(SELECT idgen_sequence_next('set'))), 1001, 'a key that was set back in etcd goes on from the higher value that Redis has');

store_is($etcd);
takes_values('etcd again, which has the values of the last time');
is(ask(q(SELECT idgen_sequence_next('set'))), 1002, 'a key goes on above the other store, whatever etcd has');

# The records of the marks are ahead of the values, so that some are skipped after a crash.
$node->stop('immediate');
$node->start;
takes_values('etcd after a crash of the server', exactly => 0);
$node->stop('immediate');
$node->append_conf('postgresql.conf', "idgen.sequence_store = '" . $redis->url . "'");
$node->start;
takes_values('Redis, after a crash that followed the last values from etcd');
$node->stop;
$node->append_conf('postgresql.conf', "idgen.sequence_store = '" . $etcd->url . "'");
$node->start;
takes_values('etcd, after a restart');

$node->stop;
done_testing();
