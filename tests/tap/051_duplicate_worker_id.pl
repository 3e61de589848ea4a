# Two live servers with one worker id: both are told by the store, in log, status and idgen_check(); nobody waits for the
# store, and a lease and what is leased are not disturbed. And what a server says that was made of another.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Faults;
use IdgenTest::LeaseServer;
use IdgenTest::Redis;
use PostgreSQL::Test::Utils;
use Test::More;

my $store = IdgenTest::Redis->new;
my $five  = "idgen.worker_source = 'static'\nidgen.worker_id = 5\n";

# Says so much in the store, begun from now on.
sub ok_beats {
    my ($worker_id, $name, $count) = @_;
    my $beats = 0;
    my $text  = '';
    return ok( wait_until {
            my $now = $store->cli('HGET', 'idgen:worker', "s$worker_id");
            ++$beats if $now ne $text;
            $text = $now;
            return $beats > ($count // 3);
        },
        $name);
}

# --- alone

my $original = lease_server('original', $store, conf => $five, start => 1);
ok_beats(5, 'a server with a static worker id says so to the store');
ok_status($original, "state = 'ok'", 'and is well');
like(join(' ', worker_rows($original)), qr/^5\|static\|@{[ $original->port ]}\|t$/, 'idgen_workers() has it');
my $position = log_position($original);
$original->restart;
ok_beats(5, 'restarted it says so again');
ok(kill_postmaster($original), 'its postmaster is killed');
$original->start;
ok_beats(5, 'started again it says so again');
kill_worker($original, 'TERM');
ok_beats(5, 'and when only the worker was ended');
ok_status($original, "state = 'ok'", 'it does not take itself for another');
ok(!logged_since($original, qr/another live server/, $position), 'nor does the log say so');

# --- a copy of it

$original->stop;
my $copy = clone_of($original, 'copy');
$original->start;
$position = log_position($original);
$copy->start;
my %twin = ($original->name => $copy, $copy->name => $original);
foreach my $server ($original, $copy) {
    my $name = $server->name;
    my $port = $twin{$name}->port;
    ok_status($server, "state = 'warning' AND reason LIKE '%worker id 5%|$port|%' AND advice <> ''", "$name: the status tells of the other, and where it is");
    ok_logged($server, qr/WARNING:  idgen: another live server has worker id 5\n.*DETAIL:  It is "[^"]*\|$port\|/, 0, "$name: and the log");
    is($server->safe_psql('postgres', "SELECT severity, object FROM idgen_check() WHERE finding LIKE '%worker id 5%'"), 'error|server', "$name: and idgen_check()");
    $server->safe_psql('postgres', 'CREATE ROLE somebody');
    my $seen = $server->safe_psql('postgres', 'SET ROLE somebody; SELECT state, reason FROM idgen_status()');
    like($seen, qr/^warning\|.*worker id 5/, "$name: an ordinary role is told");
    unlike($seen, qr/$port|\//, "$name: but not where the other is");
    is($server->safe_psql('postgres', "SELECT idgen_wait_ready('1 min')"), 't', "$name: ids flow all the same");
}
ok_beats(5, 'both go on', 20);
is(scalar(() = slurp_file($_->logfile) =~ /another live server/g), 1, $_->name . ': the log says it once') foreach $original, $copy;

# What a copy says of itself, when the original is gone.
$original->stop;
ok_logged($copy, qr/no other live server has this server's worker id any more/, 0, 'when the original has stopped, the copy notices');
ok_status($copy, q(state = 'ok' AND reason ~ '^The data directory is a copy, .* still issues ids with worker id 5, the two issue the same ids (from|since) about \d{4}-' AND advice IS NOT NULL),
    'and still says what being a copy means');
kill_worker($copy, 'TERM');
ok_beats(5, 'its worker is another');
ok_status($copy, q(state = 'ok' AND reason ~ '^The data directory is a copy'), 'which says so, too');
# A second copy, with a worker id of its own by a reload.
$original->start;
ok_status($copy, "state = 'warning'", 'the original is back');
change_settings($copy, 'idgen.worker_id = 6');
ok_status($_, "state = 'ok'", $_->name . ' is well when the two have different worker ids') foreach $original, $copy;
change_settings($copy, "idgen.worker_source = 'lease'", 'idgen.min_worker = 10');
ok_status($copy, "state = 'ok' AND worker_id >= 10 AND coalesce(reason, '') !~ 'copy'", 'with a leased worker id it has nothing to say of being a copy');
$copy->stop;

# --- without the store

$store->stop;
ok_status($original, "state = 'ok' AND reason LIKE '%would not be noticed%'", 'the store is away: it is well, and says what it misses');
ok_logged($original, qr/the store could not be told of this server's static worker id/, 0, 'the log says why');
my $before = -s $original->logfile;
$original->restart;
cmp_ok(wait_for_ids($original), '>', 0, 'started without the store it issues');
unlike(substr(slurp_file($original->logfile), $before), qr/the store is told of/, 'and does not say when it stops that the store is told again');
$store->start;
ok_status($original, "state = 'ok' AND coalesce(reason, '') !~ 'noticed'", 'the store is back');
ok_beats(5, 'and is told again');

# --- a lease of the same worker id

my $range  = "idgen.min_worker = 5\nidgen.max_workers = 6\n";
my $leased = lease_server('leased', $store, conf => $range, start => 1);
ok_status($leased, q(state = 'waiting' AND reason LIKE '%idgen.max_workers%'), 'a worker id that is a live static one is not leased');
my $ceiling = $store->cli('HGET', 'idgen:worker', 's5') =~ /^(\d+)/ ? $1 + 0 : undef;
my $last    = burst($original, 1_000_000);
$original->stop;
ok_status($leased, "state = 'ok' AND worker_id = 5", 'once its server has not been heard of for one TTL it is leased');
cmp_ok(wait_for_ids($leased), '>', $last, 'and begins above what was issued under it');
cmp_ok($leased->safe_psql('postgres', 'SELECT (extract(epoch FROM idgen_timestamp(idgen_next())) * 1000)::bigint'), '>=', $ceiling, 'at the ceiling that was left in the store');
$original->start;
ok_status($original, "state = 'warning' AND reason LIKE '%from a lease%|" . $leased->port . "|%'", 'a static server whose worker id is leased is told');
ok_status($leased, "state = 'warning' AND reason LIKE '%as a static one%|" . $original->port . "|%'", 'and so is who leases it');
ok_renews($leased, 'whose lease goes on');
$before = -s $original->logfile;
$original->stop;
unlike(substr(slurp_file($original->logfile), $before), qr/no other live server/, 'a server that stops does not say that the other is gone');
ok_status($leased, "state = 'ok' AND worker_id = 5", 'until the other has not been heard of for one TTL');
$leased->stop;

# --- a store of sequences alone

$original->append_conf("postgresql.conf", join("\n", "idgen.lease_store = ''", "idgen.sequence_store = '" . $store->url . "'", "idgen.lease_prefix = 'elsewhere'"));
$original->start;
ok(wait_until { $store->cli('HGET', 'elsewhere', 's5') ne '' }, 'the store of sequences does where there is no other');
$original->stop;

done_testing();
