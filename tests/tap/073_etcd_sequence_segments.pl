# Sequencers with a cache, whose segments come from etcd: the tests of 042.
use strict;
use warnings;

use IdgenTest::Etcd;
use IdgenTest::SequenceStore;

IdgenTest::Etcd::skip_without_etcd();
$IdgenTest::SequenceStore::class = 'IdgenTest::Etcd';
do './tests/tap/042_sequence_segments.pl';
die $@ if $@;
