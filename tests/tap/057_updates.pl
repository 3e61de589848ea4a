# An updated extension equals a fresh installation, whoever runs the update: from each release to the version that the tree
# builds, and from that to a fictitious next one, so that the comparison is tested even without a release to update from.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use File::Path qw(make_path);
use JSON::PP qw(decode_json);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# --- a copy of the installation, with extension scripts of its own

# The server finds its files relative to its executable's real path.
my $root = PostgreSQL::Test::Utils::tempdir_short();
my %dir = map { my ($out) = run_command([ 'pg_config', "--$_" ]); ($_ => $out) } qw(bindir sharedir pkglibdir);
make_path("$root$dir{bindir}", dirname("$root$dir{pkglibdir}"), "$root$dir{sharedir}/extension");
system_or_bail('cp', '-L', "$dir{bindir}/$_", "$root$dir{bindir}/$_") foreach qw(postgres initdb pg_ctl pg_config psql);
symlink($dir{pkglibdir}, "$root$dir{pkglibdir}") unless -e "$root$dir{pkglibdir}";
symlink($_, "$root$dir{sharedir}/" . basename($_)) foreach grep { basename($_) ne 'extension' } glob("$dir{sharedir}/*");
symlink($_, "$root$dir{sharedir}/extension/" . basename($_)) foreach glob("$dir{sharedir}/extension/*");

my ($version) = slurp_file("$dir{sharedir}/extension/idgen.control") =~ /default_version = '([^']+)'/;
my $script = slurp_file("$dir{sharedir}/extension/idgen--$version.sql");
my ($update) = slurp_file('CONTRIBUTING.md') =~ /^## Update scripts\n.*?^```sql\n(.*?)^```/ms or die 'the update script is not in CONTRIBUTING.md';
my @releases = map { /idgen--(.*)\.sql$/ } glob('sql/releases/idgen--*.sql');

# --- a next version, with a change of each kind

my ($begin, $function) = $update =~ /\A(.*?^SET LOCAL.*?\n)\n(.*)\z/ms or die 'the update script has no beginning';
my %change = map { (/^(\w+)/)[0] => $_ } $function =~ /^(?:DO .*?^END \$\$|[A-Z].*?);\n/gms;
is(join(' ', sort keys %change), 'COMMENT CREATE DO REVOKE', 'the example of CONTRIBUTING.md creates, comments and grants');
my %next = (
    %change,
    COLUMN  => "ALTER TABLE idgen_catalog.idgen_generator ADD COLUMN more text DEFAULT 'x';\n",
    VIEW    => "CREATE VIEW \@extschema\@.idgen_more AS SELECT name, more FROM idgen_catalog.idgen_generator;\n",
    COST    => "ALTER FUNCTION \@extschema\@.idgen_next() COST 2;\n",
    REPLACE => "CREATE OR REPLACE FUNCTION \@extschema\@.idgen_next_text() RETURNS text LANGUAGE c VOLATILE PARALLEL SAFE COST 1\n"
        . "    AS 'MODULE_PATHNAME', 'idgen_sql_uuid_v7';\n",
    REWORD  => "COMMENT ON FUNCTION \@extschema\@.idgen_next() IS 'A new id.';\n",
    SELECT  => "GRANT SELECT ON \@extschema\@.idgen_more TO PUBLIC;\n",
    INSERT  => "INSERT INTO idgen_catalog.idgen_generator (name, layout, built_in) VALUES ('more', 'wide', true);\n");
my @order = qw(CREATE COMMENT REVOKE DO COLUMN VIEW COST REPLACE REWORD SELECT INSERT);
my $grant = "GRANT EXECUTE ON FUNCTION \@extschema\@.idgen_extra() TO \@extowner\@ WITH GRANT OPTION;\n";

# Writes a script that updates to a version of that name, with one of the changes left out or replaced.
sub make_update {
    my ($name, %other) = @_;
    append_to_file("$root$dir{sharedir}/extension/idgen--$version--$name.sql", join('', $begin, map { $other{$_} // $next{$_} } @order));
    return;
}

append_to_file("$root$dir{sharedir}/extension/idgen--next.sql", join("\n", $script, map { $_ eq 'DO' ? $grant : $next{$_} } @order));
make_update('next');
make_update('careless', DO => $grant);
make_update("without_\L$_", $_ => '') foreach @order;

# --- the scripts in the tree

ok(!-e "sql/releases/idgen--$version.sql", 'the version that the tree builds is not released yet');
my $meta = decode_json(slurp_file('META.json'));
like($_, qr/\A\Q$version\E(\.\d+)?\z/, 'META.json has the version') foreach $meta->{version}, $meta->{provides}{idgen}{version};
like(slurp_file('CHANGELOG.md'), qr/\A[^#]*# [^#]*## \Q$version\E\n/, 'CHANGELOG.md has the version');
unlike(slurp_file($_), qr/\@extowner\@/, "$_ grants nothing to the role that runs it") foreach glob('sql/updates/*.sql');
unlike(slurp_file($_), qr/CREATE [^;(]*IF NOT EXISTS/i, "$_ takes nothing over") foreach glob('sql/idgen--*.sql sql/updates/*.sql');
like(slurp_file($_), qr/\A(--.*\n)*\\echo.*\n(\s|--.*\n)*SET LOCAL search_path = pg_catalog, pg_temp;\n/, "$_ sets search_path first")
  foreach glob('sql/idgen--*.sql sql/updates/*.sql');

# --- everything that makes an extension

my $describe = <<'SQL';
SET search_path = pg_catalog;
WITH members AS (
    SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
    WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'idgen')
SELECT pg_describe_object(classid, objid, 0),
       (SELECT pg_get_functiondef(oid) || proowner::regrole::text FROM pg_proc WHERE classid = 'pg_proc'::regclass AND oid = objid),
       (SELECT relkind::text || relowner::regrole::text || coalesce(CASE WHEN relkind = 'v' THEN pg_get_viewdef(oid) END, '')
        FROM pg_class WHERE classid = 'pg_class'::regclass AND oid = objid),
       (SELECT nspowner::regrole FROM pg_namespace WHERE classid = 'pg_namespace'::regclass AND oid = objid),
       (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM (
            SELECT unnest(proacl) a FROM pg_proc WHERE classid = 'pg_proc'::regclass AND oid = objid
            UNION ALL SELECT unnest(relacl) FROM pg_class WHERE classid = 'pg_class'::regclass AND oid = objid
            UNION ALL SELECT unnest(nspacl) FROM pg_namespace WHERE classid = 'pg_namespace'::regclass AND oid = objid) acl),
       (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM pg_init_privs i, unnest(initprivs) a
        WHERE i.classoid = members.classid AND i.objoid = objid AND i.objsubid = 0),
       (SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, attcollation::regcollation,
                                    pg_get_expr(adbin, adrelid)), ', ' ORDER BY attnum)
        FROM pg_attribute LEFT JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum)
        WHERE classid = 'pg_class'::regclass AND attrelid = objid AND attnum > 0),
       (SELECT string_agg(pg_get_triggerdef(oid) || tgenabled::text, ', ' ORDER BY tgname)
        FROM pg_trigger WHERE classid = 'pg_class'::regclass AND tgrelid = objid),
       (SELECT string_agg(pg_get_constraintdef(oid), ', ' ORDER BY conname)
        FROM pg_constraint WHERE classid = 'pg_class'::regclass AND conrelid = objid),
       obj_description(objid, classid::regclass::name)
FROM members ORDER BY 1;
SELECT extowner::regrole, extnamespace::regnamespace, array(SELECT unnest(extconfig)::regclass::text), extcondition FROM pg_extension WHERE extname = 'idgen';
TABLE idgen_catalog.idgen_generator ORDER BY name;
TABLE idgen_catalog.idgen_sequencer ORDER BY name;
SQL

my $node = PostgreSQL::Test::Cluster->new('main', install_path => dirname("$root$dir{bindir}"));
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'idgen'\nidgen.worker_id = 1\n");
$node->start;
is($node->safe_psql('postgres', q(SELECT setting FROM pg_config WHERE name = 'SHAREDIR')), abs_path("$root$dir{sharedir}"), 'the server runs from the copy');
$node->safe_psql('postgres', 'CREATE ROLE tenant LOGIN');
my @tenant = (extra_params => [ '-U', 'tenant' ]);

# A database with an operator that would match better than text's own if search_path allowed it.
sub made {
    my ($database, $sql) = @_;
    $node->safe_psql('postgres', "CREATE DATABASE $database OWNER tenant");
    $node->safe_psql($database, <<'SQL' . $sql, @tenant);
CREATE SCHEMA s;
CREATE FUNCTION s.never(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR s.= (LEFTARG = text, RIGHTARG = text, FUNCTION = s.never);
SQL
    return $database;
}

# The catalogs of a fresh installation, and of one that was updated; undef if the update fails.
sub fresh {
    my ($to) = @_;
    return $node->safe_psql(made('fresh_' . $to =~ tr/./_/r, "CREATE EXTENSION idgen VERSION '$to' SCHEMA s"), $describe);
}

sub updated {
    my ($from, $to, $updater) = @_;
    my $database = made("from_${from}_${to}_$updater" =~ tr/./_/r, "CREATE EXTENSION idgen VERSION '$from' SCHEMA s; SELECT s.idgen_create_generator('kept', 'js53');");
    my ($status) = $node->psql($database, "ALTER EXTENSION idgen UPDATE TO '$to'", on_error_stop => 1, $updater eq 'tenant' ? @tenant : ());
    return undef if $status;
    is($node->safe_psql($database, 'SELECT s.idgen_next($$kept$$) > 0', @tenant), 't', "$from to $to by the $updater: the previous version's generator works");
    $node->safe_psql($database, 'SELECT s.idgen_drop_generator($$kept$$)', @tenant);
    return $node->safe_psql($database, $describe);
}

# --- from each release to this version

my $this = fresh($version);
foreach my $release (@releases) {
    is(updated($release, $version, $_), $this, "$release updated by the $_ equals a fresh $version") foreach 'superuser', 'tenant';
}

# --- from this version to the next

my $fresh = fresh('next');
cmp_ok(length($fresh), '>', 20000, 'there are objects to compare');
foreach my $updater ('superuser', 'tenant') {
    is(updated($version, 'next', $updater), $fresh, "an update by the $updater equals a fresh installation");
    is($node->safe_psql("from_${version}_next_$updater" =~ tr/./_/r, 'SELECT s.idgen_extra() > 0', @tenant), 't', "the owner has his privileges after an update by the $updater");
}
isnt(updated($version, "without_\L$_", 'superuser'), $fresh, "an update without its $_ is noticed") foreach @order;
isnt(updated($version, 'careless', 'superuser'), $fresh, 'privileges granted to the role that ran the update are noticed');
my ($status) = $node->psql("from_${version}_careless_superuser" =~ tr/./_/r, 'SELECT s.idgen_extra()', @tenant);
isnt($status, 0, 'an update that grants to the wrong role leaves the owner without privileges');
is(updated($version, 'careless', 'tenant'), $fresh, 'no difference if that role is the owner');

$node->stop;
done_testing();
