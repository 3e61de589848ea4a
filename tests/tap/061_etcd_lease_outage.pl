# Outages of an etcd, and of the network in front of it: the tests of 021 that do not need a store that forgets.
use strict;
use warnings;

use IdgenTest::EtcdLeases;
use IdgenTest::LeaseServer;

IdgenTest::Etcd::skip_without_etcd();
$IdgenTest::LeaseServer::store_class = 'IdgenTest::EtcdLeases';
do './tests/tap/021_lease_outage.pl';
die $@ if $@;
