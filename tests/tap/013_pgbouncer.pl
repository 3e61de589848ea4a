# pgbouncer in transaction mode: a client's transactions run in any session, so a session must not keep state that the next
# transaction needs.
use strict;
use warnings;

use IdgenTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($pgbouncer) = grep { -x } '/usr/sbin/pgbouncer', '/usr/bin/pgbouncer';
plan skip_all => 'pgbouncer is not installed' unless defined $pgbouncer;

my $node = new_server('pooled');
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION idgen; CREATE TABLE given (id bigint PRIMARY KEY DEFAULT idgen_next())');

my $dir = PostgreSQL::Test::Utils::tempdir_short();
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $user = $node->safe_psql('postgres', 'SELECT current_user');
append_to_file("$dir/users.txt", qq{"$user" ""\n});
append_to_file("$dir/pgbouncer.ini", <<CONF);
[databases]
postgres = host=@{[ $node->host ]} port=@{[ $node->port ]} dbname=postgres user=$user
[pgbouncer]
listen_addr =
listen_port = $port
unix_socket_dir = $dir
auth_type = any
auth_file = $dir/users.txt
pool_mode = transaction
default_pool_size = 3
logfile = $dir/log
pidfile = $dir/pid
CONF
my $pooler = IPC::Run::start([ $pgbouncer, "$dir/pgbouncer.ini" ], '>', \my $pooler_out, '2>', \my $pooler_err);
my $connstr = "host=$dir port=$port dbname=postgres user=$user";
ok(wait_until { system("psql -XAtq -d '$connstr' -c 'SELECT 1' >/dev/null 2>&1") == 0 }, 'pgbouncer accepts connections')
  or diag(slurp_file("$dir/log"));

append_to_file("$dir/insert.sql",
	"BEGIN;\nINSERT INTO given DEFAULT VALUES;\nINSERT INTO given SELECT FROM generate_series(1, 3);\nEND;\nSELECT idgen_next();\n");
my ($out, $err);
ok(IPC::Run::run([ 'pgbench', '-n', '-c', '8', '-j', '2', '-t', '200', '-f', "$dir/insert.sql", $connstr ], '>', \$out, '2>', \$err),
	'eight clients share three sessions') or diag($err);
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT id) FROM given'), '6400|6400', 'every id is distinct');
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"),
	'<=', 4, 'the clients used three sessions');
$pooler->signal('TERM');
$pooler->finish;
$node->stop;
done_testing();
