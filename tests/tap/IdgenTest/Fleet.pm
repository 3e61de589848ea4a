# Servers under load whose ids go into one ledger: no two servers may issue the same id.
package IdgenTest::Fleet;

use strict;
use warnings;

use IdgenTest;
use IdgenTest::Ledger;
use IdgenTest::Load;
use Test::More;

# Clients pause after each round: the servers share few processors with the store, and speed is not what is tested. They
# sleep on their own side, because pg_sleep() takes very long if the server's clock is set back.
my $round = "$IdgenTest::Load::round\\! sleep 0.02\n";

# ledger: that of another fleet, whose ids must be others. Further parameters are those of Load::start.
sub new {
    my ($class, %params) = @_;
    return bless { ledger => delete $params{ledger} // IdgenTest::Ledger->new, members => [], load => { clients => 1, script => $round x 20, %params } }, $class;
}

# Puts load on running servers, which get the extension and the table first. They need not have a worker id yet.
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

# The members on these servers, by default all.
sub members {
    my ($self, @nodes) = @_;
    return @{ $self->{members} } if !@nodes;
    return grep { my $member = $_; grep { $_ == $member->{node} } @nodes } @{ $self->{members} };
}

# Every client of these servers, by default of all, gets more ids.
sub ok_flows {
    my ($self, $name, @nodes) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @dry = grep { !$_->{load}->wait_for_more } $self->members(@nodes);
    return ok(@dry == 0, $name) || diag(join("\n", map { $_->{node}->name . ': ' . status_in_words($_->{node}) } @dry));
}

# Adds ids that the load did not get.
sub add_ids {
    my ($self, @ids) = @_;
    $self->{ledger}->add_unordered(undef, @ids);
    return;
}

# Ends the load on these servers, by default on all, and adds their ids to the ledger. The servers must be running. Ids need
# not increase from one life of a server to the next, only within a session: a server gets other worker ids, and a crash may
# leave one behind that is ahead of the clock.
sub retire {
    my ($self, @nodes) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    foreach my $member ($self->members(@nodes)) {
        $member->{load}->stop($self->{ledger}, lives => 0);
        $member->{load}->check_errors($member->{node}->name);
        $self->{ledger}->add_table($member->{node}, lives => 0);
        $member->{node}->safe_psql('postgres', 'TRUNCATE orders');    # the server may get load again
        $self->{members} = [ grep { $_ != $member } @{ $self->{members} } ];
    }
    return;
}

# Ends the load everywhere. All ids of all servers are distinct.
sub check {
    my ($self, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $self->retire;
    $self->{ledger}->check($what);
    return;
}

1;
