"""Ids per second from several sessions at once, within the burst of the default layout.

All sessions wait for one advisory lock, then each runs one statement. The time counts from the start of the first to
the end of the last, by the server's clock. Each row has ten calls, so that generate_series does not dominate.
"""

import time

from harness import peers
from harness.results import REFERENCE, in_turn
from harness.server import Session, wait_for_burst

TITLE = "Several sessions at once"
RATE = "Million ids per second"
CALLS_PER_ROW = 10
SEGMENTS = "idgen_sequence_next(), cache 1000000, a key each"
SEGMENTS_OF_ONE = "idgen_sequence_next(), cache 1000000, one key"
CANDIDATES = {
    "idgen_next()": "idgen_next()",
    REFERENCE: "nextval('cache_1')",
    "nextval, CACHE 1000": "nextval('cache_1000')",
    SEGMENTS: "idgen_sequence_next('k {session}', 'segments')",
    SEGMENTS_OF_ONE: "idgen_sequence_next('k', 'segments')",
} | {peer.name: peer.call for peer in peers.built()}
COUNTS = (1, 2, 4, 16)


def case_of(sessions):
    return f"{sessions} session{'s' if sessions > 1 else ''}"


def run(plan, results):
    with Session() as leader:
        crowd = [Session() for _ in range(max(COUNTS))]
        for index, session in enumerate(crowd):
            for call in CANDIDATES.values():
                session.query(_statement(call.format(session=index), 1000))
        for number in plan.each_round(TITLE):
            for sessions in COUNTS:
                for name, call in in_turn(CANDIDATES, number):
                    rate = _measure(leader, crowd[:sessions], call, plan.burst_ids)
                    results.add("sessions", RATE, name, rate / 1e6, case_of(sessions))
        for session in crowd:
            session.close()


def _statement(call, ids):
    counts = " + ".join([f"count({call})"] * CALLS_PER_ROW)
    return f"SELECT {counts} FROM generate_series(1, {ids // CALLS_PER_ROW})"


def _measure(leader, crowd, call, ids):
    ids_each = ids // len(crowd) // CALLS_PER_ROW * CALLS_PER_ROW
    now = "SELECT extract(epoch FROM clock_timestamp())"
    wait_for_burst(leader)
    leader.query("SELECT pg_advisory_lock(1)")
    for index, session in enumerate(crowd):
        # One message to the server, so that psql does not wait in between: its \; separates without sending.
        session.send(" \\; ".join(["SELECT pg_advisory_xact_lock_shared(1)", now,
                                    _statement(call.format(session=index), ids_each), now]))
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    while int(leader.value(waiting)) < len(crowd):
        time.sleep(0.01)
    leader.query("SELECT pg_advisory_unlock(1)")
    # The lock function's result is an empty line.
    answers = [[float(line) for line in session.receive() if line] for session in crowd]
    begin = min(answer[0] for answer in answers)
    end = max(answer[2] for answer in answers)
    taken = sum(answer[1] for answer in answers)
    return taken / (end - begin)
