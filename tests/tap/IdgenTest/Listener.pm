# The listening socket of the servers that tests make up.
package IdgenTest::Listener;

use strict;
use warnings;

use Exporter qw(import);
use IO::Socket::INET;

our @EXPORT = qw(listen_on);

# A non-blocking socket that listens on a port of 127.0.0.1.
sub listen_on {
    my ($port) = @_;
    return IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1', LocalPort => $port, ReuseAddr => 1, Blocking => 0)
      // die "could not listen on $port: $!";
}

1;
