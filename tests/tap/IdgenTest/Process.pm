# Processes that a test starts. Each is ended by its pid: on request, when the test ends, dies or is interrupted, and, if
# setpriv is installed, when the test is killed.
package IdgenTest::Process;

use strict;
use warnings;

use POSIX ();
use PostgreSQL::Test::Utils;

my $test = $$;    # a forked child inherits END, and must not end its siblings
my %running;
$SIG{TERM} = $SIG{INT} = $SIG{HUP} = sub { exit 1 };

# Starts a process and returns its pid. code: a sub that it runs, or a reference to an array: the command that it executes.
# Its output goes to the file `log`, not to the test's output: a reader of that waits until all its writers have closed it.
sub start {
    my ($log, $code) = @_;
    open(my $output, '>>', $log) or die "could not open $log: $!";
    my $pid = fork() // die "could not fork: $!";
    if ($pid == 0) {
        @SIG{qw(TERM INT HUP PIPE)} = ('DEFAULT', 'DEFAULT', 'DEFAULT', 'IGNORE');
        open(my $nothing, '<', '/dev/null');
        POSIX::dup2(fileno($nothing), 0);
        POSIX::dup2(fileno($output), $_) foreach 1, 2;
        if (ref $code eq 'ARRAY') {
            $SIG{PIPE} = 'DEFAULT';
            no warnings 'exec';
            exec('setpriv', '--pdeathsig', 'KILL', @$code) if -x '/usr/bin/setpriv';
            exec(@$code);
        } else {
            eval { $code->(); 1 } or syswrite($output, "$@");
        }
        POSIX::_exit(1);
    }
    $running{$pid} = 1;
    return $pid;
}

# Sends a signal, SIGTERM by default, and waits for the process to end.
sub end {
    my ($pid, $signal) = @_;
    return if !delete $running{$pid};
    kill($signal // 'TERM', $pid);
    kill('CONT', $pid) if ($signal // 'TERM') ne 'KILL';    # a stopped process would not receive the signal
    waitpid($pid, 0);
    return;
}

# Whether a process that was not asked to end still runs.
sub is_running {
    my ($pid) = @_;
    return 0 if !$running{$pid};
    return 1 if waitpid($pid, POSIX::WNOHANG()) == 0;
    delete $running{$pid};
    return 0;
}

END {
    if ($$ == $test) {
        my $status = $?;
        end($_, 'KILL') foreach keys %running;
        $? = $status;
    }
}

1;
