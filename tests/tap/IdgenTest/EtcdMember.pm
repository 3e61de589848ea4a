# One member of a test's etcd cluster: its process, its data directory, and calls through its JSON gateway.
package IdgenTest::EtcdMember;

use strict;
use warnings;

use File::Temp ();
use HTTP::Tiny;
use IdgenTest;
use IdgenTest::Process;
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my $json = JSON::PP->new->canonical;

# Created by IdgenTest::Etcd, which explains the parameters. Not started.
# The test itself always calls without TLS and, if clients use TLS, by a port of its own.
sub new {
    my ($class, %params) = @_;
    my $self = bless {
        %params,
        dir       => PostgreSQL::Test::Utils::tempdir_short(),
        port      => PostgreSQL::Test::Cluster::get_free_port(),
        peer_port => PostgreSQL::Test::Cluster::get_free_port(),
        http      => HTTP::Tiny->new(timeout => 60, proxy => undef, http_proxy => undef),
    }, $class;
    $self->{data} = ($params{on_disk} ? $self->{dir} : directory_in_memory() // $self->{dir}) . '/data';
    $self->{control_port} = $params{tls} ? PostgreSQL::Test::Cluster::get_free_port() : $self->{port};
    return $self;
}

# etcd syncs every write, and elects another leader when the disk is busy with other tests for a second. Nothing here ends the
# operating system, so that its memory keeps as much as a disk. undef if there is less than 1 GiB: a member takes 128 MiB.
sub directory_in_memory {
    return undef if !-w '/dev/shm' || (split(' ', (qx(df -Pk /dev/shm))[-1] // ''))[3] < 1024 * 1024;
    return File::Temp::tempdir(DIR => '/dev/shm', CLEANUP => 1);
}

sub name         { return $_[0]->{name} }
sub port         { return $_[0]->{port} }
sub control_port { return $_[0]->{control_port} }
sub control_url  { return 'http://127.0.0.1:' . $_[0]->{control_port} }
sub peer_url     { return 'http://127.0.0.1:' . $_[0]->{peer_port} }
sub pid          { return $_[0]->{pid} }
sub data_dir     { return $_[0]->{data} }
sub log_text     { return slurp_file("$_[0]->{dir}/log") }

# --- the process

# The arguments of etcd. cluster: of --initial-cluster; existing => 1: the member joins a cluster that exists.
sub arguments {
    my ($self, %params) = @_;
    my $client = ($self->{tls} ? 'https' : 'http') . "://127.0.0.1:$self->{port}";
    my @tls;
    if (my $tls = $self->{tls}) {
        @tls = ('--cert-file', $tls->cert, '--key-file', $tls->key, '--trusted-ca-file', $tls->ca);
        push(@tls, '--client-cert-auth') if $self->{tls_clients};
        $client .= ',' . $self->control_url;
    }
    return (
        '--name' => $self->{name}, '--data-dir' => $self->data_dir,
        '--listen-client-urls' => $client, '--advertise-client-urls' => $client,
        '--listen-peer-urls' => $self->peer_url, '--initial-advertise-peer-urls' => $self->peer_url,
        '--initial-cluster' => $params{cluster}, '--initial-cluster-token' => $self->{token},
        '--initial-cluster-state' => $params{existing} ? 'existing' : 'new',
        '--logger' => 'zap', '--log-outputs' => 'stderr',
        '--auth-token-ttl' => $self->{auth_token_ttl} // 300, '--bcrypt-cost' => 4,
        @tls, @{ $self->{options} // [] });
}

# Starts it, without waiting until it answers: that may take a quorum.
sub launch {
    my ($self, %params) = @_;
    $self->{launched} = { %params };
    $self->{paused}   = 0;
    $self->{pid}      = IdgenTest::Process::start("$self->{dir}/log", [ 'etcd', $self->arguments(%params) ]);
    return;
}

# Starts it again with the parameters of the last time, and waits until it serves requests if the cluster has a quorum.
sub start {
    my ($self) = @_;
    $self->launch(%{ $self->{launched} });
    return $self->wait_until_ready;
}

# Waits until it answers requests that need a quorum.
sub wait_until_ready {
    my ($self) = @_;
    my $answer = '';
    return if wait_until {
        die "etcd $self->{name} died:\n" . substr($self->log_text, -4000) if !IdgenTest::Process::is_running($self->{pid});
        my $response = $self->{http}->get($self->control_url . '/health');
        $answer = $response->{content};
        return $response->{success} && $answer =~ /"health": *"true"/;
    };
    die "etcd $self->{name} is not healthy: $answer";
}

# Ends it, with and without a chance to hand its leadership over and to close its files.
sub stop  { return $_[0]->end('TERM') }
sub kill9 { return $_[0]->end('KILL') }

sub end {
    my ($self, $signal) = @_;
    IdgenTest::Process::end($self->{pid}, $signal) if defined $self->{pid};
    $self->{pid} = undef;
    return;
}

# Whether it was started and not ended; suspends and resumes it; whether it runs and is not suspended.
sub running { return defined $_[0]->{pid} }
sub pause   { my ($self) = @_; $self->{paused} = 1; return kill('STOP', $self->{pid}) }
sub resume  { my ($self) = @_; $self->{paused} = 0; return kill('CONT', $self->{pid}) }
sub works   { return $_[0]->running && !$_[0]->{paused} }

sub restart { my ($self) = @_; $self->kill9; return $self->start }

# --- its data, while it is down

# Removes it.
sub forget { return system_or_bail('rm', '-rf', $_[0]->data_dir) }

# Copies it to a directory and back, as a snapshot of the disk does. In a cluster of several members such a copy breaks what
# the member has promised to the others; a cluster of one simply goes back in time.
sub save_data    { my ($self, $to) = @_;   return system_or_bail('cp', '-a', $self->data_dir, $to) }
sub restore_data { my ($self, $from) = @_; $self->forget; return system_or_bail('cp', '-a', $from, $self->data_dir) }

# --- calls

# Calls `path`, such as "kv/range", with a structure as its JSON body. Returns the HTTP status and the decoded reply; status 599
# if there is none. token: of an authenticated user.
sub post {
    my ($self, $path, $body, $token) = @_;
    my $response = $self->{http}->post($self->control_url . "/v3/$path", {
        content => $json->encode($body),
        headers => defined $token ? { Authorization => $token } : {},
    });
    my $reply = eval { $json->decode($response->{content}) } // { error => $response->{content} };
    $reply->{error} //= $reply->{message} if $response->{status} != 200;    # from etcd 3.5 on it is there only
    return ($response->{status}, $reply);
}

# What the member says about itself: leader (a member id), db_size, raft_term, header; {} if it does not answer.
sub status {
    my ($self, $token) = @_;
    my ($code, $reply) = $self->post('maintenance/status', {}, $token);
    return $code == 200 ? $reply : {};
}

# Its metrics, as { 'name{labels}' => value }; {} if it does not answer.
sub metrics {
    my ($self) = @_;
    my $response = $self->{http}->get($self->control_url . '/metrics');
    return {} if !$response->{success};
    return { map { /^([^#].*) (\S+)$/ ? ($1 => 0 + $2) : () } split(/\n/, $response->{content}) };
}

1;
