# A hot standby that leases a worker id in advance (idgen.lease_on_standby): it issues no ids, and after its promotion it
# issues them without its store.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Faults;
use IdgenTest::LeaseServer;
use IdgenTest::Ledger;
use IdgenTest::Redis;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $store  = lease_store();
my $ledger = IdgenTest::Ledger->new;

# A lease that outlasts a slow machine's promotions while the store is suspended. No server waits for one to expire.
my $conf = <<'CONF';
idgen.lease_on_standby = on
idgen.lease_ttl = '2min'
idgen.max_wait = '3min'
wal_log_hints = on
wal_keep_size = '64MB'
CONF

# The store's records of the node's leases.
my $another = '00000000-0000-4000-8000-000000000000';    # the token of a server that takes a worker id

sub leases_of {
    my ($node) = @_;
    return grep { $_->{port} == $node->port && $_->{token} ne $another } $store->held;
}

# The worker id of an id.
sub worker_of {
    my ($node, $id) = @_;
    return $node->safe_psql('postgres', "SELECT worker_id FROM idgen_decode($id)");
}

sub take_ids {
    my ($node, $count) = @_;
    my @ids = wait_for_ids($node, 'SELECT * FROM idgen_batch(' . ($count // 100) . ')');
    $ledger->add(undef, @ids);
    return @ids;
}

# A standby of `node` on a backup that is taken now. Started.
sub standby_of {
    my ($node, $name, %params) = @_;
    $node->backup("for_$name");
    my $standby = PostgreSQL::Test::Cluster->new($name);
    $standby->init_from_backup($node, "for_$name", has_streaming => $params{has_streaming} // 1);
    $standby->append_conf('postgresql.conf', $params{conf}) if defined $params{conf};
    $standby->start if $params{start} // 1;
    return $standby;
}

sub ok_ready {
    my ($node, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok_status($node, "state = 'ready' AND worker_id IS NOT NULL", $name);
}

sub ok_no_ids_in_recovery {
    my ($node, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return like(error_of($node, 'SELECT idgen_next()'), qr/ERROR:  25006: cannot issue ids during recovery/, $name);
}

my $primary = lease_server('primary', $store, conf => $conf, init => { allows_streaming => 1 });
$primary->start;
$primary->safe_psql('postgres', 'CREATE EXTENSION idgen');
declare_new($primary);
ok_status($primary, "state = 'ok'", 'the primary has a worker id');
take_ids($primary);

# --- ready

my $standby = standby_of($primary, 'standby');
ok_ready($standby, 'a standby leases a worker id');
ok_logged($standby, qr/idgen: holding worker id \d+ in advance of a promotion/, 0, 'the log says so');
my $held = worker_id_of($standby);
isnt($held, worker_id_of($primary), 'it is not the one of the primary');
is(join(',', map { $_->{worker_id} } leases_of($standby)), $held, 'the store has one lease of the standby');
like(join("\n", worker_rows($standby, 'is_self')), qr/^$held\|held\|/, 'idgen_workers() on the standby shows its own');
my $file = slurp_file(ceiling_file($standby));
ok_renews($standby, 'the standby renews its lease');
ok_no_ids_in_recovery($standby, 'a standby that holds a worker id issues no ids');
is($standby->safe_psql('postgres', q(SET idgen.max_wait = '1ms'; SELECT idgen_wait_ready('100ms'))), 'f', 'nor is it ready for callers');
ok(slurp_file(ceiling_file($standby)) eq $file, 'the local file is left alone during recovery');

# Not ready, because the setting is off: as a standby always was.
my $plain = standby_of($primary, 'plain', conf => "idgen.lease_on_standby = off\n");
is(status_in_words($plain), 'standby | This server is a hot standby; it leases a worker id when it is promoted. | '
      . 'Request ids on the primary. This server issues ids after a promotion. | ', 'without the setting the status is that of a standby');
is($plain->safe_psql('postgres', 'SELECT worker_id IS NULL AND worker_pid IS NULL AND last_renewal_at IS NULL FROM idgen_status()'),
    't', 'without the setting nothing is leased');
is(scalar(leases_of($plain)), 0, 'without the setting the store knows nothing of the standby');
ok_no_ids_in_recovery($plain, 'without the setting a standby issues no ids');

# --- the setting, and the lease, come and go

change_settings($plain, 'idgen.lease_on_standby = on');
ok_ready($plain, 'switched on by a reload: ready');
change_settings($plain, "idgen.worker_source = 'static'");
ok_status($plain, "state = 'standby' AND reason ~ 'static' AND worker_id IS NULL", 'a static worker id: not held in advance');
ok(wait_until { !leases_of($plain) }, 'a static worker id: the lease was released');
change_settings($plain, "idgen.worker_source = 'lease'");
ok_ready($plain, 'leased again: ready');
change_settings($plain, 'idgen.lease_on_standby = off');
ok_status($plain, "state = 'standby' AND worker_id IS NULL", 'switched off by a reload: nothing is held');
ok(wait_until { !leases_of($plain) }, 'switched off by a reload: the lease was released');

# Another server takes the worker id while the standby holds it.
my $position = log_position($standby);
$store->give_to($held, $another);
ok_logged($standby, qr/idgen: lost the lease of worker id $held/, $position, 'a lost lease is logged');
ok_status($standby, "state = 'ready' AND worker_id <> $held", 'a lost lease is replaced by another');
$held = worker_id_of($standby);

# The worker is terminated.
ok(kill_worker($standby, 'TERM'), 'the background worker is terminated');
ok_logged($standby, qr/idgen: released worker id $held, which was held in advance of a promotion/, $position, 'it releases the worker id');
ok_ready($standby, 'the next background worker leases one');

# --- copies

my $clone = standby_of($standby, 'clone');
ok_ready($clone, 'a standby on a backup of the standby leases a worker id');
ok_ready($standby, 'the standby is still ready');
my @leases = map { leases_of($_) } $primary, $standby, $clone;
is(scalar(@leases), 3, 'the primary and two standbys have a lease each');
is(scalar(keys %{ { map { $_->{token} => 1 } @leases } }), 3, 'their tokens differ');
is(scalar(keys %{ { map { $_->{worker_id} => 1 } @leases } }), 3, 'their worker ids differ');
$clone->stop;
ok(wait_until { !leases_of($clone) }, 'a standby that stops releases its worker id');

# --- promoted while the store is suspended

$primary->append_conf('postgresql.conf', "synchronous_standby_names = 'standby'\nsynchronous_commit = remote_apply");
$primary->reload;
ok_renews($standby, 'the standby has renewed its lease just now');
$held = worker_id_of($standby);
$store->pause;
is($primary->safe_psql('postgres', 'CREATE TABLE written (); SELECT 1'), 1, 'synchronous commits do not wait for the store');
take_ids($primary);
$primary->wait_for_catchup($standby);
# The old primary goes on issuing ids beside the new one, and diverges.
$primary->append_conf('postgresql.conf', "synchronous_standby_names = ''");
$primary->reload;
$position = log_position($standby);
$standby->promote;
my ($first) = take_ids($standby);
is(worker_of($standby, $first), $held, 'promoted: ids are issued under the worker id held in advance');
is(worker_id_of($standby), $held, 'promoted: so says the status');
ok(!logged_since($standby, qr/idgen: not issuing ids yet/, $position), 'promoted: the server did not wait');
isnt(slurp_file(ceiling_file($standby)), $file, 'promoted: the ceiling is recorded in the local file');
$plain->promote;
like(error_of($plain, q(SET idgen.max_wait = '500ms'; SELECT idgen_next())), qr/ERROR:  55000: could not issue an id/,
    'promoted without the setting: no ids while the store is suspended');
take_ids($_) foreach $primary, $standby;
$primary->safe_psql('postgres', 'CREATE TABLE diverged AS SELECT idgen_next() AS id FROM generate_series(1, 100)');
$ledger->add(undef, split(/\n/, $primary->safe_psql('postgres', 'SELECT id FROM diverged ORDER BY 1')));
$store->resume;
ok_same_worker($standby, $held, 'promoted: the worker id is kept when the store is back');
ok_renews($standby, 'promoted: and renewed');
ok_status($plain, "state = 'ok'", 'promoted without the setting: a worker id when the store is back');
take_ids($_) foreach $plain, $standby;
$plain->stop;

# --- pg_rewind, and back

# Without a checkpoint pg_rewind of PostgreSQL 15 still sees the old timeline in the source's control file.
$standby->safe_psql('postgres', 'CHECKPOINT');
$primary->stop;
command_ok([ 'pg_rewind', '--source-server', $standby->connstr('postgres'), '--target-pgdata', $primary->data_dir, '--no-sync' ],
    'pg_rewind');
$primary->append_conf('postgresql.conf', <<CONF);
port = @{[ $primary->port ]}
unix_socket_directories = '@{[ $primary->host ]}'
primary_conninfo = '@{[ $standby->connstr ]} application_name=primary'
CONF
append_to_file($primary->data_dir . '/standby.signal', '');
$primary->start;
ok_ready($primary, 'rewound: the old primary is a standby that is ready');
isnt(worker_id_of($primary), $held, 'rewound: with a worker id of its own');
ok_no_ids_in_recovery($primary, 'rewound: it issues no ids');
ok_renews($primary, 'rewound: it renews');
my $again = worker_id_of($primary);
$store->pause;
$standby->wait_for_catchup($primary);
$standby->stop('immediate');
$primary->promote;
($first) = take_ids($primary);
is(worker_of($primary, $first), $again, 'promoted back: ids under the worker id held in advance');
$store->resume;
ok_same_worker($primary, $again, 'promoted back: the worker id is kept');

# A crash of the promoted server: shared memory is reset, and so is its lease.
ok(kill_postmaster($primary), 'promoted back: the server is killed');
$primary->start;
ok_status($primary, "state = 'ok'", 'promoted back: a worker id after a crash');
take_ids($primary);

# It crashes again and comes back as a standby. Where leases are fenced it swaps the lease that its local file has.
$again = worker_id_of($primary);
ok(kill_postmaster($primary), 'a standby after a crash: the server is killed');
append_to_file($primary->data_dir . '/standby.signal', '');
$primary->start;
ok_ready($primary, 'a standby after a crash: it is ready');
if ($store->forgets) {
    isnt(worker_id_of($primary), $again, 'a standby after a crash: another worker id');
} else {
    is(worker_id_of($primary), $again, 'a standby after a crash: its own worker id, at once');
    is(scalar(leases_of($primary)), 1, 'a standby after a crash: it has one lease');
}
ok_no_ids_in_recovery($primary, 'a standby after a crash: it issues no ids');
$primary->promote;
take_ids($primary);

# --- a standby whose local file was written under a static worker id

{
    my $static = new_server('static', init => { allows_streaming => 1 });
    $static->start;
    $static->safe_psql('postgres', 'CREATE EXTENSION idgen');
    take_ids($static);
    my $follower = standby_of($static, 'follower', conf => <<CONF);
idgen.worker_source = 'lease'
idgen.lease_store = '@{[ $store->url ]}'
idgen.lease_on_standby = on
CONF
    ok_status($follower, "state = 'standby' AND reason ~ 'not ready.*another source of worker ids' AND worker_id IS NOT NULL",
        'a file of a static worker id: the status says that the server is not ready');
    unlink(ceiling_file($follower)) or die "could not remove the file: $!";
    ok_ready($follower, 'without that file it is ready');
    $follower->stop;
    $static->stop;
}

# --- without hot standby; recovery that ends by itself

my $cold = standby_of($primary, 'cold', conf => "hot_standby = off\n");
is(scalar(leases_of($cold)), 0, 'without hot standby nothing is leased in advance');
$cold->promote;
ok_status($cold, "state = 'ok'", 'without hot standby a promoted server leases a worker id');
take_ids($cold);
$cold->stop;

my $restored = standby_of($primary, 'restored', has_streaming => 0, start => 0, conf => <<'CONF');
restore_command = 'false'
recovery_target_action = 'promote'
CONF
$restored->set_recovery_mode;
$restored->start;
ok_status($restored, "state = 'ok'", 'after archive recovery the server has a worker id');
is(scalar(leases_of($restored)), 1, 'after archive recovery it has one lease');
take_ids($_) foreach $restored, $primary;
$_->stop foreach $restored, $primary;

$ledger->check('promotions with worker ids held in advance');
$store->stop;

done_testing();
