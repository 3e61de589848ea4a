# What the TAP tests share: servers with idgen preloaded, clients that load them and write down every id they were
# given, the ledger in which all those ids must be distinct, and a wall clock that can be moved.
package IdgenTest;

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

our @EXPORT = qw(
  new_server settle_in wait_until wait_for_ids wait_until_ok error_of log_position logged_since ok_logged
  burst life kill_backend kill_worker kill_postmaster pid_of_worker ceiling_file
);

# A deadline for things that must happen, not a measure of how fast they do.
my $patience = $PostgreSQL::Test::Utils::timeout_default;

# --- servers

# conf: lines for postgresql.conf. init: arguments for Cluster::init. Neither started nor with the extension.
sub new_server {
    my ($name, %params) = @_;
    my $node = PostgreSQL::Test::Cluster->new($name);
    $node->init(%{ $params{init} // {} });
    # A checkpoint in the middle of a life would look like a restart to the load (see IdgenTest::Load).
    $node->append_conf('postgresql.conf', <<'CONF');
shared_preload_libraries = 'idgen'
idgen.worker_id = 1
log_statement = none
restart_after_crash = on
checkpoint_timeout = '1h'
max_wal_size = '8GB'
shared_buffers = '32MB'
max_connections = 40
CONF
    $node->append_conf('postgresql.conf', $params{conf}) if defined $params{conf};
    return $node;
}

# Makes a data directory that was another node's this node's.
sub settle_in {
    my ($node) = @_;
    unlink($node->data_dir . '/postmaster.pid');
    $node->append_conf('postgresql.conf', 'port = ' . $node->port . "\nunix_socket_directories = '" . $node->host . "'");
    return;
}

# Builds a library that processes can be made to preload.
sub shim {
    my ($name) = @_;
    my $library = PostgreSQL::Test::Utils::tempdir() . "/$name.so";
    PostgreSQL::Test::Utils::system_or_bail('cc', '-shared', '-fPIC', '-O2', '-o', $library,
        dirname(Cwd::abs_path(__FILE__)) . "/$name.c", '-ldl');
    return $library;
}

sub ceiling_file { return $_[0]->data_dir . '/idgen.ceiling' }

# Polls until the block returns true; false when it did not in all that time.
sub wait_until(&) {
    my ($condition) = @_;
    for (my $polls = 20 * $patience; $polls > 0; --$polls) {
        return 1 if $condition->();
        usleep(50_000);
    }
    return 0;
}

# The ids of `sql`, asked again and again until the server gives them: it may be restarting.
sub wait_for_ids {
    my ($node, $sql) = @_;
    my @ids;
    my $problem = '';
    wait_until {
        my ($status, $out, $err) = $node->psql('postgres', $sql // 'SELECT idgen_next()');
        @ids = $status == 0 ? split(/\n/, $out) : ();
        $problem = $err;
        return @ids > 0;
    } or diag("no id came: $problem");
    return wantarray ? @ids : $ids[0];
}

sub wait_until_ok {
    my ($node, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $state = '';
    ok( wait_until {
            (undef, $state) = $node->psql('postgres', 'SELECT state FROM idgen_status()');
            return ($state // '') eq 'ok';
        },
        $name // 'idgen_status() comes to say ok')
      or diag('state: ' . ($state // ''));
    return;
}

# What psql says of the failing `sql`, with SQLSTATE, detail and hint; '' when it does not fail.
sub error_of {
    my ($node, $sql, $dbname) = @_;
    my ($status, undef, $error) = $node->psql($dbname // 'postgres', "\\set VERBOSITY verbose\n$sql");
    return $status == 0 ? '' : $error;
}

sub log_position { return -s $_[0]->logfile // 0 }

sub logged_since {
    my ($node, $pattern, $from) = @_;
    return slurp_file($node->logfile, $from) =~ $pattern;
}

sub ok_logged {
    my ($node, $pattern, $from, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok(wait_until { logged_since($node, $pattern, $from) }, $name);
}

# --- faults

# Uses up ids so quickly that they run ahead of the clock, in one session; returns the last.
sub burst {
    my ($node, $count) = @_;
    return $node->safe_psql('postgres', "SELECT max(idgen_next()) FROM generate_series(1, $count)");
}

# Which life of the server this is: the position of the last checkpoint, which no clock can move, is another after every
# start.
sub life {
    my ($node) = @_;
    return $node->safe_psql('postgres', 'SELECT redo_lsn FROM pg_control_checkpoint()');
}

sub pid_of_worker {
    my ($node) = @_;
    my $pid = '';
    wait_until {
        (undef, $pid) = $node->psql('postgres', 'SELECT worker_pid FROM idgen_status()');
        return ($pid // '') ne '';
    };
    return $pid;
}

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

# Returns when the last of its children has ended, too, and init has reaped the postmaster: before that the data
# directory counts as in use.
sub kill_postmaster {
    my ($node) = @_;
    my $pid = $node->{_pid};
    kill('STOP', $pid);    # no child is born between the look and the kill
    my @children = grep { (process($_) // { parent => 0 })->{parent} == $pid } map { m{(\d+)$} } glob('/proc/[0-9]*');
    $node->kill9;
    return wait_until { !kill(0, $pid) && !grep { (process($_) // { state => 'Z' })->{state} ne 'Z' } @children };
}

# State and parent of a process; undef when there is none.
sub process {
    my ($pid) = @_;
    open(my $file, '<', "/proc/$pid/stat") or return undef;
    return (<$file> // '') =~ /^\d+ \(.*\) (\S) (\d+)/s ? { state => $1, parent => $2 } : undef;
}

# --- the ledger: everything ever handed out

package IdgenTest::Ledger;

use strict;
use warnings;

use Test::More;

sub new { return bless { count => 0, issues => {}, ranges => {}, repeated => [], backwards => [] }, shift }

# Ids that one session was given one after the other in one life of the server. `life` orders the lives: a later one
# has the greater number; undef where that is not known.
sub add {
    my ($self, $life, @ids) = @_;
    my $before = 0;
    foreach my $id (@ids) {
        push(@{ $self->{backwards} }, "$before, $id") if $id <= $before;
        $before = $id;
    }
    return $self->add_unordered($life, @ids);
}

sub add_unordered {
    my ($self, $life, @ids) = @_;
    foreach my $id (@ids) {
        ++$self->{count};
        push(@{ $self->{repeated} }, $id) if $self->{issues}{$id}++;
        push(@{ $self->{backwards} }, "$id is not positive") if $id <= 0;
        next if !defined $life;
        my $range = $self->{ranges}{$life} //= [ $id, $id ];
        $range->[0] = $id if $id < $range->[0];
        $range->[1] = $id if $id > $range->[1];
    }
    return;
}

# The rows of the load's table: what was committed. Its ids are nowhere else in the ledger. lives => 0: see Load::stop.
sub add_table {
    my ($self, $node, %params) = @_;
    my %ids;
    foreach (split(/\n/, $node->safe_psql('postgres', 'SELECT life, id FROM orders'))) {
        my ($life, $id) = split(/\|/);
        push(@{ $ids{$life} }, $id);
    }
    foreach (keys %ids) {
        $self->add_unordered($params{lives} // 1 ? IdgenTest::Load::life_of($_) : undef, @{ $ids{$_} });
    }
    return;
}

# The ids of another server, whose lives have nothing to do with this one's.
sub add_ledger {
    my ($self, $other) = @_;
    $self->add_unordered(undef, ($_) x $other->{issues}{$_}) foreach keys %{ $other->{issues} };
    return;
}

sub count { return $_[0]->{count} }
sub max {
    my ($self) = @_;
    my $max = 0;
    foreach (keys %{ $self->{issues} }) { $max = $_ if $_ > $max }
    return $max;
}

sub min {
    my ($self) = @_;
    my $min = $self->max;
    foreach (keys %{ $self->{issues} }) { $min = $_ if $_ < $min }
    return $min;
}

# The lives in which ids were given.
sub lives { return scalar keys %{ $_[0]->{ranges} } }

sub check {
    my ($self, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $distinct = keys %{ $self->{issues} };
    cmp_ok($self->{count}, '>', 0, "$what: ids were given");
    is($distinct, $self->{count}, "$what: count(*) = count(DISTINCT id) over everything ever handed out")
      or diag('repeated, e.g.: ' . join(', ', grep { defined } @{ $self->{repeated} }[ 0 .. 4 ]));
    is(scalar @{ $self->{backwards} }, 0, "$what: ids are positive and increase within every session")
      or diag(join('; ', grep { defined } @{ $self->{backwards} }[ 0 .. 4 ]));
    my (@behind, $life_before);
    foreach my $life (sort { $a <=> $b } keys %{ $self->{ranges} }) {
        push(@behind, "the first of life $life, $self->{ranges}{$life}[0],"
              . " is not above the last of life $life_before, $self->{ranges}{$life_before}[1]")
          if defined $life_before && $self->{ranges}{$life}[0] <= $self->{ranges}{$life_before}[1];
        $life_before = $life;
    }
    is(scalar @behind, 0, "$what: after each restart ids are above all before")
      or diag(join("\n", @behind));
    note("$what: $distinct distinct ids in " . keys(%{ $self->{ranges} }) . ' lives of the server');
    return;
}

# --- the load: clients that insert, and ask for ids inside and outside of transactions that roll back

# A client connects anew again and again, whatever happens to the server. Each of its sessions first reads in which life
# of the server it is. Ids of committed rows stand in the table, all others in the client's file.
package IdgenTest::Load;

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $loads = 0;

my $client = <<'SH';
while [ ! -e "$1" ] && kill -0 $PPID 2>/dev/null; do
    psql -XAtq -v ON_ERROR_STOP=1 -d "$2" -f "$3" >>"$4" 2>>"$5" || sleep 0.05
done
SH

my $head = <<'SQL';
SELECT redo_lsn AS life FROM pg_control_checkpoint() \gset
\echo session :life
SQL

my $round = <<'SQL';
INSERT INTO orders (life) VALUES (:'life');
SELECT idgen_next();
BEGIN;
INSERT INTO orders (life) VALUES (:'life') RETURNING id;
SELECT idgen_next() FROM generate_series(1, 3);
ROLLBACK;
INSERT INTO orders (life) SELECT :'life' FROM generate_series(1, 5);
SQL

# The table that the load inserts into. No primary key: a repeated id is to be counted, not refused.
sub prepare {
    my (undef, $node) = @_;
    $node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION IF NOT EXISTS idgen;
CREATE TABLE orders (
    id bigint NOT NULL DEFAULT idgen_next(),
    life pg_lsn NOT NULL,
    server text NOT NULL DEFAULT current_setting('port'));
SQL
    return;
}

# clients: how many; conninfo: added to each client's connection string; rounds: of the mix above, per session; pause:
# seconds between two rounds; script: SQL to run instead of them, whose output is ids.
sub start {
    my ($class, $node, %params) = @_;
    my $dir = $PostgreSQL::Test::Utils::tmp_check . '/load_' . $$ . '_' . ++$loads;
    mkdir($dir) or die "could not make $dir: $!";
    my $pause = $params{pause} ? "DO 'BEGIN PERFORM pg_sleep($params{pause}); END';\n" : '';
    append_to_file("$dir/script.sql", $head . ($params{script} // ($round . $pause) x ($params{rounds} // 50)));
    my $self = bless { dir => $dir, clients => [] }, $class;
    my $connstr = $node->connstr('postgres') . ' ' . ($params{conninfo} // '');
    foreach my $n (1 .. $params{clients} // 4) {
        my ($out, $err) = ("$dir/$n.out", "$dir/$n.err");
        append_to_file($_, '') foreach $out, $err;
        my $run = IPC::Run::start([ 'sh', '-c', $client, 'client', "$dir/stop", $connstr, "$dir/script.sql", $out, $err ]);
        push(@{ $self->{clients} },
            { run => $run, out => $out, err => $err, read_to => 0, sessions => [], session => undef, given => 0 });
    }
    return $self;
}

# A pg_lsn as a number.
sub life_of {
    my ($lsn) = @_;
    my ($high, $low) = split(m{/}, $lsn);
    return (hex($high) << 32) + hex($low);
}

# Reads on in what the clients wrote.
sub read_on {
    my ($self) = @_;
    foreach my $client (@{ $self->{clients} }) {
        my $new = slurp_file($client->{out}, $client->{read_to});
        $new =~ s/[^\n]*\z//;    # a line in the making
        $client->{read_to} += length($new);
        foreach (split(/\n/, $new)) {
            if (/^session (.*)/) {
                $client->{session} = { life => life_of($1), ids => [] };
                push(@{ $client->{sessions} }, $client->{session});
            }
            # Where the server dies between a query and its \gset, psql prints the result: a life, no id.
            elsif (!m{^[0-9A-F]+/[0-9A-F]+$}) {
                push(@{ $client->{session}{ids} }, $_);
                ++$client->{given};
            }
        }
    }
    return;
}

sub latest_life {
    my ($self) = @_;
    $self->read_on;
    my $latest = 0;
    foreach my $client (@{ $self->{clients} }) {
        foreach my $session (@{ $client->{sessions} }) {
            $latest = $session->{life} if $session->{life} > $latest && @{ $session->{ids} };
        }
    }
    return $latest;
}

# Waits until every client has got ids in a life later than `life`.
sub wait_for_life_after {
    my ($self, $life) = @_;
    return IdgenTest::wait_until {
        $self->read_on;
        return !grep { !defined $_->{session} || $_->{session}{life} <= $life || !@{ $_->{session}{ids} } }
          @{ $self->{clients} };
    };
}

# Waits until every client has got some more ids.
sub wait_for_more {
    my ($self, $count) = @_;
    $self->read_on;
    my %until = map { $_->{out} => $_->{given} + ($count // 20) } @{ $self->{clients} };
    return IdgenTest::wait_until {
        $self->read_on;
        return !grep { $_->{given} < $until{ $_->{out} } } @{ $self->{clients} };
    };
}

# Ends the clients and gives what they got to the ledger. lives => 0: checkpoints happened while they ran, so that what
# looks like the next life may be the same.
sub stop {
    my ($self, $ledger, %params) = @_;
    append_to_file("$self->{dir}/stop", '');
    $_->{run}->finish foreach @{ $self->{clients} };
    $self->read_on;
    foreach my $client (@{ $self->{clients} }) {
        $ledger->add($params{lives} // 1 ? $_->{life} : undef, @{ $_->{ids} }) foreach @{ $client->{sessions} };
    }
    return;
}

# No client was refused an id or anything else but a connection.
sub check_errors {
    my ($self, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $errors = join('', map { slurp_file($_->{err}) } @{ $self->{clients} });
    my @unexpected = grep { /(ERROR|PANIC):/ } split(/\n/, $errors);
    is(scalar @unexpected, 0, "$what: no client met an error") or diag(join("\n", @unexpected[ 0 .. ($#unexpected < 5 ? $#unexpected : 5) ]));
    return;
}

# --- a wall clock that can be moved

package IdgenTest::Clock;

use strict;
use warnings;

use Fcntl qw(SEEK_SET);
use PostgreSQL::Test::Utils;

my ($shim, $clocks) = (undef, 0);

sub new {
    my ($class, $seconds) = @_;
    my $dir = PostgreSQL::Test::Utils::tempdir();
    $shim //= IdgenTest::shim('clock_shim');
    my $path = "$dir/clock_" . ++$clocks;
    append_to_file($path, pack('q', 0));
    open(my $file, '+<:raw', $path) or die "could not open $path: $!";
    my $self = bless { path => $path, file => $file, seconds => 0 }, $class;
    $self->set($seconds) if defined $seconds;
    return $self;
}

# How far the clock is ahead of the true one.
sub seconds { return $_[0]->{seconds} }

sub set {
    my ($self, $seconds) = @_;
    sysseek($self->{file}, 0, SEEK_SET);
    syswrite($self->{file}, pack('q', int($seconds * 1e9))) == 8 or die "could not set the clock: $!";
    $self->{seconds} = $seconds;
    return;
}

sub step {
    my ($self, $by) = @_;
    return $self->set($self->{seconds} + $by);
}

# What the code starts lives by this clock.
sub rule {
    my ($self, $code) = @_;
    local $ENV{LD_PRELOAD} = $shim;
    local $ENV{IDGEN_CLOCK_FILE} = $self->{path};
    return $code->();
}

sub start {
    my ($self, $node, %params) = @_;
    return $self->rule(sub { $node->start(%params) });
}

1;
