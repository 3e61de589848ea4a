# idgen_guard(): its trigger reports replicated rows which show that another server has this one's worker id.
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
is($subscriber->safe_psql('postgres', "SELECT idgen_guard('rows')"), 'idgen_guard_id', 'the guard is created');
$publisher->safe_psql('postgres', 'CREATE PUBLICATION all_rows FOR TABLE rows');
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION all_rows CONNECTION '" . $publisher->connstr . " dbname=postgres' PUBLICATION all_rows");
$subscriber->wait_for_subscription_sync($publisher, 'all_rows');
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM rows'), '1', 'the subscription begins with a copy');
ok_status($subscriber, "state = 'ok'", 'the guard does not report copied rows');

# --- another worker id

change_settings($publisher, 'idgen.worker_id = 2');
ok_status($publisher, 'worker_id = 2', 'the publisher has another worker id');
$publisher->safe_psql('postgres', 'INSERT INTO rows (v) SELECT n FROM generate_series(1, 100) n');
$publisher->wait_for_catchup('all_rows');
ok_status($subscriber, "state = 'ok'", 'rows with another worker id are not reported');

# --- rows from before this server had the worker id

$publisher->safe_psql('postgres', "INSERT INTO rows (id, v) VALUES (idgen_min_id(now() - interval '1 day') + (1 << 12), 'old')");
$publisher->wait_for_catchup('all_rows');
ok_status($subscriber, "state = 'ok'", 'rows from before this server had its worker id are not reported');
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM rows'), '102', 'all rows have arrived');
ok(!logged_since($subscriber, qr/receives ids by replication/, 0), 'the log has no report');

# --- the same worker id

change_settings($publisher, 'idgen.worker_id = 1');
ok_status($publisher, 'worker_id = 1', 'the publisher has the same worker id');
my $id = $publisher->safe_psql('postgres', "INSERT INTO rows (v) VALUES ('twin') RETURNING id");
$publisher->wait_for_catchup('all_rows');
ok_status($subscriber, "state = 'warning' AND reason LIKE '%\"rows\"%worker id 1%$id%'", 'the status reports the first row with it');
ok_logged($subscriber, qr/WARNING:  table "rows" receives ids by replication that this server also issues\n.*DETAIL:  Id $id /, 0, 'the log reports it');
is($subscriber->safe_psql('postgres', "SELECT severity, object FROM idgen_check() WHERE finding LIKE '%guard of table%'"), 'error|server', 'idgen_check() reports it');
is($subscriber->safe_psql('other', 'SELECT state FROM idgen_status()'), 'ok', 'idgen_check() does not report it in another database, which may have another owner');
$publisher->safe_psql('postgres', 'INSERT INTO rows (v) SELECT n FROM generate_series(1, 1000) n');
$publisher->wait_for_catchup('all_rows');
is(scalar(() = slurp_file($subscriber->logfile) =~ /receives ids by replication/g), 1, 'a thousand more such rows are not logged');
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM rows'), '1103', 'all rows have arrived');

# --- a guard that cannot check does not stop the rows

$subscriber->safe_psql('postgres', 'ALTER TABLE rows RENAME id TO number');
$publisher->safe_psql('postgres', 'ALTER TABLE rows RENAME id TO number');
$publisher->safe_psql('postgres', "INSERT INTO rows (v) VALUES ('renamed')");
$publisher->wait_for_catchup('all_rows');
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM rows'), '1104', 'a guard whose column was renamed stops nothing');
ok_logged($subscriber, qr/WARNING:  guard of table "rows" is ineffective\n.*DETAIL:  The table no longer has a column "id"/, 0, 'a guard whose column was renamed warns');
$subscriber->safe_psql('postgres', 'DROP TRIGGER idgen_guard_id ON rows');
$subscriber->safe_psql('postgres', "SELECT idgen_guard('rows')");

# --- a restart

$subscriber->restart;
ok_status($subscriber, "state = 'ok'", 'after a restart the report is gone');
wait_for_ids($subscriber);
$publisher->safe_psql('postgres', "INSERT INTO rows (v) VALUES ('again')");
$publisher->wait_for_catchup('all_rows');
ok_status($subscriber, "state = 'warning'", 'the next row is reported again');

# --- a tenant who owns a table and nothing else

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
is($status, 0, 'a tenant creates a guard') or diag($error);
is($subscriber->safe_psql('other', 'SELECT state FROM idgen_status()'), 'ok', 'his own rows raise no alarm');

# --- many tables of another database

$subscriber->safe_psql('other', "CREATE TABLE many_$_ (id bigint DEFAULT idgen_next()); SELECT idgen_guard('many_$_'); "
      . "SET session_replication_role = replica; INSERT INTO many_$_ DEFAULT VALUES") foreach 1 .. 17;
is($subscriber->safe_psql('other', 'SELECT state FROM idgen_status()'), 'warning', 'many tables of one database raise alarms');
is($subscriber->safe_psql('postgres', q(SELECT state, reason LIKE '%table "rows" %' FROM idgen_status())), 'warning|t', 'another database still has room for its alarm');

# --- a dump contains the guard

my ($dump) = run_command([ 'pg_dump', '-s', '-t', 'rows', '-d', $subscriber->connstr('postgres') ]);
like($dump, qr/CREATE TRIGGER idgen_guard_number BEFORE INSERT ON public\.rows .*\n.*ALTER TABLE public\.rows ENABLE REPLICA TRIGGER idgen_guard_number/s, 'a dump contains the guard');

$_->stop foreach $subscriber, $publisher;
done_testing();
