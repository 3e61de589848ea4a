# Standbys and copies of a data directory: no id that the original may have issued is issued again.
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

# A new server on a copy of the node's data directory.
sub clone {
    my ($node, $name) = @_;
    my $clone = PostgreSQL::Test::Cluster->new($name);
    system_or_bail('cp', '-a', $node->data_dir, $clone->data_dir);
    settle_in($clone);
    return $clone;
}

# The committed rows, each with the server that inserted it: a copied row counts once, an id that two servers issued
# counts twice.
sub committed {
    my ($node) = @_;
    return split(/\n/, $node->safe_psql('postgres', 'SELECT server, id FROM orders'));
}

# The primary's clock is fast, so its ids are ahead of the time on the other servers.
my $clock   = IdgenTest::Clock->new(20);
my $primary = new_server('primary', conf => $conf, init => { allows_streaming => 1 });
$clock->start($primary);

# The standby is older than the extension, so it has no local file: the file does not go through WAL.
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
    'a read-only session gets ids');

# A base backup is taken while the primary issues ids, and started beside it.
my $load = IdgenTest::Load->start($primary);
ok($load->wait_for_more, 'clients get ids from the primary');
$primary->backup('online');
my $beside = PostgreSQL::Test::Cluster->new('beside');
$beside->init_from_backup($primary, 'online');
$beside->append_conf('postgresql.conf', 'idgen.worker_id = 2');
$beside->start;

# A hot standby.
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
like(error_of($standby, $_), qr/ERROR:  25006: cannot issue ids during recovery\nDETAIL:  .*hot standby.*\nHINT:  .*promotion/,
    "a hot standby refuses $_")
  foreach 'SELECT idgen_next();', 'SELECT idgen_next_text();', 'SELECT * FROM idgen_batch(3);';
is($standby->safe_psql('postgres', 'SELECT state, worker_id IS NULL, worker_pid IS NULL FROM idgen_status()'), 'standby|t|t',
    'its status says that it is a standby');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM (SELECT uuid_v7() AS id) t WHERE uuid_v7_timestamp(id) > now() - interval $$1 min$$'),
    1, 'a hot standby makes UUIDs');

# The original and the copy at the same time.
my $beside_load   = IdgenTest::Load->start($beside, clients => 2);
my $beside_ledger = IdgenTest::Ledger->new;
ok($beside_load->wait_for_more, 'a base backup with another worker id issues ids');
ok_logged($beside, qr/idgen\.ceiling" is a copy.*\n.*DETAIL:  New ids will be later than/, 0, 'the log of the base backup says that it is a copy');
ok($load->wait_for_more, 'the primary continues to issue ids');
$beside_load->stop($beside_ledger);
$beside_load->check_errors('base backup');
is($beside->safe_psql('postgres', 'SELECT count(*) FROM (SELECT idgen_next() AS id FROM generate_series(1, 100)) t, idgen_decode(id) WHERE worker_id = 2'),
    100, 'its ids have its own worker id');
my @committed = committed($beside);
$beside->stop;

# The primary is killed under load, and the standby takes over with the same worker id.
my $position = log_position($standby);
ok($load->wait_for_more, 'the primary issues ids while the standby follows');
ok(kill_postmaster($primary), 'the primary was killed');
$load->stop($ledger);
$load->check_errors('primary');
$standby->promote;
$standby->safe_psql('postgres', 'CREATE DATABASE second');
$standby->safe_psql('second', 'CREATE EXTENSION idgen');    # this does not declare the server new
my $promoted = IdgenTest::Load->start($standby);
ok($promoted->wait_for_life_after(0), 'the promoted standby issues ids');
ok_logged($standby, qr/LOG:  idgen: file ".*idgen\.ceiling" is (missing|from another timeline).*\n.*DETAIL:  New ids will be later than/,
    $position, 'its log says that it starts above all ids that may have been issued');
my $promoted_ledger = IdgenTest::Ledger->new;
ok($promoted->wait_for_more, 'the promoted standby continues to issue ids');
$promoted->stop($promoted_ledger);
$promoted->check_errors('promoted standby');
cmp_ok($promoted_ledger->min, '>', $ledger->max, 'its ids are above all ids of the old primary');
$ledger->add_ledger($promoted_ledger);

# The old primary recovers and is copied while it is down. Both run at the same time with different worker ids, while the
# promoted standby has the old primary's worker id.
my $cold = clone($primary, 'cold');
$primary->append_conf('postgresql.conf', 'idgen.worker_id = 3');
$cold->append_conf('postgresql.conf', 'idgen.worker_id = 4');
$clock->start($primary);
$cold->start;
my @beside = map { IdgenTest::Load->start($_, clients => 2) } $primary, $cold;
ok($_->wait_for_life_after(0) && $_->wait_for_more, 'the crashed server and its cold copy both issue ids') foreach @beside;
ok_logged($cold, qr/idgen\.ceiling" is a copy/, 0, 'the log of the copy says that it is one');
my @after = map { IdgenTest::Ledger->new } @beside;
$beside[$_]->stop($after[$_]) foreach 0, 1;
$_->check_errors('old primary and copy') foreach @beside;
$after[$_]->check("old primary and copy, $_") foreach 0, 1;

# All ids of transactions that rolled back, and each committed row once, however many servers it was copied to.
my $everything = IdgenTest::Ledger->new;
$everything->add_ledger($_) foreach $ledger, $beside_ledger, @after;
push(@committed, committed($_)) foreach $primary, $cold, $standby;
my %rows = map { $_ => 1 } @committed;
$everything->add_unordered(undef, map { (split(/\|/))[1] } keys %rows);
$everything->check('promotion and copies');
$_->stop foreach $primary, $cold;

# Promotion in place: the same directory is recovered to a new timeline.
$last = burst($standby, 1000);
$standby->stop;
$position = log_position($standby);
$standby->set_standby_mode;
$standby->start;
$standby->promote;
cmp_ok(wait_for_ids($standby), '>', $last, 'promoted in place: the next id is above the last one');
ok_logged($standby, qr/idgen\.ceiling" is from another timeline.*\n.*DETAIL:  New ids will be later than/, $position,
    'promoted in place: the log says that the file is from another timeline');
$standby->stop;

done_testing();
