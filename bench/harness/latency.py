"""How long a call takes while the sequence store is far away; the slowest of many calls count.

Redis is behind a proxy that delays everything by half of the round trip in each direction. pgbench measures each
transaction with one value; nextval, which asks no store, shows what the machine adds by itself.
"""

import asyncio
import os
import pathlib
import subprocess
import threading

from harness.results import REFERENCE, in_turn
from harness.server import Session, WORK

TITLE = "A value while the store is 5 ms away"
MEDIAN, SLOWEST = "Median, milliseconds", "99.9 %, milliseconds"
ROUND_TRIP_S = 0.005
SEGMENTS = "idgen_sequence_next(), cache 1000000"
CANDIDATES = {SEGMENTS: "idgen_sequence_next('far', 'segments')", REFERENCE: "nextval('cache_1')"}
CLIENTS = (1, 4)


def case_of(clients):
    return f"{clients} client{'s' if clients > 1 else ''}"


def run(plan, results):
    proxy = _Proxy(f"{WORK}/far.sock", f"{WORK}/redis.sock")
    with Session() as session:
        store = session.value("SHOW idgen.sequence_store")
        _set_store(session, f"unix://{proxy.path}")
        for number in plan.each_round(TITLE):
            for clients in CLIENTS:
                for name, call in in_turn(CANDIDATES, number):
                    times = _pgbench_ms(call, clients, plan.pgbench_s)
                    results.add("latency", MEDIAN, name, times[len(times) // 2], case_of(clients))
                    results.add("latency", SLOWEST, name, times[len(times) * 999 // 1000], case_of(clients))
        _set_store(session, store)
    proxy.stop()


def _set_store(session, url):
    session.query(f"ALTER SYSTEM SET idgen.sequence_store = '{url}'")
    session.query("SELECT pg_reload_conf()")


def _pgbench_ms(call, clients, seconds):
    """The times of all transactions, in ascending order."""
    script = pathlib.Path(WORK, "far.sql")
    script.write_text(f"SELECT {call};\n", encoding="ascii")
    subprocess.run(["pgbench", "-n", "-M", "prepared", "-c", str(clients), "-T", str(seconds), "-f", script, "-l",
                    f"--log-prefix={WORK}/far_log"], check=True, capture_output=True)
    times = []
    for log in pathlib.Path(WORK).glob("far_log*"):
        with open(log, encoding="ascii") as lines:
            times += [int(line.split()[2]) / 1000 for line in lines]
        os.remove(log)
    return sorted(times)


class _Proxy:
    """Forwards everything half a round trip later."""

    def __init__(self, path, target):
        self.path = path
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(asyncio.start_unix_server(self._serve, path))
        os.chmod(path, 0o777)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    async def _serve(self, reader, writer):
        far_reader, far_writer = await asyncio.open_unix_connection(self._target)
        await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))

    async def _pass(self, reader, writer):
        while data := await reader.read(65536):
            self._loop.call_later(ROUND_TRIP_S / 2, writer.write, data)
        self._loop.call_later(ROUND_TRIP_S / 2, writer.close)

    def stop(self):
        """Connections that are still open end with the run."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
