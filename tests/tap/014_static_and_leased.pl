# A server alone, whose worker id is static, then leased, then static again, from one store and another: the store leases it
# the very number that it had before, and no id comes twice, however far the id clock leads the wall clock.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Faults;
use IdgenTest::LeaseServer;
use IdgenTest::Ledger;
use IdgenTest::Redis;
use PostgreSQL::Test::Utils;
use Test::More;

my @stores = map { IdgenTest::Redis->new } 1, 2;
# One worker id: static, and of either store.
my $node = lease_server('changing', $stores[0], conf => <<CONF);
idgen.worker_id = 0
idgen.max_workers = 1
idgen.worker_source = 'static'
idgen.lease_ttl = '3min'
idgen.lease_window = '2s'
CONF
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION idgen');
my $ledger = IdgenTest::Ledger->new;
my $life   = 0;
my $last   = 0;

# Settings of a source; a lease is of a prefix that nobody has used, so that nothing has to run out first.
my $prefixes = 0;
sub static { return ("idgen.worker_source = 'static'") }
sub leased {
    my ($store) = @_;
    return ("idgen.worker_source = 'lease'", "idgen.lease_store = '" . $store->url . "'", "idgen.lease_prefix = 'p" . ++$prefixes . "'");
}

sub use_source {
    my (@lines) = @_;
    $node->append_conf('postgresql.conf', join("\n", @lines) . "\n");
    return;
}

# By a reload.
sub change {
    my ($name, @lines) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $position = log_position($node);
    change_settings($node, @lines);
    ok_logged($node, qr/gives up worker id 0: the settings point elsewhere/, $position, "$name: the reload arrives");
    return;
}

# All ids of the server are of one worker id, so each is above the last.
sub take {
    my ($name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @ids = wait_for_ids($node, 'SELECT * FROM idgen_batch(2000)');
    cmp_ok($ids[0], '>', $last, "$name: ids are above the earlier ones");
    is($node->safe_psql('postgres', "SELECT worker_id FROM idgen_decode($ids[0])"), 0, "$name: the worker id is the same");
    $last = $ids[-1];
    $ledger->add(++$life, @ids);
    return;
}

wait_for_ids($node);
# A data directory that is moved: its id clock leads by a minute.
$node->stop;
my $file = ceiling_file($node);
system_or_bail('cp', $file, "$file.copy");
rename("$file.copy", $file) or die "could not rename: $!";
$node->start;
take('static');
is($node->safe_psql('postgres', "SELECT ahead > '30 s' FROM idgen_stat_clock"), 't', 'its id clock leads');

my @steps = ([ 'static to leased', $stores[0] ], [ 'from one store to another', $stores[1] ], [ 'leased to static', undef ]);

# By restarts, clean and not.
foreach my $how ('fast', 'immediate') {
    foreach my $step (@steps) {
        my ($name, $store) = @$step;
        $node->stop($how);
        use_source(defined $store ? leased($store) : static());
        $node->start;
        declare_new($node) if defined $store;
        take("$name, after $how");
    }
}

# By reloads, and a crash right after one.
foreach my $step (@steps, $steps[0]) {
    my ($name, $store) = @$step;
    change($name, defined $store ? leased($store) : static());
    declare_new($node) if defined $store;
    take("$name, by a reload");
}
ok(kill_postmaster($node), 'it is killed');
use_source(static());
$node->start;
take('static after a crash while leased');

# A leased server keeps a file, too, and says so when it cannot.
change('leased again', leased($stores[0]));
declare_new($node);
ok_status($node, "state = 'ok' AND lease_holder IS NOT NULL", 'leased again');
my $position = log_position($node);
unlink($file) or die "could not unlink: $!";
ok_logged($node, qr/idgen\.ceiling" was removed or replaced/, $position, 'a file that is removed while leased is written again');
ok(wait_until { -e $file }, 'it is there');
$ledger->check('static and leased');
$node->stop;
$_->stop foreach @stores;

done_testing();
