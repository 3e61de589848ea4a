# Servers that lease their worker id from a store, and what tests check about them.
package IdgenTest::LeaseServer;

use strict;
use warnings;

use Exporter qw(import);
use IdgenTest;
use Test::More;

our @EXPORT = qw(
  lease_store lease_server start_server declare_new
  worker_id_of ceiling_of worker_rows
  ok_same_worker ok_renews ok_out_of_ids ok_ids_after
);

# The class of the store that a test file is about. A file for another store sets it and runs the same tests.
our $store_class = 'IdgenTest::Redis';

# A store of that class, with its parameters.
sub lease_store { return $store_class->new(@_) }

# A server that leases its worker id from `store`, an object with a url() or a URL. Not started.
# conf: further lines of postgresql.conf, which win; init: arguments of Cluster::init; clock: an IdgenTest::Clock for the
# server to live by; start => 1: started, with the extension.
sub lease_server {
    my ($name, $store, %params) = @_;
    my $url  = ref $store ? $store->url : $store;
    # A short lease (window 2 s, max_ahead 1 s), so that its expiry takes seconds. Clients wait for ids rather than fail:
    # an outage shows in the status, and a client that gets an error has found a bug.
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

# Starts the server with its clock, if it has one.
sub start_server {
    my ($node) = @_;
    return defined $node->{_idgen_clock} ? $node->{_idgen_clock}->start($node) : $node->start;
}

# Declares the server's prefix new, so that servers need not wait for one TTL. Retries until the worker has reached the store.
# On a slow machine the wait may be over before, and the prefix in use: that is as good.
sub declare_new {
    my ($node) = @_;
    my ($status, $out, $error);
    wait_until {
        ($status, $out, $error) = $node->psql('postgres', 'SELECT idgen_declare_new_prefix()');
        return $status == 0 || $error =~ /the prefix is not new/;
    } or diag("the prefix could not be declared new: $error");
    return $out;
}

# The worker id that the server has at the moment.
sub worker_id_of { return status_of($_[0])->{worker_id} }

# The server's ceiling in ms since 1970; 0 if it has none.
sub ceiling_of {
    my ($node) = @_;
    return $node->safe_psql('postgres', 'SELECT coalesce((extract(epoch FROM ceiling) * 1000)::bigint, 0) FROM idgen_status()');
}

# The rows of idgen_workers() that match `condition` (by default: that are not free) as this server sees them, each as
# 'worker_id|state|port|is_self'.
sub worker_rows {
    my ($node, $condition) = @_;
    my ($status, $out, $error) = $node->psql('postgres',
        'SELECT worker_id, state, port, is_self FROM idgen_workers() WHERE ' . ($condition // "state <> 'free'") . ' ORDER BY 1');
    return $status == 0 ? split(/\n/, $out) : ("error: $error");
}

# The server's state becomes ok with this worker id.
sub ok_same_worker {
    my ($node, $worker_id, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok_status($node, "state = 'ok' AND worker_id = $worker_id", $name);
}

# The store acknowledges a renewal that is sent after this call.
sub ok_renews {
    my ($node, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $now = $node->safe_psql('postgres', 'SELECT clock_timestamp()');
    return ok_status($node, "last_renewal_at > '$now'::timestamptz + coalesce(renewal_latency, '0')", $name);
}

# The server reaches its ceiling, or has none: a caller who does not wait gets an error. Returns the error.
sub ok_out_of_ids {
    my ($node, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $error = '';
    ok(wait_until { $error = error_of($node, q(SET idgen.max_wait = '100ms'; SELECT idgen_next();)) }, $name);
    return $error;
}

# The load got no id earlier than `ms` from this server, because another server had a ceiling of `ms` with the same
# worker id: time under a ceiling is not used again, whether ids were issued in it or not.
sub ok_ids_after {
    my ($node, $ms, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $first = $node->safe_psql('postgres', 'SELECT (extract(epoch FROM min(idgen_timestamp(id))) * 1000)::bigint FROM orders');
    return cmp_ok($first, '>=', 0 + $ms, $name);
}

1;
