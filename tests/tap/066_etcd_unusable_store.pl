# Etcds that cannot be used: the tests of 023.
use strict;
use warnings;

use IdgenTest::EtcdLeases;
use IdgenTest::LeaseServer;

IdgenTest::Etcd::skip_without_etcd();
$IdgenTest::LeaseServer::store_class = 'IdgenTest::EtcdLeases';
do './tests/tap/023_lease_unusable_store.pl';
die $@ if $@;
