# The poller of docs/ranges.md, beside one that remembers the last id it saw: ids are not in commit order.
use strict;
use warnings;

use IdgenTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('main', conf => "autovacuum = off\nmax_prepared_transactions = 2");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION idgen');
my ($chapter) = slurp_file('docs/ranges.md') =~ /^## What an id is not\n(.*)/ms or die 'the recipes are not in docs/ranges.md';
my ($tables, $poll) = $chapter =~ /^```sql\n(.*?)^```/msg;
$node->safe_psql('postgres', $tables);

sub messages { return join(' ', map { (split(/\|/))[1] } split(/\n/, $node->safe_psql('postgres', $_[0]))) }

# The naive poller: it remembers the last id.
my $last = 0;
sub poll_by_id {
    my @rows = split(/\n/, $node->safe_psql('postgres', "SELECT id, message FROM outbox WHERE id > $last ORDER BY id"));
    ($last) = $rows[-1] =~ /^(\d+)/ if @rows;
    return join(' ', map { (split(/\|/))[1] } @rows);
}

is(messages($poll), 'paid sent', 'the poller sees what is there');
is(poll_by_id(), 'paid sent', 'by id: the poller sees the same');
is(messages($poll), '', 'each message is seen once');

my $slow = $node->background_psql('postgres');
$slow->query_safe($_) foreach 'BEGIN', q(INSERT INTO outbox (message) VALUES ('slow'));
$node->safe_psql('postgres', q(INSERT INTO outbox (message) VALUES ('quick')));
is(poll_by_id(), 'quick', 'by id: the later id is seen first');
is(messages($poll), '', 'the poller waits for the transaction that began earlier');
$slow->query_safe('COMMIT');
is(poll_by_id(), '', 'by id: the smaller id is never seen');
is(messages($poll), 'slow quick', 'the poller sees both messages');

# Rows of a savepoint have their transaction's number. A prepared transaction counts as running.
$slow->query_safe($_) foreach 'BEGIN', 'SAVEPOINT s', q(INSERT INTO outbox (message) VALUES ('inner')), 'RELEASE s',
  q(PREPARE TRANSACTION 'p');
$node->safe_psql('postgres', q(INSERT INTO outbox (message) VALUES ('outer')));
is(messages($poll), '', 'the poller waits for a prepared transaction');
$node->safe_psql('postgres', q(COMMIT PREPARED 'p'));
is(messages($poll), 'inner outer', 'the poller sees its rows after the commit');

# Writers that keep their transactions open for a while, with a poller beside them.
my $writer = <<'SQL';
BEGIN;
INSERT INTO outbox (message) VALUES (:client_id);
SELECT pg_sleep(random() * 0.01);
END;
SQL
append_to_file($node->basedir . '/writer.sql', $writer);
my $load = IPC::Run::start([ 'pgbench', '-n', '-c', 8, '-t', 100, '-f', $node->basedir . '/writer.sql', $node->connstr('postgres') ],
    '>', \my $out, '2>', \my $err);
my (%seen, $rounds, $late);
$late = 0;
my $poll_once = sub {
    ++$seen{$_} foreach split(/\n/, $node->safe_psql('postgres', $poll));
    my @rows = split(/\n/, $node->safe_psql('postgres', "SELECT id FROM outbox WHERE id > $last ORDER BY id"));
    $last = $rows[-1] if @rows;
    $late += @rows;
    return ++$rounds;
};
while ($load->pumpable) { $load->pump_nb; $poll_once->() }
ok($load->finish, 'all writers succeeded');
ok(wait_until { $poll_once->(); keys %seen >= 800 }, 'the poller sees every message') or diag(scalar keys %seen);
is(scalar(grep { $_ != 1 } values %seen), 0, 'the poller sees each message once');
cmp_ok($late, '<', 800, "by id, some of 800 messages are missed: it saw $late in $rounds rounds");

$slow->quit;
$node->stop;
done_testing();
