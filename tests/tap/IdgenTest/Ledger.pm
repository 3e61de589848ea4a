# Every id that a test's servers handed out: all must be distinct, and increase within a session and from one life of a
# server to the next.
package IdgenTest::Ledger;

use strict;
use warnings;

use IdgenTest::Load;
use Test::More;

sub new { return bless { count => 0, issues => {}, ranges => {}, repeated => [], backwards => [] }, shift }

# Adds ids that one session was given in this order in one life of the server. Later lives have greater numbers; undef
# if the life is unknown.
sub add {
    my ($self, $life, @ids) = @_;
    my $before = 0;
    foreach my $id (@ids) {
        push(@{ $self->{backwards} }, "$before, $id") if $id <= $before;
        $before = $id;
    }
    return $self->add_unordered($life, @ids);
}

# Adds ids of one life in any order.
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

# Adds the ids in the load's table, that is, the committed ones, which are not in the clients' files. lives => 0: see
# Load::stop.
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

# Adds another server's ids, without its lives.
sub add_ledger {
    my ($self, $other) = @_;
    $self->add_unordered(undef, ($_) x $other->{issues}{$_}) foreach keys %{ $other->{issues} };
    return;
}

# The number of ids, the greatest and the smallest id.
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

# The number of lives in which ids were issued.
sub lives { return scalar keys %{ $_[0]->{ranges} } }

# Four tests: there are ids, they are distinct, they increase within each session, and each life starts above the previous one.
sub check {
    my ($self, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $distinct = keys %{ $self->{issues} };
    cmp_ok($self->{count}, '>', 0, "$what: ids were issued");
    is($distinct, $self->{count}, "$what: no id was issued twice")
      or diag('issued twice, for example: ' . join(', ', grep { defined } @{ $self->{repeated} }[ 0 .. 4 ]));
    is(scalar @{ $self->{backwards} }, 0, "$what: ids are positive and increase within every session")
      or diag(join('; ', grep { defined } @{ $self->{backwards} }[ 0 .. 4 ]));
    my (@behind, $life_before);
    foreach my $life (sort { $a <=> $b } keys %{ $self->{ranges} }) {
        push(@behind, "the first id of life $life, $self->{ranges}{$life}[0],"
              . " is not above the last id of life $life_before, $self->{ranges}{$life_before}[1]")
          if defined $life_before && $self->{ranges}{$life}[0] <= $self->{ranges}{$life_before}[1];
        $life_before = $life;
    }
    is(scalar @behind, 0, "$what: ids after a restart are above all ids before it")
      or diag(join("\n", @behind));
    note("$what: $distinct distinct ids in " . keys(%{ $self->{ranges} }) . ' lives of the server');
    return;
}

1;
