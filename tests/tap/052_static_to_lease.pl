# Three servers move from static to leased worker ids, one by one and under load, by the statements of docs/lease.md
# as they are written there; and what happens to servers whose range changes.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Fleet;
use IdgenTest::LeaseServer;
use IdgenTest::Redis;
use PostgreSQL::Test::Utils;
use Test::More;

my ($section) = slurp_file('docs/lease.md') =~ /^### From static to leased worker ids\n(.*?)^##/ms
  or die 'the procedure is not in docs/lease.md';
my ($set, $declare, $switch, $look, $widen) = my @blocks = $section =~ /```sql\n(.*?)```/gs;
is(scalar @blocks, 5, 'the procedure has five blocks of statements');

my $store = IdgenTest::Redis->new;
my $url   = $store->url;
ok($set =~ s/redis:[^']*/$url/, 'the store of the example is that of the test');

my $fleet   = IdgenTest::Fleet->new;
my @servers = map { lease_server("server$_", '', conf => "idgen.worker_source = 'static'\nidgen.worker_id = $_\n") } 0 .. 2;
$_->start foreach @servers;
$fleet->add(@servers);
$fleet->ok_flows('three servers with static worker ids issue ids');

# ALTER SYSTEM cannot run in a transaction block, which a string of several statements is.
sub run_block {
    my ($node, $block) = @_;
    return map { $node->safe_psql('postgres', $_) } split(/;\n/, $block);
}

# --- 1. the settings

run_block($_, $set) foreach @servers;
foreach my $server (@servers) {
    ok_status($server, "state = 'ok' AND current_setting('idgen.min_worker') = '3'", 'the settings are changed');
    is(worker_id_of($server), (grep { $servers[$_] == $server } 0 .. 2)[0], 'the worker id is still the static one');
}

# --- 2. the prefix is declared new

ok(wait_until { eval { run_block($servers[0], $declare); 1 } }, 'the prefix is declared new');

# --- 3. one server after the other

my @ceilings;
foreach my $n (0 .. 2) {
    my ($seen) = run_block($servers[$n], $switch);
    my ($worker, $ceiling) = split(/\|/, $seen);
    is($worker, $n, "server$n still had the static worker id");
    push(@ceilings, $ceiling);
    ok(wait_until { (run_block($servers[$n], $look))[0] eq 'ok|t' }, "server$n leases a worker id") or diag(status_in_words($servers[$n]));
    $fleet->ok_flows("clients get ids from all servers after server$n has moved");
}
is(join(',', sort map { worker_id_of($_) } @servers), '3,4,5', 'the worker ids are in the configured range');
is(join(',', sort map { $_->{worker_id} } $store->held), '3,4,5', 'the store\'s records agree');

# --- 4. the former static worker ids are leased as well

my $latest = (sort @ceilings)[-1];
ok(wait_until { $servers[0]->safe_psql('postgres', "SELECT now() > '$latest'") eq 't' }, 'the latest ceiling is in the past');
# Without other worker ids in the range these are the ones that are leased.
foreach my $server (@servers) {
    run_block($server, $widen);
    change_settings($server, 'idgen.max_workers = 3');
}
ok(wait_until { join(',', sort map { $_->{worker_id} } $store->held) eq '0,1,2' }, 'the former static worker ids are leased')
  or diag(join("\n", worker_rows($servers[0])));
ok_status($_, "state = 'ok'", 'the server is ok') foreach @servers;
$fleet->ok_flows('clients get ids from all servers');

# --- ranges that change, and an empty one

change_settings($servers[1], 'idgen.min_worker = 7', 'idgen.max_workers = 8');    # ALTER SYSTEM takes precedence
$servers[1]->safe_psql('postgres', 'ALTER SYSTEM RESET idgen.min_worker');
$servers[1]->reload;
ok_status($servers[1], "state = 'ok' AND worker_id = 7", 'a worker id below the raised minimum is exchanged for another one');
change_settings($servers[1], 'idgen.min_worker = 9', 'idgen.max_workers = 9');
ok_status($servers[1], q(state = 'ok' AND worker_id = 7 AND reason LIKE '%"idgen.min_worker" (9) is not less than "idgen.max_workers" (9)%'),
    'an empty range is rejected');
$fleet->ok_flows('clients get ids', $servers[1]);
change_settings($servers[1], 'idgen.max_workers = 10');
ok_status($servers[1], "state = 'ok' AND worker_id = 9", 'a range of one worker id');
change_settings($servers[2], 'idgen.min_worker = 9', 'idgen.max_workers = 10');
$servers[2]->safe_psql('postgres', 'ALTER SYSTEM RESET idgen.min_worker');
$servers[2]->reload;
ok_status($servers[2], q(state = 'waiting' AND reason LIKE '%from "idgen.min_worker" to below "idgen.max_workers"%'),
    'a server that finds no worker id in the range waits, and reports it');
change_settings($servers[2], 'idgen.max_workers = 11');
ok_status($servers[2], "state = 'ok' AND worker_id = 10", 'the waiting server gets a worker id when one is free');

$fleet->check('from static to leased');
$_->stop foreach @servers;
done_testing();
