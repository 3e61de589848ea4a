# A publication of all tables includes the extension's table of generators: a subscriber gets the generators that it does not have,
# keeps its own built-in one, and its sessions see changes.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

sub server
{
	my ($name, $worker_id) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(allows_streaming => 'logical');
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'idgen'\nidgen.worker_id = $worker_id");
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION idgen; CREATE TABLE orders (id bigint PRIMARY KEY DEFAULT idgen_next(), place text)');
	return $node;
}

my $publisher = server('publisher', 1);
my $subscriber = server('subscriber', 2);
$publisher->safe_psql('postgres', "SELECT idgen_create_generator('before', 'wide'); CREATE PUBLICATION everything FOR ALL TABLES");
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION everything CONNECTION \$\$" . $publisher->connstr('postgres') . "\$\$ PUBLICATION everything");
$subscriber->wait_for_subscription_sync($publisher, 'everything');
is($subscriber->safe_psql('postgres', 'SELECT name, built_in FROM idgen_catalog.idgen_generator ORDER BY name'), "before|f\ndefault|t", 'the initial copy brings the missing generators');

my $session = $subscriber->background_psql('postgres');
is($session->query_safe("SELECT (idgen_decode(idgen_next('before'), 'before')).worker_id"), '2', 'a session of the subscriber uses a copied generator');
$publisher->safe_psql('postgres', "SELECT idgen_drop_generator('before'); SELECT idgen_create_generator('before', 'js53'); SELECT idgen_create_generator('later')");
$publisher->safe_psql('postgres', "INSERT INTO orders (place) VALUES ('publisher')");
$publisher->wait_for_catchup('everything');
is($session->query_safe("SELECT idgen_next('before') < 9007199254740992"), 't', 'the session sees that it was dropped and created again');
is($session->query_safe("SELECT idgen_next('later') > 0"), 't', 'the session sees a new generator');
$session->quit;
is($subscriber->safe_psql('postgres', "SELECT (idgen_decode(id)).worker_id, place FROM orders"), '1|publisher', 'rows arrive with their ids');
like($subscriber->safe_psql('postgres', 'SELECT object, finding FROM idgen_check()'), qr/^server\|Its worker id is not leased, but it has subscriptions\.$/m, 'idgen_check() warns the subscriber');
like($publisher->safe_psql('postgres', 'SELECT object, finding FROM idgen_check()'), qr/^server\|Its worker id is not leased, but it has subscribers\.$/m, 'idgen_check() warns the publisher');
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION everything');
$_->stop for $subscriber, $publisher;
done_testing();
