# Worker ids held in advance by a standby, from etcd: the tests of 015.
use strict;
use warnings;

use IdgenTest::EtcdLeases;
use IdgenTest::LeaseServer;

IdgenTest::Etcd::skip_without_etcd();
$IdgenTest::LeaseServer::store_class = 'IdgenTest::EtcdLeases';
do './tests/tap/015_lease_on_standby.pl';
die $@ if $@;
