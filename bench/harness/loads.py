"""A million rows with their primary key: INSERT … SELECT, and COPY from a client.

COPY inserts whole pages of rows unless a column's default is volatile; only nextval is exempt. With DEFAULT
idgen_next() it therefore inserts row by row. To avoid that, take the ids first with idgen_batch() and put them into the
stream: no default is evaluated, and no other session can ever get the same ids.
"""

import os
import subprocess
import time

from harness import peers
from harness.results import REFERENCE, in_turn
from harness.server import Session, WORK

TITLE = "Loading a million rows with their primary key"
DEFAULTS = {
    "idgen_next()": ("bigint", "idgen_next()"),
    REFERENCE: ("bigint", "nextval('cache_1')"),
    "nextval, CACHE 1000": ("bigint", "nextval('cache_1000')"),
    "uuid_v7()": ("uuid", "uuid_v7()"),
    "gen_random_uuid()": ("uuid", "gen_random_uuid()"),
} | {peer.name: (peer.column_type, peer.call) for peer in peers.built()}
INSERT = "INSERT … SELECT"
COPY = "COPY"
_ROWS = f"{WORK}/rows"
_PSQL = "psql -X -q -A -t -v ON_ERROR_STOP=1"
_COPY_WITH_DEFAULT = f"{_PSQL} -c 'COPY loaded (n) FROM STDIN' <{_ROWS}"
_COPY_WITH_IDS = (f"paste <({_PSQL} -c 'COPY (SELECT * FROM {{ids}}) TO STDOUT') {_ROWS} |"
                  f" {_PSQL} -c 'COPY loaded (id, n) FROM STDIN'")
_COPY_THEN_INSERT = (f"{_PSQL} -c 'CREATE TEMPORARY TABLE staging (n int)' -c 'COPY staging FROM STDIN'"
                     f" -c 'INSERT INTO loaded (n) SELECT n FROM staging' <{_ROWS}")

COPIES = {name: (default, _COPY_WITH_DEFAULT) for name, default in DEFAULTS.items()} | {
    "idgen_next(), through a temporary table": (DEFAULTS["idgen_next()"], _COPY_THEN_INSERT),
    "idgen_batch(n), ids in the stream": (DEFAULTS["idgen_next()"], _COPY_WITH_IDS.format(ids="idgen_batch({rows})")),
    "uuid_v7(), UUIDs in the stream":
        (DEFAULTS["uuid_v7()"],
         _COPY_WITH_IDS.format(ids="(SELECT uuid_v7() FROM generate_series(1, {rows})) ids")),
}


TIME, WAL, INDEX, BLOAT = "Milliseconds", "MB of WAL", "MB of index", "Index size relative to a rebuilt index"


def run(plan, results):
    with open(_ROWS, "w", encoding="ascii") as rows:
        rows.writelines(f"{n}\n" for n in range(plan.rows))
    with Session() as session:
        insert = f"INSERT INTO loaded (n) SELECT n FROM generate_series(1, {plan.rows}) n"
        for number in plan.each_round(TITLE):
            for name, default in in_turn(DEFAULTS, number):
                _measure(session, results, INSERT, name, default, lambda: session.time_ms(insert))
            for name, (default, command) in in_turn(COPIES, number):
                _measure(session, results, COPY, name, default, lambda: _shell_ms(command.format(rows=plan.rows)))
        session.query("DROP TABLE loaded")
    os.remove(_ROWS)


def _measure(session, results, how, name, default, load_ms):
    column_type, expression = default
    session.query("DROP TABLE IF EXISTS loaded")
    session.query(f"CREATE TABLE loaded (id {column_type} PRIMARY KEY DEFAULT {expression}, n int NOT NULL)")
    session.query("CHECKPOINT")
    before = session.value("SELECT pg_current_wal_lsn()")
    elapsed_ms = load_ms()
    wal = float(session.value(f"SELECT pg_current_wal_lsn() - '{before}'"))
    index = int(session.value("SELECT pg_relation_size('loaded_pkey')"))
    session.query("REINDEX TABLE loaded")
    rebuilt = int(session.value("SELECT pg_relation_size('loaded_pkey')"))
    for unit, value in ((TIME, elapsed_ms), (WAL, wal / 1e6), (INDEX, index / 1e6), (BLOAT, index / rebuilt)):
        results.add("loads", unit, name, value, how)


def _shell_ms(command):
    begin = time.perf_counter()
    subprocess.run(["bash", "-o", "pipefail", "-c", command], check=True)
    return (time.perf_counter() - begin) * 1e3
