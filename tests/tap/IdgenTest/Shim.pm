# Libraries that a server's processes preload (LD_PRELOAD) to get a fault that nothing else can bring about: a clock that is
# moved, a disk that fails, a signal at one exact moment. Their sources are in shims/, each with its instructions.
package IdgenTest::Shim;

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use PostgreSQL::Test::Utils ();

our @EXPORT = qw(shim);

my $sources = dirname(dirname(abs_path(__FILE__))) . '/shims';

# Builds shims/NAME.c and returns the library's path.
sub shim {
    my ($name) = @_;
    my $library = PostgreSQL::Test::Utils::tempdir() . "/$name.so";
    PostgreSQL::Test::Utils::system_or_bail('cc', '-shared', '-fPIC', '-O2', '-o', $library, "$sources/$name.c", '-ldl');
    return $library;
}

1;
