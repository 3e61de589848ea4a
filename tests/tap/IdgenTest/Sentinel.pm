# Redis Sentinel: a master, two replicas and three sentinels.
package IdgenTest::Sentinel;

use strict;
use warnings;

use IdgenTest;
use IdgenTest::Redis;

my $name = 'mymaster';

# conf: further lines of the configuration of master and replicas; master_conf: of the master alone.
sub new {
    my ($class, %params) = @_;
    my $conf   = $params{conf} // '';
    my $master = IdgenTest::Redis->new(conf => $conf . ($params{master_conf} // ''));
    my $of     = 'replicaof 127.0.0.1 ' . $master->port . "\n";
    my $self   = bless { redis => [ $master, map { IdgenTest::Redis->new(conf => $conf . $of) } 1 .. 2 ] }, $class;
    # A sentinel looks for replicas when it finds the master, and after that only every 10 s.
    wait_until { my %info = $master->info('replication'); return ($info{connected_slaves} // 0) == 2 }
      or die 'the replicas do not connect to the master';
    $self->{sentinels} = [
        map {
            IdgenTest::Redis->new(sentinel => 1, conf => <<CONF) } 1 .. 3
sentinel monitor $name 127.0.0.1 @{[ $master->port ]} 2
sentinel down-after-milliseconds $name 1000
sentinel failover-timeout $name 2000
sentinel parallel-syncs $name 2
CONF
    ];
    $self->wait_until_whole or die 'the sentinels do not find each other';
    return $self;
}

# The master and the replicas, as they were at the start; the sentinels.
sub redis     { return @{ $_[0]->{redis} } }
sub sentinels { return @{ $_[0]->{sentinels} } }

# Waits until every sentinel sees a healthy master, both replicas and the other sentinels.
sub wait_until_whole {
    my ($self) = @_;
    return wait_until {
        foreach my $sentinel (grep { $_->running } $self->sentinels) {
            my %master = split(/\n/, $sentinel->try_cli('SENTINEL', 'MASTER', $name));
            return 0 if ($master{'num-slaves'} // 0) < 2 || ($master{'num-other-sentinels'} // 0) < 2 || $master{flags} ne 'master';
        }
        return 1;
    };
}

# The URL for idgen's settings. db: number of the database.
sub url {
    my ($self, %params) = @_;
    return 'redis+sentinel://' . join(',', map { '127.0.0.1:' . $_->port } $self->sentinels) . "/$name"
      . (defined $params{db} ? "/$params{db}" : '');
}

# The master according to most sentinels.
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

# All that consider themselves master: two sentinels in too great a hurry promote one each.
sub masters {
    my ($self) = @_;
    return grep { my %info = $_->info('replication'); ($info{role} // '') eq 'master' } grep { $_->running } $self->redis;
}

# The failovers in the sentinels' logs.
sub events {
    my ($self) = @_;
    return join("\n", map { my $sentinel = $_; map { $sentinel->port . ": $_" } grep { /[+-](switch-master|promoted-slave|elected-leader|failover|sdown master|convert-to-slave|selected-slave)/ } split(/\n/, $sentinel->log_text) } $self->sentinels);
}

# All but the master.
sub replicas {
    my ($self) = @_;
    my $master = $self->master;
    return grep { $_ != $master } $self->redis;
}

# Waits until most sentinels name a master other than `old`, which considers itself master, too.
sub wait_for_master_after {
    my ($self, $old) = @_;
    return wait_until {
        my $new = $self->master;
        return 0 if !defined $new || $new == $old || !$new->running;
        my %info = $new->info('replication');
        return ($info{role} // '') eq 'master';
    };
}

# Changes the master while all are running.
sub fail_over {
    my ($self) = @_;
    my $old = $self->master;
    my ($sentinel) = grep { $_->running } $self->sentinels;
    wait_until { $sentinel->try_cli('SENTINEL', 'FAILOVER', $name) eq 'OK' } or return 0;
    return $self->wait_for_master_after($old);
}

# Keeps all that the master acknowledges from now on from the replicas: they are paused, and their connections are cut. To be
# resumed when the master is gone. Returns them.
sub cut_off_replicas {
    my ($self)   = @_;
    my $master   = $self->master;
    my @replicas = $self->replicas;
    $_->pause foreach @replicas;
    $master->cli('CLIENT', 'KILL', 'TYPE', 'replica');
    return @replicas;
}

1;
