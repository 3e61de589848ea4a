# pg_partman makes and drops daily partitions: of bigint ids, and of UUIDs by the time in them.
use strict;
use warnings;

use IdgenTest;
use IdgenTest::Clock;
use PostgreSQL::Test::Utils;
use Test::More;

chomp(my $share = `pg_config --sharedir`);
plan skip_all => 'pg_partman is not installed' if !-e "$share/extension/pg_partman.control";

my $day = 86_400;

# A server whose days can be made to pass.
my $clock = IdgenTest::Clock->new;
my $node  = new_server('main', conf => "timezone = 'UTC'");
$clock->start($node);

sub sql { return $node->safe_psql('postgres', $_[0]) }

sub days_pass {
    my ($days) = @_;
    $node->stop;
    $clock->step($days * $day);
    $clock->start($node);
    wait_until_ok($node);
    return;
}

sql('CREATE EXTENSION idgen; CREATE SCHEMA partman; CREATE EXTENSION pg_partman SCHEMA partman');
my $version = sql(q(SELECT extversion FROM pg_extension WHERE extname = 'pg_partman'));
my ($major, $minor) = $version =~ /^(\d+)\.(\d+)/;
note("pg_partman $version");

# The recipes of docs/ranges.md, without the retention, which comes later.
my ($chapter) = slurp_file('docs/ranges.md') =~ /^### With pg_partman\n(.*?)^## /ms or die 'the recipes are not in docs/ranges.md';
my ($by_id, $by_time) = $chapter =~ /^```sql\n(.*?)^```/msg;
my @retain = map { s/^(UPDATE .*?;\n)//ms ? $1 : die 'no retention' } $by_id, $by_time;
my ($premake) = $by_id =~ /p_premake => (\d+)/;
$by_id =~ s/(p_control => 'id',)/$1 p_type => 'native',/ if $major < 5;
sql($by_id);
my $with_encoders = $major > 5 || $major == 5 && $minor >= 2;
sql($by_time) if $with_encoders;

# What is partitioned, and how its values and those of its bounds become times.
my %time_of = (events => 'idgen_timestamp(%s::bigint)', visits => 'uuid_v7_timestamp(%s::uuid)');
my @tables = $with_encoders ? qw(events visits) : qw(events);
note('no time encoders before pg_partman 5.2: no partitions by UUID') if !$with_encoders;

# One row per partition other than the default: its name and its bounds as times.
sub parts_of {
    my ($table) = @_;
    my ($from, $to) = map { sprintf($time_of{$table}, $_) } 'bounds[1]', 'bounds[2]';
    return <<"SQL";
SELECT c.oid, $from AS "from", $to AS "to"
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
     regexp_match(pg_get_expr(c.relpartbound, c.oid), \$re\$FROM \\('(.*)'\\) TO \\('(.*)'\\)\$re\$) AS bounds
WHERE i.inhparent = '$table'::regclass AND bounds IS NOT NULL
SQL
}

# Every partition is one UTC day, without gaps from the first day on. The last one begins `ahead` days after now.
sub days_of {
    my ($table) = @_;
    return sql('SELECT count(*), bool_and("to" - "from" = interval $$1 day$$ AND "from" = date_trunc($$day$$, "from")), '
          . 'max("to") - min("from") = count(*) * interval $$1 day$$, extract(day FROM max("from") - date_trunc($$day$$, now())) '
          . 'FROM (' . parts_of($table) . ') p');
}

# The number of rows in the partition of their time, and elsewhere.
sub rows_of {
    my ($table) = @_;
    my $time = sprintf($time_of{$table}, 't.id');
    return sql("SELECT count(*) FILTER (WHERE $time >= p.\"from\" AND $time < p.\"to\"), "
          . "count(*) FILTER (WHERE p.oid IS NULL OR $time < p.\"from\" OR $time >= p.\"to\") "
          . "FROM $table t LEFT JOIN (" . parts_of($table) . ') p ON p.oid = t.tableoid');
}

sub insert { return sql("INSERT INTO $_[0] SELECT FROM generate_series(1, 100)") }
sub maintain { return sql('SELECT partman.run_maintenance()') }

# A day that ends during the test would add a partition, so the clock is set to noon.
days_pass(sql(q(SELECT extract(epoch FROM date_trunc('day', now()) + interval '36 h' - now()))) / $day);
foreach my $table (@tables) {
    insert($table);
    maintain();
    like(days_of($table), qr/^\d+\|t\|t\|$premake$/, "$table: there is a partition for each day, and $premake ahead");
    is(rows_of($table), '100|0', "$table: new rows are in the partition of today");
}

days_pass(1);
foreach my $table (@tables) {
    insert($table);
    is(rows_of($table), '200|0', "$table: a day later, new rows are in the partition of that day");
    maintain();
    like(days_of($table), qr/^\d+\|t\|t\|$premake$/, "$table: maintenance has made another partition");
    is( sql('EXPLAIN (COSTS OFF) SELECT count(*) FROM ' . $table . ' WHERE id >= '
              . ($table eq 'events' ? 'idgen_min_id' : 'uuid_v7_min')
              . q[(date_trunc('day', now()) + interval '2 days')]) =~ /Subplans Removed: [1-9]/,
        1, "$table: a condition by time skips the earlier partitions");
}

# Partitions by id follow the ids that exist: after a pause longer than the partitions made ahead, rows go to the default
# partition, and are moved by one call (UUIDs from pg_partman 5.3 on).
@tables = ('events') if $major == 5 && $minor < 3;
days_pass($premake + 3);
foreach my $table (@tables) {
    insert($table);
    is(rows_of($table), '200|100', "$table: after a long pause new rows are in the default partition");
    my $kind = $table eq 'events' ? 'id' : 'time';
    sql("SELECT partman.partition_data_$kind('public.$table', p_batch_count => 10)");
    is(rows_of($table), '300|0', "$table: one call moves them into the partition of their day");
    maintain();
    is((split(/\|/, days_of($table)))[3], $premake, "$table: maintenance continues from there");
}

# Retention: ids count back from the largest one, times from now.
sql($_) foreach @retain[ 0 .. $#tables ];
foreach my $table (@tables) {
    maintain();
    is(rows_of($table), '300|0', "$table: maintenance drops nothing of the last thirty days");
}
days_pass(29);
foreach my $table (@tables) {
    insert($table);
    my $kind = $table eq 'events' ? 'id' : 'time';
    sql("SELECT partman.partition_data_$kind('public.$table', p_batch_count => 10)");
    maintain();
    is(rows_of($table), '200|0', "$table: maintenance drops rows older than thirty days");
    cmp_ok(sql('SELECT extract(day FROM date_trunc($$day$$, now()) - min("from")) FROM (' . parts_of($table) . ') p'),
        '<=', 30, "$table: their partitions are gone");
}

$node->stop;
done_testing();
