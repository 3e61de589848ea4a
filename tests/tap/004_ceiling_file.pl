# The local file is missing, damaged, copied, unreadable or removed: the log says so, ids are above every earlier one, the
# worker never crashes, and the first start writes a valid file.
use strict;
use warnings;

use File::Copy qw(copy move);
use IdgenTest;
use IdgenTest::Ledger;
use PostgreSQL::Test::Utils;
use Test::More;

my $conf = <<'CONF';
idgen.max_ahead = '100ms'
idgen.ceiling_window = '1s'
idgen.max_wait = '60s'
CONF
my $server = new_server('main', conf => $conf);
my $file   = ceiling_file($server);
my $ledger = IdgenTest::Ledger->new;
my $life   = 0;

sub take {
    my @ids = wait_for_ids($server, 'SELECT idgen_next() FROM generate_series(1, 500)');
    $ledger->add($life, @ids);
    return scalar @ids;
}

sub overwrite {
    my ($bytes) = @_;
    open(my $out, '+<:raw', $file) or die "could not open $file: $!";
    print $out $bytes;
    truncate($out, length($bytes));
    close($out);
    return;
}

# The offset of the newer record.
sub newest_record {
    my $bytes = slurp_file($file);
    my ($even, $odd) = map { unpack('x8 Q<', substr($bytes, $_, 64)) } 0, 4096;
    return $even > $odd ? 0 : 4096;
}

sub flip {
    my ($offset) = @_;
    my $bytes = slurp_file($file);
    substr($bytes, $offset, 1) ^= "\x01";
    overwrite($bytes);
    return;
}

# File systems reuse the inode numbers of deleted files, so a copy may get the very number that it contains. If this file
# system does not give it away again, another number is used.
sub put_under_its_inode {
    my ($copy) = @_;
    my $inode = unpack('x32 Q<', slurp_file($copy));
    my @tried;
    unlink($file) or die "could not unlink $file: $!";
    for (1 .. 3000) {
        push(@tried, "$copy.$_");
        append_to_file($tried[-1], '');
        last if (stat($tried[-1]))[1] == $inode;
    }
    note('the inode number was ' . ((stat($tried[-1]))[1] == $inode ? 'reused' : 'not reused'));
    rename($tried[-1], $file) or die "could not rename $tried[-1]: $!";
    unlink(@tried);
    overwrite(slurp_file($copy));
    return;
}

# The worker still runs, and no other process ended.
sub no_crash {
    my ($worker, $position, $what) = @_;
    ok(!logged_since($server, qr/exited with exit code|terminated by signal|PANIC|FATAL/, $position)
          && pid_of_worker($server) == $worker, "$what: no process ended");
    return;
}

my $other = new_server('other', conf => $conf);
$other->start;
$other->safe_psql('postgres', 'CREATE EXTENSION idgen; SELECT idgen_next()');
$other->stop;

$server->start;
$server->safe_psql('postgres', 'CREATE EXTENSION idgen');
$ledger->add(++$life, wait_for_ids($server));
copy($file, "$file.copy") or die "could not copy $file: $!";

my @damages = (
    [ 'missing'                    => 'is missing', sub { unlink($file) or die $! } ],
    [ 'empty'                      => 'is damaged', sub { overwrite('') } ],
    [ 'cut short after one record' => 'is damaged', sub { overwrite(substr(slurp_file($file), 0, 4096)) } ],
    [ 'cut short in the second'    => 'is damaged', sub { overwrite(substr(slurp_file($file), 0, 4096 + 63)) } ],
    [ 'a bit of the newest ceiling flipped' => 'is damaged', sub { flip(newest_record() + 18) } ],
    [ 'a bit of the older one flipped'      => 'is damaged', sub { flip(4096 - newest_record() + 18) } ],
    [ 'an old copy'                => 'is a copy', sub { rename("$file.copy", $file) or die $! } ],
    [ 'an old copy under the inode number that it names' => 'is a copy', sub { put_under_its_inode("$file.old") },
        sub { copy($file, "$file.old") or die $! } ],
    [ "another cluster's"          => "belongs to another cluster", sub { copy(ceiling_file($other), $file) or die $! } ],
);
my $stop_mode = 'fast';
foreach (@damages) {
    my ($what, $line, $damage, $damage_running) = @$_;
    take();
    $damage_running->() if $damage_running;
    take();
    $stop_mode = $stop_mode eq 'fast' ? 'immediate' : 'fast';
    $server->stop($stop_mode);
    $damage->() if $damage;
    my $position = log_position($server);
    ++$life;
    $server->start;
    my $worker = pid_of_worker($server);
    cmp_ok(take(), '==', 500, "$what: clients get ids");
    ok_logged($server, qr/LOG:  idgen: file ".*idgen\.ceiling" \Q$line\E.*\n.*DETAIL:  New ids will be later than/,
        $position, "$what: the log gives the reason");
    is($server->safe_psql('postgres', q(SELECT clock_ahead < '62 s' AND last_error LIKE '%idgen.ceiling%' FROM idgen_status())),
        't', "$what: the status gives it, too, and the id clock leads by at most a minute");
    no_crash($worker, $position, $what);
}

# A start without damage: the previous start wrote a valid file.
$server->stop('immediate');
my $position = log_position($server);
++$life;
$server->start;
take();
ok(!logged_since($server, qr/idgen\.ceiling" is/, $position), 'the file is valid again');

# A file that cannot be read proves nothing: the server waits until it can, and then continues without a restart.
my @obstacles = (
    [ 'unreadable', 'Permission denied', sub { chmod(0000, $file) }, sub { chmod(0600, $file) } ],
    [ 'a directory', 'Is a directory', sub { move($file, "$file.aside") && mkdir($file) },
        sub { rmdir($file) && move("$file.aside", $file) } ],
);
foreach (@obstacles) {
    my ($what, $reason, $obstruct, $clear) = @$_;
    $server->stop('immediate');
    ok($obstruct->(), "$what: the file is obstructed");
    $position = log_position($server);
    ++$life;
    $server->start;
    my $worker = pid_of_worker($server);
    ok_logged($server, qr/LOG:  idgen: could not read or write file ".*idgen\.ceiling": $reason/, $position, "$what: the log gives the reason");
    like(error_of($server, q(SET idgen.max_wait = '300ms'; SELECT idgen_next();)),
        qr/ERROR:  55000: could not issue an id.*\nDETAIL:  Could not read or write file ".*idgen\.ceiling": $reason.*\nHINT:  /,
        "$what: the error gives the reason");
    is($server->safe_psql('postgres', 'SELECT state, reason LIKE $$%idgen.ceiling%$$, advice IS NOT NULL FROM idgen_status()'),
        'failing|t|t', "$what: the status gives the reason");
    ok($clear->(), "$what: the obstacle is removed");
    take();
    wait_until_ok($server, "$what: the server issues ids again without a restart");
    ok_logged($server, qr/can be read and written again/, $position, "$what: the log says that the file can be read again");
    no_crash($worker, $position, $what);
    my @lines = slurp_file($server->logfile, $position) =~ /(could not read or write)/g;
    is(scalar @lines, 1, "$what: the failure is logged once");
}

$ledger->check('a damaged file');

# The file is removed from a running server: it is written again, and the next start finds it valid.
{
    take();
    my $position = log_position($server);
    unlink($file) or die "could not unlink $file: $!";
    ok_logged($server, qr/LOG:  idgen: file ".*idgen\.ceiling" was removed or replaced; it is written again/, $position,
        'removed at run time: the log says so');
    ok(wait_until { -e $file }, 'removed at run time: the file is written again');
    $server->stop('immediate');
    $position = log_position($server);
    ++$life;
    $server->start;
    take();
    ok(!logged_since($server, qr/idgen\.ceiling" is/, $position), 'removed at run time: the next start finds a valid file');
}

# CREATE EXTENSION in another database does not make a server that has issued ids a new one, whatever happened to the
# file.
unlink($file) or die "could not unlink $file: $!";
$server->safe_psql('postgres', 'CREATE DATABASE second');
$server->safe_psql('second', 'CREATE EXTENSION idgen');
my $last = burst($server, 1);
$server->stop('immediate');
$server->start;
cmp_ok(wait_for_ids($server), '>', $last, 'CREATE EXTENSION in another database without the file: the next id is above the last one');
$server->stop;

done_testing();
