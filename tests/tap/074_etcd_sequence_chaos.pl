# Sequences of etcd under load while sessions, servers and the store are killed: the tests of 047 without a store that loses data.
use strict;
use warnings;

use IdgenTest::Etcd;
use IdgenTest::SequenceStore;

IdgenTest::Etcd::skip_without_etcd();
$IdgenTest::SequenceStore::class = 'IdgenTest::Etcd';
do './tests/tap/047_sequence_chaos.pl';
die $@ if $@;
