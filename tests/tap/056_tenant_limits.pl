# What a role without privileges cannot see of the server, and what one database cannot take away from others.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::LeaseServer;
use IdgenTest::Redis;
use PostgreSQL::Test::Utils;
use Test::More;

# --- hosts, ports and directories are only for pg_monitor

my $store = IdgenTest::Redis->new(appendonly => 'no');
my $node  = lease_server('leased', $store, start => 1);
$node->append_conf('postgresql.conf', "idgen.sequence_timeout = '2s'\nidgen.max_wait = '100ms'\n");
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE app LOGIN;
CREATE ROLE watcher LOGIN IN ROLE pg_monitor;
SELECT idgen_sequence_next('a');
DO $$
DECLARE f regprocedure;
BEGIN
    FOR f IN SELECT oid FROM pg_proc WHERE proname LIKE 'idgen\_sequence%' AND prorettype <> 'trigger'::regtype LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO app, watcher', f);
    END LOOP;
END $$;
SQL
my $place = $store->port;
my $data  = $node->data_dir;

sub told {
    my ($role, $sql) = @_;
    my ($status, $out, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql", extra_params => [ '-U', $role ]);
    return "$out\n$error";
}
my %asked = (
    status   => 'SELECT * FROM idgen_status()',
    id       => 'SELECT idgen_next()',
    sequence => q(SELECT idgen_sequence_next('a')));

wait_until_ok($node, "leased");
unlike(told('app', $asked{status}), qr/\b$place\b|\Q$data\E|\bin\b.*\|.*\|/, 'all well: an ordinary role sees no address');
is(told('app', 'SELECT lease_holder IS NULL, lease_expires_at IS NOT NULL, state FROM idgen_status()'), "t|t|ok\n", 'all well: an ordinary role sees the state of the lease');
like(told('watcher', $asked{status}), qr/\Q$data\E/, 'all well: pg_monitor sees the holder');

$store->kill9;
$node->reload;
wait_until { told('watcher', 'SELECT state FROM idgen_status()') =~ /failing/ } or fail('the status reports that the store is down');
wait_until { told('app', $asked{id}) =~ /ERROR/ } or fail('ids end at the ceiling');
foreach my $what (sort keys %asked) {
    my $from = log_position($node);
    my $app = told('app', $asked{$what});
    unlike($app, qr/\b$place\b|\Q$data\E/, "store down, $what: an ordinary role sees no address");
    like($app, qr/lease store has been failing since|store does not answer.*Connection refused/s, "store down, $what: an ordinary role sees the reason");
    ok_logged($node, qr/DETAIL:.*:$place: Connection refused/, $from, "store down, $what: the log has the address") if $what ne 'status';
    like(told('watcher', $asked{$what}), qr/:$place: Connection refused/, "store down, $what: pg_monitor sees the address");
}
$node->stop;

# --- a share of the layouts for each database

$node = new_server('shared');
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE tenant LOGIN;
CREATE ROLE reader LOGIN;
CREATE DATABASE greedy OWNER tenant;
CREATE DATABASE modest OWNER tenant;
SQL

sub as { my ($role, $database, $sql) = @_; return $node->psql($database, "\\set VERBOSITY verbose\n$sql", extra_params => [ '-U', $role ]) }
sub is_given { my ($role, $database, $sql, $name) = @_; return is((as($role, $database, $sql))[0], 0, $name) }
sub is_refused {
    my ($role, $database, $sql, $pattern, $name) = @_;
    return like((as($role, $database, $sql))[2], $pattern, $name);
}
my $make = q(SELECT idgen_next((idgen_create_generator('e%d', epoch => timestamptz '2020-01-01' + %d * interval '1 day')).name) > 0);

as('tenant', $_, 'CREATE EXTENSION idgen') foreach qw(greedy modest);
my $made = 0;
++$made while $made < 64 && (as('tenant', 'greedy', sprintf($make, $made, $made)))[0] == 0;
is($made, 16, 'a database can create as many layouts as its share');
is_refused('tenant', 'greedy', sprintf($make, 99, 99), qr/53400: too many layouts in database "greedy".*16.*idgen\.max_generators_per_database/s, 'the error names the database whose share is used up');
is_given('tenant', 'greedy', q(SELECT idgen_create_generator('twin', epoch => '2020-01-01')), 'a layout that the database already has does not count again');
is_given('tenant', 'modest', sprintf($make, $_, $_), "another database has a share of its own: $_") foreach (0, 1, 200);
# A dropped layout keeps its line until a restart.
as('tenant', 'greedy', q(SELECT idgen_drop_generator('e15')));
is_given('tenant', 'greedy', q(SELECT idgen_create_generator('after', epoch => '2019-01-01')), 'after a drop there is room for the generator');
is_refused('tenant', 'greedy', q(SELECT idgen_next('after')), qr/53400: .*database "greedy".*first/s, 'there is no line for it before a restart');
is_refused('tenant', 'greedy', 'SET idgen.max_generators_per_database = 100', qr/42501/, 'the tenant cannot raise the share');
is_refused('tenant', 'greedy', 'ALTER DATABASE greedy SET idgen.max_generators_per_database = 100', qr/42501/, 'the tenant cannot raise it for his database');

$node->restart;
my $all = q(SELECT count(idgen_next(name)) FROM idgen_generators);
foreach my $database ('greedy', 'modest') {
    my $count = $node->safe_psql($database, 'SELECT count(*) FROM idgen_generators');
    is((as('reader', $database, $all))[1], $count, "$database: after a restart an ordinary role gets ids of all generators");
}
$node->safe_psql('postgres', 'ALTER DATABASE greedy SET idgen.max_generators_per_database = 18');
is_given('tenant', 'greedy', sprintf($make, 60, 60), 'a superuser raises the share for a database');
$node->safe_psql('postgres', 'ALTER DATABASE modest SET idgen.max_generators_per_database = 0');
is_refused('tenant', 'modest', sprintf($make, 61, 61), qr/53400: too many layouts in database "modest"/, 'a share of 0 allows no layout');
is_given('reader', 'modest', 'SELECT idgen_next()', 'the default generator belongs to no share');

# --- generators that were inserted without idgen_create_generator()

as('tenant', 'greedy', q(INSERT INTO idgen_catalog.idgen_generator (name, layout, epoch)
    SELECT 'many' || n, 'snowflake', timestamptz '2010-01-01' + n * interval '1 s' FROM generate_series(1, 60000) n));
my $timed_out;
my (undef, undef, $refusal) = $node->psql('greedy', '\set VERBOSITY verbose' . "\n" . q(SELECT idgen_create_generator('last', epoch => '2009-01-01')),
    extra_params => [ '-U', 'tenant' ], timeout => $PostgreSQL::Test::Utils::timeout_default, timed_out => \$timed_out);
ok(!$timed_out, 'many generators of a database do not keep a session busy for long');
like($refusal // '', qr/53400: too many layouts in database "greedy"/, 'more generators than the share have lines');

$store->stop if $store->running;
done_testing();
