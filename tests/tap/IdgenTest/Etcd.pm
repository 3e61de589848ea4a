# An etcd of the test's own, of one member or of several, and what is in it.
package IdgenTest::Etcd;

use strict;
use warnings;

use Carp qw(croak);
use IdgenTest;
use IdgenTest::EtcdMember;
use IPC::Run;
use MIME::Base64 qw(encode_base64 decode_base64);
use PostgreSQL::Test::Utils;
use Test::More;

sub is_installed { return scalar grep { -x "$_/etcd" } split(/:/, $ENV{PATH}) }

# Ends the test file, which needs etcd, on a system that has no package of it.
sub skip_without_etcd {
    return if is_installed();
    diag("NOT TESTED: $0 needs etcd, which is not installed (Debian's package etcd-server)");
    plan(skip_all => 'etcd is not installed');
}

my $clusters = 0;

# Parameters:
# members: how many, by default one
# tls: an IdgenTest::Tls, whose certificate clients are shown; tls_clients => 1: clients need a certificate, too
# auth_token_ttl: seconds for which a login holds if it is not used
# on_disk => 1: its data is on the disk, which matters to speed only
# options: further arguments of etcd for all members, such as [ '--quota-backend-bytes', 16 * 1024 * 1024 ]
# start => 0: not started yet
sub new {
    my ($class, %params) = @_;
    my $self = bless { token => "idgen-$$-" . ++$clusters, root => undef }, $class;
    my %of_all = (token => $self->{token}, map { $_ => $params{$_} } qw(tls tls_clients auth_token_ttl on_disk options));
    $self->{members} = [ map { IdgenTest::EtcdMember->new(name => "m$_", %of_all) } 1 .. $params{members} // 1 ];
    $self->{tls} = $params{tls};
    $self->start if $params{start} // 1;
    return $self;
}

# The members, those that run, and those that run and are not suspended.
sub members { return @{ $_[0]->{members} } }
sub member  { return $_[0]->{members}[ $_[1] ] }
sub running { return grep { $_->running } $_[0]->members }
sub working { return grep { $_->works } $_[0]->members }

# The URL for idgen's settings. user, password: of the client; ports: others, such as a proxy's; members: those to name, in
# this order; prefix: the path, such as "/idgen".
sub url {
    my ($self, %params) = @_;
    my $who   = defined $params{user} ? $params{user} . (defined $params{password} ? ":$params{password}" : '') . '@' : '';
    my @ports = @{ $params{ports} // [ map { $_->port } @{ $params{members} // $self->{members} } ] };
    return ($self->{tls} ? 'etcds' : 'etcd') . "://$who" . join(',', map { "127.0.0.1:$_" } @ports) . ($params{prefix} // '');
}

# It keeps what it has acknowledged: nobody waits for a quarantine, a server that crashed takes its own worker id back, and
# sequences need no high-water marks.
sub forgets { return 0 }

# The first member's port for clients.
sub port { return $_[0]->member(0)->port }

# --- the cluster

sub initial_cluster { return join(',', map { $_->name . '=' . $_->peer_url } $_[0]->members) }

# Starts the members that do not run, and waits until all answer.
sub start {
    my ($self) = @_;
    $_->launch(cluster => $self->initial_cluster) foreach grep { !$_->running } $self->members;
    $_->wait_until_ready foreach $self->members;
    return;
}

sub stop  { $_->stop  foreach $_[0]->running; return }
sub kill9 { $_->kill9 foreach $_[0]->running; return }

# Kills all members, and starts them again.
sub restart { my ($self) = @_; $self->kill9; return $self->start }

# Suspends and resumes all members.
sub pause  { $_->pause  foreach $_[0]->members; return }
sub resume { $_->resume foreach $_[0]->members; return }

# The member that leads, when all members that work agree on one of them.
sub leader {
    my ($self) = @_;
    my $leader;
    wait_until {
        my %leaders;
        my %by_id;
        foreach my $member ($self->working) {
            my $status = $member->status($self->root_token);
            ++$leaders{ $status->{leader} // 'none' };
            $by_id{ $status->{header}{member_id} } = $member if defined $status->{header};
        }
        $leader = keys %leaders == 1 ? $by_id{ (keys %leaders)[0] } : undef;
        return defined $leader;
    } or croak 'the members do not agree on a leader';
    return $leader;
}

sub followers { my ($self) = @_; my $leader = $self->leader; return grep { $_ != $leader } $self->working }

# Takes the quorum away, by default by killing members; pause => 1: by suspending them. keep: the member that stays, by default
# one that does not lead. Returns the others.
sub lose_quorum {
    my ($self, %params) = @_;
    my $keep = $params{keep} // ($self->followers)[0] // croak 'a cluster of one has no quorum to lose';
    my @gone = grep { $_ != $keep } $self->members;
    foreach my $member (@gone) { $params{pause} ? $member->pause : $member->kill9 }
    return @gone;
}

# Brings back all members that are down or suspended.
sub restore_quorum {
    my ($self) = @_;
    $_->resume foreach grep { $_->running && !$_->works } $self->members;
    return $self->start;
}

# Replaces a member by one without data, as one does with a member whose disk is lost: the leader sends it a snapshot.
sub replace_member {
    my ($self, $member) = @_;
    my $id = $member->status($self->root_token)->{header}{member_id};
    $member->kill9;
    $member->forget;
    $self->call('cluster/member/remove', { ID => $id });
    # etcd refuses another change of the cluster until the members have been connected for five seconds.
    my ($code, $reply);
    wait_until {
        ($code, $reply) = $self->try_call('cluster/member/add', { peerURLs => [ $member->peer_url ] });
        return $code == 200;
    } or croak "the member cannot be added: $reply->{error}";
    $member->launch(cluster => $self->initial_cluster, existing => 1);
    return $member->wait_until_ready;
}

# --- calls

# Calls etcd by a member that works: see EtcdMember::post(). Dies of an error; try_call() returns the HTTP status and the reply.
sub call {
    my ($self, $path, $body) = @_;
    my ($code, $reply) = $self->try_call($path, $body);
    croak "etcd, $path: HTTP status $code, " . ($reply->{error} // '') if $code != 200;
    return $reply;
}

sub try_call {
    my ($self, $path, $body) = @_;
    my ($code, $reply);
    foreach my $member ($self->working) {
        foreach my $attempt (1, 2) {
            ($code, $reply) = $member->post($path, $body, $self->root_token);
            last if ($reply->{code} // 0) != 16 && ($reply->{error} // '') !~ /invalid auth token|auth store is old/;
            delete $self->{root}{token};    # it has expired: log in again
        }
        last if $code != 599 && $code < 500;
    }
    return ($code, $reply);
}

# A key, as calls name it; and keys by prefix: [ key, end ], in base64. The end is the prefix with its last byte increased; "\0" means all keys.
sub key_of { return (key => encode_base64($_[0], '')) }

sub range_of {
    my ($prefix) = @_;
    return (key => encode_base64("\0", ''), range_end => encode_base64("\0", '')) if $prefix eq '';
    return (key => encode_base64($prefix, ''),
        range_end => encode_base64(substr($prefix, 0, -1) . chr(1 + ord(substr($prefix, -1))), ''));
}

# One key, as { key, value, create_revision, mod_revision, version, lease }; undef if there is none.
sub get {
    my ($self, $key) = @_;
    return decoded($self->call('kv/range', { key => encode_base64($key, '') })->{kvs}[0]);
}

# All keys of a prefix, sorted.
sub list {
    my ($self, $prefix) = @_;
    return map { decoded($_) } @{ $self->call('kv/range', { range_of($prefix) })->{kvs} // [] };
}

sub decoded {
    my ($kv) = @_;
    return undef if !defined $kv;
    return { lease => 0, %$kv, key => decode_base64($kv->{key}), value => decode_base64($kv->{value} // '') };
}

# The value of a key, undef if there is none; the number of keys of a prefix.
sub value { my ($self, $key) = @_; my $kv = $self->get($key); return defined $kv ? $kv->{value} : undef }
sub count { my ($self, $prefix) = @_; return 0 + ($self->call('kv/range', { range_of($prefix), count_only => \1 })->{count} // 0) }

sub put {
    my ($self, $key, $value, $lease) = @_;
    return $self->call('kv/put', { key => encode_base64($key, ''), value => encode_base64($value, ''), lease => $lease // 0 });
}

# Deletes a key; all keys of a prefix.
sub delete        { my ($self, $key) = @_;    return $self->call('kv/deleterange', { key => encode_base64($key, '') }) }
sub delete_prefix { my ($self, $prefix) = @_; return $self->call('kv/deleterange', { range_of($prefix) }) }

# The ids of all leases; a lease's { TTL, grantedTTL } in seconds, TTL -1 if there is no such lease; revokes a lease.
sub leases     { my ($self) = @_; return map { $_->{ID} } @{ $self->call('lease/leases', {})->{leases} // [] } }
sub lease_left { my ($self, $id) = @_; return $self->call('lease/timetolive', { ID => $id }) }
sub revoke     { my ($self, $id) = @_; return $self->call('lease/revoke', { ID => $id }) }

# The last value of a sequence's key, '' if it has none (see docs/sequencers.md), and sets it to a text, as another program does. For
# a URL without a path.
sub last_value {
    my ($self, $key) = @_;
    my $kv = $self->get($key);
    return '' if !defined $kv || $kv->{value} =~ /^-(?!\d)/;
    return $kv->{value} =~ /^(-?\d+)\+(\d+)v/ ? $1 + $2 * $kv->{version} : $kv->{value} =~ s/ .*//r;
}
sub set_value { my ($self, $key, $text) = @_; return $self->put($key, $text) }

sub revision   { return 0 + $_[0]->call('kv/range', { key => encode_base64('-', '') })->{header}{revision} }
sub cluster_id { return $_[0]->call('kv/range', { key => encode_base64('-', '') })->{header}{cluster_id} }

# --- maintenance

# Drops the history before the current revision; defragments every member, one after the other.
sub compact { my ($self) = @_; return $self->call('kv/compaction', { revision => $self->revision, physical => \1 }) }

sub defragment {
    my ($self) = @_;
    foreach my $member ($self->working) {
        my ($code, $reply) = $member->post('maintenance/defragment', {}, $self->root_token);
        croak "defragment: $reply->{error}" if $code != 200;
    }
    return;
}

# Fills the store beyond its quota (set --quota-backend-bytes), so that etcd raises the alarm NOSPACE. Returns its error.
sub fill {
    my ($self) = @_;
    foreach my $n (1 .. 10_000) {
        my ($code, $reply) = $self->try_call('kv/put',
            { key => encode_base64("zz-filler/$n", ''), value => encode_base64('x' x 1_000_000, '') });
        return $reply->{error} if $code != 200;
    }
    croak 'the store does not fill up';
}

# Undoes fill(): deletes, compacts, defragments, and disarms the alarm.
sub make_room {
    my ($self) = @_;
    $self->delete_prefix('zz-filler/');
    $self->compact;
    $self->defragment;
    $self->call('maintenance/alarm', { action => 'DEACTIVATE', memberID => $_->{memberID}, alarm => $_->{alarm} }) foreach $self->alarms;
    return;
}

sub alarms { return @{ $_[0]->call('maintenance/alarm', { action => 'GET' })->{alarms} // [] } }

# Saves a snapshot of a running cluster to a file; starts the cluster again with it, from the past, as after the loss of all
# members. new_token => 1: as another cluster, whose id differs. Revisions made since the snapshot are made a second time.
sub save_snapshot {
    my ($self, $file) = @_;
    return $self->etcdctl('snapshot', 'save', $file);
}

sub restore_snapshot {
    my ($self, $file, %params) = @_;
    $self->kill9;
    $self->{token} .= '-restored' if $params{new_token};
    foreach my $member ($self->members) {
        $member->forget;
        $member->{token} = $self->{token};
        $self->etcdctl('snapshot', 'restore', $file, '--name', $member->name, '--data-dir', $member->data_dir,
            '--initial-cluster', $self->initial_cluster, '--initial-cluster-token', $self->{token},
            '--initial-advertise-peer-urls', $member->peer_url);
    }
    return $self->start;
}

# The output of etcdctl, with the first working member as its endpoint and as root if there are users; dies of an error.
sub etcdctl {
    my ($self, @args) = @_;
    local $ENV{ETCDCTL_API} = 3;
    my ($working) = $self->working;
    my @options = defined $working ? ('--endpoints', $working->control_url) : ();
    push(@options, '--user', "root:$self->{root}{password}") if defined $self->{root} && defined $working;
    my ($out, $error) = ('', '');
    IPC::Run::run([ 'etcdctl', @options, @args ], '<', \'', '>', \$out, '2>', \$error, IPC::Run::timeout(60))
      or croak "etcdctl @args: $out$error";
    return $out . $error;
}

# --- users

# Requires a user name and password of everybody. The tests' own calls are root's from now on.
sub enable_auth {
    my ($self, $password) = @_;
    $password //= 'root password';
    $self->call('auth/user/add', { name => 'root', password => $password });
    $self->call('auth/user/grant', { user => 'root', role => 'root' })
      if eval { $self->call('auth/role/add', { name => 'root' }); 1 };
    $self->call('auth/enable', {});
    $self->{root} = { password => $password };
    return;
}

# Adds a user whose role may read and write the keys of one prefix, and nothing else.
sub add_user {
    my ($self, $name, $password, $prefix) = @_;
    $self->call('auth/user/add', { name => $name, password => $password });
    $self->call('auth/role/add', { name => $name });
    my %range = range_of($prefix);
    $self->call('auth/role/grant', { name => $name, perm => { permType => 'READWRITE', %range } });
    return $self->call('auth/user/grant', { user => $name, role => $name });
}

sub change_password { my ($self, $name, $password) = @_; return $self->call('auth/user/changepw', { name => $name, password => $password }) }

# The token of root's login; undef if there are no users.
sub root_token {
    my ($self) = @_;
    return undef if !defined $self->{root};
    foreach my $member ($self->working) {
        last if defined $self->{root}{token};
        my ($code, $reply) = $member->post('auth/authenticate', { name => 'root', password => $self->{root}{password} });
        $self->{root}{token} = $reply->{token} if $code == 200;
    }
    return $self->{root}{token};
}

# --- load

# How many requests the members that work have got from clients, by method: { Txn => 5, LeaseGrant => 1, … }, and in total. The
# test's own calls are among them, but not those of counting.
sub requests {
    my ($self) = @_;
    my %requests = (total => 0);
    foreach my $member ($self->working) {
        my $metrics = $member->metrics;
        foreach (keys %$metrics) {
            next if !/^grpc_server_msg_received_total\{grpc_method="(\w+)",grpc_service="etcdserverpb\./;
            $requests{$1} += $metrics->{$_};
            $requests{total} += $metrics->{$_};
        }
    }
    return \%requests;
}

1;
