"""Sequences in exact mode in etcd, beside requests over gRPC, the protocol of etcd's own clients, to the same etcd.

Each value is a write that etcd makes durable. The question is how close a statement in one session comes to a client
that does nothing else, so the elapsed times of one statement and of as many requests over one connection alternate:
transactions that compare a key and put it, which is how a client of etcd counts, and plain puts, the least that makes
anything durable. Debian has no package of etcd's benchmark tool, so the client is Python's gRPC with requests that are
encoded beforehand.
"""

import socket
import subprocess
import time
import urllib.error
import urllib.request

from harness.results import in_turn
from harness.server import Session, WORK

TITLE = "Sequences in etcd, one session"
RATE = "Values per second"
PEER = "compare and put over gRPC"
PUT = "put over gRPC"
OURS = "idgen_sequence_next()"
SINGLY = "one at a time"
KEYS = 1000
TOGETHER = f"{KEYS:,} keys at once"


def run(plan, results):
    singly, calls = max(plan.calls // 1000, 200), 5
    etcd = _Etcd()
    with Session() as session:
        before = session.value("SHOW idgen.sequence_store")
        _use(session, f"etcd://127.0.0.1:{etcd.port}")
        session.query("SET idgen.sequence_timeout = '60s'")
        measurements = {name: one for name, one in enumerate([
            (SINGLY, OURS, lambda: 1000 * singly / session.time_ms(
                f"SELECT count(idgen_sequence_next('k')) FROM generate_series(1, {singly})")),
            (SINGLY, PEER, lambda: etcd.per_second(singly, "Txn", _COMPARE_AND_PUT)),
            (SINGLY, PUT, lambda: etcd.per_second(singly, "Put", _PUT)),
            (TOGETHER, OURS, lambda: 1000 * KEYS * calls / session.time_ms(
                f"SELECT count(*) FROM generate_series(1, {calls}), LATERAL idgen_sequence_next_keys("
                f"array(SELECT 'k' || k FROM generate_series(1, {KEYS}) k))")),
        ])}
        for number in plan.each_round(TITLE):
            for _, (case, name, measure) in in_turn(measurements, number):
                results.add("etcd", RATE, name, measure(), case)
        _use(session, before)
    etcd.close()


def _use(session, url):
    session.query(f"ALTER SYSTEM SET idgen.sequence_store = '{url}'")
    session.query("SELECT pg_reload_conf()")
    while session.value("SHOW idgen.sequence_store") != url:
        time.sleep(0.02)


def _field(number, value):
    """A field of a protobuf message: a text, bytes or a message of less than 128 bytes, or a number below 128."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


_KEY, _VALUE = b"bench:{1:k}", b"0+1v"
_PUT = _field(1, _KEY) + _field(2, _VALUE)
# Compare: result GREATER, target MOD, key, mod_revision 0: the key exists.
_COMPARE = _field(1, 1) + _field(2, 2) + _field(3, _KEY) + _field(6, 0)
_COMPARE_AND_PUT = _field(1, _COMPARE) + _field(2, _field(2, _PUT))


class _Etcd:
    """An etcd of the run's own, with its data in the run's folder."""

    def __init__(self):
        self.port, peer = _free_ports(2)
        url, peer_url = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{peer}"
        with open(f"{WORK}/etcd.log", "w", encoding="utf-8") as log:
            self._server = subprocess.Popen(
                ["etcd", "--name", "bench", "--data-dir", f"{WORK}/etcd", "--listen-client-urls", url,
                 "--advertise-client-urls", url, "--listen-peer-urls", peer_url, "--initial-advertise-peer-urls",
                 peer_url, "--initial-cluster", f"bench={peer_url}"], stdout=log, stderr=log)
        while not _is_healthy(url):
            if self._server.poll() is not None:
                raise SystemExit(f"etcd did not start: see {WORK}/etcd.log")
            time.sleep(0.1)
        import grpc
        self._channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")
        self.per_second(1, "Put", _PUT)  # so that the transactions find the key

    def per_second(self, count, method, request):
        """Requests per second of one connection."""
        call = self._channel.unary_unary(f"/etcdserverpb.KV/{method}")
        begin = time.monotonic()
        for _ in range(count):
            call(request)
        return count / (time.monotonic() - begin)

    def close(self):
        self._channel.close()
        self._server.terminate()
        self._server.wait()


def _is_healthy(url):
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=1) as reply:
            return b'"true"' in reply.read()
    except (urllib.error.URLError, OSError):
        return False


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
