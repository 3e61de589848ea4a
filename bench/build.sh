# What bench/run and bench/instructions share: idgen built from this tree and installed. Sourced, not run.
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

# Sets major, bin and pg_config, with PostgreSQL and the named further packages installed.
prepare_machine() {
    command -v apt-get >/dev/null || die "this installs what it needs with apt; install by hand: PostgreSQL, $*"
    apt-cache show postgresql >/dev/null 2>&1 || as_root apt-get update -q >/dev/null
    major=$(pg_major)
    install_packages "postgresql-$major" "postgresql-server-dev-$major" make g++ "$@"
    bin=/usr/lib/postgresql/$major/bin
    pg_config=$bin/pg_config
}

# make_work_folder NAME: sets work, a temporary folder that the server's account owns.
make_work_folder() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/idgen-$1.XXXXXX")
    [ "$(id -u)" != 0 ] || chown postgres: "$work"
    chmod 755 "$work"
}

# Always anew, so that what is measured is this tree and nothing older. The servers load $work/tree/idgen.so by
# dynamic_library_path, whatever is installed meanwhile.
build_and_install() {
    copy_tree "$work/tree"
    (cd "$work/tree" && as_server_user make -f Makefile.pgxs PG_CONFIG="$pg_config" -s -j2 &&
        as_root make -f Makefile.pgxs PG_CONFIG="$pg_config" -s install) >"$work/build.log" 2>&1 ||
        { cat "$work/build.log"; die "the build failed"; }
}
