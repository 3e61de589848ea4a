# A certificate authority and a certificate that it issued, for a store with TLS.
package IdgenTest::Tls;

use strict;
use warnings;

use IPC::Run;
use POSIX qw(strftime);
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
    # Newer versions of "openssl x509 -req" refuse an end in the past.
    my ($from, $to) = map { strftime('%Y%m%d%H%M%SZ', gmtime(time + 86400 * $_)) } sort { $a <=> $b } -2, $params{days} // 3;
    openssl('ca', '-batch', '-notext', '-config', $self->config, '-in', "$path.csr", '-cert', $self->ca, '-keyfile', "$self->{dir}/ca.key",
        '-startdate', $from, '-enddate', $to, '-extfile', "$path.names", '-out', "$path.crt");
    return;
}

# The configuration of the authority, which keeps a list of what it has issued.
sub config {
    my ($self) = @_;
    my $path = "$self->{dir}/ca.cnf";
    return $path if -e $path;
    append_to_file("$self->{dir}/index",  '');
    append_to_file("$self->{dir}/serial", "01\n");
    append_to_file($path, <<CONF);
[ca]
default_ca = idgen
[idgen]
database = $self->{dir}/index
serial = $self->{dir}/serial
new_certs_dir = $self->{dir}
default_md = sha256
unique_subject = no
policy = any
[any]
commonName = supplied
CONF
    return $path;
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
