# idgen_guard(): the trigger that tells, by the rows that replication brings, that another server issues this one's ids.
use strict;
use warnings;

use IdgenTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $conf       = "wal_level = logical\nidgen.max_wait = '2min'\n";
my $publisher  = new_server('publisher',  conf => $conf, init => { allows_streaming => 'logical' });
my $subscriber = new_server('subscriber', conf => $conf, init => { allows_streaming => 'logical' });
foreach my $server ($publisher, $subscriber) {
    $server->start;
    $server->safe_psql('postgres', 'CREATE DATABASE other');
    foreach my $database ('postgres', 'other') {
        $server->safe_psql($database, 'CREATE EXTENSION idgen');
        $server->safe_psql($database, 'CREATE TABLE rows (id bigint PRIMARY KEY DEFAULT idgen_next(), v text)');
    }
    wait_for_ids($server);
}
$publisher->safe_psql('postgres', "INSERT INTO rows (v) VALUES ('before')");
is($subscriber->safe_psql('postgres', "SELECT idgen_guard('rows')"), 'idgen_guard_id', 'the guard is made');
$publisher->safe_psql('postgres', 'CREATE PUBLICATION all_rows FOR TABLE rows');
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION all_rows CONNECTION '" . $publisher->connstr . " dbname=postgres' PUBLICATION all_rows");
$subscriber->wait_for_subscription_sync($publisher, 'all_rows');
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM rows'), '1', 'the subscription begins with a copy');
ok_status($subscriber, "state = 'ok'", 'of which the guard says nothing');

# --- another worker id

change_settings($publisher, 'idgen.worker_id = 2');
ok_status($publisher, 'worker_id = 2', 'the publisher has another worker id');
$publisher->safe_psql('postgres', 'INSERT INTO rows (v) SELECT n FROM generate_series(1, 100) n');
$publisher->wait_for_catchup('all_rows');
ok_status($subscriber, "state = 'ok'", 'rows with another worker id are fine');

# --- rows from before this server had the worker id

$publisher->safe_psql('postgres', "INSERT INTO rows (id, v) VALUES (idgen_min_id(now() - interval '1 day') + (1 << 12), 'old')");
$publisher->wait_for_catchup('all_rows');
ok_status($subscriber, "state = 'ok'", 'so are rows from before this server had its worker id');
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM rows'), '102', 'all have come');
ok(!logged_since($subscriber, qr/receives ids by replication/, 0), 'nothing in the log');

# --- the same worker id

change_settings($publisher, 'idgen.worker_id = 1');
ok_status($publisher, 'worker_id = 1', 'the publisher has the same worker id');
my $id = $publisher->safe_psql('postgres', "INSERT INTO rows (v) VALUES ('twin') RETURNING id");
$publisher->wait_for_catchup('all_rows');
ok_status($subscriber, "state = 'warning' AND reason LIKE '%\"rows\"%worker id 1%$id%'", 'the first row with it is told of in the status');
ok_logged($subscriber, qr/WARNING:  table "rows" receives ids by replication that this server issues, too\n.*DETAIL:  Id $id /, 0, 'and in the log');
is($subscriber->safe_psql('postgres', "SELECT severity, object FROM idgen_check() WHERE finding LIKE '%guard of table%'"), 'error|server', 'and by idgen_check()');
is($subscriber->safe_psql('other', 'SELECT state FROM idgen_status()'), 'ok', 'not in another database, whose owner may be another');
$publisher->safe_psql('postgres', 'INSERT INTO rows (v) SELECT n FROM generate_series(1, 1000) n');
$publisher->wait_for_catchup('all_rows');
is(scalar(() = slurp_file($subscriber->logfile) =~ /receives ids by replication/g), 1, 'a thousand more such rows make no further line');
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM rows'), '1103', 'and all have come');

# --- what stands in its way is passed by

$subscriber->safe_psql('postgres', 'ALTER TABLE rows RENAME id TO number');
$publisher->safe_psql('postgres', 'ALTER TABLE rows RENAME id TO number');
$publisher->safe_psql('postgres', "INSERT INTO rows (v) VALUES ('renamed')");
$publisher->wait_for_catchup('all_rows');
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM rows'), '1104', 'a guard whose column was renamed stops nothing');
ok_logged($subscriber, qr/WARNING:  the guard of table "rows" guards nothing\n.*DETAIL:  The table has no column "id" any more/, 0, 'and says so');
$subscriber->safe_psql('postgres', 'DROP TRIGGER idgen_guard_id ON rows');
$subscriber->safe_psql('postgres', "SELECT idgen_guard('rows')");

# --- a restart

$subscriber->restart;
ok_status($subscriber, "state = 'ok'", 'after a restart nothing is known of it');
wait_for_ids($subscriber);
$publisher->safe_psql('postgres', "INSERT INTO rows (v) VALUES ('again')");
$publisher->wait_for_catchup('all_rows');
ok_status($subscriber, "state = 'warning'", 'until the next row');

# --- a tenant who may own the table, and no more

$subscriber->safe_psql('other', 'CREATE ROLE tenant; GRANT CREATE ON SCHEMA public TO tenant');
my $forged = "(SELECT idgen_next())";
my ($status, undef, $error) = $subscriber->psql('other', <<SQL);
SET ROLE tenant;
CREATE TABLE mine (id bigint DEFAULT idgen_next());
SELECT idgen_guard('mine');
ALTER TABLE mine ENABLE ALWAYS TRIGGER idgen_guard_id;
INSERT INTO mine DEFAULT VALUES;
INSERT INTO mine VALUES ($forged);
SQL
is($status, 0, 'a tenant makes a guard of his own') or diag($error);
is($subscriber->safe_psql('other', 'SELECT state FROM idgen_status()'), 'ok', 'and raises no alarm by rows of his own');

# --- many tables of another database

$subscriber->safe_psql('other', "CREATE TABLE many_$_ (id bigint DEFAULT idgen_next()); SELECT idgen_guard('many_$_'); "
      . "SET session_replication_role = replica; INSERT INTO many_$_ DEFAULT VALUES") foreach 1 .. 17;
is($subscriber->safe_psql('other', 'SELECT state FROM idgen_status()'), 'warning', 'a database has alarms of many tables');
is($subscriber->safe_psql('postgres', q(SELECT state, reason LIKE '%table "rows" %' FROM idgen_status())), 'warning|t', 'and another its own all the same');

# --- a dump has the guard

my ($dump) = run_command([ 'pg_dump', '-s', '-t', 'rows', '-d', $subscriber->connstr('postgres') ]);
like($dump, qr/CREATE TRIGGER idgen_guard_number BEFORE INSERT ON public\.rows .*\n.*ALTER TABLE public\.rows ENABLE REPLICA TRIGGER idgen_guard_number/s, 'a dump has the guard');

$_->stop foreach $subscriber, $publisher;
done_testing();
