# Sequences of a database that is dumped and restored beside the original, under its own name and another, or upgraded by
# pg_upgrade, with and without the marks file, after the store lost its data.
use strict;
use warnings;

use File::Copy qw(copy);
use IdgenTest;
use IdgenTest::Faults;
use IdgenTest::Redis;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $store = IdgenTest::Redis->new(appendonly => 'no');
my $conf  = "idgen.sequence_store = '" . $store->url(socket => 1) . "'\n";
my $dir   = PostgreSQL::Test::Utils::tempdir();

sub server { my $node = new_server($_[0], conf => $conf); $node->start; return $node }

my $node = server('original');
$node->safe_psql('postgres', 'CREATE DATABASE shop');
$node->safe_psql('shop', <<'SQL');
CREATE EXTENSION idgen;
SELECT idgen_create_sequencer('named', 'shop:');
SELECT idgen_create_sequencer('fast', cache => 100);
CREATE TABLE message (number bigint PRIMARY KEY DEFAULT idgen_sequence_next('m'), named bigint UNIQUE DEFAULT idgen_sequence_next('m', 'named'),
    fast bigint UNIQUE DEFAULT idgen_sequence_next('m', 'fast'));
INSERT INTO message SELECT FROM generate_series(1, 50);
SQL

# --- dump and restore

$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/shop.dump", $node->connstr('shop') ], 'pg_dump');
my $insert = 'INSERT INTO message DEFAULT VALUES RETURNING number, named';
my $other = server('other');
$other->safe_psql('postgres', 'CREATE DATABASE shop; CREATE DATABASE branch');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $other->connstr($_), "$dir/shop.dump" ], "the dump is restored as $_") foreach qw(shop branch);
is($other->safe_psql('shop', $insert), '51|51', 'under the same name the sequence continues');
is($node->safe_psql('shop', $insert), '52|52', 'the original continues the same sequence');
is($other->safe_psql('shop', 'SELECT count(*) = count(fast) FROM message'), 't', 'a sequencer with a cache continues, too');
like(error_of($other, $insert, 'branch'), qr/ERROR:  23505/, 'under another name it begins at the start, because the database\'s name is part of the key');
$other->safe_psql('branch', q(SELECT idgen_sequence_set('m', max(number)) FROM message; SELECT idgen_sequence_set('m', max(fast), 'fast') FROM message));
like($other->safe_psql('branch', $insert), qr/^51\|5\d$/, 'it can be set to the table\'s maximum');
$other->stop;

# --- pg_upgrade

my $last = $node->safe_psql('shop', 'SELECT max(number) FROM message');
$node->stop;
my $marks = '/idgen.marks';
my $bindir = $node->config_data('--bindir');
my $upgraded = new_server('upgraded', conf => $conf);
chdir($PostgreSQL::Test::Utils::tmp_check);
$upgraded->command_ok(
    [ 'pg_upgrade', '--no-sync', '-b', $bindir, '-B', $bindir, '-d', $node->data_dir, '-D', $upgraded->data_dir,
        '-p', $node->port, '-P', $upgraded->port, '-s', $upgraded->host ],
    'pg_upgrade');
my $without = clone_of($upgraded, 'without_marks');
copy($node->data_dir . $marks, $upgraded->data_dir . $marks) or die "could not copy the marks: $!";
$store->cli('FLUSHALL');
$without->start;
like(error_of($without, 'INSERT INTO message (number) VALUES (idgen_sequence_next($$m$$))', 'shop'), qr/ERROR:  23505/,
    'without the marks file a loss is not noticed');
$without->stop;
$store->cli('FLUSHALL');
$upgraded->start;
is($upgraded->safe_psql('shop', q(INSERT INTO message DEFAULT VALUES RETURNING number)), $last + 1, 'with the marks file the store is raised');
like(slurp_file($upgraded->logfile), qr/had forgotten values of "shop:\{1:m\}"/, 'the loss is logged');
$upgraded->stop;

done_testing();
