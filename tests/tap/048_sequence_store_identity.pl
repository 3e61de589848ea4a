# Which store gave what a server knows: values that come from two that both take themselves for the master are told apart, also
# where the connection to one of them has gone, and after a crash the one that gave the last value is believed, and no other.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Faults;
use IdgenTest::Proxy;
use IdgenTest::Redis;
use IdgenTest::Sentinel;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $store = IdgenTest::Redis->new(appendonly => 'no');
my $twin  = IdgenTest::Redis->new(appendonly => 'no');
my $proxy = IdgenTest::Proxy->new($store);
my $node  = new_server('which', conf => "idgen.sequence_store = '" . $proxy->url . "'\nidgen.sequence_timeout = '1min'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION idgen');

sub ask  { my ($sql) = @_; return $node->safe_psql('postgres', $sql) }
sub take { my ($key) = @_; return ask("SELECT idgen_sequence_next('$key')") }
sub take_two {
    my (@keys) = @_;
    return ask("SELECT string_agg(value::text, ' ') FROM idgen_sequence_next_keys(ARRAY['" . join("', '", @keys) . "'])");
}
sub key  { my ($key) = @_; return 'idgen:seq:8:postgres:7:default:{' . length($key) . ":$key}" }
sub store_is { my ($url) = @_; return change_settings($node, "idgen.sequence_store = '$url'") }
sub crash { ok(kill_postmaster($node), 'the server crashes'); $node->start; return }

# --- an answer over a connection that ends behind it: who gave it can't be asked any more

take('twice') foreach 1 .. 5;
$twin->cli('SET', key('twice'), 5);
my $session = $node->background_psql('postgres');
my $pid = $session->query_safe('SELECT pg_backend_pid()');
is($session->query_safe(q(SELECT idgen_sequence_peek('warm'))), '', 'a session with a connection, over which nobody was asked who he is');
$proxy->hold_replies;
$session->{stdin} .= "SELECT 'slow ' || idgen_sequence_next('twice');\n\\echo done\n";
$session->{run}->pump_nb;
ok(wait_until { $store->cli('GET', key('twice')) == 6 }, 'one has given the sixth, of which nobody has heard');
store_is($twin->url);
is(take('twice'), 6, 'the other gives it to another session');
$store->kill9;
kill('STOP', $pid);    # so that the reply and the end of the connection are there together
$proxy->let_go;
ok(wait_until { $proxy->state->{held} == 0 }, 'the reply goes on, and the connection ends');
$store->start;
kill('CONT', $pid);
ok(wait_until { $session->{run}->pump_nb; $session->{stdout} =~ /^done$/m }, 'the session goes on');
like($session->{stdout}, qr/^slow 7$/m, 'and is not given the same');
$session->quit;

# --- a former master, which the server was told of, and comes back to after a crash

store_is($store->url);
ask('CREATE TABLE given (value bigint PRIMARY KEY)');
my $give = q(INSERT INTO given SELECT idgen_sequence_next('back'));
ask($give) foreach 1 .. 5;
$twin->cli('SET', key('back'), 5);
store_is($twin->url);
ask($give) foreach 1 .. 5;
store_is($store->url);
crash();
is(error_of($node, $give), '', 'a former master is not believed');

# --- where nothing has happened to the store, a crash alone skips nothing: with the rights that the documentation names, and
# where a Sentinel had to be asked for the way

$store->cli('ACL', 'SETUSER', 'counter', 'on', '>counterpw1', '~*', '-@all', '+get', '+mget', '+incrby', '+evalsha', '+eval', '+script|load',
    qw(+set +incr +decrby +del +pexpire +pttl +time +info));
my $sentinel = IdgenTest::Sentinel->new;
foreach ([ 'a user with few rights', $store->url(user => 'counter', password => 'counterpw1') ], [ 'Sentinel', $sentinel->url ]) {
    my ($name, $url) = @$_;
    (my $word = lc $name) =~ s/\W//g;
    store_is($url);
    is(take("one $word"), 1, "$name: a value");
    is(take_two("two $word", "three $word"), '1 1', "$name: several keys, over a new connection");
    crash();
    is(take("one $word"), 2, "$name: the next");
    is(take_two("two $word", "three $word"), '2 2', "$name: of several keys");
}

$node->stop;
done_testing();
