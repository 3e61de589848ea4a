# A Redis server of the test's own, and the lease records in it.
package IdgenTest::Redis;

use strict;
use warnings;

use IdgenTest;
use IdgenTest::Process;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

# Parameters:
# appendonly: 'always' (the default: keeps every acknowledged write), 'everysec' or 'no'; snapshots are saved only by save()
# password: the default user's; acl: further users, as in "user name on >password ~* +@all"
# tls: an IdgenTest::Tls, whose certificate the port tls_port presents; tls_clients => 1: clients need a certificate, too
# sentinel => 1: it is a sentinel; conf: further lines of the configuration; start => 0: not started yet
sub new {
    my ($class, %params) = @_;
    my $dir  = PostgreSQL::Test::Utils::tempdir_short();
    my $self = bless {
        %params,
        dir    => $dir,
        port   => PostgreSQL::Test::Cluster::get_free_port(),
        socket => "$dir/s",
    }, $class;
    $self->{tls_port} = PostgreSQL::Test::Cluster::get_free_port() if $params{tls};
    $self->configure;
    $self->start if $params{start} // 1;
    return $self;
}

# Writes the configuration file.
sub configure {
    my ($self) = @_;
    my $conf = <<CONF;
port $self->{port}
bind 127.0.0.1
dir $self->{dir}
daemonize no
pidfile ""
logfile ""
CONF
    if (!$self->{sentinel}) {
        my $appendonly = $self->{appendonly} // 'always';
        $conf .= <<CONF . ($appendonly eq 'no' ? "appendonly no\n" : "appendonly yes\nappendfsync $appendonly\n");
unixsocket $self->{socket}
unixsocketperm 700
save ""
repl-diskless-sync-delay 0
repl-ping-replica-period 1
maxmemory-policy noeviction
CONF
    }
    $conf .= "requirepass $self->{password}\n" if defined $self->{password};
    $conf .= "$_\n" foreach @{ $self->{acl} // [] };
    $conf .= <<CONF if $self->{tls};
tls-port $self->{tls_port}
tls-cert-file @{[ $self->{tls}->cert ]}
tls-key-file @{[ $self->{tls}->key ]}
tls-ca-cert-file @{[ $self->{tls}->ca ]}
tls-auth-clients @{[ $self->{tls_clients} ? 'yes' : 'no' ]}
CONF
    $conf .= $self->{conf} // '';
    append_to_file("$self->{dir}/redis.conf", $conf);
    return;
}

# Starts it and waits until it answers.
sub start {
    my ($self) = @_;
    $self->{pid} = IdgenTest::Process::start("$self->{dir}/log",
        [ 'redis-server', "$self->{dir}/redis.conf", $self->{sentinel} ? '--sentinel' : () ]);
    my $answer = '';
    return if wait_until {
        die "redis-server on port $self->{port} died:\n" . slurp_file("$self->{dir}/log")
          if !IdgenTest::Process::is_running($self->{pid});
        $answer = $self->try_cli('PING');
        return $answer eq 'PONG';
    };
    die "redis-server on port $self->{port} does not answer: $answer";
}

# Ends it, with and without a chance to write its data.
sub stop  { return $_[0]->end('TERM') }
sub kill9 { return $_[0]->end('KILL') }

sub end {
    my ($self, $signal) = @_;
    IdgenTest::Process::end($self->{pid}, $signal) if defined $self->{pid};
    $self->{pid} = undef;
    return;
}

# Whether it was started and not ended; suspends and resumes it.
sub running { return defined $_[0]->{pid} }
sub pause   { return kill('STOP', $_[0]->{pid}) }
sub resume  { return kill('CONT', $_[0]->{pid}) }

# Kills it if it runs, and starts it again. data => 0: without its data.
sub restart {
    my ($self, %params) = @_;
    $self->kill9;
    $self->forget if !($params{data} // 1);
    $self->start;
    return;
}

# Removes its data on disk.
sub forget {
    my ($self) = @_;
    system_or_bail('rm', '-rf', "$self->{dir}/dump.rdb", "$self->{dir}/appendonlydir");
    return;
}

# Saves a snapshot.
sub save { return $_[0]->cli('SAVE') }

# The append-only file and its size. Truncated to an earlier size while Redis is down, it has lost the writes in between,
# as after a crash of the machine between two fsyncs.
sub aof       { return (sort glob("$_[0]->{dir}/appendonlydir/*.incr.aof"))[-1] }
sub aof_size  { return -s $_[0]->aof }
sub cut_aof   { truncate($_[0]->aof, $_[1]) or die "could not cut: $!"; return }

# Its ports, the path of its Unix socket, its pid and its log.
sub port     { return $_[0]->{port} }
sub tls_port { return $_[0]->{tls_port} }
sub socket   { return $_[0]->{socket} }
sub pid      { return $_[0]->{pid} }
sub log_text { return slurp_file("$_[0]->{dir}/log") }

# The URL for idgen's settings. user, password: of the client; port: another one, such as a proxy's; tls => 1: by TLS;
# socket => 1: through the Unix socket; db: number of the database.
sub url {
    my ($self, %params) = @_;
    my $db   = $params{db};
    my $who  = defined $params{password} ? ($params{user} // '') . ":$params{password}\@" : '';
    return "unix://$self->{socket}" . (defined $db ? "?db=$db" : '') if $params{socket};
    my $port = $params{port} // ($params{tls} ? $self->{tls_port} : $self->{port});
    return ($params{tls} ? 'rediss' : 'redis') . "://${who}127.0.0.1:$port" . (defined $db ? "/$db" : '');
}

# The output of redis-cli; dies if that is an error.
sub cli {
    my ($self, @args) = @_;
    my ($ok, $out, $error) = $self->run_cli(@args);
    die "redis-cli @args, port $self->{port}: $out$error" if !$ok;
    return $out;
}

# The output of redis-cli, or its error.
sub try_cli {
    my ($self, @args) = @_;
    my ($ok, $out, $error) = $self->run_cli(@args);
    return $ok || $out ne '' ? $out : $error;
}

sub run_cli {
    my ($self, @args) = @_;
    my ($out, $error) = ('', '');
    local $ENV{REDISCLI_AUTH} = $self->{password} // '';
    delete $ENV{REDISCLI_AUTH} if !defined $self->{password};
    my $ok = eval {
        IPC::Run::run([ 'redis-cli', '-e', '-h', '127.0.0.1', '-p', $self->{port}, @args ],
            '<', \'', '>', \$out, '2>', \$error, IPC::Run::timeout(60));
    };
    $error .= $@ if !defined $ok;
    $out =~ s/\s+\z//;
    return ($ok, $out, $error);
}

# A section of INFO, name => value.
sub info {
    my ($self, $section) = @_;
    return map { /^(\w+):(.*?)\r?$/ ? ($1 => $2) : () } split(/\n/, $self->try_cli('INFO', $section));
}

# Its time in ms.
sub now {
    my ($seconds, $us) = split(/\s+/, $_[0]->cli('TIME'));
    return $seconds * 1000 + int($us / 1000);
}

# --- sequences

# The last value of a sequence's key, '' if it has none; sets it to a text, as another program does.
sub last_value { my ($self, $key) = @_; return $self->cli('GET', $key) }
sub set_value  { my ($self, $key, $text) = @_; return $self->cli('SET', $key, $text) }

# --- lease records

# Servers wait for a quarantine when it may have lost records, and a crashed server waits for its leases to expire.
sub forgets { return 1 }

# Where the same store has other records under the same prefix: for url(), and the worker ids held there.
sub elsewhere { return (db => 3) }
sub held_elsewhere { my ($self, $prefix) = @_; return $self->cli('-n', 3, 'HGETALL', $prefix) =~ /^w\d+\n[^\n]*\|[0-9a-f]{8}-/mg }

my @fields = qw(ceiling expiry token floor host port directory);

# The record of a worker id, field => value; undef if there is none.
sub record {
    my ($self, $worker_id, $prefix) = @_;
    my $text = $self->cli('HGET', $prefix // 'idgen:worker', "w$worker_id");
    return undef if $text eq '';
    my %record = (worker_id => $worker_id);
    @record{@fields} = split(/\|/, $text, scalar @fields);
    return \%record;
}

# All records of a prefix.
sub records {
    my ($self, $prefix) = @_;
    $prefix //= 'idgen:worker';
    return map { /^w(\d+)$/ ? $self->record($1, $prefix) // () : () } split(/\n/, $self->cli('HKEYS', $prefix));
}

# Whether the store considers the worker id held.
sub is_held {
    my ($self, $record) = @_;
    return defined $record && $record->{token} !~ /^-*$/ && $record->{expiry} > $self->now;
}

# Makes the lease of a worker id one under another token.
sub give_to {
    my ($self, $worker_id, $token) = @_;
    my $record = $self->cli('HGET', 'idgen:worker', "w$worker_id");
    (my $given = $record) =~ s/\|[0-9a-f-]{36}\|/|$token|/ or die "unexpected record: $record";
    return $self->cli('HSET', 'idgen:worker', "w$worker_id", $given);
}

# The records of the worker ids that are held.
sub held { my ($self, $prefix) = @_; return grep { $self->is_held($_) } $self->records($prefix) }

1;
