# The lease records in an etcd, in the terms in which IdgenTest::Redis tells its own.
package IdgenTest::EtcdLeases;

use strict;
use warnings;

use parent -norequire, 'IdgenTest::Etcd';
use IdgenTest::Etcd;
use Time::HiRes qw(time);

# Its time in ms.
sub now { return int(time() * 1000) }

# Where the same store has other records under the same prefix: for url(), and the worker ids held there.
sub elsewhere { return (prefix => '/elsewhere') }
sub held_elsewhere { my ($self, $prefix) = @_; return $self->held("elsewhere/$prefix") }

# The record of a worker id, field => value; undef if it was never leased. A free one has no holder, a token of hyphens, and
# has expired.
sub record {
    my ($self, $worker_id, $prefix) = @_;
    my ($record) = grep { $_->{worker_id} == $worker_id } $self->records($prefix);
    return undef if !defined $record;
    my $left_s = defined $record->{lease} ? $self->lease_left($record->{lease})->{TTL} // 0 : 0;
    $record->{expiry} = $self->now + 1000 * ($left_s > 0 ? $left_s : -1);
    return $record;
}

# All records of a prefix.
sub records {
    my ($self, $prefix) = @_;
    $prefix //= 'idgen:worker';
    my %records;
    foreach my $kv ($self->list("/$prefix/")) {
        my ($kind, $worker_id) = $kv->{key} =~ m{/(worker|ceiling)/0*(\d+)$} or next;
        my $record = $records{$worker_id} //= { worker_id => $worker_id, token => '-' x 36 };
        if ($kind eq 'ceiling') {
            $record->{ceiling} = $kv->{value};
            next;
        }
        @$record{qw(token host port directory)} = split(/\|/, $kv->{value}, 4);
        @$record{qw(fence lease)} = @$kv{qw(mod_revision lease)};
    }
    return map { $records{$_} } sort { $a <=> $b } keys %records;
}

# Makes the lease of a worker id one under another token. It never ends.
sub give_to {
    my ($self, $worker_id, $token) = @_;
    my $key = sprintf('/idgen:worker/worker/%07d', $worker_id);
    (my $given = $self->value($key)) =~ s/^[0-9a-f-]{36}\|/$token|/ or die 'unexpected record';
    return $self->put($key, $given);
}

# A record that is there is held.
sub is_held { my ($self, $record) = @_; return defined $record && $record->{token} !~ /^-*$/ }

sub held { my ($self, $prefix) = @_; return grep { $self->is_held($_) } $self->records($prefix) }

1;
