# Servers that a store's URL may point to by mistake or by malice: other protocols, replies that never end, silence.
package IdgenTest::NotRedis;

use strict;
use warnings;

use IdgenTest;
use IdgenTest::Listener;
use IdgenTest::Process;
use IO::Select;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

# What a client is sent as soon as it connects.
my %greeting = (
    http    => "HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    ssh     => "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    garbage => join('', map { chr(($_ * 167 + 13) % 256) } 1 .. 4000),    # no protocol at all
    bulk    => "\$2000000000\r\n",                                      # endless replies: see below
    line    => '+',
    nested  => '',
    huge    => "*2147483647\r\n\$9223372036854775807\r\n",              # a reply larger than any can be
    close   => undef,                                                   # hangs up
    silence => '',                                                      # reads, and never replies
    partial => ':1',                                                    # a reply that stops in the middle
    status  => "+OK\r\n",                                               # a valid reply to something else
    moved   => "-MOVED 3999 elsewhere.internal:0\r\n" x 4,              # redirects to an address that does not exist
    unclean => "-NOSCRIPT \xff\x1b[31mred\xc3(\x07\r\n" x 4,            # not UTF-8, and colours the terminal
);
# What follows the greeting without end.
my %endless = (bulk => 'x' x 65536, line => 'x' x 65536, nested => "*1\r\n" x 16384);

# kind: a key of %greeting.
sub new {
    my ($class, $kind) = @_;
    die "no kind '$kind'" if !exists $greeting{$kind};
    my $dir  = PostgreSQL::Test::Utils::tempdir_short();
    my $self = bless { kind => $kind, dir => $dir, port => PostgreSQL::Test::Cluster::get_free_port() }, $class;
    my $test = $$;
    $self->{pid} = IdgenTest::Process::start("$dir/log", sub { serve($kind, $dir, $self->{port}, $test) });
    wait_until { -e "$dir/listens" } or die "the server does not start:\n" . slurp_file("$dir/log");
    return $self;
}

sub port { return $_[0]->{port} }
# As that of a Redis, or of the store that it is taken for.
sub url  { my ($self, $store) = @_; return (defined $store && $store->isa('IdgenTest::Etcd') ? 'etcd' : 'redis') . '://127.0.0.1:' . $self->{port} }
sub stop { return IdgenTest::Process::end($_[0]->{pid}, 'KILL') }

# The number of connections so far.
sub connections { return -s "$_[0]->{dir}/connections" // 0 }

# Waits for `count` more connections, 2 by default.
sub wait_for_connections {
    my ($self, $count) = @_;
    my $before = $self->connections;
    return wait_until { $self->connections >= $before + ($count // 2) };
}

sub serve {
    my ($kind, $dir, $port, $test) = @_;
    my $listener = listen_on($port);
    append_to_file("$dir/listens", '');
    my %unsent;    # by client
    my $clients = IO::Select->new;
    while (getppid() == $test) {
        my $to_write = IO::Select->new(grep { $unsent{ fileno($_) } ne '' } $clients->handles);
        my ($readable, $writable) = IO::Select::select(IO::Select->new($listener, $clients->handles), $to_write, undef, 0.05);
        foreach my $client (@{ $writable // [] }) {
            my $put = syswrite($client, $unsent{ fileno($client) });
            $unsent{ fileno($client) } = defined $put ? substr($unsent{ fileno($client) }, $put) : '' if defined $put || !$!{EAGAIN};
            # About 60 MB/s: endless, but leaves processor time to the others.
            $unsent{ fileno($client) } = $endless{$kind} if defined $put && $unsent{ fileno($client) } eq '' && $endless{$kind};
        }
        foreach my $client (@{ $readable // [] }) {
            next if $client == $listener;
            next if sysread($client, my $bytes, 65536) || $!{EAGAIN};
            $clients->remove($client);
            close($client);
        }
        while (defined(my $client = $listener->accept)) {
            append_to_file("$dir/connections", '.');
            next if $kind eq 'close';
            $client->blocking(0);
            $unsent{ fileno($client) } = $greeting{$kind} . ($endless{$kind} // '');
            $clients->add($client);
        }
        select(undef, undef, undef, 0.001) if $endless{$kind};
    }
    return;
}

1;
