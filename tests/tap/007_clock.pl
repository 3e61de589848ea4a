# A wall clock that steps forward and back under a running server, or is years off when the server starts.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Clock;
use IdgenTest::Ledger;
use IdgenTest::Load;
use Test::More;
use Time::Local qw(timegm);

my $conf = <<'CONF';
idgen.max_ahead = '500ms'
idgen.ceiling_window = '1s'
idgen.max_wait = '60s'
timezone = 'UTC'
CONF

# A server with the extension that lives by a clock of its own.
sub server_at {
    my ($name, $seconds) = @_;
    my $node  = new_server($name, conf => $conf);
    my $clock = IdgenTest::Clock->new($seconds);
    $clock->start($node);
    IdgenTest::Load->prepare($node);
    return ($node, $clock);
}

sub clock_ahead {
    my ($node) = @_;
    return $node->safe_psql('postgres', 'SELECT extract(epoch FROM clock_ahead) FROM idgen_status()');
}

# Waits until the status shows that the clock is so far ahead. The worker looks at the clock twice a second.
sub ok_ahead {
    my ($node, $from, $to, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $ahead;
    ok(wait_until { $ahead = clock_ahead($node); $from <= $ahead && $ahead <= $to }, "$name: the status shows how far the id clock is ahead")
      or diag("clock_ahead: $ahead");
    return;
}

# How far the time in a new id is ahead of the true time, in seconds. On a busy machine it is looked at again if that took long.
sub id_lead {
    my ($node) = @_;
    my $lead;
    wait_until {
        my $before = time();
        my $of_id  = $node->safe_psql('postgres', 'SELECT extract(epoch FROM idgen_timestamp(idgen_next()))');
        $lead = $of_id - time();
        return time() - $before < 3;
    };
    return $lead;
}

sub seconds_until { return timegm(0, 0, 0, 1, 0, shift) - time() }

# --- Two servers that need half a minute to accept a new time: the rest runs meanwhile.

# A large step forward that persists.
my ($stepped, $stepped_clock) = server_at('stepped');
my $stepped_ledger = IdgenTest::Ledger->new;
my $stepped_load   = IdgenTest::Load->start($stepped, clients => 1, pause => 0.01);
ok($stepped_load->wait_for_more, 'a large step: clients get ids before it');
$stepped_clock->step(120);
ok_logged($stepped, qr/stepped forward by 1[12]\d\.\d+ s, more than "idgen.max_clock_step"/, 0, 'a large step: the log says that it must persist');
ok_ahead($stepped, -121, -119, 'a large step');
ok($stepped_load->wait_for_more, 'a large step: clients get ids meanwhile');
cmp_ok(abs(id_lead($stepped)), '<', 30, 'a large step: ids do not follow it yet');

# The server starts with a clock before the epoch, and starts again after the clock has been set.
my ($early, $early_clock) = server_at('early', seconds_until(2020));
like(error_of($early, 'SELECT idgen_next();'),
    qr/ERROR:  55000: could not issue an id: the clock is before the layout's epoch\nDETAIL:  The id clock reads 20(19|20)-.*; the epoch is 2024-01-01 00:00:00\+00\.\nHINT:  Set the server's clock\./,
    'before the epoch: idgen_next() fails and says what to do');
$early->stop;
$early_clock->set(0);
my $early_position = log_position($early);
$early_clock->start($early);
ok_logged($early, qr/LOG:  idgen: not issuing ids yet\n.*DETAIL:  The wall clock is more than 30 days past 20(19|20)-/,
    $early_position, 'far past the file: the log says that the clock must persist');
like(error_of($early, q(SET idgen.max_wait = '100ms'; SELECT idgen_next();)),
    qr/ERROR:  55000: .*\nDETAIL:  The wall clock is more than 30 days past .*\nHINT:  .*30 seconds/, 'far past the file: so does the error');

# --- Steps under load

my ($server, $clock) = server_at('main');
my $ledger = IdgenTest::Ledger->new;
my $load   = IdgenTest::Load->start($server);
ok($load->wait_for_more, 'clients get ids');

my @steps_back = ([ 30, '30 s' ], [ 0.005, '5 ms' ], [ 3600, 'an hour' ]);
my ($back, $count) = (0, 0);
foreach (@steps_back) {
    my ($by, $what) = @$_;
    my $uuid = $server->safe_psql('postgres', 'SELECT uuid_v7()');
    $clock->step(-$by);
    cmp_ok($server->safe_psql('postgres', 'SELECT uuid_v7()'), 'gt', $uuid, "back by $what: UUIDs do not go back");
    $back += $by;
    ++$count;
    ok(wait_until { $server->safe_psql('postgres', "SELECT steps_back >= $count FROM idgen_stat_clock") eq 't' }, "back by $what: the statistics count the step");
    ok_ahead($server, $back - 15, $back + 1, "back by $what");
    ok($load->wait_for_more(200), "back by $what: clients get ids");
    cmp_ok(abs(id_lead($server)), '<', 15, "back by $what: the times in ids do not go back");
}
ok_logged($server, qr/LOG:  idgen: wall clock stepped back by (29\.99|30\.0)/, 0, 'the log says that the clock stepped back');
is( $server->safe_psql('postgres',
        q(SELECT right_at > clock_timestamp(), largest_step_back BETWEEN '59 min 59 s' AND '60 min 1 s' FROM idgen_stat_clock)),
    't|t', 'the statistics show when the id clock will be right, and the largest step');

$clock->set(0);
ok_ahead($server, -1, 15, 'set right again');
ok($load->wait_for_more, 'set right again: clients get ids');

# Wrong by ten years for a moment.
$clock->step(315360000);
ok_logged($server, qr/stepped forward by 3153\d+\.\d+ s, more than/, 0, 'ten years forward: the log says that the step must persist');
ok($load->wait_for_more, 'ten years forward: clients get ids');
cmp_ok(abs(id_lead($server)), '<', 15, 'ten years forward: the times in ids do not follow');
$clock->set(0);
ok_ahead($server, -1, 15, 'ten years forward and back');
ok($load->wait_for_more, 'ten years forward and back: clients get ids');
cmp_ok(abs(id_lead($server)), '<', 15, 'ten years forward and back: the times in ids are unchanged');

# A small step forward takes effect at once.
$clock->step(10);
ok_ahead($server, -1, 5, 'a small step forward');
ok(wait_until { my $lead = id_lead($server); $lead > 5 && $lead < 15 }, 'a small step forward: the times in ids follow at once');

$load->stop($ledger, lives => 0);
$load->check_errors('steps under load');
$ledger->add_table($server, lives => 0);
$ledger->check('steps under load');

# Stopped, and started by a clock two hours behind: ids continue from the floor after max_ahead + window.
my $last = burst($server, 1000);
$server->stop;
my $position = log_position($server);
$clock->step(-7200);
$clock->start($server);
cmp_ok(wait_for_ids($server), '>', $last, 'started two hours behind: the next id is above the last one');
ok_logged($server, qr/LOG:  idgen: not issuing ids yet\n.*DETAIL:  Ids up to .* ahead of the wall clock, may already have been issued; .*\n.*HINT:  The server issues ids after at most \d+ s/, $position,
    'started two hours behind: the log says why the server waits');
ok_ahead($server, 7100, 7201, 'started two hours behind');
$server->stop;

# --- A clock near the end of the layout's time: ids are issued, and the status warns

my ($ageing) = server_at('ageing', seconds_until(2089));
wait_for_ids($ageing);
like($ageing->safe_psql('postgres', 'SELECT state, reason FROM idgen_status()'),
    qr/^ok\|The layout's time field runs out at 2093-09-06 /, 'five years before the end of time the status warns');
$ageing->stop;

# --- A clock past the end of the layout's time: when it is set right, the server rejects its floor, which lies in the future

my ($late, $late_clock) = server_at('late', seconds_until(2094));
like(error_of($late, 'SELECT idgen_next();'),
    qr/ERROR:  2200H: could not issue an id: the layout's time field has run out\nDETAIL:  Its 41 bits end at 2093-09-06 .*; the id clock reads 209[34]-.*\nHINT:  /,
    'past the end of time: idgen_next() fails and says when time ended');
$late->stop('immediate');
$late_clock->set(0);
$position = log_position($late);
$late_clock->start($late);
like(error_of($late, q(SET idgen.max_wait = '100ms'; SELECT idgen_next();)),
    qr/ERROR:  55000: .*\nDETAIL:  Ids up to 209[34]-.* more than a day ahead of the wall clock, may already have been issued.*\nHINT:  .*idgen_forget_floor\(\)/,
    'a floor in the far future: idgen_next() fails, and the hint names idgen_forget_floor()');
is($late->safe_psql('postgres', 'SELECT state FROM idgen_status()'), 'refused', 'a floor in the far future: the state is refused');
like($late->safe_psql('postgres', 'SELECT idgen_forget_floor()'), qr/^209[34]-/, 'idgen_forget_floor() returns the floor that it gives up');
cmp_ok(abs(id_lead($late)), '<', 15, 'after that ids have the right time');
$late->stop;

# --- Half a minute later

ok_logged($early, qr/LOG:  idgen: issuing ids with worker id 1/, $early_position, 'far past the file: the clock is accepted when it has persisted');
cmp_ok(abs(id_lead($early)), '<', 15, 'far past the file: ids have the right time');
ok_logged($stepped, qr/id clock followed a persistent step forward of 1[12]\d\.\d+ s/, 0, 'a large step: accepted when it has persisted');
ok_ahead($stepped, -1, 1, 'a large step accepted');
my $lead = id_lead($stepped);
ok($lead > 110 && $lead < 135, 'a large step: the times in ids follow') or diag($lead);
ok($stepped_load->wait_for_more, 'a large step: clients get ids after it');
$stepped_load->stop($stepped_ledger, lives => 0);
$stepped_load->check_errors('a large step');
$stepped_ledger->add_table($stepped, lives => 0);
$stepped_ledger->check('a large step');
$_->stop foreach $early, $stepped;

done_testing();
