# What happens to a server's processes and to its data directory: processes are killed or suspended, the directory is copied.
package IdgenTest::Faults;

use strict;
use warnings;

use Exporter qw(import);
use IdgenTest;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(
  kill_worker kill_backend kill_postmaster pause_server resume_server clone_of
  postmaster_of children_of
);

# --- killed

# Sends the background worker a signal, SIGKILL by default.
sub kill_worker {
    my ($node, $signal) = @_;
    return kill($signal // 'KILL', pid_of_worker($node)) == 1;
}

# Kills a session that is in the middle of issuing ids.
sub kill_backend {
    my ($node, $signal) = @_;
    my $sql = 'SELECT count(id) FROM (SELECT idgen_batch(1000000000000) AS id) ids';
    my ($in, $out, $err) = ("$sql;\n", '', '');
    my $victim = IPC::Run::start(['psql', '-XAtq', '-d', $node->connstr('postgres') . ' application_name=victim'],
        '<', \$in, '>', \$out, '2>', \$err);
    my $pid;
    wait_until {
        $victim->pump_nb;
        $pid = $node->safe_psql('postgres',
            q(SELECT pid FROM pg_stat_activity WHERE application_name = 'victim' AND state = 'active'));
        return $pid;
    };
    my $killed = kill($signal // 'KILL', $pid) == 1;
    $victim->finish;
    return $killed;
}

# Kills the postmaster. Returns when all its children have ended and init has reaped the postmaster: until then the data
# directory counts as in use.
sub kill_postmaster {
    my ($node) = @_;
    my $pid = $node->{_pid};
    kill('STOP', $pid);    # it must not fork between the next line and the kill
    my @children = children_of($pid);
    $node->kill9;
    return wait_until { !kill(0, $pid) && !grep { (process($_) // { state => 'Z' })->{state} ne 'Z' } @children };
}

# --- suspended

my $test = $$;    # a forked child inherits END, and must not resume the servers
my %paused;       # postmaster => its children

# Stops the postmaster and all its children, as when a machine is suspended.
sub pause_server {
    my ($node) = @_;
    my $postmaster = postmaster_of($node);
    kill('STOP', $postmaster);    # no child is forked after this
    my @children = children_of($postmaster);
    $paused{$postmaster} = \@children;
    kill('STOP', @children);
    # A child that was about to exit stays a zombie until the postmaster runs again.
    return wait_until { !grep { (process($_) // { state => 'T' })->{state} !~ /[TZ]/ } $postmaster, @children };
}

# Lets a paused server run again.
sub resume_server { return resume(postmaster_of($_[0])) }

sub resume {
    my ($postmaster) = @_;
    return kill('CONT', @{ delete $paused{$postmaster} // [] }, $postmaster);
}

END {
    if ($$ == $test) {
        my $status = $?;
        resume($_) foreach keys %paused;
        $? = $status;
    }
}

# --- copied

# A new server on a copy of a stopped server's data directory.
sub clone_of {
    my ($node, $name) = @_;
    my $clone = PostgreSQL::Test::Cluster->new($name);
    system_or_bail('cp', '-a', $node->data_dir, $clone->data_dir);
    settle_in($clone);
    return $clone;
}

# --- processes

# The state (as in ps) and the parent of a process, { state, parent }; undef if it does not exist.
sub process {
    my ($pid) = @_;
    open(my $file, '<', "/proc/$pid/stat") or return undef;
    return (<$file> // '') =~ /^\d+ \(.*\) (\S) (\d+)/s ? { state => $1, parent => $2 } : undef;
}

# The pid of a server's postmaster.
sub postmaster_of { return (split(/\n/, slurp_file($_[0]->data_dir . '/postmaster.pid')))[0] }

# The pids of a process's children.
sub children_of {
    my ($pid) = @_;
    return grep { (process($_) // { parent => 0 })->{parent} == $pid } map { m{(\d+)$} } glob('/proc/[0-9]*');
}

1;
