# The store of the sequences that a test file is about.
package IdgenTest::SequenceStore;

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT = qw(sequence_store);

# Its class. A file for another store sets it and runs the same tests.
our $class = 'IdgenTest::Redis';

# A store of that class, with its parameters.
sub sequence_store { return $class->new(@_) }

1;
