# A wall clock that can be moved, for the processes that are started with it (see shims/clock.c).
package IdgenTest::Clock;

use strict;
use warnings;

use Fcntl qw(SEEK_SET);
use IdgenTest::Shim;
use PostgreSQL::Test::Utils;

my ($shim, $clocks) = (undef, 0);

# A clock that is `seconds` ahead of the true one, 0 by default.
sub new {
    my ($class, $seconds) = @_;
    my $dir = PostgreSQL::Test::Utils::tempdir();
    $shim //= shim('clock');
    my $path = "$dir/clock_" . ++$clocks;
    append_to_file($path, pack('q', 0));
    open(my $file, '+<:raw', $path) or die "could not open $path: $!";
    my $self = bless { path => $path, file => $file, seconds => 0 }, $class;
    $self->set($seconds) if defined $seconds;
    return $self;
}

# How far the clock is ahead of the true one.
sub seconds { return $_[0]->{seconds} }

# Sets how far the clock is ahead of the true one.
sub set {
    my ($self, $seconds) = @_;
    sysseek($self->{file}, 0, SEEK_SET);
    syswrite($self->{file}, pack('q', int($seconds * 1e9))) == 8 or die "could not set the clock: $!";
    $self->{seconds} = $seconds;
    return;
}

# Moves the clock by so many seconds, back if negative.
sub step {
    my ($self, $by) = @_;
    return $self->set($self->{seconds} + $by);
}

# Runs the code. Processes that it starts live by this clock.
sub rule {
    my ($self, $code) = @_;
    local $ENV{LD_PRELOAD} = $shim;
    local $ENV{IDGEN_CLOCK_FILE} = $self->{path};
    return $code->();
}

# Starts a server that lives by this clock.
sub start {
    my ($self, $node, %params) = @_;
    return $self->rule(sub { $node->start(%params) });
}

1;
