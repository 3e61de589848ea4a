# Stores with a wrong clock, and stores that lie: one false floor does not move the id clock by years, and leases that are lost
# again and again flood neither the log nor the store.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Clock;
use IdgenTest::LeaseServer;
use IdgenTest::LyingLeaseStore;
use IdgenTest::Redis;
use PostgreSQL::Test::Utils;
use Test::More;

my $year = 365 * 86400;

# --- a floor ten years ahead

my $liar = IdgenTest::LyingLeaseStore->new(floor_ahead => 10 * $year);
my $node = lease_server('lied_to', $liar, start => 1);
ok_status($node, q(state = 'refused' AND reason LIKE '%more than a day ahead of the wall clock%' AND advice LIKE '%idgen_forget_floor()%'),
    'a floor ten years ahead is refused');
like(error_of($node, 'SELECT idgen_next();'), qr/ERROR:  55000: .*more than a day ahead/s, 'idgen_next() fails at once');
is($node->safe_psql('postgres', "SELECT count(*) FROM idgen_stat_clock WHERE abs(extract(epoch FROM ahead)) > 60"), 0,
    'the id clock has not moved');
my $acquired = $liar->acquisitions;
ok(wait_until { $liar->acquisitions > $acquired + 1 }, 'the server asks the store again');
my $log = slurp_file($node->logfile);
is(scalar(() = $log =~ /not issuing ids yet/g), 1, 'the log says so once');

my ($status, $out, $error) = $node->psql('postgres', 'SELECT idgen_forget_floor()');
is($status, 0, 'idgen_forget_floor() gives up the floor of a lease') or diag($error);
like($error, qr/WARNING:  floor .* was forgotten/, 'idgen_forget_floor() warns');
my $id = wait_for_ids($node);
is($node->safe_psql('postgres', "SELECT idgen_timestamp($id) < now() + interval '1 hour'"), 't', 'ids have the present time');
is($node->safe_psql('postgres', 'SELECT worker_id FROM idgen_decode(idgen_next())'), 7, 'ids have the worker id that the store granted');

$node->restart;
ok_status($node, "state = 'refused'", 'after a restart the same floor is refused again');
$liar->lie(floor_ahead => 0);
ok_status($node, "state = 'ok'", 'a true floor is accepted without further action');

# --- every renewal is answered "lost"

my $position = log_position($node);
my $began = time;
$liar->lie(loses => 1);
$acquired = $liar->acquisitions;
ok(wait_until { $liar->acquisitions >= $acquired + 15 }, 'leases are lost again and again');
$log = slurp_file($node->logfile, $position);
my $most = 2 + int((time - $began) / 60);
cmp_ok(scalar(() = $log =~ /is lost/g), '<=', $most, 'at most one loss per minute is logged');
cmp_ok(scalar(() = $log =~ /idgen: issuing ids with worker id/g), '<=', $most, 'at most one new lease per minute is logged');
$liar->lie(loses => 0);
ok_status($node, "state = 'ok'", 'a lease that lasts is used');
ok_logged($node, qr/idgen: issuing ids with worker id 7\n.*DETAIL:  Earlier losses of leases that were not logged: \d+/, $position,
    'the log says how many losses were not logged');
$node->stop;
$liar->stop;

# --- a Redis on a host whose clock is two years ahead

my $clock = IdgenTest::Clock->new(2 * $year);
my $redis = $clock->rule(sub { IdgenTest::Redis->new });
$node = lease_server('from_the_future', $redis);
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION idgen');
declare_new($node);
ok_status($node, q(state = 'refused' AND reason LIKE 'The lease store''s clock is %s ahead of this server''s%'),
    'a store whose clock is years ahead is refused');
$clock->set(0);
ok_status($node, "state = 'ok'", 'ids are issued when its clock has been set right');
$id = wait_for_ids($node);
is($node->safe_psql('postgres', "SELECT idgen_timestamp($id) < now() + interval '1 hour'"), 't', 'ids have the present time');
$node->stop;
$redis->stop;

done_testing();
