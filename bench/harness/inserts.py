"""Single-row inserts by pgbench: the id is a column's default, and every insert is a transaction."""

import os
import re
import subprocess

from harness import peers
from harness.results import REFERENCE, in_turn
from harness.server import Session, WORK

TITLE = "Single-row inserts (pgbench, prepared statements)"
RATE = "Transactions per second"
CANDIDATES = {"idgen_next()": ("by_idgen", "bigint", "idgen_next()"),
              "idgen_next('named')": ("by_named", "bigint", "idgen_next('named')"),
              REFERENCE: ("by_nextval", "bigint", "nextval('cache_1')")
              } | {peer.name: (f"by_{peer.extension}", peer.column_type, peer.call) for peer in peers.built()}
CLIENTS = (1, 4, 16)
COMMITS = ("on", "off")


def case_of(clients, commit):
    return f"{clients} client{'s' if clients > 1 else ''}, synchronous_commit {commit}"


def run(plan, results):
    with Session() as session:
        for table, column_type, default in CANDIDATES.values():
            session.query(f"CREATE TABLE {table} (id {column_type} PRIMARY KEY DEFAULT {default}, client int NOT NULL)")
            with open(f"{WORK}/{table}.sql", "w", encoding="ascii") as script:
                script.write(f"INSERT INTO {table} (client) VALUES (:client_id);\n")
        for number in plan.each_round(TITLE):
            for commit in COMMITS:
                for clients in CLIENTS:
                    for name, (table, *_) in in_turn(CANDIDATES, number):
                        session.query(f"TRUNCATE {table}; CHECKPOINT")
                        rate = _pgbench(f"{WORK}/{table}.sql", clients, commit, plan.pgbench_s)
                        results.add("inserts", RATE, name, rate, case_of(clients, commit))


def _pgbench(script, clients, commit, seconds):
    threads = min(clients, os.cpu_count())
    command = ["pgbench", "-n", "-M", "prepared", "-f", script,
               "-c", str(clients), "-j", str(threads), "-T", str(seconds)]
    environment = dict(os.environ, PGOPTIONS=f"{os.environ.get('PGOPTIONS', '')} -c synchronous_commit={commit}")
    pgbench = subprocess.run(command, env=environment, capture_output=True, text=True)
    found = re.search(r"^tps = ([0-9.]+) \(without", pgbench.stdout, re.MULTILINE)
    if pgbench.returncode != 0 or found is None:
        raise SystemExit(f"pgbench failed:\n{pgbench.stdout}{pgbench.stderr}")
    return float(found[1])
