# A session's connection to a store reserves the file descriptors that it may open, so that PostgreSQL keeps them free: all that
# a connection to etcd may need, or none if there are not so many.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Etcd;
use IdgenTest::Redis;
use PostgreSQL::Test::Utils;
use Test::More;

IdgenTest::Etcd::skip_without_etcd();

my $node = new_server('descriptors', conf => "max_files_per_process = 80\n");
$node->start;
$node->safe_psql('postgres', q(CREATE EXTENSION idgen));
plan skip_all => 'this PostgreSQL has no dblink'
  if $node->safe_psql('postgres', q(SELECT count(*) FROM pg_available_extensions WHERE name = 'dblink')) eq '0';
$node->safe_psql('postgres', 'CREATE EXTENSION dblink');

# Takes all descriptors that the session may reserve, by connections to the server itself. From PostgreSQL 17 on a connection needs
# others while it is made, which are left over: more than a connection to a Redis needs.
my $left = $node->pg_version >= 17 ? 2 : 0;
my $take_all = sprintf(<<'SQL', $node->connstr('postgres') =~ s/'/''/gr);
DO $$
BEGIN
  FOR i IN 1 .. 39 LOOP
    PERFORM dblink_connect('c' || i, '%s');
  END LOOP;
EXCEPTION WHEN sqlclient_unable_to_establish_sqlconnection OR internal_error THEN
  IF cardinality(dblink_get_connections()) < 10 THEN RAISE; END IF;
END $$;
SQL

sub free_up { my ($count) = @_; return "DO \$\$ BEGIN PERFORM dblink_disconnect(name) FROM unnest(dblink_get_connections()) WITH ORDINALITY AS c (name, n) WHERE n <= $count; END \$\$;\n" }

sub full { my ($store) = @_; return qr/ERROR:  53000: could not connect to the $store store\nDETAIL:  There are too many open files on the local server\.\nHINT:  [^\n]*max_files_per_process/ }

my $workers = "SELECT 'workers' FROM (SELECT count(*) FROM idgen_workers()) AS counted;\n";
foreach my $case ([ IdgenTest::Redis->new, 1 ], [ IdgenTest::Etcd->new, 8 ]) {
    my ($store, $needed) = @$case;
    next if $needed < $left;
    my $url = $store->url;
    my $next = "SELECT idgen_sequence_next('key $needed');\n";    # a key of its own: it would continue above the other store's values
    change_settings($node, "idgen.sequence_store = '$url'", "idgen.lease_store = '$url'");
    wait_until { $node->safe_psql('postgres', 'SHOW idgen.lease_store') eq $url } or die 'the new setting did not take effect';
    # And one to wait for the connection. First one too few, then just enough: so a request that fails, or has ended, leaves nothing reserved.
    my $sql = $take_all . free_up($needed - $left) . $next . $workers . free_up(1) . $workers . $next;
    my ($status, $out, $error) = $node->psql('postgres', $sql, on_error_stop => 0, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
    like($error, full('sequence'), "$url: values need $needed descriptors");
    like($error, full('lease'), "$url: so does a request to the lease store");
    is(scalar(() = $error =~ /ERROR/g), 2, "$url: and no more") or diag($error);
    is($out, "workers\n1", "$url: nothing stays reserved");
}

done_testing();
