# Without shared_preload_libraries: CREATE EXTENSION warns, with a statement that keeps the other libraries; idgen_check()
# reports it; functions of sequences fail with the same statement before they look for a store.
use strict;
use warnings;

use IdgenTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('without');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'auto_explain, pg_stat_statements'");
$node->start;
$node->safe_psql('postgres', 'CREATE ROLE tenant LOGIN; CREATE DATABASE mine OWNER tenant');

sub said_at_creation {
    my ($database, $role) = @_;
    my $said;
    $node->psql($database, "\\set VERBOSITY verbose\nCREATE EXTENSION idgen", stderr => \$said, extra_params => [ '-U', $role ]);
    return $said;
}

my $superuser = $node->safe_psql('postgres', 'SELECT current_user');
my $warned    = said_at_creation('postgres', $superuser);
like($warned, qr/WARNING:  55000: no ids can be issued: idgen is not in "shared_preload_libraries"\nDETAIL:  .*\nHINT:  Run ALTER SYSTEM/, 'CREATE EXTENSION warns');
my ($statement) = $warned =~ /HINT:  Run (ALTER SYSTEM.*?;)/;
is($statement, q(ALTER SYSTEM SET shared_preload_libraries = 'auto_explain', 'pg_stat_statements', 'idgen';), 'the warning has the statement to run');
my $as_tenant = said_at_creation('mine', 'tenant');
like($as_tenant, qr/WARNING:  55000: no ids can be issued.*HINT:  Ask a superuser/s, 'an owner who is not a superuser is warned, too');
unlike($as_tenant, qr/auto_explain/, 'an owner who is not a superuser does not see the other libraries');

is($node->safe_psql('postgres', 'SELECT severity, object, finding FROM idgen_check()'),
    'error|server|The library is not in "shared_preload_libraries", so no ids can be issued.', 'idgen_check() reports it');
foreach my $call (q(idgen_sequence_next('k')), q(idgen_sequence('k', 2)), q(idgen_sequence_next_keys(ARRAY['k'])), q(idgen_sequence_peek('k')),
    q(idgen_sequence_set('k', 1)), q(idgen_sequence_set_if_not_exists('k', 1)), q(idgen_sequence_delete_key('k'))) {
    like(error_of($node, "SELECT $call"), qr/ERROR:  55000: idgen must be loaded via "shared_preload_libraries"\nHINT:  Run \Q$statement\E and restart the server\./, "$call fails with the statement to run");
}
my $tenants_error;
$node->psql('mine', 'SELECT idgen_next()', stderr => \$tenants_error, extra_params => [ '-U', 'tenant' ]);
like($tenants_error, qr/HINT:  Ask a superuser/, 'a user who may not see the setting is told to ask a superuser');
unlike($tenants_error, qr/auto_explain/, 'a user who may not see the setting does not see the other libraries');

$node->safe_psql('postgres', $statement);
$node->restart;
wait_until_ok($node, 'the statement loads the library');
is($node->safe_psql('postgres', 'SHOW shared_preload_libraries'), 'auto_explain, pg_stat_statements, idgen', 'the other libraries are still loaded');
$node->safe_psql('postgres', 'DROP EXTENSION idgen');
is(said_at_creation('postgres', $superuser), '', 'there is no warning afterwards');

# What idgen_check() reports about a worker id that nobody chose, a state other than ok, and a missing store.
my $check = 'SELECT object, finding FROM idgen_check() ORDER BY 1, 2';
like($node->safe_psql('postgres', $check), qr/^server\|"idgen.worker_id" is not set: the server uses 0[^\n]*$/, 'the default worker id is reported');
$node->append_conf('postgresql.conf', 'idgen.worker_id = 3');
$node->reload;
ok(wait_until { $node->safe_psql('postgres', $check) eq '' }, 'with a chosen worker id and without sequences nothing is reported');
$node->safe_psql('postgres', q(CREATE TABLE message (number bigint DEFAULT idgen_sequence_next('message'))));
is($node->safe_psql('postgres', $check), 'default sequence|Sequences are used in this database, but no sequence store is configured.', 'a missing store is reported if a default uses sequences');
$node->safe_psql('postgres', q(DROP TABLE message; SELECT idgen_create_sequencer('s')));
like($node->safe_psql('postgres', $check), qr/^sequences\|Sequences are used/, 'a missing store is reported if there is a sequencer');
$node->safe_psql('postgres', q(SELECT idgen_drop_sequencer('s')));
$node->append_conf('postgresql.conf', "idgen.worker_source = 'env'\nidgen.worker_env = 'IDGEN_NO_SUCH'");
$node->reload;
ok(wait_until { $node->safe_psql('postgres', 'SELECT state FROM idgen_status()') eq 'refused' }, 'a server without a worker id');
like($node->safe_psql('postgres', 'SELECT severity, finding FROM idgen_check()'), qr/^error\|Its state is "refused"\. Environment variable/, 'a server without a worker id is reported with the reason');
$node->safe_psql('postgres', 'CREATE ROLE guest LOGIN');
my $for_guest = $node->safe_psql('postgres', 'SET ROLE guest; SELECT finding FROM idgen_check()');
like($for_guest, qr/^Its state is "refused"\./, 'everybody sees the report');
unlike($for_guest, qr/IDGEN_NO_SUCH/, 'an ordinary role does not see the name of the variable');

$node->stop;
done_testing();
