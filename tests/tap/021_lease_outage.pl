# Outages of the store (down, slow, paused, restored from old data) and of the network (loses, delays, resets): afterwards
# servers issue ids again without help, and no id is issued twice.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Faults;
use IdgenTest::Fleet;
use IdgenTest::LeaseServer;
use IdgenTest::Proxy;
use IdgenTest::Redis;
use Test::More;
use Time::HiRes qw(sleep time);

# --- a durable store; one server connects through a proxy, the other directly

my $store = lease_store();
my $proxy = IdgenTest::Proxy->new($store);
my ($far, $near) = (lease_server('far', $proxy, start => 1), lease_server('near', $store, start => 1));
my $fleet = IdgenTest::Fleet->new;
$fleet->add($far, $near);
declare_new($near);
ok_status($_, "state = 'ok'", $_->name . ': the state becomes ok') foreach $far, $near;
$fleet->ok_flows('clients get ids');
my %id_of = map { $_->name => worker_id_of($_) } $far, $near;

sub ok_as_before {
    my ($name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok_same_worker($_, $id_of{ $_->name }, "$name: " . $_->name . ': ok with the same worker id') foreach $far, $near;
    $fleet->ok_flows("$name: clients get ids");
    return;
}

$store->kill9;
sleep(0.5);
$store->start;
ok_as_before('the store is killed and restarted with its data');

# The next two outages last until the ceiling is reached. Then callers are told why, and since when.
my $position = log_position($near);
$store->kill9;
my $error = ok_out_of_ids($near, 'down for long: ids end at the ceiling');
like($error, qr/ERROR:  55000: could not issue an id: /, 'down for long: the error gives the reason');
like($error, qr/DETAIL:  .*\d/, 'down for long: the detail has the numbers');
like($error, qr/HINT:  .*\w/, 'down for long: there is a hint');
ok_status($near, "state = 'failing' AND last_error ~ 'refused' AND renewal_failures > 0 AND last_error_at IS NOT NULL AND advice IS NOT NULL",
    'down for long: the status gives the reason');
ok(wait_until { status_of($near)->{renewal_failures} > 5 }, 'down for long: the server keeps trying');
my @lines = grep { /Connection refused/ } split(/\n/, PostgreSQL::Test::Utils::slurp_file($near->logfile, $position));
cmp_ok(scalar(@lines), '<=', 2, 'down for long: the log does not report every attempt') or diag(join("\n", @lines));
cmp_ok(scalar(@lines), '>',  0, 'down for long: the log reports the outage');
$store->start;
ok_status($_, "state = 'ok'", 'up again: ' . $_->name . ': the state becomes ok') foreach $far, $near;
$fleet->ok_flows('up again: clients get ids');
is($near->safe_psql('postgres', 'SELECT renewal_failures FROM idgen_status()'), 0, 'up again: the count of failures in a row is 0');

# --- a store that is suspended

%id_of = map { $_->name => worker_id_of($_) } $far, $near;
$store->pause;
sleep(0.7);
$store->resume;
ok_as_before('a short pause');

my $leaving = lease_server('leaving', $store, start => 1);
$fleet->add($leaving);
ok_status($leaving, "state = 'ok'", 'a third server');
$fleet->ok_flows('a third server: clients get ids', $leaving);
$fleet->retire($leaving);
$store->pause;
ok_out_of_ids($_, 'a long pause: ids end at the ceiling, on ' . $_->name) foreach $far, $near;
ok_status($near, "state = 'failing' AND last_error IS NOT NULL", 'a long pause: the status gives the reason');
my $stopped_at = time();
$leaving->stop;
ok(!-e $leaving->data_dir . '/postmaster.pid', 'a server can be stopped while the store is suspended');
note(sprintf('it took %.2f s', time() - $stopped_at));
$store->resume;
ok_status($_, "state = 'ok'", 'a long pause: ' . $_->name . ': the state becomes ok') foreach $far, $near;
$fleet->ok_flows('a long pause: clients get ids afterwards');

# A server that is started while the store is suspended starts, and waits.
$store->pause;
$leaving->start;
is($leaving->safe_psql('postgres', 'SELECT 1'), 1, 'a server starts while the store is suspended');
isnt(status_of($leaving)->{state}, 'ok', 'a server that was started meanwhile has no worker id');
$store->resume;
ok_status($leaving, "state = 'ok'", 'a server that was started meanwhile gets a worker id when the store is resumed');
$fleet->add($leaving);
$fleet->ok_flows('clients get ids from all servers');
$fleet->retire($leaving);
$leaving->stop;

# --- a network that loses, delays and resets

%id_of = map { $_->name => worker_id_of($_) } $far, $near;
$proxy->delay(60);
ok_as_before('delays');
foreach my $turn (1 .. 3) {
    $proxy->reset;
    $fleet->ok_flows("reset, $turn: clients get ids");
}
ok_as_before('resets');
$proxy->refuse;
ok_out_of_ids($far, 'refused: ids end at the ceiling');
$fleet->ok_flows('refused: clients get ids from the other server', $near);
$proxy->pass;
ok_status($far, "state = 'ok'", 'accepted again: the server is ok');
$fleet->ok_flows('accepted again: clients get ids');

# Renewals that are carried out but never acknowledged: their ceilings are not used.
%id_of = map { $_->name => worker_id_of($_) } $far, $near;
$proxy->drop_replies;
ok($proxy->wait_until_dropped, 'replies lost: the proxy drops replies');
ok_out_of_ids($far, 'replies lost: ids end at the last acknowledged ceiling');
my $record = $store->record($id_of{far});
ok($store->is_held($record), 'replies lost: the store carries renewals out');
cmp_ok($record->{ceiling}, '>', ceiling_of($far), 'replies lost: the ceiling in the store is above the one in use');
# An acquisition that is sent several times takes one worker id.
my $lost = lease_server('lost', $proxy, start => 1);
my $of_lost = sub { return grep { $_->{port} == $lost->port } $store->held };
if ($store->forgets) {
    ok(wait_until { $of_lost->() }, 'replies lost: the store carries an acquisition out');
} else {
    # Here an acquisition begins with a question: its answer passes, and that to the acquisition does not.
    ok(wait_until { $proxy->pass; $proxy->drop_replies; $of_lost->() }, 'replies lost: the store carries an acquisition out');
}
$proxy->wait_until_accepted foreach 1 .. 3;
my @records = $of_lost->();
is(scalar(@records), 1, 'replies lost: the same acquisition, sent again, takes no second worker id');
$proxy->pass;
ok_as_before('replies arrive again');
ok_same_worker($lost, $records[0]{worker_id}, 'replies arrive again: the server has the worker id that it acquired');
$fleet->add($lost);
$fleet->ok_flows('replies arrive again: clients get ids from the new server', $lost);

$proxy->drop_requests;
ok($proxy->wait_until_dropped, 'requests lost: the proxy drops requests');
ok_out_of_ids($_, 'requests lost: ids end on ' . $_->name) foreach $far, $lost;
$proxy->pass;
ok_status($_, "state = 'ok'", 'requests arrive again: ' . $_->name . ': the state becomes ok') foreach $far, $lost;
$fleet->ok_flows('requests arrive again: clients get ids');

# A renewal that is held, and let go after later renewals.
%id_of = map { $_->name => worker_id_of($_) } $far, $near;
foreach my $turn (1 .. 2) {
    $proxy->hold;
    ok($proxy->wait_until_held, "held, $turn: the proxy holds a renewal");
    my $before = $store->record($id_of{far})->{ceiling};
    ok(wait_until { $store->record($id_of{far})->{ceiling} > $before }, "held, $turn: a later renewal passes");
    my $later = $store->record($id_of{far})->{ceiling};
    $proxy->let_go;
    ok(wait_until { $proxy->state->{held} == 0 }, "held, $turn: the held renewal arrives");
    foreach my $look (1 .. 10) {
        my $now = $store->record($id_of{far})->{ceiling};
        if ($now lt $later) { fail("held, $turn: the ceiling in the store fell from $later to $now"); last }
        $later = $now;
        sleep(0.02);
    }
    ok_as_before("held, $turn");
}

# --- a store that forgets nothing: that is all

if (!$store->forgets) {
    $fleet->check('outages');
    $_->stop foreach $far, $near, $lost, $store, $proxy;
    arrives_late();
    done_testing();
    return 1;
}

# --- scripts and data that vanish

foreach my $turn (1 .. 3) {
    $store->cli('SCRIPT', 'FLUSH');
    $fleet->ok_flows("SCRIPT FLUSH, $turn: clients get ids");
}
ok_as_before('SCRIPT FLUSH');

# Servers that hold a worker id claim it again. Nobody else gets one before the quarantine is over.
my @three = ($far, $near, $lost);
my %token_of;

sub remember_leases {
    wait_until { !grep { (status_of($_)->{state} // '') ne 'ok' } @three };
    %id_of    = map { $_->name => worker_id_of($_) } @three;
    %token_of = map { $_->name => ($store->record($id_of{ $_->name }) // {})->{token} // 'none' } @three;
    return;
}

sub has_its_token {
    my ($server) = @_;
    my $record = $store->record($id_of{ $server->name });
    return defined $record && $record->{token} eq $token_of{ $server->name };
}

sub ok_claimed_again {
    my ($name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    foreach my $server (@three) {
        ok(wait_until { has_its_token($server) }, "$name: " . $server->name . ' claims its worker id again, with its token');
    }
    $fleet->ok_flows("$name: clients get ids", @three);
    ok_same_worker($_, $id_of{ $_->name }, "$name: " . $_->name . ': ok with the same worker id') foreach @three;
    return;
}

# Makes the store forget, and waits for a renewal of each server. On a busy machine a lease may end before, so that the server
# has to lease again: then once more.
sub ok_claims_after {
    my ($name, $forget) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    wait_until {
        remember_leases();
        $forget->();
        my %now = map { $_->name => $_->safe_psql('postgres', 'SELECT clock_timestamp()') } @three;
        wait_until { !grep { (($_->psql('postgres', "SELECT state = 'ok' AND last_renewal_at > '$now{ $_->name }' FROM idgen_status()"))[1] // '') ne 't' } @three };
        return !grep { !has_its_token($_) } @three;
    };
    return ok_claimed_again($name);
}

ok_claims_after("FLUSHALL, $_", sub { $store->cli('FLUSHALL') }) foreach 1 .. 3;
ok_claims_after('the store is restarted without its data', sub { $store->restart(data => 0) });

# The new server runs already, so that it asks at once: the quarantine lasts for three seconds.
$leaving->append_conf('postgresql.conf', "idgen.lease_store = ''");
$leaving->start;
remember_leases();
$store->cli('FLUSHALL');
change_settings($leaving, "idgen.lease_store = '" . $store->url . "'");
ok_status($leaving, "state = 'waiting' AND (coalesce(reason, '') || coalesce(advice, '')) ~* 'quarantine|forg|idgen_declare_new_prefix'",
    'FLUSHALL: a new server waits, and the status says what for');
$fleet->add($leaving);
ok_status($leaving, "state = 'ok'", 'FLUSHALL: it gets a worker id when the quarantine is over');
my $late = worker_id_of($leaving);
is(scalar(grep { $_ == $late } values %id_of), 0, 'FLUSHALL: nobody else has that worker id');
ok_claimed_again('FLUSHALL, in the end');

$fleet->check('outages');
$_->stop foreach $far, $near, $lost, $leaving;
$store->stop;
$proxy->stop;

# --- requests that were under way, and arrive when another server has the worker id

arrives_late();

sub arrives_late {
    my $store = lease_store();
    my $proxy = IdgenTest::Proxy->new($store);
    my $conf  = "idgen.lease_prefix = 'late'\nidgen.max_workers = 1\n";
    my ($late, $heir) = (lease_server('late', $proxy, conf => $conf), lease_server('heir', $store, conf => $conf));
    my $fleet = IdgenTest::Fleet->new;
    $late->start;
    $fleet->add($late);
    declare_new($late);
    ok_status($late, "state = 'ok' AND worker_id = 0", 'late: the first server has the worker id');
    $heir->start;
    $fleet->add($heir);

    foreach my $what ('a renewal', 'a release') {
        ok_status($late, "state = 'ok'", "late, $what: one server has the worker id");
        $fleet->ok_flows("late, $what: clients get ids from it", $late);
        if ($what eq 'a renewal') {
            $proxy->hold_all;
            ok($proxy->wait_until_held, "late, $what: the proxy holds it");
            ok(kill_postmaster($late), "late, $what: its sender is killed");
        } else {
            $fleet->retire($late);
            $proxy->hold_all;
            $late->stop;
            cmp_ok($proxy->state->{held}, '>', 0, "late, $what: the server stops although the proxy holds it");
        }
        ok_status($heir, "state = 'ok'", "late, $what: the other server gets the worker id");
        my $token = $store->record(0, 'late')->{token};
        $proxy->let_go;
        my $strangers = 0;
        foreach my $look (1 .. 60) { ++$strangers if $store->record(0, 'late')->{token} ne $token }
        is($proxy->state->{held}, 0, "late, $what: the held request arrives");
        is($strangers, 0, "late, $what: the record stays the other server's");
        ok_status($heir, "state = 'ok'", "late, $what: the other server is ok");
        $fleet->ok_flows("late, $what: clients get ids from it", $heir);
        last if $what eq 'a release';
        # Back to the first server.
        $late->start;
        $fleet->retire($heir);
        $heir->stop;
        ok_status($late, "state = 'ok'", "late, $what: the first server has the worker id again");
        $heir->start;
        $fleet->add($heir);
    }
    $fleet->check('late');
    $_->stop foreach $heir, $store;
    $proxy->stop;
    return;
}

# --- a store that loses a part: the prefix exists, but one server's record does not

# There are two worker ids. The store loses the record of the second one while its holder, `other`, is suspended and cannot
# claim it again. So the third server must get it, but only when the last ceiling promised to `other` is past.
sub forgets_a_part {
    my ($name, $store, $remember, $lose) = @_;
    my $conf = "idgen.lease_prefix = 'part'\nidgen.max_workers = 2\n";
    my ($first, $other, $third) = map { lease_server("${name}_$_", $store, conf => $conf) } qw(first other third);
    my $fleet = IdgenTest::Fleet->new;
    $first->start;
    $fleet->add($first);
    ok_status($first, "state = 'ok' AND worker_id = 0", "$name: the first server has a worker id after a quarantine");
    $remember->();
    $other->start;
    $fleet->add($other);
    ok_status($other, "state = 'ok' AND worker_id = 1", "$name: the other server has a worker id");
    $fleet->ok_flows("$name: clients get ids");
    ok(pause_server($other), "$name: the other server is suspended");
    my $promised = $store->record(1, 'part')->{ceiling};
    $lose->();
    ok(!defined $store->record(1, 'part'), "$name: the store has lost its record");
    ok($store->record(0, 'part'), "$name: the store has kept the record of the first server");
    $third->start;
    $fleet->add($third);
    ok_status($third, "state = 'ok' AND worker_id = 1", "$name: a third server gets the lost worker id");
    $fleet->ok_flows("$name: clients get ids from the first and the third server", $first, $third);
    ok_ids_after($third, $promised, "$name: its ids are above the ceiling of the other server");
    resume_server($other);
    ok_status($other, "state = 'waiting'", "$name: the resumed server has no worker id, and the pool is exhausted");
    $fleet->ok_flows("$name: clients still get ids from the two", $first, $third);
    $fleet->retire($third);
    $third->stop;
    ok_status($other, "state = 'ok' AND worker_id = 1", "$name: it gets a worker id when one is free");
    $fleet->ok_flows("$name: clients get ids from both", $first, $other);

    # A record that is back at its earlier state, free: its holder claims it again as long as no other server can have had it,
    # and acquires a worker id otherwise.
    $fleet->retire($other);
    $other->stop;
    $remember->();
    $other->start;
    $fleet->add($other);
    ok_status($other, "state = 'ok' AND worker_id = 1", "$name: the other server has acquired a worker id again");
    $fleet->ok_flows("$name: clients get ids again");
    $lose->();
    ok_status($first, "state = 'ok' AND worker_id = 0", "$name: the first server keeps its worker id");
    ok(wait_until { $store->is_held($store->record(1, 'part')) }, "$name: the other server gets its worker id again");
    ok_status($other, "state = 'ok' AND worker_id = 1", "$name: the other server is ok");
    $fleet->ok_flows("$name: clients get ids from both");
    $fleet->check("$name, a part lost");
    $_->stop foreach $first, $other, $third;
    $store->stop;
    return;
}

my $snapshots = IdgenTest::Redis->new(appendonly => 'no');
forgets_a_part('snapshot', $snapshots, sub { $snapshots->save }, sub { $snapshots->restart });

# What Redis has written to its AOF but not synced is lost when the machine crashes: the tail is cut off.
my $journal = IdgenTest::Redis->new(appendonly => 'everysec');
my $synced;
forgets_a_part(
    'journal', $journal,
    sub { $synced = $journal->aof_size },
    sub { $journal->kill9; $journal->cut_aof($synced); $journal->start });

# --- a prefix that was declared new, and a store that loses data after that

# The declaration holds for the Redis that received it, not for a restored one. The lease is so long that it would still count.
my $fresh = IdgenTest::Redis->new(appendonly => 'no');
my ($holder, $newcomer) = map {
    lease_server($_, $fresh, conf => "idgen.lease_prefix = 'fresh'\nidgen.max_workers = 1\nidgen.lease_ttl = '20s'\n")
} qw(holder newcomer);
my $pair = IdgenTest::Fleet->new;
$holder->start;
$pair->add($holder);
declare_new($holder);
ok_status($holder, "state = 'ok' AND worker_id = 0", 'declared new: a worker id at once');
# A snapshot from between the declaration and the acquisition.
ok( wait_until {
        $fresh->cli('HDEL', 'fresh', 'w0');
        $fresh->save;
        return !defined $fresh->record(0, 'fresh');
    },
    'declared new: the snapshot does not have the worker id');
ok(wait_until { defined $fresh->record(0, 'fresh') }, 'declared new: the store has the record of the holder');
$pair->ok_flows('declared new: clients get ids');
ok(pause_server($holder), 'declared new: the holder is suspended');
$fresh->restart;
ok(!defined $fresh->record(0, 'fresh'), 'declared new: the restored store does not have the worker id');
$newcomer->start;
$pair->add($newcomer);
ok(wait_until { (status_of($newcomer)->{state} // '') =~ /^(ok|waiting)$/ }, 'declared new: another server asks for it');
ok_status($newcomer, "state = 'waiting' AND worker_id IS NULL", 'declared new: it waits, because this Redis does not know what the lost one leased');
resume_server($holder);
ok_status($holder, "state = 'ok' AND worker_id = 0", 'declared new: the holder is resumed in time and continues');
$pair->ok_flows('declared new: clients get ids from the holder', $holder);
$pair->retire($holder);
$holder->stop;
ok_status($newcomer, "state = 'ok' AND worker_id = 0", 'declared new: the new server gets it when the quarantine ends');
$pair->ok_flows('declared new: clients get ids from the other server', $newcomer);
$pair->check('declared new');
$newcomer->stop;

done_testing();
