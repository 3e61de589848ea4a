# Leased worker ids in fair weather and through crashes of the PostgreSQL servers: who gets which, what becomes of it,
# and what users see of it.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Faults;
use IdgenTest::Fleet;
use IdgenTest::LeaseServer;
use IdgenTest::Redis;
use Test::More;

# Distinct are the ids of the servers of one prefix, so each prefix has a ledger of its own.
my $store = IdgenTest::Redis->new;
my $fleet = IdgenTest::Fleet->new;

# --- three servers start at once on an empty store

my @servers = map { lease_server("server$_", $store) } 1 .. 3;
$_->start foreach @servers;
$servers[0]->safe_psql('postgres', 'CREATE EXTENSION idgen');
my $new_until = declare_new($servers[0]);
like($new_until, qr/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/, 'the prefix is declared new until a time');
$fleet->add(@servers);
ok_status($_, "state = 'ok'", $_->name . ' is well') foreach @servers;
$fleet->ok_flows('ids flow on all three');
is(join(',', sort map { worker_id_of($_) } @servers), '0,1,2', 'three servers have the three lowest worker ids');
like(error_of($servers[1], 'SELECT idgen_declare_new_prefix()'), qr/ERROR:  55000: /, 'a prefix that is in use is not new');
$servers[0]->safe_psql('postgres', 'CREATE ROLE ordinary');
like(error_of($servers[0], 'SET ROLE ordinary; SELECT idgen_declare_new_prefix()'), qr/ERROR:  42501: /,
    'nor is it an ordinary role that says so');

# --- what is seen

foreach my $server (@servers) {
    my $name   = $server->name;
    my $id     = worker_id_of($server);
    my $record = $store->record($id);
    ok($store->is_held($record), "$name: the store has its record");
    is($record->{port},      $server->port,     "$name: with its port");
    is($record->{directory}, $server->data_dir, "$name: with its data directory");
    is($server->safe_psql('postgres', 'SELECT (idgen_decode(idgen_next())).worker_id'), $id, "$name: its ids say which worker made them");
    is($server->safe_psql('postgres', "SELECT idgen_wait_ready('5 min')"), 't', "$name: idgen_wait_ready() says that it is ready");
    is( $server->safe_psql('postgres', <<'SQL'), 't', "$name: the status has the lease");
SELECT lease_holder IS NOT NULL AND lease_expires_at > now() AND last_renewal_at > now() - interval '1 min'
       AND renewal_latency BETWEEN '0' AND '1 min' AND renewal_failures = 0 AND last_error IS NULL
       AND ceiling > now() - interval '10 s' AND ceiling_left <= '3 s' AND worker_source IS NOT NULL
FROM idgen_status()
SQL
    my @rows = sort map { worker_id_of($_) . '|held|' . $_->port . '|' . ($_ == $server ? 't' : 'f') } @servers;
    is(join(' ', worker_rows($server)), "@rows", "$name: idgen_workers() has all three");
}
is( $servers[0]->safe_psql('postgres', <<'SQL'), 't', 'idgen_workers() says where, and until when');
SELECT bool_and(host <> '' AND data_directory LIKE '/%' AND ceiling > now() - interval '1 min' AND expires_at > now() - interval '1 min')
FROM idgen_workers() WHERE state = 'held'
SQL
my $ceiling = $store->record(0)->{ceiling};
ok(wait_until { $store->record(0)->{ceiling} > $ceiling }, 'a renewal raises the ceiling');

# --- a clean stop, and a start at once

# A lease long enough that what is ahead stays ahead while a server restarts.
my $crashing = IdgenTest::Fleet->new;
my $long     = lease_server('long', $store, conf => "idgen.lease_ttl = '45s'\nidgen.lease_prefix = 'long'\n");
$long->start;
$crashing->add($long);
declare_new($long);
ok_status($long, "state = 'ok'", 'a server of a prefix of its own');
$crashing->ok_flows('it issues', $long);
is(worker_id_of($long), 0, 'with the first worker id');
my $before = $store->record(0, 'long');
$crashing->retire($long);
$long->stop;
my $after = $store->record(0, 'long');
like($after->{token}, qr/^-+$/, 'a server that stops frees its worker id');
cmp_ok($after->{ceiling}, '>=', $before->{ceiling}, 'and does not lower its ceiling');
cmp_ok($after->{ceiling}, '>',  $store->now,        'which is still ahead');
$long->start;
ok_status($long, "state = 'ok'", 'started again it is well');
$crashing->add($long);
$crashing->ok_flows('and issues', $long);
is(worker_id_of($long), 1, 'as another worker: the ceiling of the first is ahead');
is(join(',', map { $_->{worker_id} } $store->held('long')), '1', 'and holds no other');

# --- kill -9 of the postmaster

ok(kill_postmaster($long), 'the postmaster is killed');
$long->start;
ok_status($long, "state = 'ok'", 'after a crash it is well at once');
my $second = worker_id_of($long);
isnt($second, 1, 'as another worker');
ok($store->is_held($store->record(1, 'long')), 'the one that it was stays held until it expires');
$crashing->ok_flows('ids flow after a crash', $long);
foreach my $crash (2, 3) {
    ok(kill_postmaster($long), "crash $crash within one TTL");
    $long->start;
    ok(wait_until { (status_of($long)->{state} // '') =~ /^(ok|waiting)$/ }, "crash $crash: the status knows") or diag(status_in_words($long));
}
ok_status($long, "state = 'waiting'", 'the third crash within one TTL waits');
like(status_in_words($long), qr/crash|record|worker id/, 'and the status says why');
cmp_ok(scalar($store->held('long')), '<=', 3, 'a crash loop does not eat the pool');
my $crashed_error = error_of($long, q(SET idgen.max_wait = '100ms'; SELECT idgen_next()));
like($crashed_error, qr/ERROR:  55000: no id can be given: .*\nDETAIL:  .*\nHINT:  /, 'who asks meanwhile is told');
is($long->safe_psql('postgres', "SELECT idgen_wait_ready('50 ms')"), 'f', 'idgen_wait_ready() says that it is not ready');
# It goes on by itself, at the latest after one TTL; the load waits with it to the end of this test.

# --- the worker ends and ends

# Told to end, it does not know why, and releases the lease as it does when the server stops.
my $server = $servers[0];
foreach my $turn (1 .. 4) {
    my $worker = pid_of_worker($server);
    ok(kill('TERM', $worker), "$turn: the worker is ended");
    ok(wait_until { my $pid = status_of($server)->{worker_pid}; defined $pid && $pid != $worker }, "$turn: there is another");
    ok_status($server, "state = 'ok'", "$turn: it is well");
    $fleet->ok_flows("$turn: ids flow", $server);
    is(scalar(grep { $_->{port} == $server->port } $store->held), 1, "$turn: with one lease");
}

# kill -9 of it makes the postmaster begin anew with its shared memory: all sessions end, and the lease with it.
my $rows = $server->safe_psql('postgres', 'SELECT count(*) FROM orders');
foreach my $turn (1 .. 6) {
    my $worker = pid_of_worker($server);
    ok(kill_worker($server), "$turn: the worker is killed");
    ok(wait_until { my $pid = status_of($server)->{worker_pid}; defined $pid && $pid != $worker }, "$turn: there is another");
    ok_status($server, "state = 'ok'", "$turn: it is well");
    note("worker id: " . worker_id_of($server));
    $fleet->ok_flows("$turn: ids flow", $server);
}
cmp_ok($server->safe_psql('postgres', 'SELECT count(*) FROM orders'), '>=', $rows, 'nothing is lost');
cmp_ok(scalar($store->held), '<=', 5, 'and the pool is not eaten');

# --- another prefix, another store: by a reload

my $migrants    = IdgenTest::Fleet->new;
my $other_store = IdgenTest::Redis->new;
my $moving      = lease_server('moving', $store, conf => "idgen.lease_prefix = 'here'\n", start => 1);
declare_new($moving);
$migrants->add($moving);
ok_status($moving, "state = 'ok'", 'a server that is to move');
change_settings($moving, q(idgen.lease_prefix = 'there'));
ok(wait_until { $store->held('there') == 1 }, 'another prefix: a lease under it');
ok_status($moving, "state = 'ok'", 'another prefix: it is well');
ok(wait_until { $store->held('here') == 0 }, 'another prefix: the old lease is released');
$migrants->ok_flows('another prefix: ids flow');
change_settings($moving, q(idgen.lease_prefix = 'here'));
ok(wait_until { $store->held('here') == 1 && $store->held('there') == 0 }, 'back: leased here, released there');
ok_status($moving, "state = 'ok'", 'back: it is well');

change_settings($moving, q(idgen.lease_store = ') . $other_store->url(socket => 1) . q('));
ok(wait_until { $other_store->held('here') == 1 }, 'another store: a lease in it');
ok_status($moving, "state = 'ok'", 'another store: it is well');
ok(wait_until { $store->held('here') == 0 }, 'another store: the old lease is released');
$migrants->ok_flows('another store: ids flow');
change_settings($moving, q(idgen.lease_store = ') . $other_store->url(db => 3) . q('));
ok(wait_until { $other_store->cli('-n', 3, 'EXISTS', 'here') == 1 }, 'another database: it is there');
ok(wait_until { $other_store->held('here') == 0 }, 'another database: the old lease is released');
ok_status($moving, "state = 'ok'", 'another database: it is well');

$migrants->check('moving about');

# --- a pool of one, and two who want it

my $rivals = IdgenTest::Fleet->new;
my @pair   = map { lease_server("pair$_", $store, conf => "idgen.lease_prefix = 'pair'\nidgen.max_workers = 1\n") } 1, 2;
$pair[0]->start;
$rivals->add($pair[0]);
declare_new($pair[0]);
ok_status($pair[0], "state = 'ok' AND worker_id = 0", 'the pool of one: the first has it');
$pair[1]->start;
$rivals->add($pair[1]);
ok_status($pair[1], "state = 'waiting' AND worker_id IS NULL AND (coalesce(reason, '') || coalesce(advice, '')) ~ 'max_workers'",
    'the pool of one: the second waits, and its status says for what');
my $error = error_of($pair[1], q(SET idgen.max_wait = '100ms'; SELECT idgen_next()));
like($error, qr/ERROR:  55000: no id can be given: /, 'the pool of one: an error that says so');
like($error, qr/DETAIL:  .*\w/, 'the pool of one: with a detail');
like($error, qr/HINT:  .*idgen\.max_workers/, 'the pool of one: and a hint that names the setting');
is($pair[1]->safe_psql('postgres', "SELECT idgen_wait_ready('50 ms')"), 'f', 'the pool of one: idgen_wait_ready() says no');
is(join(' ', worker_rows($pair[1])), '0|held|' . $pair[0]->port . '|f', 'the pool of one: it sees who has it');
$rivals->ok_flows('the pool of one: ids flow on the first', $pair[0]);
# It runs ahead of the clock before it stops, and its ceiling is further ahead still.
$rivals->retire($pair[0]);
my $last     = burst($pair[0], 3_000_000);
my $promised = $store->record(0, 'pair')->{ceiling};
$pair[0]->stop;
ok_status($pair[1], "state = 'ok' AND worker_id = 0", 'the pool of one: freed, the second has it');
cmp_ok(wait_for_ids($pair[1]), '>', $last, 'the pool of one: and goes on above the last of the first');
$rivals->ok_flows('the pool of one: ids flow on the second', $pair[1]);
ok_ids_after($pair[1], $promised, 'the pool of one: with nothing that the first was promised');
change_settings($pair[1], 'idgen.max_workers = 2');
$pair[0]->append_conf('postgresql.conf', 'idgen.max_workers = 2');
$pair[0]->start;
ok_status($_, "state = 'ok'", 'a larger pool has room') foreach @pair;
is(join(',', sort map { worker_id_of($_) } @pair), '0,1', 'a larger pool: for both');
$rivals->add($pair[0]);
$rivals->ok_flows('a larger pool: ids flow on both', @pair);

# --- the end

ok_status($long, "state = 'ok'", 'the server that crashed three times goes on by itself');
$fleet->ok_flows('ids flow on the three');
$crashing->ok_flows('and on the one that crashed');
$fleet->check('three servers');
$crashing->check('crashes');
$rivals->check('the pool of one');
$_->stop foreach @servers, $long, @pair;
ok(wait_until { $store->held == 0 && $store->held('pair') == 0 }, 'in the end all worker ids are free');

# --- to a number of its own, and back

change_settings($moving, q(idgen.worker_source = 'static'), 'idgen.worker_id = 77');
ok_status($moving, "state = 'ok' AND worker_id = 77", 'a number of its own');
ok(wait_until { $other_store->cli('-n', 3, 'HGETALL', 'here') !~ /^w\d+\n[^\n]*\|[0-9a-f]{8}-/m }, 'a number of its own: the lease is released');
my $own = wait_for_ids($moving);
change_settings($moving, q(idgen.worker_source = 'lease'));
ok_status($moving, "state = 'ok' AND worker_id <> 77", 'and a lease again')
  && cmp_ok(wait_for_ids($moving), '>', $own, 'with ids above all before');
$moving->stop;

done_testing();
