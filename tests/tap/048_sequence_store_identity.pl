# Which store returned a value: two that both act as master are distinguished even if the connection to one of them is gone;
# after a crash only the store that returned the last value is trusted.
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
my $node  = new_server('which', conf => "idgen.sequence_store = '" . $proxy->url . "'\n");
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

# --- a reply on a connection that ends with it: the store can no longer be asked who it is

take('twice') foreach 1 .. 5;
$twin->cli('SET', key('twice'), 5);
my $session = $node->background_psql('postgres');
my $pid = $session->query_safe('SELECT pg_backend_pid()');
is($session->query_safe(q(SELECT idgen_sequence_peek('warm'))), '', 'a session with a connection on which the store was not asked yet');
$proxy->hold_replies;
$session->{stdin} .= "SELECT 'slow ' || idgen_sequence_next('twice');\n\\echo done\n";
$session->{run}->pump_nb;
ok(wait_until { $store->cli('GET', key('twice')) == 6 }, 'the first store counts the sixth value, but the reply is held');
store_is($twin->url);
is(take('twice'), 6, 'the second store returns the sixth value to another session');
$store->kill9;
kill('STOP', $pid);    # so that the reply and the end of the connection arrive together
$proxy->let_go;
ok(wait_until { $proxy->state->{held} == 0 }, 'the reply and the end of the connection arrive');
$store->start;
kill('CONT', $pid);
ok(wait_until { $session->{run}->pump_nb; $session->{stdout} =~ /^done$/m }, 'the session continues');
like($session->{stdout}, qr/^slow 7$/m, 'the session does not return the sixth value again');
$session->quit;

# --- a former master, to which the server returns after a crash

store_is($store->url);
ask('CREATE TABLE given (value bigint PRIMARY KEY)');
my $give = q(INSERT INTO given SELECT idgen_sequence_next('back'));
ask($give) foreach 1 .. 5;
$twin->cli('SET', key('back'), 5);
store_is($twin->url);
ask($give) foreach 1 .. 5;
store_is($store->url);
crash();
is(error_of($node, $give), '', 'a former master is not trusted');

# --- if nothing has happened to the store, a crash alone skips no value: with the documented privileges, and with Sentinel

$store->cli('ACL', 'SETUSER', 'counter', 'on', '>counterpw1', '~*', '-@all', '+get', '+mget', '+incrby', '+evalsha', '+eval', '+script|load',
    qw(+set +incr +decrby +del +pexpire +pttl +time +info));
my $sentinel = IdgenTest::Sentinel->new;
foreach ([ 'a user with few rights', $store->url(user => 'counter', password => 'counterpw1') ], [ 'Sentinel', $sentinel->url ]) {
    my ($name, $url) = @$_;
    (my $word = lc $name) =~ s/\W//g;
    store_is($url);
    is(take("one $word"), 1, "$name: the first value");
    is(take_two("two $word", "three $word"), '1 1', "$name: several keys on a new connection");
    crash();
    is(take("one $word"), 2, "$name: the next value after a crash");
    is(take_two("two $word", "three $word"), '2 2', "$name: the next values of several keys");
}

$node->stop;
done_testing();
