# A data directory that is mounted elsewhere, restored over itself, recovered in place to a point in time, or rewound: what
# becomes of the local file, the floor and the ids. These are the rows of the table in docs/operations.md that the other
# tests do not cover.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Ledger;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $conf = <<'CONF';
idgen.max_ahead = '100ms'
idgen.ceiling_window = '1s'
idgen.max_wait = '60s'
wal_log_hints = on
wal_keep_size = '256MB'
CONF

my $uncertain = qr/idgen: file ".*idgen\.ceiling" is from another timeline|idgen: file ".*idgen\.ceiling" is a copy/;

# --- a container recreated on the same volume: another path, the same files

my $node = new_server('volume', conf => $conf, init => { allows_streaming => 1 }, );
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION idgen');
my $ledger = IdgenTest::Ledger->new;
$ledger->add(1, wait_for_ids($node, 'SELECT * FROM idgen_batch(10000)'));
$node->stop;
my $position = log_position($node);
rename($node->data_dir, $node->data_dir . '.elsewhere') or die "could not rename: $!";
symlink($node->data_dir . '.elsewhere', $node->data_dir) or die "could not link: $!";
$node->start;
$ledger->add(2, wait_for_ids($node, 'SELECT * FROM idgen_batch(1000)'));
ok(!logged_since($node, $uncertain, $position), 'a volume that is mounted again is not reported');
cmp_ok($node->safe_psql('postgres', "SELECT extract(epoch FROM ahead) FROM idgen_stat_clock"),
	'<', 5, 'ids stay near the clock');

# --- a backup restored over the existing files: same inode, same timeline, an older ceiling

$node->backup('over');
my $inode = (stat(ceiling_file($node)))[1];
my @ids = wait_for_ids($node, 'SELECT * FROM idgen_batch(20000)');
$ledger->add(3, @ids);
$node->stop('immediate');
system_or_bail('cp', '-a', $node->backup_dir . '/over/.', $node->data_dir);
is((stat(ceiling_file($node)))[1], $inode, 'copying the backup over the file keeps its inode');
$position = log_position($node);
$node->start;
my @after = wait_for_ids($node, 'SELECT * FROM idgen_batch(1000)');
cmp_ok($after[0], '>', $ids[-1], 'ids are above those issued before the restore');
$ledger->add(4, @after);
ok_logged($node, qr/idgen\.ceiling" is older than a restored backup/, $position, 'the log says that a backup was restored');
$node->stop('immediate');
$node->start;
$position = log_position($node);
$ledger->add(5, wait_for_ids($node, 'SELECT * FROM idgen_batch(1000)'));
$node->restart;
$ledger->add(6, wait_for_ids($node, 'SELECT * FROM idgen_batch(1000)'));
ok(!logged_since($node, qr/idgen\.ceiling" is/, $position), 'later restarts do not report it again');

# --- recovery in place to a point in time: the same file, another timeline

$node->backup('before');
$node->safe_psql('postgres', 'CREATE TABLE marks (id bigint DEFAULT idgen_next())');
$node->safe_psql('postgres', "SELECT pg_create_restore_point('here')");
$ledger->add(7, wait_for_ids($node, 'SELECT * FROM idgen_batch(20000)'));
$node->safe_psql('postgres', 'SELECT pg_switch_wal()');
$node->stop('immediate');

# The directory is restored from the backup file by file, as an operator would. The local file is left alone, so only its
# timeline tells.
my $data = $node->data_dir;
my $backup = $node->backup_dir . '/before';
my $wal = PostgreSQL::Test::Utils::tempdir();
system_or_bail('sh', '-c', "cp '$data'/pg_wal/0* '$wal'/");
system_or_bail('sh', '-c', "find '$data'/ -mindepth 1 -maxdepth 1 ! -name idgen.ceiling -exec rm -rf {} +");
unlink("$backup/idgen.ceiling") or die "could not unlink: $!";
system_or_bail('sh', '-c', "cp -a '$backup'/. '$data'/");
$node->append_conf('postgresql.conf', <<CONF);
port = @{[ $node->port ]}
unix_socket_directories = '@{[ $node->host ]}'
restore_command = 'cp "$wal/%f" "%p"'
recovery_target_name = 'here'
recovery_target_action = 'promote'
CONF
append_to_file("$data/recovery.signal", '');
$position = log_position($node);
$node->start;
$node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'the server stays in recovery';
$ledger->add(8, wait_for_ids($node, 'SELECT * FROM idgen_batch(1000)'));
ok_logged($node, qr/idgen\.ceiling" is from another timeline/, $position, 'the log says that the timeline changed');

# --- pg_rewind: the old primary's directory, including the local file, becomes a copy of the new one's

my $old = $node;
$old->append_conf('postgresql.conf', "recovery_target_name = ''\nrestore_command = ''");
$old->restart;
$ledger->add(9, wait_for_ids($old, 'SELECT * FROM idgen_batch(1000)'));
$old->backup('for_standby');
my $new = PostgreSQL::Test::Cluster->new('new');
$new->init_from_backup($old, 'for_standby', has_streaming => 1);
$new->start;
$old->wait_for_catchup($new);
$ledger->add(9, wait_for_ids($old, 'SELECT * FROM idgen_batch(1000)'));
$new->promote;
# Without a checkpoint pg_rewind of PostgreSQL 15 still sees the old timeline in the source's control file.
$new->safe_psql('postgres', 'CHECKPOINT');
$ledger->add(10, wait_for_ids($new, 'SELECT * FROM idgen_batch(1000)'));
# Split brain: the old primary continues for a while beside the new one.
$old->safe_psql('postgres', 'CREATE TABLE divergence AS SELECT idgen_next() AS id FROM generate_series(1, 100)');
$old->stop;
command_ok(
	[ 'pg_rewind', '--source-server', $new->connstr('postgres'), '--target-pgdata', $old->data_dir, '--no-sync' ],
	'pg_rewind');
$old->append_conf('postgresql.conf', <<CONF);
port = @{[ $old->port ]}
unix_socket_directories = '@{[ $old->host ]}'
primary_conninfo = '@{[ $new->connstr ]}'
CONF
append_to_file($old->data_dir . '/standby.signal', '');
$old->start;
$ledger->add(10, wait_for_ids($new, 'SELECT * FROM idgen_batch(1000)'));
$new->wait_for_catchup($old);
$new->stop('immediate');
$position = log_position($old);
$old->promote;
$ledger->add(11, wait_for_ids($old, 'SELECT * FROM idgen_batch(1000)'));
ok_logged($old, $uncertain, $position, 'after pg_rewind and promotion the log says that the local file is not its own');
$ledger->check('moved data directories');
$old->stop;

done_testing();
