"""The layout's maximum rate: what is sustained once the burst is used up, and the CPU that waiting costs.

The default layout has 4,096 ids a millisecond. Sessions take ids as fast as they can; an observer reads
idgen_status().ids_issued and the backends' CPU time at the start and the end of a few seconds.
"""

import time

from harness.server import Session, wait_for_burst
from harness.sessions import case_of

TITLE = "The layout's maximum rate"
NAME = "idgen_next()"
IDS_PER_SECOND = 4096 * 1000
RATE = "Sustained, % of the layout's 4,096,000 ids per second"
CPU = "CPU of the backends meanwhile, % of one core"
COUNTS = (1, 4)


def run(plan, results):
    with Session() as observer:
        crowd = [Session() for _ in range(max(COUNTS))]
        for _ in plan.each_round(TITLE):
            for sessions in COUNTS:
                rate, cpu = _measure(observer, crowd[:sessions], plan.ceiling_s)
                results.add("ceiling", RATE, NAME, 100 * rate / IDS_PER_SECOND, case_of(sessions))
                results.add("ceiling", CPU, NAME, 100 * cpu, case_of(sessions))
        for session in crowd:
            session.close()


def _measure(observer, crowd, seconds):
    wait_for_burst(observer)
    # A burst of one second, at most a second until it is used up, and one to spare.
    rows = (seconds + 4) * IDS_PER_SECOND // len(crowd)
    for session in crowd:
        # Two short series: one of millions of rows would be stored before the first id is taken.
        session.send("SELECT count(idgen_next())"
                     f" FROM generate_series(1, {rows // 1000}) a, generate_series(1, 1000) b")
    time.sleep(2)
    _check_that_all_wait(observer)
    at_begin, ids_begin, cpu_begin = _observe(observer, crowd)
    time.sleep(seconds)
    at_end, ids_end, cpu_end = _observe(observer, crowd)
    _check_that_all_wait(observer)
    for session in crowd:
        session.receive()
    elapsed = at_end - at_begin
    return (ids_end - ids_begin) / elapsed, (cpu_end - cpu_begin) / 1e9 / elapsed


def _check_that_all_wait(observer):
    drift = float(observer.value("SELECT extract(epoch FROM drift) FROM idgen_status()"))
    if drift < 0.9:
        raise SystemExit(f"the burst is not used up (drift {drift} s): this machine is too slow for the layout's rate")


def _observe(observer, crowd):
    """The server's time in seconds, the ids issued so far, the CPU time of the crowd so far in ns."""
    line = observer.value("SELECT extract(epoch FROM clock_timestamp()) || ' ' || ids_issued FROM idgen_status()")
    at, ids = line.split()
    return float(at), int(ids), sum(session.cpu_ns() for session in crowd)
