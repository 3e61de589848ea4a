# A lease store that grants worker id 7 and lies about the rest: the floor is far in the future, or every renewal finds the
# lease lost.
package IdgenTest::LyingLeaseStore;

use strict;
use warnings;

use IdgenTest::FakeRedis qw(strings);
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time);

# Parameters are those of lie().
sub new {
    my ($class, %lies) = @_;
    my $dir  = PostgreSQL::Test::Utils::tempdir_short();
    my $self = bless { dir => $dir }, $class;
    $self->lie(%lies);
    $self->{redis} = IdgenTest::FakeRedis->new(sub { return reply($dir, @_) });
    return $self;
}

sub url  { return $_[0]->{redis}->url }
sub stop { return $_[0]->{redis}->stop }

# From now on: floor_ahead: the floor of an acquired worker id, in seconds ahead of the clock; loses => 1: every renewal
# gets "lost".
sub lie {
    my ($self, %lies) = @_;
    unlink("$self->{dir}/lies.new");
    append_to_file("$self->{dir}/lies.new", ($lies{floor_ahead} // 0) . ' ' . ($lies{loses} // 0));
    rename("$self->{dir}/lies.new", "$self->{dir}/lies") or die "could not rename: $!";
    return;
}

# How many times a worker id was acquired.
sub acquisitions { return -s "$_[0]->{dir}/acquired" // 0 }

sub time_in { return sprintf('%016d', (time() + $_[0]) * 1000) }

# Replies to the lease's script (src/lease/redis) as a store would that has one worker id.
sub reply {
    my ($dir, $command, @words) = @_;
    return '$40' . "\r\n" . 'a' x 40 . "\r\n" if $command eq 'SCRIPT';
    return "+OK\r\n" if $command !~ /^EVAL/;
    my ($floor_ahead, $loses) = split(/ /, slurp_file("$dir/lies"));
    my $verb = $words[3];
    if ($verb eq 'acquire') {
        append_to_file("$dir/acquired", '.');
        return strings('ok', 7, time_in($floor_ahead), time_in(30), time_in(0), '');
    }
    return strings('lost', 'forgotten', time_in(0)) if $verb eq 'renew' && $loses;
    return strings('ok', $words[8], time_in(30), time_in(0)) if $verb eq 'renew';
    return strings('ok', time_in(0));
}

1;
