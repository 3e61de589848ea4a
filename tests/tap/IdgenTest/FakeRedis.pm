# A server that speaks Redis' protocol and replies what the test says, for replies that no real Redis would give.
package IdgenTest::FakeRedis;

use strict;
use warnings;

use Exporter qw(import);
use IdgenTest;
use IdgenTest::Listener;
use IdgenTest::Process;
use IO::Select;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT_OK = qw(strings);

# reply: a sub that gets the words of a command and returns the bytes of the reply. It runs in another process.
sub new {
    my ($class, $reply) = @_;
    my $dir  = PostgreSQL::Test::Utils::tempdir_short();
    my $self = bless { dir => $dir, port => PostgreSQL::Test::Cluster::get_free_port() }, $class;
    my $test = $$;
    $self->{pid} = IdgenTest::Process::start("$dir/log", sub { serve($dir, $self->{port}, $reply, $test) });
    wait_until { -e "$dir/listens" } or die "the server does not start:\n" . slurp_file("$dir/log");
    return $self;
}

sub port { return $_[0]->{port} }
sub url  { return 'redis://127.0.0.1:' . $_[0]->{port} }
sub stop { return IdgenTest::Process::end($_[0]->{pid}, 'KILL') }

# The number of commands that it has got.
sub commands { return -s "$_[0]->{dir}/commands" // 0 }

# The reply that is an array of strings.
sub strings { return '*' . @_ . "\r\n" . join('', map { '$' . length($_) . "\r\n$_\r\n" } @_) }

sub serve {
    my ($dir, $port, $reply, $test) = @_;
    my $listener = listen_on($port);
    append_to_file("$dir/listens", '');
    my $clients = IO::Select->new;
    my %got;
    while (getppid() == $test) {
        foreach my $client (IO::Select->new($listener, $clients->handles)->can_read(0.1)) {
            if ($client == $listener) {
                my $new = $listener->accept // next;
                $new->blocking(1);
                $clients->add($new);
                $got{ fileno($new) } = '';
                next;
            }
            if (!sysread($client, $got{ fileno($client) }, 65536, length($got{ fileno($client) }))) {
                $clients->remove($client);
                close($client);
                next;
            }
            while (my @words = next_command(\$got{ fileno($client) })) {
                append_to_file("$dir/commands", '.');
                syswrite($client, $reply->(@words));
            }
        }
    }
    return;
}

# Takes one whole command from the bytes; () if there is none yet.
sub next_command {
    my ($bytes) = @_;
    $$bytes =~ /\A\*(\d+)\r\n/ or return;
    my ($count, $at, @words) = ($1, $+[0]);
    for (1 .. $count) {
        substr($$bytes, $at) =~ /\A\$(\d+)\r\n/ or return;
        return if length($$bytes) < $at + $+[0] + $1 + 2;
        push(@words, substr($$bytes, $at + $+[0], $1));
        $at += $+[0] + $1 + 2;
    }
    substr($$bytes, 0, $at, '');
    return @words;
}

1;
