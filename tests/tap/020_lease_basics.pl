# Leased worker ids without faults of the store, and through crashes of the PostgreSQL servers: which server gets which
# worker id, what becomes of it, and what users see.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Faults;
use IdgenTest::Fleet;
use IdgenTest::LeaseServer;
use IdgenTest::Redis;
use Test::More;

# Ids are distinct among the servers of one prefix, so each prefix has a ledger of its own.
my $store = lease_store();
my $fleet = IdgenTest::Fleet->new;

# --- three servers start at once with an empty store

# A lease that outlasts a short stop of the machine.
my @servers = map { lease_server("server$_", $store, conf => "idgen.lease_ttl = '6s'\n") } 1 .. 3;
$_->start foreach @servers;
$servers[0]->safe_psql('postgres', 'CREATE EXTENSION idgen');
my $new_until = declare_new($servers[0]);
like($new_until, qr/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/, 'idgen_declare_new_prefix() returns until when the prefix counts as new')
  if $store->forgets;    # otherwise the servers did not wait for it
$fleet->add(@servers);
ok_status($_, "state = 'ok'", $_->name . ': the state becomes ok') foreach @servers;
$fleet->ok_flows('clients get ids from all three');
is(join(',', sort map { worker_id_of($_) } @servers), '0,1,2', 'three servers get the three lowest worker ids');
like(error_of($servers[1], 'SELECT idgen_declare_new_prefix()'), qr/ERROR:  55000: /, 'a prefix in use cannot be declared new');
$servers[0]->safe_psql('postgres', 'CREATE ROLE ordinary');
like(error_of($servers[0], 'SET ROLE ordinary; SELECT idgen_declare_new_prefix()'), qr/ERROR:  42501: /,
    'an ordinary role cannot declare a prefix new');

# --- status, views and records

foreach my $server (@servers) {
    my $name   = $server->name;
    my $id     = worker_id_of($server);
    my $record;
    ok(wait_until { $store->is_held($record = $store->record($id)) }, "$name: the store has a record of its worker id");
    is($record->{port},      $server->port,     "$name: the record has its port");
    is($record->{directory}, $server->data_dir, "$name: the record has its data directory");
    is($server->safe_psql('postgres', 'SELECT (idgen_decode(idgen_next())).worker_id'), $id, "$name: its ids contain its worker id");
    is($server->safe_psql('postgres', "SELECT idgen_wait_ready('5 min')"), 't', "$name: idgen_wait_ready() returns true");
    # On a busy machine a reply may be late.
    ok_status($server, <<'SQL', "$name: the status shows the lease");
lease_holder IS NOT NULL AND lease_expires_at > now() AND last_renewal_at > now() - interval '1 min'
AND renewal_latency BETWEEN '0' AND '1 min' AND renewal_failures = 0 AND (last_error IS NULL OR last_error ~ 'within')
AND ceiling > now() - interval '10 s' AND ceiling_left <= '6 s' AND worker_source IS NOT NULL
SQL
    my @rows = sort map { worker_id_of($_) . '|held|' . $_->port . '|' . ($_ == $server ? 't' : 'f') } @servers;
    ok(wait_until { join(' ', worker_rows($server)) eq "@rows" }, "$name: idgen_workers() shows all three") or diag(worker_rows($server));
}
my $fenced = $store->forgets ? "fence IS NULL AND expires_at > now() - interval '1 min'" : 'fence > 0 AND expires_at IS NULL';
is( $servers[0]->safe_psql('postgres', <<SQL), 't', 'idgen_workers() shows hosts, and expiry times or fences');
SELECT bool_and(host <> '' AND data_directory LIKE '/%' AND ceiling > now() - interval '1 min' AND $fenced)
FROM idgen_workers() WHERE state = 'held'
SQL
is( $servers[0]->safe_psql('postgres', 'SELECT lease_fence IS NOT DISTINCT FROM (SELECT fence FROM idgen_workers() WHERE is_self) FROM idgen_status()'),
    't', 'idgen_status() shows the same fence as idgen_workers()');
my $ceiling = $store->record(0)->{ceiling};
ok(wait_until { $store->record(0)->{ceiling} > $ceiling }, 'a renewal raises the ceiling');

# --- a clean stop, and an immediate start

# The lease is so long that a ceiling in the future stays there while the server restarts.
my $crashing = IdgenTest::Fleet->new;
my $long     = lease_server('long', $store, conf => "idgen.lease_ttl = '45s'\nidgen.lease_prefix = 'long'\n");
$long->start;
$crashing->add($long);
declare_new($long);
ok_status($long, "state = 'ok'", 'a server with a prefix of its own');
$crashing->ok_flows('it issues', $long);
is(worker_id_of($long), 0, 'a server with a prefix of its own gets the first worker id');
my $before = $store->record(0, 'long');
$crashing->retire($long);
$long->stop;
my $after = $store->record(0, 'long');
like($after->{token}, qr/^-+$/, 'a server that stops releases its worker id');
cmp_ok($after->{ceiling}, '>=', $before->{ceiling}, 'the release keeps the ceiling');
cmp_ok($after->{ceiling}, '>',  $store->now,        'the ceiling is still in the future');
$long->start;
ok_status($long, "state = 'ok'", 'the restarted server is ok');
$crashing->add($long);
$crashing->ok_flows('and issues', $long);
is(worker_id_of($long), 1, 'the restarted server has another worker id, because the ceiling of the first one is in the future');
is(join(',', map { $_->{worker_id} } $store->held('long')), '1', 'the restarted server holds only one worker id');

# --- kill -9 of the postmaster

ok(kill_postmaster($long), 'the postmaster is killed');
$long->start;
ok_status($long, "state = 'ok'", 'after a crash the server is ok at once');
my $second = worker_id_of($long);
if ($store->forgets) {
    isnt($second, 1, 'the crashed server has another worker id');
    ok($store->is_held($store->record(1, 'long')), 'its previous worker id stays held until the lease expires');
} else {
    is($second, 1, 'the crashed server has its own worker id again');
}
$crashing->ok_flows('clients get ids after a crash', $long);
foreach my $crash (2, 3) {
    ok(kill_postmaster($long), "crash $crash within one TTL");
    $long->start;
    ok(wait_until { (status_of($long)->{state} // '') =~ /^(ok|waiting)$/ }, "crash $crash: the status says that it holds another lease") or diag(status_in_words($long));
}
cmp_ok(scalar($store->held('long')), '<=', $store->forgets ? 3 : 1, 'a crash loop does not exhaust the pool');
if ($store->forgets) {
    ok_status($long, "state = 'waiting'", 'the third crash within one TTL makes the server wait');
    like(status_in_words($long), qr/crash|record|worker id/, 'the status says why');
    my $crashed_error = error_of($long, q(SET idgen.max_wait = '100ms'; SELECT idgen_next()));
    like($crashed_error, qr/ERROR:  55000: could not issue an id: .*\nDETAIL:  .*\nHINT:  /, 'idgen_next() fails meanwhile, with the reason');
    is($long->safe_psql('postgres', "SELECT idgen_wait_ready('50 ms')"), 'f', 'idgen_wait_ready() returns false');
    # The server continues after at most one TTL; its load waits until the end of this test.
} else {
    ok_status($long, "state = 'ok'", 'crashes within one TTL do not make the server wait');
    $crashing->ok_flows('clients get ids after the crashes', $long);
}

# --- the worker ends repeatedly

# After SIGTERM the worker does not know why it ends, and releases the lease as when the server stops.
my $server = $servers[0];
foreach my $turn (1 .. 4) {
    my $worker = pid_of_worker($server);
    ok(kill('TERM', $worker), "$turn: the worker gets SIGTERM");
    ok(wait_until { my $pid = status_of($server)->{worker_pid}; defined $pid && $pid != $worker }, "$turn: another worker is started");
    ok_status($server, "state = 'ok'", "$turn: the server is ok");
    $fleet->ok_flows("$turn: clients get ids", $server);
    ok(wait_until { 1 == grep { $_->{port} == $server->port } $store->held }, "$turn: the server holds one lease");
}

# After SIGKILL the postmaster reinitializes shared memory: all sessions end, and the lease is lost.
my $rows = $server->safe_psql('postgres', 'SELECT count(*) FROM orders');
foreach my $turn (1 .. 6) {
    my $worker = pid_of_worker($server);
    ok(kill_worker($server), "$turn: the worker is killed");
    ok(wait_until { my $pid = status_of($server)->{worker_pid}; defined $pid && $pid != $worker }, "$turn: another worker is started");
    ok_status($server, "state = 'ok'", "$turn: the server is ok");
    note("worker id: " . worker_id_of($server));
    $fleet->ok_flows("$turn: clients get ids", $server);
}
cmp_ok($server->safe_psql('postgres', 'SELECT count(*) FROM orders'), '>=', $rows, 'no id was lost or repeated');
cmp_ok(scalar($store->held), '<=', 5, 'the pool is not exhausted');

# --- another prefix and another store by a reload

my $migrants    = IdgenTest::Fleet->new;
my $other_store = lease_store();
my $moving      = lease_server('moving', $store, conf => "idgen.lease_prefix = 'here'\n", start => 1);
declare_new($moving);
$migrants->add($moving);
ok_status($moving, "state = 'ok'", 'a server that is about to move');
change_settings($moving, q(idgen.lease_prefix = 'there'));
ok(wait_until { $store->held('there') == 1 }, 'another prefix: the server gets a lease there');
ok_status($moving, "state = 'ok'", 'another prefix: the server is ok');
ok(wait_until { $store->held('here') == 0 }, 'another prefix: the old lease is released');
$migrants->ok_flows('another prefix: clients get ids');
change_settings($moving, q(idgen.lease_prefix = 'here'));
ok(wait_until { $store->held('here') == 1 && $store->held('there') == 0 }, 'back to the first prefix: the server gets a lease there and releases the other');
ok_status($moving, "state = 'ok'", 'back to the first prefix: the server is ok');

change_settings($moving, q(idgen.lease_store = ') . $other_store->url(socket => 1) . q('));
ok(wait_until { $other_store->held('here') == 1 }, 'another store: the server gets a lease there');
ok_status($moving, "state = 'ok'", 'another store: the server is ok');
ok(wait_until { $store->held('here') == 0 }, 'another store: the old lease is released');
$migrants->ok_flows('another store: clients get ids');
change_settings($moving, q(idgen.lease_store = ') . $other_store->url($other_store->elsewhere) . q('));
ok(wait_until { $other_store->held_elsewhere('here') }, 'another database: the server gets a lease there');
ok(wait_until { $other_store->held('here') == 0 }, 'another database: the old lease is released');
ok_status($moving, "state = 'ok'", 'another database: the server is ok');

$migrants->check('moves between prefixes and stores');

# --- two servers, and one worker id for both

my $rivals = IdgenTest::Fleet->new;
my @pair   = map { lease_server("pair$_", $store, conf => "idgen.lease_prefix = 'pair'\nidgen.max_workers = 1\n") } 1, 2;
$pair[0]->start;
$rivals->add($pair[0]);
declare_new($pair[0]);
ok_status($pair[0], "state = 'ok' AND worker_id = 0", 'one worker id: the first server has it');
$pair[1]->start;
$rivals->add($pair[1]);
ok_status($pair[1], "state = 'waiting' AND worker_id IS NULL AND (coalesce(reason, '') || coalesce(advice, '')) ~ 'max_workers'",
    'one worker id: the second server waits, and its status says what for');
my $error = error_of($pair[1], q(SET idgen.max_wait = '100ms'; SELECT idgen_next()));
like($error, qr/ERROR:  55000: could not issue an id: /, 'one worker id: idgen_next() of the second server fails with the reason');
like($error, qr/DETAIL:  .*\w/, 'one worker id: the error has a detail');
like($error, qr/HINT:  .*idgen\.max_workers/, 'one worker id: the hint names the setting');
is($pair[1]->safe_psql('postgres', "SELECT idgen_wait_ready('50 ms')"), 'f', 'one worker id: idgen_wait_ready() returns false');
ok(wait_until { join(' ', worker_rows($pair[1])) eq '0|held|' . $pair[0]->port . '|f' }, 'one worker id: the second server sees who holds it');
$rivals->ok_flows('one worker id: clients get ids from the first server', $pair[0]);
# The first server runs ahead of the clock before it stops, and its ceiling is further ahead still.
$rivals->retire($pair[0]);
my $last     = burst($pair[0], 3_000_000);
my $promised = $store->record(0, 'pair')->{ceiling};
$pair[0]->stop;
ok_status($pair[1], "state = 'ok' AND worker_id = 0", 'one worker id: the second server gets it after the release');
cmp_ok(wait_for_ids($pair[1]), '>', $last, 'one worker id: its ids are above the last one of the first server');
$rivals->ok_flows('one worker id: clients get ids from the second server', $pair[1]);
ok_ids_after($pair[1], $promised, 'one worker id: its ids are above the first server\'s ceiling');
change_settings($pair[1], 'idgen.max_workers = 2');
$pair[0]->append_conf('postgresql.conf', 'idgen.max_workers = 2');
$pair[0]->start;
ok_status($_, "state = 'ok'", 'a larger pool: the waiting server gets a worker id') foreach @pair;
is(join(',', sort map { worker_id_of($_) } @pair), '0,1', 'a larger pool: both servers have one');
$rivals->add($pair[0]);
$rivals->ok_flows('a larger pool: clients get ids from both', @pair);

# --- all servers stop

ok_status($long, "state = 'ok'", 'the server that crashed three times is ok again');
$fleet->ok_flows('clients get ids from the three');
$crashing->ok_flows('clients get ids from the one that crashed');
$fleet->check('three servers');
$crashing->check('crashes');
$rivals->check('one worker id');
$_->stop foreach @servers, $long, @pair;
ok(wait_until { $store->held == 0 && $store->held('pair') == 0 }, 'after all servers have stopped every worker id is free');

# --- from leased to static, and back

change_settings($moving, q(idgen.worker_source = 'static'), 'idgen.worker_id = 77');
ok_status($moving, "state = 'ok' AND worker_id = 77", 'a static worker id takes effect');
ok(wait_until { !$other_store->held_elsewhere('here') }, 'a static worker id: the lease is released');
my $own = wait_for_ids($moving);
change_settings($moving, q(idgen.worker_source = 'lease'));
ok_status($moving, "state = 'ok' AND worker_id <> 77", 'the worker id is leased again')
  && cmp_ok(wait_for_ids($moving), '>', $own, 'ids are above all earlier ones');
$moving->stop;

done_testing();
