# What the tests of leased worker ids share: Redis in all its forms as a store of the test's own, ways to make it fail
# (pauses, a proxy that loses or holds what passes, servers that are no Redis at all), PostgreSQL servers that lease
# their worker ids from it, and a load on all of them whose ids go into one ledger.
package StoreTest;

use strict;
use warnings;

use Exporter qw(import);
use IdgenTest;
use JSON::PP qw(decode_json);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(
  lease_server settings declare_new status_of ok_status worker_id_of ok_same_worker ok_renews worker_rows last_words
  pause_server resume_server clone_of ok_out_of_ids ceiling_of ok_ids_after
);

# --- servers that lease their worker ids

# A server whose store is `store`, an object of those below or a URL. Not started. conf: further lines, which win; clock:
# an IdgenTest::Clock to start it by; start => 1: started, with the extension.
sub lease_server {
    my ($name, $store, %params) = @_;
    my $url  = ref $store ? $store->url : $store;
    # A short lease, so that what takes a lease takes seconds: window 2 s and max_ahead 1 s. Who has no id waits for one:
    # an outage is seen in what the status says, and a client that meets an error has met a bug.
    my $node = new_server($name, init => $params{init}, conf => <<CONF . ($params{conf} // ''));
idgen.worker_source = 'lease'
idgen.lease_store = '$url'
idgen.lease_ttl = '3s'
idgen.lease_connect_timeout = '500ms'
idgen.lease_timeout = '500ms'
idgen.max_wait = '2min'
timezone = 'UTC'
CONF
    $node->{_idgen_clock} = $params{clock};
    if ($params{start}) {
        start_server($node);
        $node->safe_psql('postgres', 'CREATE EXTENSION idgen');
    }
    return $node;
}

# By its clock, where it has one.
sub start_server {
    my ($node) = @_;
    return defined $node->{_idgen_clock} ? $node->{_idgen_clock}->start($node) : $node->start;
}

# Changes settings by a reload.
sub settings {
    my ($node, @lines) = @_;
    $node->append_conf('postgresql.conf', join("\n", @lines) . "\n");
    $node->reload;
    return;
}

# Spares the servers of a new prefix the quarantine. The worker must have reached the store to tell it.
sub declare_new {
    my ($node) = @_;
    my ($status, $out, $error);
    wait_until { ($status, $out, $error) = $node->psql('postgres', 'SELECT idgen_declare_new_prefix()'); return $status == 0 }
      or diag("the prefix could not be declared new: $error");
    return $out;
}

# The one row of idgen_status(); {} while nobody can be asked.
sub status_of {
    my ($node) = @_;
    my ($status, $row) = $node->psql('postgres', 'SELECT row_to_json(s) FROM idgen_status() s');
    return $status == 0 && $row ? decode_json($row) : {};
}

# What the status says in words.
sub last_words {
    my ($node) = @_;
    my $status = status_of($node);
    return join(' | ', map { $status->{$_} // '' } qw(state reason advice last_error));
}

# Polls until `condition`, SQL over the columns of idgen_status(), is true.
sub ok_status {
    my ($node, $condition, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok( wait_until {
            my ($status, $out) = $node->psql('postgres', "SELECT coalesce($condition, false) FROM idgen_status()");
            return $status == 0 && ($out // '') eq 't';
        },
        $name)
      || diag("wanted: $condition; the status: " . JSON::PP->new->canonical->pretty->encode(status_of($node)));
}

sub worker_id_of { return status_of($_[0])->{worker_id} }

# It is well, and as the worker that it was.
sub ok_same_worker {
    my ($node, $worker_id, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok_status($node, "state = 'ok' AND worker_id = $worker_id", $name);
}

# The store acknowledges one more renewal, begun from now on.
sub ok_renews {
    my ($node, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $now = $node->safe_psql('postgres', 'SELECT clock_timestamp()');
    return ok_status($node, "last_renewal_at > '$now'::timestamptz + coalesce(renewal_latency, '0')", $name);
}

# The rows of idgen_workers() that are not free, 'worker_id|state|port|is_self', as this server sees them.
sub worker_rows {
    my ($node, $condition) = @_;
    my ($status, $out, $error) = $node->psql('postgres',
        'SELECT worker_id, state, port, is_self FROM idgen_workers() WHERE ' . ($condition // "state <> 'free'") . ' ORDER BY 1');
    return $status == 0 ? split(/\n/, $out) : ("error: $error");
}

# The ceiling is reached, or there is none: whoever asks now and does not wait gets an error. Returns it.
sub ok_out_of_ids {
    my ($node, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $error = '';
    ok(wait_until { $error = error_of($node, q(SET idgen.max_wait = '100ms'; SELECT idgen_next();)) }, $name);
    return $error;
}

# Up to when a server has been promised that it may issue, in ms.
sub ceiling_of {
    my ($node) = @_;
    return $node->safe_psql('postgres', 'SELECT coalesce((extract(epoch FROM ceiling) * 1000)::bigint, 0) FROM idgen_status()');
}

# Of what the load has got from this server nothing is earlier than `ms`: what another was promised is not given again,
# whether that one has used it or not.
sub ok_ids_after {
    my ($node, $ms, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $first = $node->safe_psql('postgres', 'SELECT (extract(epoch FROM min(idgen_timestamp(id))) * 1000)::bigint FROM orders');
    return cmp_ok($first, '>=', 0 + $ms, $name);
}

# A copy of a stopped server's data directory as a server of its own.
sub clone_of {
    my ($node, $name) = @_;
    my $clone = PostgreSQL::Test::Cluster->new($name);
    system_or_bail('cp', '-a', $node->data_dir, $clone->data_dir);
    settle_in($clone);
    return $clone;
}

# --- a server that sleeps

my %paused;    # postmaster => its children

# Stops the postmaster and all its children where they are, as a machine does that is suspended.
sub pause_server {
    my ($node) = @_;
    my $postmaster = (split(/\n/, slurp_file($node->data_dir . '/postmaster.pid')))[0];
    kill('STOP', $postmaster);    # no child is born after this
    my @children = grep { (IdgenTest::process($_) // { parent => 0 })->{parent} == $postmaster }
      map { m{(\d+)$} } glob('/proc/[0-9]*');
    $paused{$postmaster} = \@children;
    kill('STOP', @children);
    # A child that was ending just then is a zombie until the postmaster goes on.
    return wait_until { !grep { (IdgenTest::process($_) // { state => 'T' })->{state} !~ /[TZ]/ } $postmaster, @children };
}

sub resume_server {
    my ($node) = @_;
    my $postmaster = (split(/\n/, slurp_file($node->data_dir . '/postmaster.pid')))[0];
    return resume($postmaster);
}

sub resume {
    my ($postmaster) = @_;
    return kill('CONT', @{ delete $paused{$postmaster} // [] }, $postmaster);
}

# --- the processes of a test

# All that is started here is ended by its pid: when it is asked for, when the test ends, when it dies, when it is
# interrupted, and (where there is setpriv) when it is killed.
package StoreTest::Process;

use strict;
use warnings;

use POSIX ();
use PostgreSQL::Test::Utils;

my $test = $$;    # a forked child inherits END, and must not end its siblings
my %running;
$SIG{TERM} = $SIG{INT} = $SIG{HUP} = sub { exit 1 };

# code: what the process does; a reference to an array: the command it becomes. Output goes to the file `log`.
sub start {
    my ($log, $code) = @_;
    # The child's output must not be the test's: who reads the test's to its end would wait for the child's.
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

# Returns when it is gone.
sub end {
    my ($pid, $signal) = @_;
    return if !delete $running{$pid};
    kill($signal // 'TERM', $pid);
    kill('CONT', $pid) if ($signal // 'TERM') ne 'KILL';    # who is stopped does not hear
    waitpid($pid, 0);
    return;
}

# The log is shown where it died by itself.
sub lives {
    my ($pid) = @_;
    return 0 if !$running{$pid};
    return 1 if waitpid($pid, POSIX::WNOHANG()) == 0;
    delete $running{$pid};
    return 0;
}

END {
    if ($$ == $test) {
        my $status = $?;
        StoreTest::resume($_) foreach keys %paused;
        end($_, 'KILL') foreach keys %running;
        $? = $status;
    }
}

# --- a Redis of the test's own

package StoreTest::Redis;

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

# conf: further lines of its configuration. appendonly: 'always' (the default: it keeps what it acknowledged),
# 'everysec', or 'no'. It saves a snapshot only when told to. password: of the default user. acl: further users, as in
# "user name on >password ~* +@all". tls: a StoreTest::Tls, whose certificate it shows on the port tls_port. sentinel: it
# is a sentinel. start => 0: not started yet.
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

sub start {
    my ($self) = @_;
    $self->{pid} = StoreTest::Process::start("$self->{dir}/log",
        [ 'redis-server', "$self->{dir}/redis.conf", $self->{sentinel} ? '--sentinel' : () ]);
    my $answer = '';
    return if IdgenTest::wait_until {
        die "redis-server on port $self->{port} died:\n" . slurp_file("$self->{dir}/log")
          if !StoreTest::Process::lives($self->{pid});
        $answer = $self->try_cli('PING');
        return $answer eq 'PONG';
    };
    die "redis-server on port $self->{port} does not answer: $answer";
}

sub stop  { return $_[0]->end('TERM') }
sub kill9 { return $_[0]->end('KILL') }

sub end {
    my ($self, $signal) = @_;
    StoreTest::Process::end($self->{pid}, $signal) if defined $self->{pid};
    $self->{pid} = undef;
    return;
}

sub running { return defined $_[0]->{pid} }
sub pause   { return kill('STOP', $_[0]->{pid}) }
sub resume  { return kill('CONT', $_[0]->{pid}) }

# Killed, where it still runs, and started again. data => 0: it has forgotten everything.
sub restart {
    my ($self, %params) = @_;
    $self->kill9;
    $self->forget if !($params{data} // 1);
    $self->start;
    return;
}

# Removes what it has on disk.
sub forget {
    my ($self) = @_;
    system_or_bail('rm', '-rf', "$self->{dir}/dump.rdb", "$self->{dir}/appendonlydir");
    return;
}

sub save { return $_[0]->cli('SAVE') }

# The file that its latest writes are appended to, and how long it is: cut off there while it is down, it has lost what
# came later, as a machine does that crashes between two fsyncs.
sub aof       { return (sort glob("$_[0]->{dir}/appendonlydir/*.incr.aof"))[-1] }
sub aof_size  { return -s $_[0]->aof }
sub cut_aof   { truncate($_[0]->aof, $_[1]) or die "could not cut: $!"; return }

sub port     { return $_[0]->{port} }
sub tls_port { return $_[0]->{tls_port} }
sub socket   { return $_[0]->{socket} }
sub pid      { return $_[0]->{pid} }
sub log_text { return slurp_file("$_[0]->{dir}/log") }

# user, password: who to be; port: of a proxy; tls => 1; socket => 1; db.
sub url {
    my ($self, %params) = @_;
    my $db   = $params{db};
    my $who  = defined $params{password} ? ($params{user} // '') . ":$params{password}\@" : '';
    return "unix://$self->{socket}" . (defined $db ? "?db=$db" : '') if $params{socket};
    my $port = $params{port} // ($params{tls} ? $self->{tls_port} : $self->{port});
    return ($params{tls} ? 'rediss' : 'redis') . "://${who}127.0.0.1:$port" . (defined $db ? "/$db" : '');
}

# What redis-cli says; dies where that is an error.
sub cli {
    my ($self, @args) = @_;
    my ($ok, $out, $error) = $self->run_cli(@args);
    die "redis-cli @args, port $self->{port}: $out$error" if !$ok;
    return $out;
}

# Or the error.
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

# The lines of a section of INFO, name => value.
sub info {
    my ($self, $section) = @_;
    return map { /^(\w+):(.*?)\r?$/ ? ($1 => $2) : () } split(/\n/, $self->try_cli('INFO', $section));
}

# The time that it tells, in ms.
sub now {
    my ($seconds, $us) = split(/\s+/, $_[0]->cli('TIME'));
    return $seconds * 1000 + int($us / 1000);
}

my @fields = qw(ceiling expiry token floor host port directory);

# What it has of a worker id; undef when nothing.
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

# Is it somebody's, in the eyes of the store?
sub is_held {
    my ($self, $record) = @_;
    return defined $record && $record->{token} !~ /^-*$/ && $record->{expiry} > $self->now;
}

sub held { my ($self, $prefix) = @_; return grep { $self->is_held($_) } $self->records($prefix) }

# --- Redis Sentinel: a master, two replicas, three sentinels

package StoreTest::Sentinel;

use strict;
use warnings;

my $name = 'mymaster';

# master_conf: further lines of the master's configuration; conf: of all three.
sub new {
    my ($class, %params) = @_;
    my $conf   = $params{conf} // '';
    my $master = StoreTest::Redis->new(conf => $conf . ($params{master_conf} // ''));
    my $of     = 'replicaof 127.0.0.1 ' . $master->port . "\n";
    my $self   = bless { redis => [ $master, map { StoreTest::Redis->new(conf => $conf . $of) } 1 .. 2 ] }, $class;
    # A sentinel looks for replicas when it meets the master, and then only every 10 s.
    IdgenTest::wait_until { my %info = $master->info('replication'); return ($info{connected_slaves} // 0) == 2 }
      or die 'the replicas do not come';
    $self->{sentinels} = [
        map {
            StoreTest::Redis->new(sentinel => 1, conf => <<CONF) } 1 .. 3
sentinel monitor $name 127.0.0.1 @{[ $master->port ]} 2
sentinel down-after-milliseconds $name 1000
sentinel failover-timeout $name 2000
sentinel parallel-syncs $name 2
CONF
    ];
    $self->wait_until_whole or die 'the sentinels do not find each other';
    return $self;
}

sub redis     { return @{ $_[0]->{redis} } }
sub sentinels { return @{ $_[0]->{sentinels} } }

# Every sentinel sees both replicas, in good order, and the other sentinels.
sub wait_until_whole {
    my ($self) = @_;
    return IdgenTest::wait_until {
        foreach my $sentinel (grep { $_->running } $self->sentinels) {
            my %master = split(/\n/, $sentinel->try_cli('SENTINEL', 'MASTER', $name));
            return 0 if ($master{'num-slaves'} // 0) < 2 || ($master{'num-other-sentinels'} // 0) < 2 || $master{flags} ne 'master';
        }
        return 1;
    };
}

sub url {
    my ($self, %params) = @_;
    return 'redis+sentinel://' . join(',', map { '127.0.0.1:' . $_->port } $self->sentinels) . "/$name"
      . (defined $params{db} ? "/$params{db}" : '');
}

# The master that most sentinels speak of.
sub master {
    my ($self) = @_;
    my %votes;
    foreach my $sentinel (grep { $_->running } $self->sentinels) {
        my (undef, $port) = split(/\n/, $sentinel->try_cli('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', $name));
        ++$votes{$port} if defined $port;
    }
    my ($port) = sort { $votes{$b} <=> $votes{$a} } keys %votes;
    return (grep { $_->port == ($port // 0) } $self->redis)[0];
}

# All that take themselves for one. Two sentinels that are in too great a hurry promote one each.
sub masters {
    my ($self) = @_;
    return grep { my %info = $_->info('replication'); ($info{role} // '') eq 'master' } grep { $_->running } $self->redis;
}

# What the sentinels did.
sub events {
    my ($self) = @_;
    return join("\n", map { my $sentinel = $_; map { $sentinel->port . ": $_" } grep { /[+-](switch-master|promoted-slave|elected-leader|failover|sdown master|convert-to-slave|selected-slave)/ } split(/\n/, $sentinel->log_text) } $self->sentinels);
}

sub replicas {
    my ($self) = @_;
    my $master = $self->master;
    return grep { $_ != $master } $self->redis;
}

# All sentinels agree that another than `old` is the master, and it thinks so, too.
sub wait_for_master_after {
    my ($self, $old) = @_;
    return IdgenTest::wait_until {
        my $new = $self->master;
        return 0 if !defined $new || $new == $old || !$new->running;
        my %info = $new->info('replication');
        return ($info{role} // '') eq 'master';
    };
}

# The master changes while all live.
sub fail_over {
    my ($self) = @_;
    my $old = $self->master;
    my ($sentinel) = grep { $_->running } $self->sentinels;
    IdgenTest::wait_until { $sentinel->try_cli('SENTINEL', 'FAILOVER', $name) eq 'OK' } or return 0;
    return $self->wait_for_master_after($old);
}

# From now on what the master acknowledges reaches no replica: they are stopped, and what is on the way to them is not
# in their sockets either. resume them when the master is gone.
sub cut_off_replicas {
    my ($self)   = @_;
    my $master   = $self->master;
    my @replicas = $self->replicas;
    $_->pause foreach @replicas;
    $master->cli('CLIENT', 'KILL', 'TYPE', 'replica');
    return @replicas;
}

# --- Redis Cluster: three masters with a replica each

package StoreTest::RedisCluster;

use strict;
use warnings;

use PostgreSQL::Test::Cluster;

sub new {
    my ($class, %params) = @_;
    my @nodes;
    foreach my $n (0 .. 5) {
        my $bus = PostgreSQL::Test::Cluster::get_free_port();
        my $node = StoreTest::Redis->new(conf => <<CONF . ($params{conf} // ''));
cluster-enabled yes
cluster-port $bus
cluster-node-timeout 1000
cluster-replica-validity-factor 0
CONF
        $node->{bus} = $bus;
        $node->{id}  = $node->cli('CLUSTER', 'MYID');
        $node->cli('CLUSTER', 'SET-CONFIG-EPOCH', $n + 1);
        push(@nodes, $node);
    }
    my $self = bless { nodes => \@nodes }, $class;
    $nodes[0]->cli('CLUSTER', 'MEET', '127.0.0.1', $_->port, $_->{bus}) foreach @nodes[ 1 .. 5 ];
    my @ranges = ([ 0, 5460 ], [ 5461, 10922 ], [ 10923, 16383 ]);
    $nodes[$_]->cli('CLUSTER', 'ADDSLOTSRANGE', @{ $ranges[$_] }) foreach 0 .. 2;
    my $all = sub {
        my ($condition) = @_;
        return IdgenTest::wait_until {
            foreach my $node (@nodes) { return 0 if !$condition->($node) }
            return 1;
        };
    };
    $all->(sub { my %info = $_[0]->info_of_cluster; $info{cluster_known_nodes} == 6 }) or die 'the nodes do not meet';
    foreach my $n (3 .. 5) {
        my $of = $nodes[ $n - 3 ]{id};
        IdgenTest::wait_until { $nodes[$n]->try_cli('CLUSTER', 'REPLICATE', $of) eq 'OK' } or die 'no replica';
    }
    $self->wait_until_whole or die 'the cluster does not come together';
    return $self;
}

sub StoreTest::Redis::info_of_cluster {
    my ($self) = @_;
    return map { /^(\w+):(.*?)\r?$/ ? ($1 => $2) : () } split(/\n/, $self->try_cli('CLUSTER', 'INFO'));
}

# Every running node is content, and every replica has caught up.
sub wait_until_whole {
    my ($self) = @_;
    return IdgenTest::wait_until {
        foreach my $node ($self->running) {
            my %cluster = $node->info_of_cluster;
            my %link    = $node->info('replication');
            return 0 if ($cluster{cluster_state} // '') ne 'ok' || $cluster{cluster_slots_ok} != 16384;
            return 0 if $link{role} eq 'slave' && $link{master_link_status} ne 'up';
        }
        return 1;
    };
}

sub nodes   { return @{ $_[0]->{nodes} } }
sub running { return grep { $_->running } $_[0]->nodes }

# nodes: those to name, in this order; all by default.
sub url {
    my ($self, %params) = @_;
    return 'redis://' . join(',', map { '127.0.0.1:' . $_->port } @{ $params{nodes} // $self->{nodes} });
}

sub slot { my ($self, $key) = @_; return ($self->running)[0]->cli('CLUSTER', 'KEYSLOT', $key) }

# What a node says of itself: flags, master, slots.
sub self_of {
    my ($node) = @_;
    my ($line) = grep { /\bmyself\b/ } split(/\n/, $node->try_cli('CLUSTER', 'NODES'));
    my (undef, undef, $flags, $master, undef, undef, undef, undef, @slots) = split(/ /, $line // '- - - -');
    return { flags => $flags, master => $master, slots => [ grep { /^\d/ } @slots ] };
}

# The master that has the slot of the key.
sub owner {
    my ($self, $key) = @_;
    my $slot = $self->slot($key);
    foreach my $node ($self->running) {
        my $says = self_of($node);
        next if $says->{flags} !~ /master/;
        foreach (@{ $says->{slots} }) {
            my ($from, $to) = split(/-/);
            return $node if $from <= $slot && $slot <= ($to // $from);
        }
    }
    return undef;
}

sub replica_of {
    my ($self, $master) = @_;
    return (grep { my $says = self_of($_); $says->{flags} =~ /slave/ && $says->{master} eq $master->{id} } $self->running)[0];
}

sub wait_for_owner_after {
    my ($self, $key, $old) = @_;
    return IdgenTest::wait_until { my $new = $self->owner($key); return defined $new && $new != $old };
}

# The owner's replica takes over while both live: clients meet MOVED.
sub fail_over {
    my ($self, $key) = @_;
    my $old     = $self->owner($key);
    my $replica = $self->replica_of($old) // return 0;
    IdgenTest::wait_until { $replica->try_cli('CLUSTER', 'FAILOVER') eq 'OK' } or return 0;
    return IdgenTest::wait_until { ($self->owner($key) // $old) == $replica };
}

# Moves the key's slot to another master. The code runs while the slot is on its way and the key is already there:
# clients meet ASK.
sub move_slot {
    my ($self, $key, $code) = @_;
    my $slot = $self->slot($key);
    my $from = $self->owner($key);
    my ($to) = grep { $_ != $from && self_of($_)->{flags} =~ /master/ } $self->running;
    $to->cli('CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $from->{id});
    $from->cli('CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $to->{id});
    $from->cli('MIGRATE', '127.0.0.1', $to->port, $key, 0, 5000);
    $code->($from, $to);
    $_->cli('CLUSTER', 'SETSLOT', $slot, 'NODE', $to->{id}) foreach $to, $from;
    return $to;
}

# --- a proxy that can be told to misbehave

# Sits before a server on `port` of this machine. A process of its own; told what to do by a file that it looks at every
# few milliseconds, and which it confirms, so that a command has taken effect when the method returns.
package StoreTest::Proxy;

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);

sub new {
    my ($class, $target) = @_;
    my $dir  = PostgreSQL::Test::Utils::tempdir_short();
    my $self = bless { dir => $dir, port => PostgreSQL::Test::Cluster::get_free_port(), commands => 0 }, $class;
    my $to   = ref $target ? $target->port : $target;
    my $test = $$;
    $self->{pid} = StoreTest::Process::start("$dir/log", sub { serve($dir, $self->{port}, $to, $test) });
    $self->pass;
    return $self;
}

sub port { return $_[0]->{port} }
sub url  { my ($self, %params) = @_; return 'redis://127.0.0.1:' . $self->{port} . (defined $params{db} ? "/$params{db}" : '') }
sub stop { return StoreTest::Process::end($_[0]->{pid}, 'KILL') }

sub pass          { return $_[0]->command('pass') }
sub drop_replies  { return $_[0]->command('drop_replies') }                   # requests arrive
sub drop_requests { return $_[0]->command('drop_requests') }
sub delay         { return $_[0]->command("delay $_[1]") }                    # ms, each way
sub hold          { return $_[0]->command('hold') }                           # what the connections of now still say; later ones pass
sub hold_all      { return $_[0]->command('hold_all') }                       # that of later ones, too
sub hold_replies  { return $_[0]->command('hold_replies') }                   # what is said to the connections of now
sub let_go        { return $_[0]->command('let_go') }
sub reset         { return $_[0]->command('reset') }                          # the connections of now; later ones pass
sub refuse        { return $_[0]->command('refuse') }                         # all, until another command

sub command {
    my ($self, $command) = @_;
    my $n = ++$self->{commands};
    unlink("$self->{dir}/control.new");
    append_to_file("$self->{dir}/control.new", "$n $command");
    rename("$self->{dir}/control.new", "$self->{dir}/control") or die "could not rename: $!";
    IdgenTest::wait_until { ($self->state->{command} // 0) == $n }
      or die "the proxy does not obey:\n" . slurp_file("$self->{dir}/log");
    return;
}

# held: bytes that it keeps; dropped: bytes that it has swallowed since the last command; accepted: connections so far.
sub state {
    my ($self) = @_;
    return {} if !-e "$self->{dir}/state";
    my %state;
    @state{qw(command held dropped accepted)} = split(/ /, slurp_file("$self->{dir}/state"));
    return \%state;
}

sub wait_until_held    { my ($self) = @_; return IdgenTest::wait_until { $self->state->{held} > 0 } }
sub wait_until_dropped { my ($self) = @_; return IdgenTest::wait_until { $self->state->{dropped} > 0 } }
sub wait_until_accepted {
    my ($self) = @_;
    my $before = $self->state->{accepted};
    return IdgenTest::wait_until { $self->state->{accepted} > $before };
}

sub listen_on {
    my ($port) = @_;
    return IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1', LocalPort => $port, ReuseAddr => 1, Blocking => 0)
      // die "could not listen on $port: $!";
}

# A connection has two ends, the client's (0) and the server's (1), and for each a queue of [ when, bytes ] to be written
# to it. An end is undef when it is closed.
sub serve {
    my ($dir, $port, $target, $test) = @_;
    my $listener = listen_on($port);
    my ($n, $mode, $delay, $dropped, $accepted, $shown) = (0, 'pass', 0, 0, 0, '');
    my @connections;
    while (getppid() == $test) {
        if (-e "$dir/control" && slurp_file("$dir/control") =~ /^(\d+) (\w+) ?(\d*)/ && $1 != $n) {
            ($n, my $command, my $ms) = ($1, $2, $3);
            ($mode, $delay, $dropped) = ($command, $command eq 'delay' ? $ms / 1000 : 0, 0);
            if ($command =~ /^hold/) {
                foreach (@connections) { $_->{held} //= []; $_->{held_from} = $command eq 'hold_replies' ? 1 : 0 }
            }
            if ($command eq 'let_go') {
                foreach (@connections) { push(@{ $_->{queues}[ 1 - $_->{held_from} ] }, map { [ 0, $_ ] } @{ delete $_->{held} // [] }) }
            }
            if ($command eq 'reset' || $command eq 'refuse') {
                foreach my $end (grep { defined } map { @{ $_->{ends} } } @connections) {
                    setsockopt($end, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
                    close($end);
                }
                @connections = ();
            }
            if ($command eq 'refuse') {
                close($listener) if defined $listener;
                $listener = undef;
            } else {
                $listener //= listen_on($port);
            }
        }

        my $held = 0;
        foreach (map { @{ $_->{held} // [] } } @connections) { $held += length }
        my $state = "$n $held $dropped $accepted";
        if ($state ne $shown) {
            unlink("$dir/state.new");
            append_to_file("$dir/state.new", $state);
            rename("$dir/state.new", "$dir/state");
            $shown = $state;
        }

        my $now     = time();
        my $readers = IO::Select->new(grep { defined } $listener, map { @{ $_->{ends} } } @connections);
        my $writers = IO::Select->new;
        foreach my $connection (@connections) {
            foreach my $i (0, 1) {
                my $queue = $connection->{queues}[$i];
                $writers->add($connection->{ends}[$i]) if defined $connection->{ends}[$i] && @$queue && $queue->[0][0] <= $now;
            }
        }
        my ($readable, $writable) = IO::Select::select($readers, $writers, undef, 0.005);
        my %readable = map { fileno($_) => 1 } @{ $readable // [] };
        my %writable = map { fileno($_) => 1 } @{ $writable // [] };

        foreach my $connection (@connections) {
            my ($ends, $queues) = @$connection{qw(ends queues)};
            foreach my $i (0, 1) {
                if (defined $ends->[$i] && $readable{ fileno($ends->[$i]) }) {
                    my $got = sysread($ends->[$i], my $bytes, 65536);
                    if ($got) {
                        if    ($mode eq ($i == 0 ? 'drop_requests' : 'drop_replies')) { $dropped += $got }
                        elsif ($i == $connection->{held_from} && defined $connection->{held})                { push(@{ $connection->{held} }, $bytes) }
                        elsif (defined $ends->[ 1 - $i ])                             { push(@{ $queues->[ 1 - $i ] }, [ $now + $delay, $bytes ]) }
                    } elsif (defined $got || !$!{EAGAIN}) {
                        delete $readable{ fileno($ends->[$i]) };
                        close($ends->[$i]);
                        $ends->[$i] = undef;
                        $queues->[$i] = [];
                    }
                }
                if (defined $ends->[$i] && $writable{ fileno($ends->[$i]) } && @{ $queues->[$i] }) {
                    my $put = syswrite($ends->[$i], $queues->[$i][0][1]);
                    if    (defined $put) { substr($queues->[$i][0][1], 0, $put, '') }
                    elsif (!$!{EAGAIN})  { $queues->[$i] = [] }
                    shift(@{ $queues->[$i] }) if @{ $queues->[$i] } && $queues->[$i][0][1] eq '';
                }
            }
            # One end is gone: the other goes when it has got all that was meant for it, and has had time to answer.
            foreach my $i (0, 1) {
                next if !defined $ends->[$i] || defined $ends->[ 1 - $i ] || @{ $queues->[$i] } || defined $connection->{held};
                shutdown($ends->[$i], 1) if !$connection->{closing};
                $connection->{closing} //= $now + 1;
                next if $now < $connection->{closing};
                close($ends->[$i]);
                $ends->[$i] = undef;
            }
        }
        @connections = grep { defined $_->{ends}[0] || defined $_->{ends}[1] } @connections;

        while (defined $listener && defined(my $client = $listener->accept)) {
            ++$accepted;
            my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $target);
            if (!defined $server) {
                setsockopt($client, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
                close($client);
                next;
            }
            $_->blocking(0) foreach $client, $server;
            push(@connections, { ends => [ $client, $server ], queues => [ [], [] ], held => $mode eq 'hold_all' ? [] : undef, held_from => 0 });
        }
    }
    return;
}

# --- servers that are no Redis

# kind: 'http' and 'ssh' greet as others do; 'garbage': bytes that are no protocol; 'bulk', 'line', 'nested': a reply
# that doesn't end; 'huge': one that announces more than there can be; 'close': hangs up; 'silence': takes it all and
# says nothing; 'partial': a reply that stops in the middle; 'status': a reply, and not to what was asked.
package StoreTest::Fake;

use strict;
use warnings;

use IO::Select;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my %says = (
    http    => "HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    ssh     => "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    garbage => join('', map { chr(($_ * 167 + 13) % 256) } 1 .. 4000),
    bulk    => "\$2000000000\r\n",
    line    => '+',
    nested  => '',
    huge    => "*2147483647\r\n\$9223372036854775807\r\n",
    close   => undef,
    silence => '',
    partial => ':1',
    status  => "+OK\r\n",
    moved   => "-MOVED 3999 elsewhere.internal:0\r\n" x 4,        # to where nobody can go
    unclean => "-NOSCRIPT \xff\x1b[31mred\xc3(\x07\r\n" x 4,    # no UTF-8, and colours the terminal
);
my %goes_on = (bulk => 'x' x 65536, line => 'x' x 65536, nested => "*1\r\n" x 16384);

sub new {
    my ($class, $kind) = @_;
    die "no kind '$kind'" if !exists $says{$kind};
    my $dir  = PostgreSQL::Test::Utils::tempdir_short();
    my $self = bless { kind => $kind, dir => $dir, port => PostgreSQL::Test::Cluster::get_free_port() }, $class;
    my $test = $$;
    $self->{pid} = StoreTest::Process::start("$dir/log", sub { serve($kind, $dir, $self->{port}, $test) });
    IdgenTest::wait_until { -e "$dir/listens" } or die "the fake does not start:\n" . slurp_file("$dir/log");
    return $self;
}

sub port { return $_[0]->{port} }
sub url  { return 'redis://127.0.0.1:' . $_[0]->{port} }
sub stop { return StoreTest::Process::end($_[0]->{pid}, 'KILL') }

# How many have come.
sub visits { return -s "$_[0]->{dir}/visits" // 0 }

sub wait_for_visits {
    my ($self, $more) = @_;
    my $before = $self->visits;
    return IdgenTest::wait_until { $self->visits >= $before + ($more // 2) };
}

sub serve {
    my ($kind, $dir, $port, $test) = @_;
    my $listener = StoreTest::Proxy::listen_on($port);
    append_to_file("$dir/listens", '');
    my %left;    # what is still to be said, by client
    my $clients = IO::Select->new;
    while (getppid() == $test) {
        my $to_tell = IO::Select->new(grep { $left{ fileno($_) } ne '' } $clients->handles);
        my ($readable, $writable) = IO::Select::select(IO::Select->new($listener, $clients->handles), $to_tell, undef, 0.05);
        foreach my $client (@{ $writable // [] }) {
            my $put = syswrite($client, $left{ fileno($client) });
            $left{ fileno($client) } = defined $put ? substr($left{ fileno($client) }, $put) : '' if defined $put || !$!{EAGAIN};
            # About 60 MB a second: endless, but it leaves the processor to the others.
            $left{ fileno($client) } = $goes_on{$kind} if defined $put && $left{ fileno($client) } eq '' && $goes_on{$kind};
        }
        foreach my $client (@{ $readable // [] }) {
            next if $client == $listener;
            next if sysread($client, my $bytes, 65536) || $!{EAGAIN};
            $clients->remove($client);
            close($client);
        }
        while (defined(my $client = $listener->accept)) {
            append_to_file("$dir/visits", '.');
            next if $kind eq 'close';
            $client->blocking(0);
            $left{ fileno($client) } = $says{$kind} . ($goes_on{$kind} // '');
            $clients->add($client);
        }
        select(undef, undef, undef, 0.001) if $goes_on{$kind};
    }
    return;
}

# --- a Redis that lies

# Speaks Redis' protocol and answers the lease's script by itself. floor_ahead: how far the floor of an acquisition is ahead
# of the clock, in seconds; loses => 1: every renewal is answered "lost". let: changes these later.
package StoreTest::Liar;

use strict;
use warnings;

use IO::Select;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time);

sub new {
    my ($class, %lies) = @_;
    my $dir  = PostgreSQL::Test::Utils::tempdir_short();
    my $self = bless { dir => $dir, port => PostgreSQL::Test::Cluster::get_free_port() }, $class;
    my $test = $$;
    $self->let(%lies);
    $self->{pid} = StoreTest::Process::start("$dir/log", sub { serve($dir, $self->{port}, $test) });
    IdgenTest::wait_until { -e "$dir/listens" } or die "the liar does not start:\n" . slurp_file("$dir/log");
    return $self;
}

sub url  { return 'redis://127.0.0.1:' . $_[0]->{port} }
sub stop { return StoreTest::Process::end($_[0]->{pid}, 'KILL') }

sub let {
    my ($self, %lies) = @_;
    unlink("$self->{dir}/lies.new");
    append_to_file("$self->{dir}/lies.new", ($lies{floor_ahead} // 0) . ' ' . ($lies{loses} // 0));
    rename("$self->{dir}/lies.new", "$self->{dir}/lies");
    return;
}

# How often a worker id was acquired.
sub acquisitions { return -s "$_[0]->{dir}/acquired" // 0 }

sub serve {
    my ($dir, $port, $test) = @_;
    my $listener = StoreTest::Proxy::listen_on($port);
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
            while (my @words = next_command(\$got{ fileno($client) })) { syswrite($client, answer($dir, @words)) }
        }
    }
    return;
}

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

sub texts { return '*' . @_ . "\r\n" . join('', map { '$' . length($_) . "\r\n$_\r\n" } @_) }
sub ms { return sprintf('%016d', (time() + $_[0]) * 1000) }

sub answer {
    my ($dir, $command, @words) = @_;
    return '$40' . "\r\n" . 'a' x 40 . "\r\n" if $command eq 'SCRIPT';
    return "+OK\r\n" if $command !~ /^EVAL/;
    my ($floor_ahead, $loses) = split(/ /, PostgreSQL::Test::Utils::slurp_file("$dir/lies"));
    my $verb = $words[3];
    if ($verb eq 'acquire') {
        append_to_file("$dir/acquired", '.');
        return texts('ok', 7, ms($floor_ahead), ms(30), ms(0), '');
    }
    return texts('lost', 'forgotten', ms(0)) if $verb eq 'renew' && $loses;
    return texts('ok', $words[8], ms(30), ms(0)) if $verb eq 'renew';
    return texts('ok', ms(0));
}

# --- certificates

package StoreTest::Tls;

use strict;
use warnings;

use PostgreSQL::Test::Utils;

# A CA of its own and a certificate that it made for 127.0.0.1 and localhost. names: other names to put into it.
sub new {
    my ($class, %params) = @_;
    my $dir   = PostgreSQL::Test::Utils::tempdir_short();
    my $names = $params{names} // 'IP:127.0.0.1,DNS:localhost';
    my @key   = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes');
    my $run   = sub {
        my ($ok, $out, $error);
        $ok = IPC::Run::run([ 'openssl', @_ ], '<', \'', '>', \$out, '2>', \$error);
        die "openssl @_: $error" if !$ok;
    };
    $run->('req', '-x509', @key, '-days', 3, '-subj', '/CN=idgen test CA', '-keyout', "$dir/ca.key", '-out', "$dir/ca.crt");
    $run->('req', @key, '-subj', '/CN=store', '-keyout', "$dir/server.key", '-out', "$dir/server.csr");
    append_to_file("$dir/names", "subjectAltName=$names\n");
    $run->('x509', '-req', '-in', "$dir/server.csr", '-CA', "$dir/ca.crt", '-CAkey', "$dir/ca.key", '-CAcreateserial',
        '-days', 3, '-extfile', "$dir/names", '-out', "$dir/server.crt");
    return bless { dir => $dir }, $class;
}

sub ca   { return "$_[0]->{dir}/ca.crt" }
sub cert { return "$_[0]->{dir}/server.crt" }
sub key  { return "$_[0]->{dir}/server.key" }

# --- servers under load, whose ids go into one ledger

package StoreTest::Fleet;

use strict;
use warnings;

use Test::More;

# The clients pause between two rounds: the servers share few processors with the store, and what is tested is not speed.
# They sleep by themselves, since pg_sleep() goes by the server's clock, and one that is set back sleeps on for long.
my $round = <<'SQL';
INSERT INTO orders (life) VALUES (:'life');
SELECT idgen_next();
BEGIN;
INSERT INTO orders (life) VALUES (:'life') RETURNING id;
SELECT idgen_next() FROM generate_series(1, 3);
ROLLBACK;
INSERT INTO orders (life) SELECT :'life' FROM generate_series(1, 5);
\! sleep 0.02
SQL

sub new {
    my ($class, %params) = @_;
    return bless { ledger => IdgenTest::Ledger->new, members => [], load => { clients => 1, script => $round x 20, %params } }, $class;
}

# The server runs; it gets the extension, the table and the load, but need not have a worker id yet.
sub add {
    my ($self, @nodes) = @_;
    foreach my $node (@nodes) {
        IdgenTest::Load->prepare($node)
          if $node->safe_psql('postgres', q(SELECT to_regclass('orders') IS NULL)) eq 't';
        push(@{ $self->{members} }, { node => $node, load => IdgenTest::Load->start($node, %{ $self->{load} }) });
    }
    return;
}

sub ledger { return $_[0]->{ledger} }

sub members {
    my ($self, @nodes) = @_;
    return @{ $self->{members} } if !@nodes;
    return grep { my $member = $_; grep { $_ == $member->{node} } @nodes } @{ $self->{members} };
}

# Every client of these servers, of all by default, gets some more ids.
sub ok_flows {
    my ($self, $name, @nodes) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @dry = grep { !$_->{load}->wait_for_more } $self->members(@nodes);
    return ok(@dry == 0, $name) || diag(join("\n", map { $_->{node}->name . ': ' . StoreTest::last_words($_->{node}) } @dry));
}

# Ids that were got in another way.
sub add_ids {
    my ($self, @ids) = @_;
    $self->{ledger}->add_unordered(undef, @ids);
    return;
}

# Ends the load on these servers, which run and give ids, and takes what they gave into the ledger. Ids are the times of
# several worker ids, one after the other, and a crash may leave one behind that is ahead of the clock: what is to
# increase is what a session gets, not what the lives of a server do.
sub retire {
    my ($self, @nodes) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    foreach my $member ($self->members(@nodes)) {
        $member->{load}->stop($self->{ledger}, lives => 0);
        $member->{load}->check_errors($member->{node}->name);
        $self->{ledger}->add_table($member->{node}, lives => 0);
        $member->{node}->safe_psql('postgres', 'TRUNCATE orders');    # the server may be loaded again
        $self->{members} = [ grep { $_ != $member } @{ $self->{members} } ];
    }
    return;
}

# Ends the load everywhere; all ids of all servers are distinct.
sub check {
    my ($self, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $self->retire;
    $self->{ledger}->check($what);
    return;
}

1;
