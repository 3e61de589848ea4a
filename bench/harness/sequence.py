"""Sequences in exact mode, beside redis-benchmark on the same Redis over the same socket.

Each value costs a round trip. The question is how close a statement in one session comes to a client that does nothing
else, so the elapsed times of one statement and one run of redis-benchmark alternate.
"""

import csv
import subprocess

from harness.results import in_turn
from harness.server import Session, WORK

TITLE = "Sequences, one session"
RATE = "Thousand values per second"
PEER = "redis-benchmark, INCR"
OURS = "idgen_sequence_next()"
BATCH = "idgen_sequence()"
SINGLY = "one at a time"
KEYS = 1000
TOGETHER = f"{KEYS:,} keys at once"
VALUES = "1,000 values of one key at once"


def run(plan, results):
    singly, calls = plan.calls // 20, plan.calls // KEYS
    with Session() as session:
        session.query("CREATE TABLE bench_keys (keys text[]); ALTER TABLE bench_keys ALTER keys SET STORAGE EXTERNAL")
        session.query(f"INSERT INTO bench_keys SELECT array(SELECT 'k' || k FROM generate_series(1, {KEYS}) k)"
                      f" FROM generate_series(1, {calls}); ANALYZE bench_keys")

        def ours(case, statement, values):
            return case, OURS if case != VALUES else BATCH, lambda: values / session.time_ms(statement)

        def peer(case, requests, pipeline):
            return case, PEER, lambda: _redis_benchmark(requests, pipeline) / 1000

        measurements = {name: one for name, one in enumerate([
            ours(SINGLY, f"SELECT count(idgen_sequence_next('k')) FROM generate_series(1, {singly})", singly),
            peer(SINGLY, singly, 1),
            ours(TOGETHER, "SELECT count(*) FROM bench_keys b, idgen_sequence_next_keys(b.keys)", KEYS * calls),
            peer(TOGETHER, KEYS * calls, KEYS),
            ours(VALUES, f"SELECT count(*) FROM generate_series(1, {calls}) g,"
                         f" idgen_sequence('k' || g, {KEYS})", KEYS * calls),
        ])}
        for number in plan.each_round(TITLE):
            for _, (case, name, measure) in in_turn(measurements, number):
                results.add("sequence", RATE, name, measure(), case)


def _redis_benchmark(requests, pipeline):
    """Requests per second of one connection."""
    keys = ["-r", str(KEYS)] if pipeline > 1 else []
    run_once = subprocess.run(["redis-benchmark", "-s", f"{WORK}/redis.sock", "-c", "1", "-P", str(pipeline), *keys,
                               "-n", str(requests), "--csv", "INCR", "k:__rand_int__" if keys else "k"],
                              check=True, capture_output=True, text=True)
    return float(list(csv.reader(run_once.stdout.splitlines()))[-1][1])
