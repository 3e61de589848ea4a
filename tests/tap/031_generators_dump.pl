# Generators as data: dumped and restored, copied with a template database, dropped and created again, rolled back; and who may
# create them. The meaning of an id never changes, and no id is issued twice.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Ledger;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir  = PostgreSQL::Test::Utils::tempdir();
my $node = new_server('main', conf => 'max_prepared_transactions = 2');
$node->start;

sub sql {
    my ($database, $sql) = @_;
    return $node->safe_psql($database, $sql);
}

sub ids { return split(/\s+/, sql(@_)) }

# Sessions, [ database, expression ] each, that issue ids at the same time: repeats until each has issued some before any of them
# was done. The pauses make that likely on a busy machine, too. Adds all ids to the ledger.
sub at_once {
    my ($into, $name, @sessions) = @_;
    my $met = wait_until {
        my $start = sql('postgres', q(SELECT extract(epoch FROM clock_timestamp()) + 0.3));
        my @running;
        foreach my $session (@sessions) {
            my ($database, $expression) = @$session;
            my $file = "$dir/at_once_" . @running;
            unlink("$file.sql");
            append_to_file("$file.sql", "DO 'BEGIN PERFORM pg_sleep($start - extract(epoch FROM clock_timestamp())); END';\n"
              . "SELECT $expression FROM generate_series(1, 500);\nDO 'BEGIN PERFORM pg_sleep(0.02); END';\n" x 20);
            my @psql = ('psql', '-XAtq', '-F', "\n", '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($database), '-f', "$file.sql");
            push(@running, { out => "$file.out", psql => IPC::Run::start(\@psql, '>', "$file.out") });
        }
        $_->{psql}->finish or die 'a session failed' foreach @running;
        my @lists = map { [ split(/\n/, slurp_file($_->{out})) ] } @running;
        $into->add(undef, @$_) foreach @lists;
        my ($latest_first) = sort { $b <=> $a } map { $_->[0] } @lists;
        my ($earliest_last) = sort { $a <=> $b } map { $_->[-1] } @lists;
        return $latest_first < $earliest_last;
    };
    ok($met, "$name: all sessions issued ids at the same time");
    $into->check($name);
    return;
}

my $rows = 'SELECT * FROM idgen_catalog.idgen_generator ORDER BY name; SELECT * FROM idgen_catalog.idgen_sequencer ORDER BY name';
my $ledger = IdgenTest::Ledger->new;    # of the layout of 'orders'

sql('postgres', 'CREATE DATABASE shop');
sql('shop', <<'SQL');
CREATE EXTENSION idgen;
SELECT idgen_create_generator('orders', 'time:42,worker:8,sequence:12', '2020-02-02 00:00+00', comment => 'as they come in');
SELECT idgen_create_generator('Kunden "Süd"', 'genesis', region_id => 3);
SELECT idgen_create_generator('flake', 'sonyflake');
SELECT idgen_create_generator('plain');
SELECT idgen_create_sequencer('ticket', 'shop:ticket:', start => 100, step => 10, max_value => 135, cycle => true, comment => 'round');
SELECT idgen_create_sequencer('day', ttl => '2 days', ttl_mode => 'sliding');
SELECT idgen_create_sequencer('fast', cache => 1000);
CREATE TABLE orders (id bigint PRIMARY KEY DEFAULT idgen_next('orders'), customer bigint DEFAULT idgen_next('Kunden "Süd"'));
INSERT INTO orders SELECT FROM generate_series(1, 1000);
SQL
$ledger->add(undef, ids('shop', 'SELECT id FROM orders ORDER BY id'));
my $before = sql('shop', $rows);
like($before, qr/^default\|.*\|t$/m, 'the table has the built-in row');

# --- dump and restore

$node->command_ok([ 'pg_dump', '-f', "$dir/shop.sql", $node->connstr('shop') ], 'pg_dump, plain');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/shop.dump", $node->connstr('shop') ], 'pg_dump, custom');
my $dump = slurp_file("$dir/shop.sql");
my ($copied) = $dump =~ /^(COPY idgen_catalog\.idgen_generator .*?^\\\.)$/ms;
is(scalar(() = $copied =~ /\tf$/mg), 4, 'the dump has the four generators');
my ($copied_sequencers) = $dump =~ /^(COPY idgen_catalog\.idgen_sequencer .*?^\\\.)$/ms;
is(scalar(() = $copied_sequencers =~ /\tf$/mg), 3, 'the dump has the three sequencers');
unlike($copied_sequencers, qr/^default\t/m, 'the dump does not have the built-in sequencer');
unlike($copied, qr/^default\t/m, 'the dump does not have the built-in generator');

# Restores a plain dump. Returns the error output of psql.
sub restore {
    my ($to, $database, $text) = @_;
    my ($in, $err) = ($text, '');
    IPC::Run::run([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-v', 'VERBOSITY=verbose', '-d', $to->connstr($database) ],
        '<', \$in, '>', \my $out, '2>', \$err);
    return $err;
}

sql('postgres', 'CREATE DATABASE plain; CREATE DATABASE custom');
is(restore($node, 'plain', $dump), '', 'a dump is restored with psql');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('custom'), "$dir/shop.dump" ], 'a dump is restored with pg_restore');
foreach my $database (qw(plain custom)) {
    is(sql($database, $rows), $before, "$database: the generators are the same");
    is( sql($database, 'SELECT * FROM orders ORDER BY id'), sql('shop', 'SELECT * FROM orders ORDER BY id'),
        "$database: the ids are the same");
}
at_once($ledger, 'the original and what was restored beside it', map { [ $_, q(idgen_next('orders')) ] } qw(shop plain custom));

my $other = new_server('other', conf => 'idgen.worker_id = 2');
$other->start;
is(restore($other, 'postgres', $dump), '', 'a dump is restored in a fresh cluster');
is($other->safe_psql('postgres', $rows), $before, 'fresh cluster: the generators are the same');
$ledger->add_unordered(undef,
    split(/\n/, $other->safe_psql('postgres', 'INSERT INTO orders SELECT FROM generate_series(1, 1000) RETURNING id')));
$ledger->check('in a fresh cluster with another worker id');
is($other->safe_psql('postgres', q(SELECT region_id, worker_id FROM idgen_decode(idgen_next('Kunden "Süd"'), 'Kunden "Süd"'))),
    '3|2', 'fresh cluster: ids mean the same as before');

# Data only, with triggers disabled.
$other->safe_psql('postgres', 'CREATE DATABASE past');
$node->command_ok([ 'pg_restore', '-s', '--exit-on-error', '-d', $other->connstr('past'), "$dir/shop.dump" ], 'the schema is restored');
$node->command_ok([ 'pg_restore', '-a', '--disable-triggers', '--exit-on-error', '-d', $other->connstr('past'), "$dir/shop.dump" ],
    'the data is restored with --disable-triggers');
is($other->safe_psql('past', $rows), $before, '--disable-triggers: the generators are the same');
my $check = q(SELECT object FROM idgen_check() WHERE finding LIKE 'Not all of its triggers%' ORDER BY 1);
is($other->safe_psql('past', $check), "table idgen_catalog.idgen_generator\ntable idgen_catalog.idgen_sequencer", 'idgen_check() finds triggers that were changed');
$other->safe_psql('past', $other->safe_psql('past', q(SELECT advice FROM idgen_check() WHERE object LIKE 'table idgen%')));
is($other->safe_psql('past', $check), '', 'the advice of idgen_check() restores them');
is($other->safe_psql('postgres', $check), '', 'idgen_check() finds nothing in a database whose triggers were not changed');
my $guarded = 'CREATE TABLE guarded (id bigint DEFAULT idgen_next()); SELECT idgen_guard(\'guarded\');';
$other->safe_psql('past', $guarded);
is($other->safe_psql('past', q(SELECT count(*) FROM idgen_check() WHERE object = 'table guarded')), '0', 'idgen_check() finds nothing about the guard, either');
# The statements with which pg_restore surrounds the rows of a table.
$other->safe_psql('past', 'ALTER TABLE guarded DISABLE TRIGGER ALL; ALTER TABLE guarded ENABLE TRIGGER ALL');
$other->safe_psql('past', $other->safe_psql('past', q(SELECT advice FROM idgen_check() WHERE object = 'table guarded' AND finding LIKE 'Its guard does not fire%')));
is($other->safe_psql('past', q(SELECT tgenabled FROM pg_trigger WHERE tgname = 'idgen_guard_id')), 'R', 'idgen_check() finds a guard that does not fire, and its advice repairs it');
my $knows = $other->background_psql('past', on_error_stop => 0);
$ledger->add(undef, $knows->query_safe(q(SELECT idgen_next('orders'))));
$other->safe_psql('past', q(SET session_replication_role = replica; DELETE FROM idgen_catalog.idgen_generator WHERE name = 'orders'));
$knows->query(q(SELECT idgen_next('orders')));
like($knows->{stderr}, qr/generator "orders" does not exist/, 'after that an open session sees rows that replication inserts');
$knows->quit;

# A dump of one table or one schema has no generators: the default names the missing one.
$node->command_ok([ 'pg_dump', '-s', '-f', "$dir/schema.sql", $node->connstr('shop') ], 'pg_dump, schema only');
$other->safe_psql('postgres', 'CREATE DATABASE bare');
is(restore($other, 'bare', slurp_file("$dir/schema.sql")), '', 'a dump of the schema alone is restored');
like(error_of($other, 'INSERT INTO orders DEFAULT VALUES', 'bare'), qr/ERROR:  42704: generator "orders" does not exist/,
    'a schema without its generators: the error names the missing one');
$node->command_ok([ 'pg_dump', '-t', 'orders', '-f', "$dir/table.sql", $node->connstr('shop') ], 'pg_dump, one table');
unlike(slurp_file("$dir/table.sql"), qr/^COPY idgen_catalog\.idgen_generator/m, 'a dump of one table does not have the generators');

# --- manipulated dumps

my ($row) = $copied =~ /^(orders\t.*)$/m;
my %forged = (
    'a layout that is none' => [ $row =~ s/\ttime:42,/\ttime:99,/r, qr/ERROR:  22023: invalid layout\nDETAIL:  Field "time" has 99 bits/ ],
    'time not first'        => [ $row =~ s/\ttime:42,worker:8,/\tworker:8,time:42,/r, qr/ERROR:  22023: cannot issue ids in this layout\nDETAIL:  Its first field is not time/ ],
    'more than 64 bits'     => [ $row =~ s/sequence:12/sequence:30/r, qr/ERROR:  22023: invalid layout\nDETAIL:  The fields have 80 bits in total/ ],
    'an unknown field'      => [ $row =~ s/worker:8/planet:8/r, qr/ERROR:  22023: invalid layout\nDETAIL:  Unknown field "planet"/ ],
    'no name'               => [ $row =~ s/^orders//r, qr/ERROR:  42602: invalid generator name/ ],
    'a second default'      => [ $row =~ s/^orders/default/r, qr/ERROR:  23505: .*idgen_generator_pkey/ ],
    'a built-in one'        => [ $row =~ s/f$/t/r, qr/ERROR:  55000: generator "orders" is built in/ ],
    'a region without room' => [ $copied =~ /^(Kunden.*)$/m ? $1 =~ s/\t3\t/\t32\t/r : '', qr/ERROR:  22023: region_id 32 does not fit the layout\nDETAIL:  .*holds 0 to 31/ ],
);
foreach my $name (sort keys %forged) {
    my ($line, $reason) = @{ $forged{$name} };
    my $of = $line =~ /^Kunden/ ? qr/^Kunden.*$/m : qr/^\Q$row\E$/m;
    $other->safe_psql('postgres', 'DROP DATABASE IF EXISTS forged');
    $other->safe_psql('postgres', 'CREATE DATABASE forged');
    like(restore($other, 'forged', $dump =~ s/$of/$line/r), $reason, "a dump with $name is refused");
}
my $change = 'UPDATE idgen_catalog.idgen_generator SET %s;';
like(restore($other, 'postgres', sprintf($change, q(layout = 'time:41,worker:9,sequence:12' WHERE name = 'orders'))),
    qr/ERROR:  55000: generator "orders" cannot be changed\nDETAIL:  Only the comment can be changed, not column "layout"/, 'an UPDATE of a layout is refused');
like(restore($other, 'postgres', sprintf($change, q(epoch = epoch + interval '1 ms' WHERE name = 'orders'))),
    qr/ERROR:  55000: .*\nDETAIL:  Only the comment can be changed, not column "epoch"/, 'a changed epoch is refused');
like(restore($other, 'postgres', sprintf($change, q(name = 'bestellungen' WHERE name = 'orders'))),
    qr/ERROR:  55000: .*\nDETAIL:  Only the comment can be changed, not column "name"/, 'a changed name is refused');
like(restore($other, 'postgres', sprintf($change, q(built_in = true WHERE name = 'orders'))), qr/ERROR:  55000/, 'a changed built_in is refused');
is(restore($other, 'postgres', sprintf($change, q(comment = 'another' WHERE name = 'orders'))), '', 'a changed comment is accepted');
like(restore($other, 'postgres', q(DELETE FROM idgen_catalog.idgen_generator WHERE name = 'default')), qr/ERROR:  55000: .*is built in/,
    'the built-in generator cannot be deleted');
is($other->safe_psql('postgres', q(SELECT count(*) FROM idgen_generators WHERE name IN ('default', 'orders'))), 2, 'refused dumps have changed nothing');

# --- one line per layout: a template database, two names, dropped and created again

sql('postgres', 'CREATE DATABASE twin TEMPLATE shop');
is(sql('twin', $rows), $before, 'template: the generators are the same');
at_once($ledger, 'a database and its copy', map { [ $_, q(idgen_next('orders')) ] } qw(shop twin shop twin));

sql('shop', q(SELECT idgen_create_generator('orders too', ' time:42, worker:8 ,sequence:12', '2020-02-02 01:00+01', '1000 us')));
at_once($ledger, 'two names of one layout', [ 'shop', q(idgen_next('orders')) ], [ 'shop', q(idgen_next('orders too')) ],
    [ 'twin', q(idgen_next('orders')) ], [ 'shop', q(idgen_next('orders'), idgen_next('orders too')) ]);

at_once(IdgenTest::Ledger->new, 'the default generator and another one of the same layout',
    [ 'shop', 'idgen_next()' ], [ 'shop', q(idgen_next('plain')) ], [ 'twin', q(idgen_next('default'), idgen_next()) ]);

foreach my $round (1 .. 3) {
    $ledger->add(undef, ids('shop', <<'SQL'));
SELECT idgen_next('orders') FROM generate_series(1, 3);
DO $$ BEGIN
    PERFORM idgen_drop_generator('orders');
    PERFORM idgen_create_generator('orders', 'time:42,worker:8,sequence:12', '2020-02-02 00:00+00');
END $$;
SELECT idgen_next('orders') FROM generate_series(1, 3);
SQL
}
my $last = $ledger->max;
sql('shop', q(SELECT idgen_drop_generator('orders')));
$node->restart;
ok($node->poll_query_until('shop', q(SELECT state = 'ok' FROM idgen_status())), 'a restart');
sql('shop', q(SELECT idgen_create_generator('orders', 'time:42,worker:8,sequence:12', '2020-02-02 00:00+00')));
my @again = ids('shop', q(SELECT idgen_next('orders') FROM generate_series(1, 1000)));
cmp_ok($again[0], '>', $last, 'dropped, restarted, created again: ids are above all earlier ones');
$ledger->add(undef, @again);
$ledger->check('dropped and created again');

# --- a name with a new meaning, in sessions that have used the old one

my $open = $node->background_psql('shop', on_error_stop => 0);
$open->query_safe(q(SELECT idgen_create_generator('x', 'time:41,worker:10,sequence:12', '2022-01-01 00:00+00')));
$open->query_safe($_) foreach 'PREPARE next AS SELECT idgen_next($$x$$)', 'PREPARE next_of (text) AS SELECT idgen_next($1)',
  'CREATE FUNCTION next_x() RETURNS bigint LANGUAGE plpgsql AS $f$ BEGIN RETURN idgen_next($$x$$); END $f$',
  'CREATE TABLE of_x (id bigint DEFAULT idgen_next($$x$$))';
my %ways = (
    'a call'            => 'SELECT idgen_next($$x$$);',
    'a prepared one'    => 'EXECUTE next;',
    'one by parameter'  => 'EXECUTE next_of ($$x$$);',
    'one in a function' => 'SELECT next_x();',
    'a default'         => 'INSERT INTO of_x DEFAULT VALUES RETURNING id;',
);
foreach my $layout ('time:41,worker:10,sequence:12', 'time:41,worker:6,sequence:16', 'time:40,worker:16,sequence:6') {
    sql('shop', "SELECT idgen_drop_generator('x'); SELECT idgen_create_generator('x', '$layout', '2022-01-01 00:00+00')");
    foreach my $way (sort keys %ways) {
        my $id = $open->query_safe($ways{$way});
        is( sql('shop', "SELECT worker_id, abs(extract(epoch FROM generated_at - now())) < 60 FROM idgen_decode_layout($id, '$layout', '2022-01-01 00:00+00')"),
            '1|t', "$layout: an open session uses it after $way");
        is($open->query_safe("SELECT worker_id FROM idgen_decode($id, 'x')"), 1, "$layout: an open session decodes with it after $way");
    }
}
sql('shop', q(SELECT idgen_drop_generator('x')));
foreach my $way (sort keys %ways) {
    $open->{stderr} = '';
    $open->query($ways{$way});
    like($open->{stderr}, qr/generator "x" does not exist/, "dropped: an open session gets an error after $way");
    $open->{stderr} = '';
}

# --- rollbacks

# The last line of the output of statements of one session, which continues after an error.
sub attempt {
    my ($sql) = @_;
    my ($status, $out, $err) = $node->psql('shop', $sql, on_error_stop => 0);
    return ((split(/\n/, $out))[-1], $err);
}

my $none = qr/ERROR:  generator "y" does not exist/;
my $make_y = q(SELECT name FROM idgen_create_generator('y', 'wide'););
my $layout_of_y = q(SELECT fields FROM idgen_catalog.idgen_generator g, idgen_describe_layout(layout) WHERE name = 'y';);
my ($out, $err);
($out, $err) = attempt("BEGIN; $make_y SELECT idgen_next('y') > 0; ROLLBACK; SELECT idgen_next('y');");
is($out, 't', 'a transaction uses the generator that it creates');
like($err, $none, 'after a rollback the generator does not exist');
($out, $err) = attempt("BEGIN; SAVEPOINT s; $make_y SELECT idgen_next('y') > 0; ROLLBACK TO s; SELECT idgen_next('y'); COMMIT;");
like($err, $none, 'after a rollback to a savepoint it does not exist');
($out, $err) = attempt("BEGIN; $make_y SELECT idgen_next('y') > 0; PREPARE TRANSACTION 'y'; SELECT idgen_next('y');");
like($err, $none, 'a prepared transaction: it does not exist before the commit');
($out, $err) = attempt("COMMIT PREPARED 'y'; SELECT idgen_next('y') > 0;");
is($out, 't', 'a prepared transaction: it exists after the commit');
($out, $err) = attempt("SELECT idgen_next('y'); BEGIN; SELECT idgen_drop_generator('y'); SELECT idgen_next('y'); ROLLBACK; SELECT idgen_next('y') > 0;");
like($err, $none, 'a dropped generator is gone in the same transaction');
is($out, 't', 'a dropped generator is back after a rollback');
($out, $err) = attempt(<<'SQL');
SELECT idgen_next('y');
BEGIN;
SELECT idgen_drop_generator('y');
SELECT idgen_create_generator('y', 'time:41,worker:10,sequence:12', '2022-01-01 00:00+00');
SELECT idgen_next('y');
ROLLBACK;
SELECT worker_id FROM idgen_decode_layout(idgen_next('y'), 'wide');
SQL
is($out, 1, 'created with another layout and rolled back: the old meaning is back');
sql('shop', q(DO $$ BEGIN PERFORM idgen_drop_generator('y'); END $$; TRUNCATE orders));

# Concurrent creation of one name: one session wins, the other gets an error.
my $creator = $node->background_psql('shop', on_error_stop => 0);
$creator->query_safe('BEGIN');
$creator->query_safe($make_y);
$open->query_until(qr/waits/, "\\echo waits\n$make_y\n\\echo ended\n");
ok($node->poll_query_until('shop', q(SELECT count(*) = 1 FROM pg_locks WHERE NOT granted)), 'a second session waits for the first');
$creator->query_safe('COMMIT');
$open->query_until(qr/ended/, '');
like($open->{stderr}, qr/ERROR:  generator "y" already exists/, 'the second session gets an error when the first has committed');
$_->quit foreach $open, $creator;

# --- privileges

sql('shop', q(CREATE ROLE app));
my %refused = (
    'create'            => q(SELECT idgen_create_generator('z')),
    'drop'              => q(SELECT idgen_drop_generator('y')),
    'comment on'        => q(SELECT idgen_comment_on_generator('y', 'mine')),
    'insert'            => q(INSERT INTO idgen_catalog.idgen_generator (name, layout) VALUES ('z', 'wide')),
    'update'            => q(UPDATE idgen_catalog.idgen_generator SET comment = 'mine'),
    'delete'            => q(DELETE FROM idgen_catalog.idgen_generator),
    'truncate'          => q(TRUNCATE idgen_catalog.idgen_generator),
    'call the trigger'  => q(CREATE TEMPORARY TABLE t (name text); CREATE TRIGGER t BEFORE INSERT ON t EXECUTE FUNCTION idgen_generator_changed()),
);
like(error_of($node, "SET ROLE app; $refused{$_}", 'shop'), qr/ERROR:  42501: permission denied/, "a role without privileges cannot $_")
  foreach sort keys %refused;
is( sql('shop', q(SET ROLE app; SELECT count(*) FROM (SELECT idgen_next('y') UNION SELECT idgen_batch(10, 'y') UNION SELECT idgen_next()) t (id) WHERE id > idgen_min_id(now() - interval '1 min', 'y') OR idgen_timestamp(id) > now() - interval '1 min')),
    12, 'a role without privileges can use generators');
is(sql('shop', q(SET ROLE app; SELECT count(*) > 4 FROM idgen_generators)), 't', 'a role without privileges can see generators');
sql('shop', 'GRANT EXECUTE ON FUNCTION idgen_create_generator TO app');
is(sql('shop', q(SET ROLE app; SELECT name FROM idgen_create_generator('z'))), 'z', 'a role with the privilege creates a generator');
like(error_of($node, q(SET ROLE app; SELECT idgen_drop_generator('z')), 'shop'), qr/ERROR:  42501/, 'a role with the privilege to create cannot drop a generator');
is( sql('shop', <<'SQL'), 'z2|idgen_catalog.idgen_generator', 'objects of its own with the same names mislead nothing');
SET ROLE app;
CREATE TEMPORARY TABLE idgen_generator (LIKE idgen_catalog.idgen_generator);
SET search_path = pg_temp, public;
CREATE TEMPORARY TABLE made AS SELECT name FROM idgen_create_generator('z2');
SELECT m.name, g.tableoid::regclass FROM made m JOIN idgen_catalog.idgen_generator g USING (name);
SQL

# A database's owner who is not a superuser creates the extension, generators, and a dump that he can restore.
$node->safe_psql('postgres', "CREATE ROLE joe LOGIN; CREATE DATABASE joes OWNER joe; CREATE DATABASE joes2 OWNER joe");
$node->safe_psql('postgres', "ALTER DATABASE $_ SET idgen.allowed_key_prefixes = 'his:'") foreach qw(joes joes2);
my @as_joe = ('-U', 'joe', '-d', $node->connstr('joes'));
$node->command_ok([ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', @as_joe, '-c', 'CREATE EXTENSION idgen', '-c', "SELECT name FROM idgen_create_generator('his')",
	'-c', "SELECT idgen_comment_on_generator('his', 'mine')", '-c', "SELECT name FROM idgen_create_sequencer('his', 'his:', step => 5, ttl => '2 d')", '-c', 'GRANT EXECUTE ON FUNCTION idgen_create_generator TO app' ],
	'a database owner creates the extension and a generator, and grants privileges');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/joe.dump", @as_joe ], 'he dumps the database');
$node->command_ok([ 'pg_restore', '-e', '-U', 'joe', '-d', $node->connstr('joes2'), "$dir/joe.dump" ], 'he restores it');
is(sql('joes2', 'SELECT name, comment FROM idgen_catalog.idgen_generator WHERE NOT built_in'), 'his|mine', 'the restored database has the generator');
is(sql('joes2', 'SELECT name, key_prefix, step, ttl FROM idgen_catalog.idgen_sequencer WHERE NOT built_in'), 'his|his:|5|2 days', 'the restored database has the sequencer');
is(sql('joes2', q(SET ROLE app; SELECT name FROM idgen_create_generator('granted'))), 'granted', 'the restored database has the granted privileges');
$node->stop;

# --- generators that do not fit the server

my $full = new_server('full', conf => "idgen.max_generators = 2\nidgen.worker_id = 100");
$full->start;
$full->safe_psql('postgres', 'CREATE EXTENSION idgen');
wait_for_ids($full);
like(error_of($full, q(SELECT idgen_create_generator('small', 'js53'))),
    qr/ERROR:  55000: this server's worker id 100 does not fit the layout\nDETAIL:  The layout's worker field has 6 bits and holds worker ids from 0 to 63\.\nHINT:  /,
    'a worker id too large for a layout is refused, with both numbers');
$full->safe_psql('postgres', q(INSERT INTO idgen_catalog.idgen_generator (name, layout) VALUES ('restored', 'js53')));
like(error_of($full, q(SELECT idgen_next('restored'))), qr/ERROR:  55000: this server's worker id 100 does not fit the layout\nDETAIL:  .*0 to 63/,
    'a worker id too large for a restored generator is refused');
$full->safe_psql('postgres', q(SELECT idgen_create_generator('second', 'time:41,worker:10,sequence:11'); SELECT idgen_next('second')));
my $no_room = qr/ERROR:  53400: (could not issue an id: )?too many layouts on this server\nDETAIL:  .*\b2 (layouts )?have been used.*\nHINT:  Raise "idgen.max_generators" and restart the server/;
like(error_of($full, q(SELECT idgen_create_generator('third', 'time:41,worker:11,sequence:11'))), $no_room,
    'another layout beyond idgen.max_generators is refused');
$full->safe_psql('postgres', q(INSERT INTO idgen_catalog.idgen_generator (name, layout) VALUES ('third', 'time:41,worker:11,sequence:11')));
like(error_of($full, q(SELECT idgen_next('third'))), $no_room, 'a restored generator beyond idgen.max_generators issues no id');
is($full->safe_psql('postgres', q(SELECT count(DISTINCT id) FROM (SELECT idgen_next() UNION ALL SELECT idgen_next('second')) t (id))), 2,
    'the other generators issue ids');
is($full->safe_psql('postgres', q(SELECT name FROM idgen_create_generator('same', 'time:41,worker:10,sequence:11'))), 'same',
    'another name for a layout in use does not count as another layout');
$full->append_conf('postgresql.conf', "idgen.max_generators = 3\nidgen.worker_id = 5");
$full->restart;
wait_until_ok($full);
is($full->safe_psql('postgres', q(SELECT idgen_next('third') > 0 AND idgen_next('restored') > 0)), 't',
    'with a higher limit and a smaller worker id all generators issue ids');
$full->append_conf('postgresql.conf', 'idgen.worker_id = 100');
$full->reload;
ok($full->poll_query_until('postgres', q(SELECT worker_id = 100 FROM idgen_decode(idgen_next()))), 'a reload changes the worker id');
like(error_of($full, q(SELECT idgen_next('restored'))), qr/ERROR:  55000: .*worker id 100 does not fit the layout/,
    'a worker id that has become too large for a layout in use is refused');
$full->stop;
$other->stop;

done_testing();
