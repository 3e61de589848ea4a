"""Options, the groups in their order, and the output."""

import argparse
import pathlib
import sys
import time
from dataclasses import dataclass

from harness import calls, ceiling, etcd, inserts, latency, loads, machine, plot, report, sequence, server, sessions
from harness.results import Results

GROUPS = {"calls": calls, "loads": loads, "inserts": inserts, "sessions": sessions, "ceiling": ceiling,
          "sequence": sequence, "etcd": etcd, "latency": latency}
FOLDER = pathlib.Path(__file__).resolve().parent.parent


@dataclass
class Plan:
    """How much is measured."""

    rounds: int = 7
    calls: int = 1_000_000      # a round takes three million ids of a burst of four, with pauses in between
    rows: int = 1_000_000
    pgbench_s: int = 3
    burst_ids: int = 4_000_000  # of the 4,096,000 in a burst
    ceiling_s: int = 5

    def each_round(self, title):
        begin = time.monotonic()
        for number in range(1, self.rounds + 1):
            print(f"{title}: round {number} of {self.rounds}", file=sys.stderr, flush=True)
            yield number
        print(f"{title}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)


def options():
    parser = argparse.ArgumentParser(prog="bench/run", description="Measures what an id costs, beside its peers.")
    parser.add_argument("--quick", action="store_true", help="two short rounds, to check that it works")
    parser.add_argument("--only", metavar="GROUPS", default=",".join(GROUPS), help=f"some of {','.join(GROUPS)}")
    parser.add_argument("--rounds", type=int, help="rounds per group (7; with --quick 2)")
    parser.add_argument("--json", metavar="FILE", type=pathlib.Path, help="write every measured value there")
    parser.add_argument("--write", action="store_true", help="write bench/RESULTS.md and bench/results.svg")
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    unknown = [name for name in chosen.only.split(",") if name not in GROUPS]
    if unknown:
        parser.error(f"unknown group {', '.join(unknown)}; the groups are {', '.join(GROUPS)}")
    if chosen.rounds is not None and chosen.rounds < 1:
        parser.error("--rounds must be at least 1")
    if chosen.write and (chosen.quick or set(chosen.only.split(",")) != set(GROUPS)):
        parser.error("--write needs a full run, without --quick and --only")
    return chosen


def main():
    chosen = options()
    if chosen.check:
        return
    plan = Plan(rounds=2, calls=100_000, rows=50_000, pgbench_s=1, burst_ids=1_000_000, ceiling_s=2) \
        if chosen.quick else Plan()
    plan.rounds = chosen.rounds or plan.rounds
    server.make_objects()
    described = machine.describe()
    results = Results()
    for name, group in GROUPS.items():
        if name in chosen.only.split(","):
            group.run(plan, results)

    print("\n" + "\n".join(f"{name}: {value}" for name, value in described.items()))
    print(f"{plan.rounds} rounds{', quick: too short to be conclusive' if chosen.quick else ''}\n")
    print(report.tables(results, GROUPS))
    if chosen.json:
        chosen.json.write_text(report.as_json(results, described, plan), encoding="utf-8")
    if chosen.write:
        (FOLDER / "RESULTS.md").write_text(report.markdown(results, GROUPS, described, plan), encoding="utf-8")
        (FOLDER / "results.svg").write_text(plot.svg(results, described), encoding="utf-8")


main()
