# A static server after a clean switchover, and promoted in place after a crash, as Patroni does it: its first ids are above
# all that may have been issued before, without waiting. The defaults apply, with which such a wait would take 11 seconds.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Faults;
use PostgreSQL::Test::Cluster;
use Test::More;

my $first = new_server('first', init => { allows_streaming => 1 });
$first->start;
$first->safe_psql('postgres', 'CREATE EXTENSION idgen');
$first->backup('base');
my $second = PostgreSQL::Test::Cluster->new('second');
$second->init_from_backup($first, 'base', has_streaming => 1);
$second->start;

my $last = burst($first, 1000);

# Checks a server that has just been promoted; `position` is the log's end before that.
sub check_promoted {
    my ($node, $position, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $id = wait_for_ids($node);
    cmp_ok($id, '>', $last, "$name: ids are above the earlier ones");
    wait_until_ok($node, "$name: the state becomes ok");
    ok_logged($node, qr/idgen\.ceiling" is (a copy|from another timeline).*\n.*DETAIL:  New ids will be later than/,
        $position, "$name: the log says that the local file is not its own");
    ok(!logged_since($node, qr/idgen: not issuing ids yet/, $position), "$name: the server did not wait");
    is($node->safe_psql('postgres', "SELECT ahead BETWEEN '10 s' AND '71 s' FROM idgen_stat_clock"), 't',
        "$name: the id clock leads by at most a minute and the window");
    $last = burst($node, 1000);
    return;
}

$first->stop;
my $position = log_position($second);
$second->promote;
check_promoted($second, $position, 'switchover');

$second->stop;

# A primary crashes and is promoted in place.
my $third = new_server('third', init => { allows_streaming => 1 });
$third->start;
$third->safe_psql('postgres', 'CREATE EXTENSION idgen');
$last = burst($third, 1000);
ok(kill_postmaster($third), 'the primary is killed');
$position = log_position($third);
$third->set_standby_mode;
$third->start;
$third->promote;
check_promoted($third, $position, 'promoted in place');

# Again at once, before the id clock can have come back to less than a minute ahead: the server may wait, but continues.
ok(kill_postmaster($third), 'the new primary is killed, too');
$third->set_standby_mode;
$third->start;
$third->promote;
cmp_ok(wait_for_ids($third), '>', $last, 'promoted again at once: ids continue above the last one');
$third->stop;

done_testing();
