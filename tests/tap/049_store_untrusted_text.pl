# What a store replies, and what other servers have written into it, is shown and logged as printable ASCII only: without escape
# codes, without bytes that are invalid in the database's encoding, and without addresses for ordinary roles.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::LeaseServer;
use IdgenTest::NotRedis;
use IdgenTest::Redis;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $store = IdgenTest::Redis->new;
my $node  = lease_server('store_words', $store, start => 1, init => { extra => [ '--encoding=UTF8', '--locale=C' ] });
declare_new($node);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE words (about text, word text);
SELECT idgen_create_sequencer('scripted', 'g:', max_value => 1000000);
-- What a program keeps that handles an error.
CREATE FUNCTION keep(query text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE message text; detail text; hint text; context text;
BEGIN
    EXECUTE query;
    RAISE EXCEPTION 'no error: %', query;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
    INSERT INTO words SELECT query, unnest(ARRAY[message, detail, hint, context]);
END $$;
SQL
is($node->safe_psql('postgres', 'SHOW server_encoding'), 'UTF8', 'a database in UTF-8');

# All texts are valid UTF-8 and printable ASCII, and one of them matches.
sub ok_kept {
    my ($pattern, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $words = $node->safe_psql('postgres', q(SELECT string_agg(word, ' | ') FROM words));
    like($words, $pattern, $name);
    # textsend() returns the bytes as they are stored; convert_from() rejects invalid UTF-8.
    my ($status, $bad, $error) = $node->psql('postgres', q(SELECT count(*) FROM words WHERE convert_from(textsend(word), 'UTF8') ~ '[^ -~\n]'));
    is("$bad$error", '0', "$name: all texts are printable");
    $node->safe_psql('postgres', 'TRUNCATE words');
    return;
}

# --- records written by other servers

my $token = 'x' x 36;
my $at    = sprintf('%016d', 1700000000000);
foreach my $record ([ 900, "h\x1b[31m\xff|5432|/data/\xc3(\x07" ], [ 901, 'h|99999999999|/data' ], [ 902, 'h|65535|/data' ], [ 903, "\xe2\x80\xaetxt" ],
    [ 904, 'h|-1|/d' ], [ 905, 'h||' ]) {
    $store->cli('HSET', 'idgen:worker', "w$record->[0]", "$at|$at|$token|$at|$record->[1]");
}
$node->safe_psql('postgres', 'INSERT INTO words SELECT worker_id, unnest(ARRAY[host, data_directory]) FROM idgen_workers()');
ok_kept(qr{h\\x1b\[31m\\xff \| /data/\\xc3\(\\x07}, 'idgen_workers()');
is($node->safe_psql('postgres', 'SELECT worker_id, port FROM idgen_workers() WHERE worker_id >= 900 ORDER BY 1'),
    "900|5432\n901|\n902|65535\n903|\n904|\n905|", 'idgen_workers() shows no port if the record has none');

# --- replies to sequences

my $fake = IdgenTest::NotRedis->new('unclean');
change_settings($node, "idgen.sequence_store = '" . $fake->url . "'");
wait_until { $node->safe_psql('postgres', 'SHOW idgen.sequence_store') eq $fake->url } or die 'the setting did not take effect';
$node->safe_psql('postgres', "SELECT keep(\$\$SELECT $_\$\$)")
  foreach q(idgen_sequence_next('k')), q(idgen_sequence_next('k', 'scripted')), q(idgen_sequence_peek('k')), q(idgen_sequence_set('k', 1)),
  q(idgen_sequence_delete_key('k'));
ok_kept(qr/NOSCRIPT \\xff\\x1b\[31mred\\xc3\(\\x07/, 'errors of sequences');

# --- replies to the lease

change_settings($node, "idgen.lease_store = '" . $fake->url . "'");
ok_status($node, q(last_error ~ 'NOSCRIPT \\\\xff'), 'last_error');
$node->safe_psql('postgres', "SELECT keep('SELECT * FROM $_()')") foreach qw(idgen_workers idgen_declare_new_prefix);
$node->safe_psql('postgres', q(INSERT INTO words SELECT 'status', unnest(ARRAY[state, reason, advice, last_error, worker_source]) FROM idgen_status()));
ok_kept(qr/NOSCRIPT \\xff\\x1b\[31mred\\xc3\(\\x07/, 'errors of the lease');

# --- addresses

my $moved = IdgenTest::NotRedis->new('moved');
change_settings($node, "idgen.sequence_store = '" . $moved->url . "'");
wait_until { $node->safe_psql('postgres', 'SHOW idgen.sequence_store') eq $moved->url } or die 'the setting did not take effect';
$node->safe_psql('postgres', q(CREATE ROLE app; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO app));
foreach my $call (q(idgen_sequence_next('k')), q(idgen_sequence_next('k', 'scripted')), q(idgen_sequence_delete_key('k')), q(idgen_sequence_next_keys('{a,b}'))) {
    my (undef, undef, $error) = $node->psql('postgres', "SET ROLE app; SELECT $call");
    like($error, qr/DETAIL:.*MOVED 3999/, "$call: the error has the store's message");
    unlike($error, qr/elsewhere/, "$call: the error does not have the address in it");
}

$node->stop;
unlike(slurp_file($node->logfile), qr/[^\t\n -~]/, 'the log is printable ASCII, too');
like(slurp_file($node->logfile), qr/lease store failed: .*NOSCRIPT \\xff/, 'the log has the store\'s message');
done_testing();
