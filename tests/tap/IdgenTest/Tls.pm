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
    my $self = bless { dir => PostgreSQL::Test::Utils::tempdir_short() }, $class;
    openssl('req', '-x509', new_key(), '-days', 3, '-subj', '/CN=idgen test CA', '-keyout', "$self->{dir}/ca.key", '-out', $self->ca);
    $self->issue('server', %params);
    return $self;
}

# Issues another certificate, for which cert() and key() have the name.
sub issue {
    my ($self, $name, %params) = @_;
    my $path  = "$self->{dir}/$name";
    my $names = $params{names} // 'IP:127.0.0.1,DNS:localhost';
    openssl('req', new_key(), '-subj', '/CN=store', '-keyout', "$path.key", '-out', "$path.csr");
    append_to_file("$path.names", "subjectAltName=$names\n");
    openssl('x509', '-req', '-in', "$path.csr", '-CA', $self->ca, '-CAkey', "$self->{dir}/ca.key", '-CAcreateserial',
        '-days', $params{days} // 3, '-extfile', "$path.names", '-out', "$path.crt");
    return;
}

sub new_key { return ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes') }

sub openssl {
    my ($out, $error);
    IPC::Run::run([ 'openssl', @_ ], '<', \'', '>', \$out, '2>', \$error) or die "openssl @_: $error";
    return;
}

# The paths of the files.
sub ca   { return "$_[0]->{dir}/ca.crt" }
sub cert { my ($self, $name) = @_; return "$self->{dir}/" . ($name // 'server') . '.crt' }
sub key  { my ($self, $name) = @_; return "$self->{dir}/" . ($name // 'server') . '.key' }

1;
