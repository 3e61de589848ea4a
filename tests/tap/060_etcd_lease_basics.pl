# Leases from etcd: the tests of 020, which are Redis', with what differs between the two stores told there.
use strict;
use warnings;

use IdgenTest::EtcdLeases;
use IdgenTest::LeaseServer;

IdgenTest::Etcd::skip_without_etcd();
$IdgenTest::LeaseServer::store_class = 'IdgenTest::EtcdLeases';
do './tests/tap/020_lease_basics.pl';
die $@ if $@;
