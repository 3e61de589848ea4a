# One server whose worker id is static, then leased, then static again, from two stores. The store leases the same number as
# before, and no id is issued twice, however far the id clock leads the wall clock.
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
# There is one worker id, as static worker id and in both stores.
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

# The settings of a source. Each lease has an unused prefix, so that no earlier lease has to expire.
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

# Changes the source by a reload.
sub change {
    my ($name, @lines) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $position = log_position($node);
    change_settings($node, @lines);
    ok_logged($node, qr/giving up worker id 0 because the settings have changed/, $position, "$name: the reload takes effect");
    return;
}

# All ids of the server have the same worker id, so each must be above the previous one.
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
# A data directory that was copied: its id clock leads by a minute.
$node->stop;
my $file = ceiling_file($node);
system_or_bail('cp', $file, "$file.copy");
rename("$file.copy", $file) or die "could not rename: $!";
$node->start;
take('static');
is($node->safe_psql('postgres', "SELECT ahead > '30 s' FROM idgen_stat_clock"), 't', 'the id clock of a copy leads');

my @steps = ([ 'static to leased', $stores[0] ], [ 'from one store to another', $stores[1] ], [ 'leased to static', undef ]);

# Changes by restarts, clean and not.
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

# Changes by reloads, and a crash right after one.
foreach my $step (@steps, $steps[0]) {
    my ($name, $store) = @$step;
    change($name, defined $store ? leased($store) : static());
    declare_new($node) if defined $store;
    take("$name, by a reload");
}
ok(kill_postmaster($node), 'the postmaster is killed');
use_source(static());
$node->start;
take('static after a crash while leased');

# A leased server keeps a local file, too, and logs when it cannot.
change('leased again', leased($stores[0]));
declare_new($node);
ok_status($node, "state = 'ok' AND lease_holder IS NOT NULL", 'leased again');
my $position = log_position($node);
unlink($file) or die "could not unlink: $!";
ok_logged($node, qr/idgen\.ceiling" was removed or replaced/, $position, 'a file that is removed while leased is written again');
ok(wait_until { -e $file }, 'the file exists');
$ledger->check('static and leased');
$node->stop;
$_->stop foreach @stores;

done_testing();
