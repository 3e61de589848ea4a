# A proxy in front of a store that drops, holds or delays what passes, or refuses and resets connections.
#
# It is a process of its own, which is given commands in a file that it looks at every few milliseconds. It confirms each
# command: when a method returns, the command has taken effect.
package IdgenTest::Proxy;

use strict;
use warnings;

use IdgenTest;
use IdgenTest::Listener;
use IdgenTest::Process;
use IO::Select;
use IO::Socket::INET;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);

# --- for tests

# target: the port of a server on this machine, or an object that has a port().
sub new {
    my ($class, $target) = @_;
    my $dir  = PostgreSQL::Test::Utils::tempdir_short();
    my $self = bless { dir => $dir, port => PostgreSQL::Test::Cluster::get_free_port(), commands => 0 }, $class;
    my $to   = ref $target ? $target->port : $target;
    $self->{scheme} = ref $target && $target->isa('IdgenTest::Etcd') ? 'etcd' : 'redis';
    my $test = $$;
    $self->{pid} = IdgenTest::Process::start("$dir/log", sub { serve($dir, $self->{port}, $to, $test) });
    $self->pass;
    return $self;
}

sub port { return $_[0]->{port} }
sub url  { my ($self, %params) = @_; return $self->{scheme} . '://127.0.0.1:' . $self->{port} . (defined $params{db} ? "/$params{db}" : '') }
sub stop { return IdgenTest::Process::end($_[0]->{pid}, 'KILL') }

# Each command replaces the previous one. "Present" connections are those that exist when the command is given.
sub pass          { return $_[0]->command('pass') }            # everything; the proxy starts with this
sub drop_replies  { return $_[0]->command('drop_replies') }    # the store gets the requests, the client no replies
sub drop_requests { return $_[0]->command('drop_requests') }
sub delay         { return $_[0]->command("delay $_[1]") }     # by so many ms, each way
sub hold          { return $_[0]->command('hold') }            # requests on present connections, until let_go
sub hold_all      { return $_[0]->command('hold_all') }        # requests on present and later connections
sub hold_replies  { return $_[0]->command('hold_replies') }    # replies on present connections
sub let_go        { return $_[0]->command('let_go') }          # passes on what was held
sub reset         { return $_[0]->command('reset') }           # present connections; later ones pass
sub refuse        { return $_[0]->command('refuse') }          # all connections: present ones are reset

sub command {
    my ($self, $command) = @_;
    my $n = ++$self->{commands};
    replace_file("$self->{dir}/control", "$n $command");
    wait_until { ($self->state->{command} // 0) == $n }
      or die "the proxy does not confirm the command:\n" . slurp_file("$self->{dir}/log");
    return;
}

# held: bytes held at the moment; dropped: bytes dropped since the last command; accepted: connections so far.
sub state {
    my ($self) = @_;
    return {} if !-e "$self->{dir}/state";
    my %state;
    @state{qw(command held dropped accepted)} = split(/ /, slurp_file("$self->{dir}/state"));
    return \%state;
}

sub wait_until_held    { my ($self) = @_; return wait_until { $self->state->{held} > 0 } }
sub wait_until_dropped { my ($self) = @_; return wait_until { $self->state->{dropped} > 0 } }

# Waits for one more connection.
sub wait_until_accepted {
    my ($self) = @_;
    my $before = $self->state->{accepted};
    return wait_until { $self->state->{accepted} > $before };
}

sub replace_file {
    my ($path, $text) = @_;
    unlink("$path.new");
    append_to_file("$path.new", $text);
    rename("$path.new", $path) or die "could not rename $path.new: $!";
    return;
}

# --- the process

# The proxy's state: mode, delay in seconds, dropped, accepted; command: the number of the last command; connections. A
# connection has two ends, the client's (0) and the server's (1; undef when closed), and for each a queue of [ when, bytes ]
# to be written to it. held: what is being held from the end held_from; undef if nothing is to be held.
sub serve {
    my ($dir, $port, $target, $test) = @_;
    my %proxy = (command => 0, mode => 'pass', delay => 0, dropped => 0, accepted => 0, connections => [],
        port => $port, target => $target, listener => listen_on($port));
    my $shown = '';
    while (getppid() == $test) {
        obey(\%proxy, $1, $2, $3)
          if -e "$dir/control" && slurp_file("$dir/control") =~ /^(\d+) (\w+) ?(\d*)/ && $1 != $proxy{command};

        my $held = 0;
        foreach (map { @{ $_->{held} // [] } } @{ $proxy{connections} }) { $held += length }
        my $state = "$proxy{command} $held $proxy{dropped} $proxy{accepted}";
        replace_file("$dir/state", $shown = $state) if $state ne $shown;

        transfer(\%proxy);
        accept_clients(\%proxy);
    }
    return;
}

sub obey {
    my ($proxy, $n, $command, $ms) = @_;
    @$proxy{qw(command mode delay dropped)} = ($n, $command, $command eq 'delay' ? $ms / 1000 : 0, 0);
    my $connections = $proxy->{connections};
    if ($command =~ /^hold/) {
        foreach (@$connections) { $_->{held} //= []; $_->{held_from} = $command eq 'hold_replies' ? 1 : 0 }
    }
    if ($command eq 'let_go') {
        foreach (@$connections) { push(@{ $_->{queues}[ 1 - $_->{held_from} ] }, map { [ 0, $_ ] } @{ delete $_->{held} // [] }) }
    }
    if ($command eq 'reset' || $command eq 'refuse') {
        reset_socket($_) foreach grep { defined } map { @{ $_->{ends} } } @$connections;
        @$connections = ();
    }
    if ($command eq 'refuse') {
        close($proxy->{listener}) if defined $proxy->{listener};
        $proxy->{listener} = undef;
    } else {
        $proxy->{listener} //= listen_on($proxy->{port});
    }
    return;
}

sub reset_socket {
    my ($socket) = @_;
    setsockopt($socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
    close($socket);
    return;
}

# Waits a few milliseconds for what can be read and written, and reads and writes it.
sub transfer {
    my ($proxy)     = @_;
    my $connections = $proxy->{connections};
    my $now         = time();
    my $readers     = IO::Select->new(grep { defined } $proxy->{listener}, map { @{ $_->{ends} } } @$connections);
    my $writers     = IO::Select->new;
    foreach my $connection (@$connections) {
        foreach my $i (0, 1) {
            my $queue = $connection->{queues}[$i];
            $writers->add($connection->{ends}[$i]) if defined $connection->{ends}[$i] && @$queue && $queue->[0][0] <= $now;
        }
    }
    my ($readable, $writable) = IO::Select::select($readers, $writers, undef, 0.005);
    my %readable = map { fileno($_) => 1 } @{ $readable // [] };
    my %writable = map { fileno($_) => 1 } @{ $writable // [] };

    foreach my $connection (@$connections) {
        my $ends = $connection->{ends};
        foreach my $i (0, 1) {
            read_from($proxy, $connection, $i, $now) if defined $ends->[$i] && $readable{ fileno($ends->[$i]) };
            write_to($connection, $i) if defined $ends->[$i] && $writable{ fileno($ends->[$i]) } && @{ $connection->{queues}[$i] };
        }
        close_after_peer($connection, $now);
    }
    @$connections = grep { defined $_->{ends}[0] || defined $_->{ends}[1] } @$connections;
    return;
}

sub read_from {
    my ($proxy, $connection, $i, $now) = @_;
    my ($ends, $queues) = @$connection{qw(ends queues)};
    my $got = sysread($ends->[$i], my $bytes, 65536);
    if ($got) {
        if    ($proxy->{mode} eq ($i == 0 ? 'drop_requests' : 'drop_replies'))   { $proxy->{dropped} += $got }
        elsif ($i == $connection->{held_from} && defined $connection->{held})     { push(@{ $connection->{held} }, $bytes) }
        elsif (defined $ends->[ 1 - $i ])                                         { push(@{ $queues->[ 1 - $i ] }, [ $now + $proxy->{delay}, $bytes ]) }
        return;
    }
    return if !defined $got && $!{EAGAIN};
    close($ends->[$i]);
    $ends->[$i]   = undef;
    $queues->[$i] = [];
    return;
}

sub write_to {
    my ($connection, $i) = @_;
    my $queue = $connection->{queues}[$i];
    my $put   = syswrite($connection->{ends}[$i], $queue->[0][1]);
    if    (defined $put) { substr($queue->[0][1], 0, $put, '') }
    elsif (!$!{EAGAIN})  { @$queue = () }
    shift(@$queue) if @$queue && $queue->[0][1] eq '';
    return;
}

# If one end is closed, the other is closed, too: after it has got everything that was sent to it, and had time to answer.
sub close_after_peer {
    my ($connection, $now) = @_;
    my $ends = $connection->{ends};
    foreach my $i (0, 1) {
        next if !defined $ends->[$i] || defined $ends->[ 1 - $i ] || @{ $connection->{queues}[$i] } || defined $connection->{held};
        shutdown($ends->[$i], 1) if !$connection->{closing};
        $connection->{closing} //= $now + 1;
        next if $now < $connection->{closing};
        close($ends->[$i]);
        $ends->[$i] = undef;
    }
    return;
}

sub accept_clients {
    my ($proxy) = @_;
    while (defined $proxy->{listener} && defined(my $client = $proxy->{listener}->accept)) {
        ++$proxy->{accepted};
        my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $proxy->{target});
        if (!defined $server) {
            reset_socket($client);
            next;
        }
        $_->blocking(0) foreach $client, $server;
        push(@{ $proxy->{connections} },
            { ends => [ $client, $server ], queues => [ [], [] ], held => $proxy->{mode} eq 'hold_all' ? [] : undef, held_from => 0 });
    }
    return;
}

1;
