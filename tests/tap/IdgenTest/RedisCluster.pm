# Redis Cluster: three masters with a replica each.
package IdgenTest::RedisCluster;

use strict;
use warnings;

use IdgenTest;
use IdgenTest::Redis;
use PostgreSQL::Test::Cluster;

# conf: further lines of all nodes' configuration.
sub new {
    my ($class, %params) = @_;
    my @nodes;
    foreach my $n (0 .. 5) {
        my $bus = PostgreSQL::Test::Cluster::get_free_port();
        my $node = IdgenTest::Redis->new(conf => <<CONF . ($params{conf} // ''));
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
        return wait_until {
            foreach my $node (@nodes) { return 0 if !$condition->($node) }
            return 1;
        };
    };
    $all->(sub { my %info = info_of($_[0]); $info{cluster_known_nodes} == 6 }) or die 'the nodes do not find each other';
    foreach my $n (3 .. 5) {
        my $of = $nodes[ $n - 3 ]{id};
        wait_until { $nodes[$n]->try_cli('CLUSTER', 'REPLICATE', $of) eq 'OK' } or die 'a node does not become a replica';
    }
    $self->wait_until_whole or die 'the cluster does not become ready';
    return $self;
}

# CLUSTER INFO of a node, name => value.
sub info_of {
    my ($node) = @_;
    return map { /^(\w+):(.*?)\r?$/ ? ($1 => $2) : () } split(/\n/, $node->try_cli('CLUSTER', 'INFO'));
}

# Waits until every running node finds the cluster complete and every replica has caught up.
sub wait_until_whole {
    my ($self) = @_;
    return wait_until {
        foreach my $node ($self->running) {
            my %cluster = info_of($node);
            my %link    = $node->info('replication');
            return 0 if ($cluster{cluster_state} // '') ne 'ok' || $cluster{cluster_slots_ok} != 16384;
            return 0 if $link{role} eq 'slave' && $link{master_link_status} ne 'up';
        }
        return 1;
    };
}

# All nodes, and those that run.
sub nodes   { return @{ $_[0]->{nodes} } }
sub running { return grep { $_->running } $_[0]->nodes }

# The URL for idgen's settings. nodes: those to name, in this order, by default all.
sub url {
    my ($self, %params) = @_;
    return 'redis://' . join(',', map { '127.0.0.1:' . $_->port } @{ $params{nodes} // $self->{nodes} });
}

# The slot of a key.
sub slot { my ($self, $key) = @_; return ($self->running)[0]->cli('CLUSTER', 'KEYSLOT', $key) }

# A node's own view of itself: { flags, master, slots }.
sub self_of {
    my ($node) = @_;
    my ($line) = grep { /\bmyself\b/ } split(/\n/, $node->try_cli('CLUSTER', 'NODES'));
    my (undef, undef, $flags, $master, undef, undef, undef, undef, @slots) = split(/ /, $line // '- - - -');
    return { flags => $flags, master => $master, slots => [ grep { /^\d/ } @slots ] };
}

# The master that owns the key's slot.
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

# The replica of a master.
sub replica_of {
    my ($self, $master) = @_;
    return (grep { my $says = self_of($_); $says->{flags} =~ /slave/ && $says->{master} eq $master->{id} } $self->running)[0];
}

# Waits until another node than `old` owns the key's slot.
sub wait_for_owner_after {
    my ($self, $key, $old) = @_;
    return wait_until { my $new = $self->owner($key); return defined $new && $new != $old };
}

# The owner's replica takes over while both run, so that clients get MOVED.
sub fail_over {
    my ($self, $key) = @_;
    my $old     = $self->owner($key);
    my $replica = $self->replica_of($old) // return 0;
    wait_until { $replica->try_cli('CLUSTER', 'FAILOVER') eq 'OK' } or return 0;
    return wait_until { ($self->owner($key) // $old) == $replica };
}

# Moves the key's slot to another master, which is returned. The code runs while the slot is being migrated and the key has
# already moved, so that clients get ASK.
sub move_slot {
    my ($self, $key, $code) = @_;
    my $slot = $self->slot($key);
    my $from = $self->owner($key);
    my ($to) = grep { $_ != $from && self_of($_)->{flags} =~ /master/ } $self->running;
    $to->cli('CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $from->{id});
    $from->cli('CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $to->{id});
    $from->cli('MIGRATE', '127.0.0.1', $to->port, $key, 0, 60_000);
    $code->($from, $to);
    $_->cli('CLUSTER', 'SETSLOT', $slot, 'NODE', $to->{id}) foreach $to, $from;
    return $to;
}

1;
