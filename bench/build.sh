# What bench/run and bench/instructions share: idgen built from this tree and installed. Sourced, not run.
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

# Installs PostgreSQL and the named packages, and sets major, bin and pg_config.
prepare_machine() {
    command -v apt-get >/dev/null || die "this installs what it needs with apt; install by hand: PostgreSQL, $*"
    apt-cache show postgresql >/dev/null 2>&1 || as_root apt-get update -q >/dev/null
    major=$(pg_major)
    install_packages "postgresql-$major" "postgresql-server-dev-$major" make g++ "$@"
    bin=/usr/lib/postgresql/$major/bin
    pg_config=$bin/pg_config
}

# make_work_folder NAME: sets work, a temporary folder owned by the server's account.
make_work_folder() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/idgen-$1.XXXXXX")
    [ "$(id -u)" != 0 ] || chown postgres: "$work"
    chmod 755 "$work"
}

# Always from scratch, so that this tree is measured and nothing older. The servers load $work/tree/idgen.so by
# dynamic_library_path, whatever is installed in the meantime.
build_and_install() {
    copy_tree "$work/tree"
    (cd "$work/tree" && as_server_user make -f Makefile.pgxs PG_CONFIG="$pg_config" -s -j2 &&
        as_root make -f Makefile.pgxs PG_CONFIG="$pg_config" -s install) >"$work/build.log" 2>&1 ||
        { cat "$work/build.log"; die "the build failed"; }
}

# build_peers DIR NAME...: builds copies of DIR/NAME, installs them, and adds them to peers. An extension that was
# installed before is used as it is, so that nothing of the machine's own is replaced or removed.
peers=() installed_peers=()
build_peers() {
    local name found=
    for name in "${@:2}"; do
        [ -e "$1/$name/$name.control" ] || continue
        found=1 peers+=("$name")
        if [ -e "$("$pg_config" --sharedir)/extension/$name.control" ]; then
            say "$name is installed already: measuring that"
            continue
        fi
        say "building $name and installing it until the end of the run"
        cp -r "$1/$name" "$work/$name"
        [ "$(id -u)" != 0 ] || chown -R postgres: "$work/$name"
        installed_peers+=("$name")
        (as_server_user make -C "$work/$name" USE_PGXS=1 PG_CONFIG="$pg_config" -s with_llvm=no &&
            as_root make -C "$work/$name" USE_PGXS=1 PG_CONFIG="$pg_config" -s with_llvm=no install) >"$work/$name.log" 2>&1 ||
            { cat "$work/$name.log"; die "$name did not build"; }
    done
    [ -n "$found" ] || die "no sources in $1: expected $(printf "%s/, " "${@:2}" | sed 's/, $//')"
}
uninstall_peers() {
    local name
    for name in "${installed_peers[@]}"; do
        as_root make -C "$work/$name" USE_PGXS=1 PG_CONFIG="$pg_config" -s with_llvm=no uninstall >/dev/null 2>&1 || true
    done
}
