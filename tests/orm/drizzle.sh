# drizzle-kit: push creates the missing table, without questions and without dropping anything; drizzle-orm gets ids from the server.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
check() { if eval "$2"; then echo "ok - $1"; else echo "not ok - $1"; echo "$out"; exit 1; fi; }
push() { out=$(cd "$NODE_PATH/.." && node node_modules/drizzle-kit/bin.cjs push --verbose --config "$here/drizzle.config.js" </dev/null 2>&1) || out="$out (exit code $?)"; }
push
check 'push asks nothing' '! grep -qiE "renamed|created or|tty|exit code|Error" <<<"$out"'
check 'push creates the missing table' '[ "$(psql -AXtc "SELECT to_regclass('\''shops'\'') IS NOT NULL")" = t ]'
check 'push drops nothing' '! grep -qi "drop" <<<"$out"'
push
check 'a second push has nothing to do' 'grep -q "No changes detected" <<<"$out"'
node "$here/drizzle.js"
