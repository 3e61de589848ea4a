# Two running servers with the same worker id: both learn it from the store and report it in log, status and idgen_check(). Nobody
# waits for the store, and leases are not affected. Also what a server reports that was copied from another one.
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

# The store gets an announcement of this worker id that is sent after this call.
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

# --- one server

my $original = lease_server('original', $store, conf => $five, start => 1);
ok_beats(5, 'a server with a static worker id announces it to the store');
ok_status($original, "state = 'ok'", 'the server is ok');
like(join(' ', worker_rows($original)), qr/^5\|static\|@{[ $original->port ]}\|t$/, 'idgen_workers() shows it');
my $position = log_position($original);
$original->restart;
ok_beats(5, 'the server announces itself again after a restart');
ok(kill_postmaster($original), 'its postmaster is killed');
$original->start;
ok_beats(5, 'the server announces itself again after a crash');
kill_worker($original, 'TERM');
ok_beats(5, 'the server announces itself again after its worker has ended');
ok_status($original, "state = 'ok'", 'the server does not take itself for another one');
ok(!logged_since($original, qr/another live server/, $position), 'the log does not report another server');

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
    ok_status($server, "state = 'warning' AND reason LIKE '%|$port|%worker id 5%' AND advice <> ''", "$name: the status reports the other server and its address");
    ok_logged($server, qr/WARNING:  idgen: another live server uses worker id 5\n.*DETAIL:  It is "[^"]*\|$port\|/, 0, "$name: the log reports it");
    is($server->safe_psql('postgres', "SELECT severity, object FROM idgen_check() WHERE finding LIKE '%worker id 5%'"), 'error|server', "$name: idgen_check() reports it");
    $server->safe_psql('postgres', 'CREATE ROLE somebody');
    my $seen = $server->safe_psql('postgres', 'SET ROLE somebody; SELECT state, reason FROM idgen_status()');
    like($seen, qr/^warning\|.*worker id 5/, "$name: an ordinary role sees the report");
    unlike($seen, qr/$port|\//, "$name: an ordinary role does not see the address");
    is($server->safe_psql('postgres', "SELECT idgen_wait_ready('1 min')"), 't', "$name: ids are issued all the same");
}
ok_beats(5, 'both servers announce themselves', 20);
# Unless the other one has been silent for one TTL meanwhile, which the log says as well.
foreach my $server ($original, $copy) {
    my $log  = slurp_file($server->logfile);
    my $gone = () = $log =~ /no other live server/g;
    is(scalar(() = $log =~ /another live server/g), 1 + $gone, $server->name . ': the log reports it once');
}

# What a copy reports about itself when the original has stopped.
$original->stop;
ok_logged($copy, qr/no other live server uses this server's worker id any more/, 0, 'when the original has stopped, the copy notices');
ok_status($copy, q(state = 'ok' AND reason ~ '^The data directory is a copy; .* had worker id 5 before still issues ids, (from|since) about \d{4}-' AND advice IS NOT NULL),
    'the copy still reports that it is a copy');
kill_worker($copy, 'TERM');
ok_beats(5, 'the copy announces itself after its worker has ended');
ok_status($copy, q(state = 'ok' AND reason ~ '^The data directory is a copy'), 'the copy still reports that it is a copy after its worker has ended');
# A second copy, which gets another worker id by a reload.
$original->start;
ok_status($copy, "state = 'warning'", 'the copy reports the original again');
change_settings($copy, 'idgen.worker_id = 6');
ok_status($_, "state = 'ok'", $_->name . ' is ok when the two have different worker ids') foreach $original, $copy;
change_settings($copy, "idgen.worker_source = 'lease'", 'idgen.min_worker = 10');
ok_status($copy, "state = 'ok' AND worker_id >= 10 AND coalesce(reason, '') !~ 'copy'", 'with a leased worker id it does not report being a copy');
$copy->stop;

# --- a store that is down

$store->stop;
ok_status($original, "state = 'ok' AND reason LIKE '%would go unnoticed%'", 'the store is down: the server is ok, and reports what it cannot check');
ok_logged($original, qr/could not announce this server's static worker id to the store/, 0, 'the store is down: the log gives the reason');
my $before = -s $original->logfile;
$original->restart;
cmp_ok(wait_for_ids($original), '>', 0, 'a server that starts without the store issues ids');
unlike(substr(slurp_file($original->logfile), $before), qr/is announced to the store again/, 'when it stops it does not log that announcements reach the store again');
$store->start;
ok_status($original, "state = 'ok' AND coalesce(reason, '') !~ 'noticed'", 'the store is up again: the server no longer reports it');
ok_beats(5, 'the store is up again: the server announces itself');
ok_logged($original, qr/is announced to the store again/, $before, 'the store is up again: the log says so');

# --- a lease of the same worker id

my $range  = "idgen.min_worker = 5\nidgen.max_workers = 6\n";
my $leased = lease_server('leased', $store, conf => $range, start => 1);
ok_status($leased, q(state = 'waiting' AND reason LIKE '%idgen.max_workers%'), 'a worker id announced by a running static server is not leased');
my $ceiling = $store->cli('HGET', 'idgen:worker', 's5') =~ /^(\d+)/ ? $1 + 0 : undef;
my $last    = burst($original, 1_000_000);
$original->stop;
ok_status($leased, "state = 'ok' AND worker_id = 5", 'the worker id is leased when its server has not announced itself for one TTL');
cmp_ok(wait_for_ids($leased), '>', $last, 'its ids are above those issued by the static server');
cmp_ok($leased->safe_psql('postgres', 'SELECT (extract(epoch FROM idgen_timestamp(idgen_next())) * 1000)::bigint'), '>=', $ceiling, 'its lease begins at the ceiling in the store');
$original->start;
ok_status($original, "state = 'warning' AND reason LIKE '%|" . $leased->port . "|%from a lease%'", 'a static server whose worker id is leased reports it');
ok_status($leased, "state = 'warning' AND reason LIKE '%|" . $original->port . "|%as a static worker id%'", 'the server that leases it reports it');
ok_renews($leased, 'the lease is kept');
$before = -s $original->logfile;
$original->stop;
unlike(substr(slurp_file($original->logfile), $before), qr/no other live server/, 'a server that stops does not log that the other one is gone');
ok_status($leased, "state = 'ok' AND worker_id = 5", 'the report ends when the other server has not announced itself for one TTL');
$leased->stop;

# --- a sequence store without a lease store

$original->append_conf("postgresql.conf", join("\n", "idgen.lease_store = ''", "idgen.sequence_store = '" . $store->url . "'", "idgen.lease_prefix = 'elsewhere'"));
$original->start;
ok(wait_until { $store->cli('HGET', 'elsewhere', 's5') ne '' }, 'without a lease store the sequence store gets the announcements');
$original->stop;

done_testing();
