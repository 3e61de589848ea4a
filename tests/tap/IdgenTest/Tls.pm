# A certificate authority and a certificate that it issued, for a store with TLS.
package IdgenTest::Tls;

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Utils;

# names: the certificate's subjectAltName, by default 127.0.0.1 and localhost. days: how long it is valid, by default three; -1: it
# has expired.
sub new {
    my ($class, %params) = @_;
    my $dir   = PostgreSQL::Test::Utils::tempdir_short();
    my $names = $params{names} // 'IP:127.0.0.1,DNS:localhost';
    my @key   = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes');
    my $run   = sub {
        my ($ok, $out, $error);
        $ok = IPC::Run::run([ 'openssl', @_ ], '<', \'', '>', \$out, '2>', \$error);
        die "openssl @_: $error" if !$ok;
    };
    $run->('req', '-x509', @key, '-days', 3, '-subj', '/CN=idgen test CA', '-keyout', "$dir/ca.key", '-out', "$dir/ca.crt");
    $run->('req', @key, '-subj', '/CN=store', '-keyout', "$dir/server.key", '-out', "$dir/server.csr");
    append_to_file("$dir/names", "subjectAltName=$names\n");
    $run->('x509', '-req', '-in', "$dir/server.csr", '-CA', "$dir/ca.crt", '-CAkey', "$dir/ca.key", '-CAcreateserial',
        '-days', $params{days} // 3, '-extfile', "$dir/names", '-out', "$dir/server.crt");
    return bless { dir => $dir }, $class;
}

# The paths of the files.
sub ca   { return "$_[0]->{dir}/ca.crt" }
sub cert { return "$_[0]->{dir}/server.crt" }
sub key  { return "$_[0]->{dir}/server.key" }

1;
