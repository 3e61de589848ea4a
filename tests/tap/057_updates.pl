# An updated extension equals a fresh installation, whoever runs the update. The test makes the versions, by the rules and with
# the script of CONTRIBUTING.md, in a copy of the PostgreSQL installation.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use File::Path qw(make_path);
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
my ($update) = slurp_file('CONTRIBUTING.md') =~ /^## Update scripts\n.*?^```sql\n(.*?)^```/ms or die 'no update script';

# A script that installs the version, and one that updates to it.
sub make_version {
    my ($name, $fresh, $from_before) = @_;
    append_to_file("$root$dir{sharedir}/extension/idgen--$name.sql", "$script\n$fresh");
    append_to_file("$root$dir{sharedir}/extension/idgen--$version--$name.sql", $from_before);
    return;
}

my $grant = "GRANT EXECUTE ON FUNCTION \@extschema\@.idgen_extra() TO \@extowner\@ WITH GRANT OPTION;\n";
my $fresh = $update =~ s/^DO .*^END \$\$;\n/$grant/msr =~ s/^\\echo.*\nSET LOCAL.*\n//mr;
my $more  = <<'SQL';
ALTER TABLE idgen_catalog.idgen_generator ADD COLUMN more text;
CREATE VIEW @extschema@.idgen_more AS SELECT name, more FROM idgen_catalog.idgen_generator;
COMMENT ON VIEW @extschema@.idgen_more IS 'More.';
INSERT INTO idgen_catalog.idgen_generator (name, layout, built_in) VALUES ('more', 'wide', true);
SQL
make_version('careful',   $fresh . $more, $update . $more);
make_version('careless',  $fresh, $update =~ s/^DO .*^END \$\$;\n/$grant/msr);
make_version('wordless',  $fresh, $update =~ s/^COMMENT .*?;\n//msr);
make_version('rowless',   $fresh . $more, $update . $more =~ s/INSERT.*\n//r);

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

sub differs {
    my ($name, $updater) = @_;
    my $anew    = made("${name}_anew_$updater", "CREATE EXTENSION idgen VERSION '$name' SCHEMA s");
    my $updated = made("${name}_updated_$updater", "CREATE EXTENSION idgen SCHEMA s; SELECT s.idgen_create_generator('kept', 'js53');");
    $node->safe_psql($updated, "ALTER EXTENSION idgen UPDATE TO '$name'", $updater eq 'tenant' ? @tenant : ());
    is($node->safe_psql($updated, 'SELECT s.idgen_next($$kept$$) > 0', @tenant), 't', "$name by $updater: the previous version works");
    $node->safe_psql($updated, 'SELECT s.idgen_drop_generator($$kept$$)', @tenant);
    my ($wanted, $got) = map { $node->safe_psql($_, $describe) } $anew, $updated;
    cmp_ok(length($wanted), '>', 20000, "$name by $updater: there are objects to compare");
    return $wanted ne $got;
}

foreach my $updater ('superuser', 'tenant') {
    ok(!differs('careful', $updater), "an update by the $updater equals a fresh installation");
    is($node->safe_psql("careful_updated_$updater", 'SELECT s.idgen_extra() > 0', @tenant), 't', "the owner has his privileges after an update by the $updater");
    ok(differs('wordless', $updater), 'a missing comment is noticed');
    ok(differs('rowless', $updater), 'a missing row is noticed');
}
ok(differs('careless', 'superuser'), 'privileges granted to the role that ran the update are noticed');
my ($status) = $node->psql('careless_updated_superuser', 'SELECT s.idgen_extra()', @tenant);
isnt($status, 0, 'an owner without privileges is noticed');
ok(!differs('careless', 'tenant'), 'no difference if that role is the owner');

$node->stop;
done_testing();
