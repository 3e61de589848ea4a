"""Sequences in exact mode in etcd, beside puts over gRPC, the protocol of etcd's own clients, to the same etcd.

Each value is a put that etcd makes durable. The question is how close a statement in one session comes to a client that
does nothing else, so the elapsed times of one statement and of as many puts over one connection alternate. Debian has
no package of etcd's benchmark tool, so the client is Python's gRPC with a request that is encoded beforehand.
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
PEER = "put over gRPC"
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
            (SINGLY, PEER, lambda: etcd.puts_per_second(singly)),
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
        self._put = self._channel.unary_unary("/etcdserverpb.KV/Put")

    def puts_per_second(self, count):
        key, value = b"bench:{1:k}", b"0+1v"
        request = b"\x0a" + bytes([len(key)]) + key + b"\x12" + bytes([len(value)]) + value  # PutRequest: key, value
        begin = time.monotonic()
        for _ in range(count):
            self._put(request)
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
