# Clients that insert rows and ask for ids, inside and outside of transactions that roll back. A client reconnects again and
# again, whatever happens to the server, and each session first reads which life of the server it is in. Ids of committed rows
# are in the table "orders", all others in the client's output file.
package IdgenTest::Load;

use strict;
use warnings;

use IdgenTest;
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

our $round = <<'SQL';
INSERT INTO orders (life) VALUES (:'life');
SELECT idgen_next();
BEGIN;
INSERT INTO orders (life) VALUES (:'life') RETURNING id;
SELECT idgen_next() FROM generate_series(1, 3);
ROLLBACK;
INSERT INTO orders (life) SELECT :'life' FROM generate_series(1, 5);
SQL

# Creates the extension and the table that the load inserts into. It has no primary key, so that a repeated id is counted
# rather than rejected.
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

# Starts the clients. clients: how many (4); conninfo: added to their connection strings; rounds: of the statements above per
# session (50); pause: seconds between two rounds; script: SQL to run instead of the rounds, whose output is ids.
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

# A life of the server (a pg_lsn, see IdgenTest::life) as a number.
sub life_of {
    my ($lsn) = @_;
    my ($high, $low) = split(m{/}, $lsn);
    return (hex($high) << 32) + hex($low);
}

# Reads what the clients have written since the last call.
sub read_on {
    my ($self) = @_;
    foreach my $client (@{ $self->{clients} }) {
        my $new = slurp_file($client->{out}, $client->{read_to});
        $new =~ s/[^\n]*\z//;    # an unfinished line
        $client->{read_to} += length($new);
        foreach (split(/\n/, $new)) {
            if (/^session (.*)/) {
                $client->{session} = { life => life_of($1), ids => [] };
                push(@{ $client->{sessions} }, $client->{session});
            }
            # If the server dies between a query and its \gset, psql prints the result: a life, not an id.
            elsif (!m{^[0-9A-F]+/[0-9A-F]+$}) {
                push(@{ $client->{session}{ids} }, $_);
                ++$client->{given};
            }
        }
    }
    return;
}

# The latest life in which a client got ids.
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
    return wait_until {
        $self->read_on;
        return !grep { !defined $_->{session} || $_->{session}{life} <= $life || !@{ $_->{session}{ids} } }
          @{ $self->{clients} };
    };
}

# Waits until every client has got `count` more ids, 20 by default.
sub wait_for_more {
    my ($self, $count) = @_;
    $self->read_on;
    my %until = map { $_->{out} => $_->{given} + ($count // 20) } @{ $self->{clients} };
    return wait_until {
        $self->read_on;
        return !grep { $_->{given} < $until{ $_->{out} } } @{ $self->{clients} };
    };
}

# Ends the clients and adds their ids to the ledger. lives => 0: checkpoints happened while they ran, so a life that looks
# like the next one may be the same.
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

# No client got an error, except when connecting.
sub check_errors {
    my ($self, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $errors = join('', map { slurp_file($_->{err}) } @{ $self->{clients} });
    my @unexpected = grep { /(ERROR|PANIC):/ } split(/\n/, $errors);
    is(scalar @unexpected, 0, "$what: no client got an error") or diag(join("\n", @unexpected[ 0 .. ($#unexpected < 5 ? $#unexpected : 5) ]));
    return;
}

1;
