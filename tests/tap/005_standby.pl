# Standbys and copies of a data directory: what the original can have issued is never issued again.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Clock;
use IdgenTest::Faults;
use IdgenTest::Ledger;
use IdgenTest::Load;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $conf = <<'CONF';
idgen.max_ahead = '100ms'
idgen.ceiling_window = '1s'
idgen.max_wait = '60s'
wal_keep_size = '64MB'
CONF

# A copy of the node's data directory as a server of its own.
sub clone {
    my ($node, $name) = @_;
    my $clone = PostgreSQL::Test::Cluster->new($name);
    system_or_bail('cp', '-a', $node->data_dir, $clone->data_dir);
    settle_in($clone);
    return $clone;
}

# The committed rows, each with the server that made it: a row that was copied is the same row, an id that two servers
# made is not.
sub committed {
    my ($node) = @_;
    return split(/\n/, $node->safe_psql('postgres', 'SELECT server, id FROM orders'));
}

# The primary's clock is fast, so its ids are ahead of what the others take for the present.
my $clock   = IdgenTest::Clock->new(20);
my $primary = new_server('primary', conf => $conf, init => { allows_streaming => 1 });
$clock->start($primary);

# The standby is older than the extension, so it never gets a local file: it does not go through the WAL.
$primary->backup('before');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'before', has_streaming => 1);
$standby->start;
IdgenTest::Load->prepare($primary);
my $ledger = IdgenTest::Ledger->new;
my $last;

is($primary->safe_psql('postgres', 'BEGIN READ ONLY; SELECT idgen_next() > 0; COMMIT'), 't',
    'a read-only transaction gets ids');
is($primary->safe_psql('postgres', 'SET default_transaction_read_only = on; SELECT count(*) FROM idgen_batch(10)'), 10,
    'so does a read-only session');

# A copy is taken while the primary issues, and started beside it.
my $load = IdgenTest::Load->start($primary);
ok($load->wait_for_more, 'ids flow on the primary');
$primary->backup('online');
my $beside = PostgreSQL::Test::Cluster->new('beside');
$beside->init_from_backup($primary, 'online');
$beside->append_conf('postgresql.conf', 'idgen.worker_id = 2');
$beside->start;

# A hot standby.
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
like(error_of($standby, $_), qr/ERROR:  25006: no id can be given during recovery\nDETAIL:  .*hot standby.*\nHINT:  .*promotion/,
    "a hot standby refuses $_")
  foreach 'SELECT idgen_next();', 'SELECT idgen_next_text();', 'SELECT * FROM idgen_batch(3);';
is($standby->safe_psql('postgres', 'SELECT state, worker_id IS NULL, worker_pid IS NULL FROM idgen_status()'), 'standby|t|t',
    'its status says what it is');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM (SELECT uuid_v7() AS id) t WHERE uuid_v7_timestamp(id) > now() - interval $$1 min$$'),
    1, 'it makes UUIDs');

# The copy beside the original, both at once.
my $beside_load   = IdgenTest::Load->start($beside, clients => 2);
my $beside_ledger = IdgenTest::Ledger->new;
ok($beside_load->wait_for_more, 'a base backup with another worker id issues ids');
ok_logged($beside, qr/idgen\.ceiling" is a copy.*\n.*DETAIL:  Ids will be later than/, 0, 'its log says that it is a copy');
ok($load->wait_for_more, 'the primary goes on');
$beside_load->stop($beside_ledger);
$beside_load->check_errors('base backup');
is($beside->safe_psql('postgres', 'SELECT count(*) FROM (SELECT idgen_next() AS id FROM generate_series(1, 100)) t, idgen_decode(id) WHERE worker_id = 2'),
    100, 'with its own worker id');
my @committed = committed($beside);
$beside->stop;

# The primary dies in the middle of it, and the standby takes over, also its worker id.
my $position = log_position($standby);
ok($load->wait_for_more, 'ids flow on the primary, the standby follows');
ok(kill_postmaster($primary), 'the primary was killed');
$load->stop($ledger);
$load->check_errors('primary');
$standby->promote;
$standby->safe_psql('postgres', 'CREATE DATABASE second');
$standby->safe_psql('second', 'CREATE EXTENSION idgen');    # which does not make it a new server
my $promoted = IdgenTest::Load->start($standby);
ok($promoted->wait_for_life_after(0), 'ids flow on the promoted standby');
ok_logged($standby, qr/LOG:  idgen: the file ".*idgen\.ceiling" is (missing|from another timeline).*\n.*DETAIL:  Ids will be later than/,
    $position, 'its log says that it starts above what can have been issued');
my $promoted_ledger = IdgenTest::Ledger->new;
ok($promoted->wait_for_more, 'and they go on');
$promoted->stop($promoted_ledger);
$promoted->check_errors('promoted standby');
cmp_ok($promoted_ledger->min, '>', $ledger->max, 'all of them are above all of the old primary');
$ledger->add_ledger($promoted_ledger);

# The primary itself recovers, is copied cold, and both go on beside each other under different worker ids, while the
# primary's old number is the promoted standby's now.
my $cold = clone($primary, 'cold');
$primary->append_conf('postgresql.conf', 'idgen.worker_id = 3');
$cold->append_conf('postgresql.conf', 'idgen.worker_id = 4');
$clock->start($primary);
$cold->start;
my @beside = map { IdgenTest::Load->start($_, clients => 2) } $primary, $cold;
ok($_->wait_for_life_after(0) && $_->wait_for_more, 'a crashed server and its cold copy both issue ids') foreach @beside;
ok_logged($cold, qr/idgen\.ceiling" is a copy/, 0, 'the log of the copy says that it is one');
my @after = map { IdgenTest::Ledger->new } @beside;
$beside[$_]->stop($after[$_]) foreach 0, 1;
$_->check_errors('beside each other') foreach @beside;
$after[$_]->check("beside each other, $_") foreach 0, 1;

# Everything that was rolled back, and every committed row once, however many servers it was copied to.
my $everything = IdgenTest::Ledger->new;
$everything->add_ledger($_) foreach $ledger, $beside_ledger, @after;
push(@committed, committed($_)) foreach $primary, $cold, $standby;
my %rows = map { $_ => 1 } @committed;
$everything->add_unordered(undef, map { (split(/\|/))[1] } keys %rows);
$everything->check('promotion and copies');
$_->stop foreach $primary, $cold;

# In place: the same directory goes through recovery to a new timeline.
$last = burst($standby, 1000);
$standby->stop;
$position = log_position($standby);
$standby->set_standby_mode;
$standby->start;
$standby->promote;
cmp_ok(wait_for_ids($standby), '>', $last, 'promoted in place: the next id is above the last');
ok_logged($standby, qr/idgen\.ceiling" is from another timeline.*\n.*DETAIL:  Ids will be later than/, $position,
    'promoted in place: the log says so');
$standby->stop;

done_testing();
