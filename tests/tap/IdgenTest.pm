# What every TAP test needs: servers with idgen preloaded, ways to wait for something to happen, and what the status, the
# log and a failing statement say. The modules in IdgenTest/ add one thing each, such as a load, a clock or a store.
#
# Functions called ok_… count as a test, and poll until it passes or PostgreSQL's test timeout is over.
package IdgenTest;

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP qw(decode_json);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

our @EXPORT = qw(
  new_server settle_in change_settings ceiling_file
  wait_until wait_for_ids wait_until_ok
  status_of ok_status status_in_words pid_of_worker
  error_of log_position logged_since ok_logged
  burst life
);

# A deadline for things that must happen, not a measure of how fast they do.
my $timeout_s = $PostgreSQL::Test::Utils::timeout_default;

# --- servers

# An initialized server that preloads idgen: not started, and without the extension. A call for a sequence may take a minute, as
# the store's process may stand still for seconds on a busy machine.
# conf: lines for postgresql.conf; init: arguments of Cluster::init.
sub new_server {
    my ($name, %params) = @_;
    my $node = PostgreSQL::Test::Cluster->new($name);
    $node->init(%{ $params{init} // {} });
    # A checkpoint at run time would look like a restart to the load (see life()).
    $node->append_conf('postgresql.conf', <<'CONF');
shared_preload_libraries = 'idgen'
idgen.worker_id = 1
idgen.sequence_timeout = '1min'
log_statement = none
restart_after_crash = on
checkpoint_timeout = '1h'
max_wal_size = '8GB'
shared_buffers = '32MB'
max_connections = 40
CONF
    $node->append_conf('postgresql.conf', $params{conf}) if defined $params{conf};
    return $node;
}

# Adapts a data directory that was copied from another server to this one's port and socket directory.
sub settle_in {
    my ($node) = @_;
    unlink($node->data_dir . '/postmaster.pid');
    $node->append_conf('postgresql.conf', 'port = ' . $node->port . "\nunix_socket_directories = '" . $node->host . "'");
    return;
}

# Appends lines to postgresql.conf and reloads.
sub change_settings {
    my ($node, @lines) = @_;
    $node->append_conf('postgresql.conf', join("\n", @lines) . "\n");
    $node->reload;
    return;
}

# The path of the server's local file.
sub ceiling_file { return $_[0]->data_dir . '/idgen.ceiling' }

# --- waiting

# Polls until the block returns true. Returns false if it did not in time, however long a poll takes.
sub wait_until(&) {
    my ($condition) = @_;
    my $until = time + $timeout_s;
    while (1) {
        return 1 if $condition->();
        return 0 if time > $until;
        usleep(50_000);
    }
}

# Runs `sql`, one idgen_next() by default, until it succeeds, since the server may be restarting. Returns its ids.
sub wait_for_ids {
    my ($node, $sql) = @_;
    my @ids;
    my $problem = '';
    wait_until {
        my ($status, $out, $err) = $node->psql('postgres', $sql // 'SELECT idgen_next()');
        @ids = $status == 0 ? split(/\n/, $out) : ();
        $problem = $err;
        return @ids > 0;
    } or diag("the server issued no id: $problem");
    return wantarray ? @ids : $ids[0];
}

# The state in idgen_status() becomes "ok".
sub wait_until_ok {
    my ($node, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $state = '';
    ok( wait_until {
            (undef, $state) = $node->psql('postgres', 'SELECT state FROM idgen_status()');
            return ($state // '') eq 'ok';
        },
        $name // 'idgen_status() reports the state "ok"')
      or diag('state: ' . ($state // ''));
    return;
}

# --- the status

# The row of idgen_status(), column => value; {} if the server cannot be asked.
sub status_of {
    my ($node) = @_;
    my ($status, $row) = $node->psql('postgres', 'SELECT row_to_json(s) FROM idgen_status() s');
    return $status == 0 && $row ? decode_json($row) : {};
}

# `condition`, SQL over the columns of idgen_status(), becomes true.
sub ok_status {
    my ($node, $condition, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok( wait_until {
            my ($status, $out) = $node->psql('postgres', "SELECT coalesce($condition, false) FROM idgen_status()");
            return $status == 0 && ($out // '') eq 't';
        },
        $name)
      || diag("expected: $condition; the status: " . JSON::PP->new->canonical->pretty->encode(status_of($node)));
}

# The columns of the status that are prose, in one line.
sub status_in_words {
    my ($node) = @_;
    my $status = status_of($node);
    return join(' | ', map { $status->{$_} // '' } qw(state reason advice last_error));
}

# The process id of the background worker, as soon as there is one.
sub pid_of_worker {
    my ($node) = @_;
    my $pid = '';
    wait_until {
        (undef, $pid) = $node->psql('postgres', 'SELECT worker_pid FROM idgen_status()');
        return ($pid // '') ne '';
    };
    return $pid;
}

# --- errors and the log

# The message of a failing `sql`, with SQLSTATE, detail and hint; '' if it succeeds.
sub error_of {
    my ($node, $sql, $dbname) = @_;
    my ($status, undef, $error) = $node->psql($dbname // 'postgres', "\\set VERBOSITY verbose\n$sql");
    return $status == 0 ? '' : $error;
}

# The end of the log, for logged_since() and ok_logged().
sub log_position { return -s $_[0]->logfile // 0 }

# Whether the log matches `pattern` after the position `from`.
sub logged_since {
    my ($node, $pattern, $from) = @_;
    return slurp_file($node->logfile, $from) =~ $pattern;
}

# The log comes to match `pattern` after the position `from`.
sub ok_logged {
    my ($node, $pattern, $from, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok(wait_until { logged_since($node, $pattern, $from) }, $name);
}

# --- ids

# Issues ids in one session so quickly that they run ahead of the clock. Returns the last one.
sub burst {
    my ($node, $count) = @_;
    return $node->safe_psql('postgres', "SELECT max(idgen_next()) FROM generate_series(1, $count)");
}

# Tells one life of the server (from a start to its end) from another: the position of the last checkpoint changes with
# every start, and no clock moves it.
sub life {
    my ($node) = @_;
    return $node->safe_psql('postgres', 'SELECT redo_lsn FROM pg_control_checkpoint()');
}

1;
