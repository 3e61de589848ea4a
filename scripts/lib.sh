# Functions for the other scripts. Sourced, not run.
set -euo pipefail

root_of_tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '\n== %s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else die "root or sudo is needed for: $*"
    fi
}

# Runs a command as the user who runs the servers: PostgreSQL refuses to run as root, so that is Debian's user postgres then.
as_server_user() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

# The PostgreSQL major to use: IDGEN_PG, otherwise the latest one installed, otherwise the one of this Debian release.
pg_major() {
    if [ -n "${IDGEN_PG:-}" ]; then echo "$IDGEN_PG"
    elif ls /usr/lib/postgresql/*/bin/pg_config >/dev/null 2>&1; then
        ls -d /usr/lib/postgresql/*/bin/pg_config | sed 's|/usr/lib/postgresql/\([0-9]*\)/.*|\1|' | sort -n | tail -1
    else apt-cache depends postgresql | sed -n 's/^ *Depends: postgresql-\([0-9]*\)$/\1/p' | tail -1
    fi
}

# Installs the Debian packages that are missing, and prints their names.
install_packages() {
    local missing=() name
    for name in "$@"; do
        dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'install ok installed' || missing+=("$name")
    done
    [ ${#missing[@]} = 0 ] && return 0
    say "installing with apt: ${missing[*]}"
    # Debian's packages must not create a cluster, which nothing here would use.
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        as_root mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
    fi
    as_root apt-get update -q >/dev/null
    # RUNLEVEL=1: services of the packages are not started.
    as_root env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
}

# Copies the tree's files (tracked, or untracked and not ignored) to a directory that the servers' user owns.
copy_tree() {
    mkdir -p "$1"
    if [ -e "$root_of_tree/.git" ] && command -v git >/dev/null; then
        git -c safe.directory='*' -C "$root_of_tree" ls-files -coz --exclude-standard |
            (cd "$root_of_tree" && xargs -0 -I{} sh -c 'test ! -e "$1" || printf "%s\0" "$1"' - {}) |
            tar -C "$root_of_tree" --null -T - -c | tar -C "$1" -x
    else
        tar -C "$root_of_tree" --exclude='./build*' --exclude=./.git -c . | tar -C "$1" -x
    fi
    [ "$(id -u)" != 0 ] || chown -R postgres: "$1"
}

# A folder for this tree and this user, so that checkouts on one machine share nothing.
folder_of_tree() {  # NAME
    echo "${TMPDIR:-/tmp}/idgen-$1.$(id -u).$(printf %s "$root_of_tree" | sha256sum | cut -c 1-12)"
}

# Installs PostgreSQL, the named packages and idgen if they are missing. Sets bin and pg_config, and work: a temporary directory
# that the servers' user owns.
prepare_demo() {  # PACKAGE...
    command -v apt-get >/dev/null || die "this script installs packages with apt; on other systems see README.md, Installation"
    apt-cache show postgresql >/dev/null 2>&1 || as_root apt-get update -q >/dev/null
    local major
    major=$(pg_major)
    install_packages "postgresql-$major" "postgresql-server-dev-$major" libhiredis-dev libc-ares-dev uuid-dev libssl-dev \
        libcurl4-openssl-dev libjansson-dev make g++ "$@"
    bin=/usr/lib/postgresql/$major/bin
    pg_config=$bin/pg_config

    # The installation is the machine's, not this tree's: it is used as it is only if it was built from this tree as it is now.
    local built newest installed
    built=$("$pg_config" --pkglibdir)/idgen.so
    installed=$(folder_of_tree installed).$major
    newest=$(find "$root_of_tree/src" "$root_of_tree/sql" "$root_of_tree/idgen.control" "$root_of_tree/Makefile.pgxs" \
        -newer "$built" -print -quit 2>/dev/null || echo none)
    work=$(mktemp -d "${TMPDIR:-/tmp}/idgen-demo.XXXXXX")
    [ "$(id -u)" != 0 ] || chown postgres: "$work"
    chmod 755 "$work"
    if [ -e "$built" ] && [ -z "$newest" ] && sha256sum <"$built" | cmp -s - "$installed"; then
        say "idgen is already installed from this tree"
        return
    fi
    say "building idgen for $("$pg_config" --version) and installing it into $(dirname "$built")"
    copy_tree "$work/tree"
    (cd "$work/tree" && as_server_user make -f Makefile.pgxs PG_CONFIG="$pg_config" -s -j2 &&
        as_root make -f Makefile.pgxs PG_CONFIG="$pg_config" -s install) >"$work/build.log" 2>&1 ||
        { cat "$work/build.log"; die "the build failed"; }
    sha256sum <"$built" >"$installed"
}
