# Sequencers with a cache. Servers hold segments of values: these are in order on each server and never returned twice, through
# many sessions, changes of keys, more keys than slots, cancels, outages, kill -9 and restarts.
#
# 073 runs this file with etcd, without what is about a store that forgets.
use strict;
use warnings;

use IPC::Run;
use IdgenTest;
use IdgenTest::Faults;
use IdgenTest::Proxy;
use IdgenTest::Redis;
use IdgenTest::SequenceStore;
use IdgenTest::Shim;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $store = sequence_store(appendonly => 'no');
my $proxy = IdgenTest::Proxy->new($store);
my @nodes = map { segment_server("segments_$_", $store->url(socket => 1)) } 1 .. 2;
my $node  = $nodes[0];
my $dir   = PostgreSQL::Test::Utils::tempdir();

sub segment_server {
    my ($name, $url, $conf) = @_;
    my $server = new_server($name, conf => "idgen.sequence_store = '$url'\nidgen.max_sequence_keys = 16\n" . ($conf // ''));
    $server->start;
    $server->safe_psql('postgres', <<'SQL');
CREATE EXTENSION idgen;
SELECT idgen_create_sequencer('s', 's:', cache => 1000);
SELECT idgen_create_sequencer('two', 'two:', cache => 2);
SELECT idgen_create_sequencer('ten', 'ten:', max_value => 10, cache => 1000);
SELECT idgen_create_sequencer('steps', 'steps:', start => 2, step => 5, cache => 100);
SELECT idgen_create_sequencer('plain', 's:');
SQL
    return $server;
}

sub ask { my ($sql, $server) = @_; return ($server // $node)->safe_psql('postgres', $sql) }
sub next_of { my ($key, $server, $sequencer) = @_; $sequencer //= 's'; return ask("SELECT idgen_sequence_next('$key', '$sequencer')", $server) }
sub stored { my ($key, $sequencer) = @_; return $store->last_value(($sequencer // 's') . ':{' . length($key) . ":$key}") }

sub values_of {
    my ($key, $count, $sequencer, $server) = @_;
    $sequencer //= 's';
    return ask("SELECT string_agg(value::text, ' ' ORDER BY ordinality) FROM idgen_sequence('$key', $count, '$sequencer') WITH ORDINALITY", $server);
}

# Takes values until a key's segments are large, and waits until the next segment has been fetched.
sub take { my ($key, $server) = @_; return ask("SELECT max(idgen_sequence_next('$key', 's')) FROM generate_series(1, 3000)", $server) }
sub warm { my ($key, $server) = @_; my $last = take($key, $server); wait_until { left($key, $server) > 500 }; return $last }
sub left { my ($key, $server) = @_; return ask("SELECT values_left FROM idgen_stat_sequences WHERE key = '$key' AND sequencer = 's'", $server) }

# --- sessions that take values and write each to a file as key|value, in order

my $loads = 0;
my $held;

sub start_load {
    my ($server, $statement, $times) = @_;
    my $file = "$dir/load_" . ++$loads;
    append_to_file("$file.sql", "$statement\n" x $times);
    my $run = IPC::Run::start([ 'psql', '-XAtq', '-d', $server->connstr('postgres'), '-f', "$file.sql" ], '>', $file, '2>', "$file.err");
    return { run => $run, file => $file };
}
sub finish_load { $_->{run}->finish foreach @_; return }

my %given;     # key => value => how often
my $repeated = 0;
my $backwards = 0;

sub collect {
    my ($load) = @_;
    my %last;
    my $count = 0;
    foreach my $line (split(/\n/, slurp_file($load->{file}))) {
        my ($key, $value) = $line =~ /^(\w+)\|(\d+)$/ or next;
        ++$count;
        ++$repeated if $given{$key}{$value}++;
        ++$backwards if defined $last{$key} && $last{$key} >= $value;
        $last{$key} = $value;
    }
    return $count;
}

sub ok_ledger {
    my ($name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is("$repeated repeated, $backwards backwards", '0 repeated, 0 backwards', $name);
}

# --- values

is(values_of('a', 3), '1 2 3', 'a batch is in order');
is(next_of('a'),      4,       'another session continues after it');
is(values_of('a', 20), join(' ', 5 .. 24), 'a batch larger than the segment');
is(values_of('odd', 4, 'steps'), '2 7 12 17', 'start and step apply');
is(ask(q(SELECT string_agg(key || value, ' ' ORDER BY ordinality) FROM idgen_sequence_next_keys(ARRAY['b', 'c', 'b'], 's') WITH ORDINALITY)),
    'b1 c1 b2', 'several keys in one call');
is(ask(q(SELECT count(*), count(DISTINCT v), min(v), max(v) FROM (SELECT idgen_sequence_next('many', 's') v FROM generate_series(1, 100000)) x)),
    '100000|100000|1|100000', 'single values have no gaps while no other server takes any');
is(ask(q(SELECT count(DISTINCT value), max(value) FROM idgen_sequence('large', 1000000, 's'))), '1000000|1000000', 'a batch of a million values');
is(ask(q(SELECT idgen_sequence_next('a', 's') = idgen_sequence_next('a', 's') - 1)), 't', 'two calls in one statement');
cmp_ok(stored('many'), '>=', 100000, 'the store has the end of the last segment');
is(ask(q(SELECT idgen_sequence_peek('many', 's'))), stored('many'), 'peek returns the end of the last segment');
ok(next_of('many', $nodes[1]) > 100000, 'another server fetches another segment');
is(ask(q(SELECT next_value, segment_size, fetches > 5 FROM idgen_stat_sequences WHERE key = 'many')), '100001|1000|t', 'idgen_stat_sequences shows the segment');

# --- many sessions of both servers

my $statement = q(SELECT 'k' || g % 4, idgen_sequence_next('k' || g % 4, 's') FROM generate_series(1, 400) g;)
  . q(SELECT 'batch', value FROM idgen_sequence('batch', 150, 's');)
  . q(SELECT 'pair', idgen_sequence_next('pair', 'two') FROM generate_series(1, 20););
my @load = map { start_load($nodes[ $_ % 2 ], $statement, 20) } 1 .. 6;
finish_load(@load);
my $count = 0;
$count += collect($_) foreach @load;
is($count, 6 * 20 * 570, 'six sessions of two servers got all values that they asked for');
ok_ledger('each value is returned once, and in order within each session');
my @before = (next_of('k1'), next_of('k1', $nodes[1]));
ok(next_of('k1') > $before[0] && next_of('k1', $nodes[1]) > $before[1], 'values are in order over the sessions of a server');

# --- the maximum

is(values_of('full', 7, 'ten'), '1 2 3 4 5 6 7', 'values close to the maximum');
my ($status, $out, $warning) = $node->psql('postgres', q(SELECT * FROM idgen_sequence('full', 5, 'ten')));
is("$status $out", "0 8\n9\n10", 'a batch that reaches the maximum returns what is left');
like($warning, qr/WARNING:.*had 3 values left before its maximum.*5 values were requested/s, 'a batch that reaches the maximum warns');
like(error_of($node, q(SELECT idgen_sequence_next('full', 'ten'))), qr/2200H.*The last value is 10.*0 are left/s, 'after the maximum there are no values');

# --- set and delete

warm('set');
ask(q(SELECT idgen_sequence_set('set', 50000, 's')));
is(next_of('set'), 50001, 'a value that was set takes effect at once on this server');
ok(ask(q(SELECT idgen_sequence_delete_key('set', 's'))) eq 't' && next_of('set') == 1, 'a deleted key begins again at once on this server');
warm('set', $nodes[1]);
ask(q(SELECT idgen_sequence_set('set', 900000, 's')));
cmp_ok(next_of('set', $nodes[1]), '<', 900000, 'another server continues with its segment');
is(ask(q(SELECT idgen_sequence_set_if_not_exists('set', 5, 's'))), 'f', 'set_if_not_exists leaves an existing value');
is(next_of('set'), 900001, 'set_if_not_exists has not changed the next value');
warm('set');
$held = left('set');
ok(ask(q(SELECT idgen_sequence_set_if_not_exists('set', 5, 's'))) eq 'f' && left('set') >= $held, 'set_if_not_exists leaves the server\'s segment');
warm('set');
is(ask(q(SELECT idgen_sequence_set('set', 7, 'plain'))), '', 'set through another sequencer with the same prefix');
is(next_of('set'), 8, 'set through another sequencer takes effect at once');

# A session that sets or deletes is terminated while the store is suspended. The store may carry the change out, so the
# server must drop its segments. (Redis does carry it out; etcd is first asked what there is.)
# The pid of the session that waits.
sub pid_of { my ($name) = @_; return ask("SELECT pid FROM pg_stat_activity WHERE application_name = '$name' AND state = 'active' AND wait_event_type = 'Extension'") }
sub start_change {
    my ($name, $change) = @_;
    $store->pause;
    my $load = start_load($node, "SET application_name = '$name'; SELECT $change;", 1);
    ok(wait_until { pid_of($name) ne '' }, "$name: the session waits for the store");
    return $load;
}
foreach ([ 'set', q(idgen_sequence_set('ended', 10, 's')), 10 ], [ 'set_if_not_exists', q(idgen_sequence_set_if_not_exists('ended', 10, 's')), undef ], [ 'delete_key', q(idgen_sequence_delete_key('ended', 's')), '' ]) {
    my ($name, $change, $becomes) = @$_;
    $held = warm('ended');
    my $end = stored('ended');
    my $load = start_change($name, $change);
    ask('SELECT pg_terminate_backend(' . pid_of($name) . ')');
    finish_load($load);
    like(slurp_file("$load->{file}.err"), qr/terminating connection/, "$name: the session is terminated");
    $store->resume;
    is(left('ended'), 0, "$name: after that the server holds no values of the key");
    $becomes = $end if !defined $becomes || !$store->forgets;
    ok(wait_until { stored('ended') eq $becomes }, "$name: the store has carried out what was sent");
    is(next_of('ended'), ($becomes || 0) + 1, "$name: the key continues from there");
}
foreach my $mode (qw(fast immediate)) {
    warm('ended');
    my $becomes = $store->forgets ? 20 : stored('ended');
    my $load = start_change("before_$mode", q(idgen_sequence_set('ended', 20, 's')));
    $node->stop($mode);
    finish_load($load);
    $store->resume;
    $node->start;
    ok(wait_until { stored('ended') eq $becomes }, "the store has carried out what was sent before a $mode shutdown");
    is(next_of('ended'), $becomes + 1, "the key continues from there after a $mode shutdown");
    ask(q(SELECT idgen_sequence_delete_key('ended', 's')));
}

# --- more keys than slots

warm('evicted');
my $last = next_of('evicted');
my $end = stored('evicted');
cmp_ok($end, '>', $last, 'a key has values left');
ask("SELECT idgen_sequence_next('other' || g, 's') FROM generate_series(1, 16) g");
is(left('evicted'), '', 'other keys take its slot');
is(stored('evicted'), $last, 'its remainder goes back to the store');
is(next_of('evicted'), $last + 1, 'so there is no gap');
warm('moved');
$last = next_of('moved');
my $away = next_of('moved', $nodes[1]);
ask("SELECT idgen_sequence_next('other' || g, 's') FROM generate_series(1, 16) g");
is(stored('moved'), $away, 'a remainder is not given back if another server has taken values since');
cmp_ok(next_of('moved'), '>', $away, 'no value is returned twice');
warm('regained');
$last = next_of('regained');
$end = stored('regained');
ask("SELECT idgen_sequence_set('regained', $end, 'plain')", $nodes[1]);
ask("SELECT idgen_sequence_next('other' || g, 's') FROM generate_series(1, 16) g");
is(stored('regained'), $end, 'a remainder is not given back if the key was set to the same value since');
@load = map {
    start_load($nodes[ $_ % 2 ], q(SELECT 'crowd' || g % 40, idgen_sequence_next('crowd' || g % 40, 's') FROM generate_series(1, 400) g;), 4)
} 1 .. 4;
finish_load(@load);
$count = 0;
$count += collect($_) foreach @load;
is($count, 4 * 4 * 400, 'sessions that take each other\'s slots get all values');
ok_ledger('each value is returned once');

# More sessions with a key of their own than slots.
@load = map { start_load($node, "SELECT 'own$_', idgen_sequence_next('own$_', 's') FROM generate_series(1, 50);", 5) } 1 .. 24;
finish_load(@load);
$count = 0;
$count += collect($_) foreach @load;
is($count, 24 * 250, 'more sessions with a key each than slots get all values');
ok_ledger('values are in order within each session');

# --- a store that is down

sub through_proxy { change_settings($_[0], "idgen.sequence_store = '" . $proxy->url . "'"); return wait_until { ask('SHOW idgen.sequence_store', $_[0]) eq $proxy->url } }
ok(through_proxy($node), 'the server uses a proxy');
warm('away');
$held = left('away');
$proxy->refuse;
is(ask("SELECT count(DISTINCT idgen_sequence_next('away', 's')) FROM generate_series(1, $held)"), $held, 'callers get values while a segment lasts');
# The limits of time here and below are far from what is expected, and from the minute that a call may take.
my $began = time;
like(error_of($node, q(SET idgen.sequence_timeout = '300ms'; SELECT idgen_sequence_next('away', 's'))), qr/08006/, 'after the segment they get an error');
cmp_ok(time - $began, '<', 45, 'after the segment they get the error in time');
$proxy->pass;
ok(wait_until { ($node->psql('postgres', q(SELECT idgen_sequence_next('away', 's'))))[0] == 0 }, 'callers get values when the store is up again');

# Replies that do not arrive: one session waits for the store, the others wait for that session.
ask(q(SELECT idgen_sequence_delete_key('slow', 's')));
$proxy->hold_all;
$began = time;
my @waiting = map { start_load($node, q(SET idgen.sequence_timeout = '1s'; SELECT idgen_sequence_next('slow', 's');), 1) } 1 .. 3;
finish_load(@waiting);
is(scalar(grep { slurp_file("$_->{file}.err") =~ /does not answer/ } @waiting), 3, 'all sessions that wait for a segment get an error');
cmp_ok(time - $began, '<', 45, 'all sessions get the error in time');
my $waiting = start_load($node, q(SET application_name = 'first'; SELECT idgen_sequence_next('slow', 's');), 1);
ok(wait_until { pid_of('first') ne '' }, 'the first session waits for the store');
my $second = start_load($node, q(SET application_name = 'second'; SELECT 'slow', idgen_sequence_next('slow', 's');), 1);
ok(wait_until { pid_of('second') ne '' }, 'a second session waits for the first');
my $third = start_load($node, q(SET application_name = 'third'; SELECT 'slow', idgen_sequence_next('slow', 's');), 1);
ok(wait_until { pid_of('third') ne '' }, 'a third session waits, too');
ask('SELECT pg_cancel_backend(' . pid_of('third') . ')');
finish_load($third);
like(slurp_file("$third->{file}.err"), qr/canceling statement/, 'a cancel ends a wait for another session');
ask('SELECT pg_cancel_backend(' . pid_of('first') . ')');
finish_load($waiting);
like(slurp_file("$waiting->{file}.err"), qr/canceling statement/, 'a cancel ends a wait for the store');
my $fourth = start_load($node, q(SET application_name = 'fourth'; SELECT 'slow', idgen_sequence_next('slow', 's');), 1);
ok(wait_until { pid_of('fourth') ne '' }, 'while the second session asks the store, a fourth waits for it');
ask('SELECT pg_terminate_backend(' . pid_of('second') . ')');
finish_load($second);
$proxy->pass;
$proxy->reset;
ask('SELECT pg_cancel_backend(' . (pid_of('fourth') || 0) . ')') if !wait_until { pid_of('fourth') eq '' };
finish_load($fourth);
ok(wait_until { ($node->psql('postgres', q(SELECT idgen_sequence_next('slow', 's'))))[0] == 0 }, 'when the session that fetched is gone, another one fetches');

# --- segments are being fetched for all slots

# After a restart no slot has a remainder, which would have to go back to the store first.
$node->restart;
$proxy->hold_all;
my @fetching = map { start_load($node, qq(SET application_name = 'fetching'; SELECT 'place$_', idgen_sequence_next('place$_', 's');), 1) } 1 .. 16;
ok(wait_until { ask(q(SELECT count(*) FROM pg_stat_activity WHERE application_name = 'fetching' AND state = 'active' AND wait_event_type = 'Extension')) == 16 },
    'as many sessions as slots fetch a segment, each for its own key');
$began = time;
like(error_of($node, q(SET idgen.sequence_timeout = '300ms'; SELECT idgen_sequence_next('place17', 's'))),
    qr/ERROR:  53400: too many sequence keys in use.*All 16 slots for keys are waiting for values.*idgen\.max_sequence_keys/s, 'another key gets no slot');
cmp_ok(time - $began, '<', 45, 'the error comes in time');
my $late = start_load($node, q(SET application_name = 'late'; SELECT 'place17', idgen_sequence_next('place17', 's');), 1);
ok(wait_until { pid_of('late') ne '' }, 'a session with a longer timeout waits');
$proxy->let_go;
finish_load(@fetching, $late);
is(join(' ', map { slurp_file("$_->{file}") =~ s/\n//r } @fetching, $late), join(' ', map { "place$_|1" } 1 .. 17), 'all sessions get their values when the store replies');

# --- nobody waits while the worker fetches ahead

$proxy->delay(5);
warm('smooth');
sub waits { return ask(q(SELECT waits FROM idgen_stat_sequences WHERE key = 'smooth')) }
# On a busy machine the worker may be late. It is in time if nobody else runs for a while.
ok( wait_until {
        my $waits = waits();
        ask(q(SELECT idgen_sequence_next('smooth', 's'), pg_sleep(0.0002) FROM generate_series(1, 3000)));
        return waits() - $waits <= 3;
    },
    'at a steady rate hardly a call waits for a store that is 10 ms away');
$proxy->pass;

# --- kill -9, and restarts

@load = map { start_load($nodes[ $_ % 2 ], q(SELECT 'crash', idgen_sequence_next('crash', 's') FROM generate_series(1, 50);), 2000) } 1 .. 4;
ok(wait_until { !grep { (-s $_->{file} // 0) < 2000 } @load }, 'sessions take values');
kill_backend($node);
finish_load(@load);
ok(wait_until { ($node->psql('postgres', 'SELECT 1'))[0] == 0 }, 'the server restarts');
collect($_) foreach @load;
my $after = start_load($node, q(SELECT 'crash', idgen_sequence_next('crash', 's') FROM generate_series(1, 5000);), 1);
finish_load($after);
is(collect($after), 5000, 'the server returns values again');
ok_ledger('none of them was returned before');

warm('stop');
$last = next_of('stop');
cmp_ok(stored('stop'), '>', $last, 'a server has values left');
$node->restart;
is(stored('stop'), $last, 'a clean stop gives the remainder back');
is(next_of('stop'), $last + 1, 'so a restart leaves no gap');
warm('stop');
$proxy->refuse;
$began = time;
$node->stop('fast');
cmp_ok(time - $began, '<', 45, 'a store that is down does not delay the stop');
$proxy->pass;
$node->start;
$last = stored('stop');
cmp_ok(next_of('stop'), '>', $last, 'the remainder is skipped');

# --- a store that lost data

if ($store->forgets) {
    unlike(slurp_file($node->logfile) . slurp_file($nodes[1]->logfile), qr/had forgotten/, 'no server has reported a loss yet');
    $last = warm('forgotten');
    $store->cli('FLUSHALL');
    is(ask("SELECT min(v) > $last AND count(DISTINCT v) = 5000 FROM (SELECT idgen_sequence_next('forgotten', 's') v FROM generate_series(1, 5000)) x"), 't',
        'after a loss the store is raised above the server\'s values');
    like(slurp_file($node->logfile), qr/had forgotten values of "s:\{9:forgotten\}"/, 'the loss is logged');
    ask(q(SELECT idgen_sequence_delete_key('forgotten', 's')));
    is(next_of('forgotten'), 1, 'a deleted key begins again');
}

# --- the prefetching process gets SIGTERM just before it asks a suspended store

my $signal = "$dir/signal";
$nodes[1]->stop;
{
    local $ENV{LD_PRELOAD}         = shim('signal');
    local $ENV{IDGEN_SIGNAL_FILE}  = $signal;
    local $ENV{IDGEN_SIGNAL_TITLE} = 'idgen segments';
    $nodes[1]->start;
}
warm('signal', $nodes[1]);
sub fetchers {
    my @children = children_of(postmaster_of($nodes[1]));
    return scalar grep { (eval { slurp_file("/proc/$_/cmdline") } // '') =~ /idgen segments/ } @children;
}
is(fetchers(), 1, 'there is a prefetching process');
$store->pause;
append_to_file($signal, '');
$held = left('signal', $nodes[1]);
# In the background: the process closes the segments as it exits, and what the call has not taken by then comes from the store.
my ($taken, $complaint) = ('', '');
my $taker = IPC::Run::start([ 'psql', '-XAtq', '-d', $nodes[1]->connstr('postgres'), '-c',
        "SELECT count(idgen_sequence_next('signal', 's')) FROM generate_series(1, $held)" ], '<', '/dev/null', '>', \$taken, '2>', \$complaint);
$began = time;
ok(wait_until { !-e $signal && fetchers() == 0 }, 'the prefetching process exits');
cmp_ok(time - $began, '<', 45, 'it does not wait for the store');
$store->resume;
$taker->finish;
is($taken . $complaint, "$held\n", 'a session that was taking values goes on when the store answers');

# --- a sequencer that was dropped and created again, in a session that has values of the old one

is(ask(<<'SQL') =~ s/.*\n//sr, '1000000', 'values follow the new definition');
SELECT idgen_create_sequencer('made', 'made:', cache => 1000);
SELECT max(idgen_sequence_next('k', 'made')) FROM generate_series(1, 3000);
SELECT idgen_drop_sequencer('made');
SELECT idgen_create_sequencer('made', 'again:', start => 1000000);
SELECT idgen_sequence_peek('another', 'made');
SELECT idgen_sequence_next('k', 'made');
SQL

# --- servers without a prefetching process, and a standby

my $alone = segment_server('alone', $store->url(socket => 1), 'max_worker_processes = 1');
is(take('alone', $alone), 3000, 'without a prefetching process sessions fetch for themselves');
is(ask(q(SELECT bool_and(waits > 3) FROM idgen_stat_sequences), $alone), 't', 'without a prefetching process sessions wait');
$alone->stop;

# Single-user mode has neither a prefetching process nor a postmaster.
my ($in, $said) = (join('', map { "SELECT idgen_sequence_next('single', '$_')\n" } qw(plain s s plain)), '');
IPC::Run::run([ 'postgres', '--single', '-D', $alone->data_dir, 'postgres' ], '<', \$in, '>', \$out, '2>', \$said);
is(join(' ', $out =~ /idgen_sequence_next = "(\d+)"/g), '1 2 3 5', 'single-user mode returns values') or diag($said);

$alone->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$alone->start;
like(error_of($alone, "SELECT $_"), qr/ERROR:  55000: idgen must be loaded via "shared_preload_libraries"/, "without shared memory there are no values: $_")
  foreach q(idgen_sequence_next('bare', 's')), q(* FROM idgen_sequence('bare', 3, 's')), q(* FROM idgen_sequence_next_keys(ARRAY['bare'], 's'));
is(stored('bare'), '', 'the store was not asked');
$alone->stop;

$nodes[1]->append_conf('postgresql.conf', "wal_level = replica\nmax_wal_senders = 4");
$nodes[1]->restart;
$nodes[1]->append_conf('pg_hba.conf', 'local replication all trust');
$nodes[1]->reload;
$nodes[1]->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('segments_standby');
$standby->init_from_backup($nodes[1], 'base', has_streaming => 1);
$standby->start;
is(warm('standby', $standby), 3000, 'a standby fetches segments, too');
$last = next_of('standby', $standby);
$standby->stop('fast');
is(stored('standby'), $last, 'a standby gives its remainder back');

done_testing();
