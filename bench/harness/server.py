"""The measured server, reached through psql: sessions that stay open, and helpers for every group."""

import os
import subprocess
import time

from harness import peers

WORK = os.environ.get("IDGEN_BENCH_WORK", "")
_END = "-- end of answer --"


class Session:
    """One psql that stays connected. An error ends the run: failing statements must not be measured."""

    def __init__(self):
        self._psql = subprocess.Popen(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._pid = self.value("SELECT pg_backend_pid()")

    def send(self, sql):
        self._psql.stdin.write(f"{sql};\n\\echo {_END}\n")
        self._psql.stdin.flush()

    def receive(self):
        """The output lines of the statements sent before."""
        lines = []
        for line in self._psql.stdout:
            if line.rstrip("\n") == _END:
                return lines
            lines.append(line.rstrip("\n"))
        raise SystemExit("psql ended: see its message above")

    def query(self, sql):
        self.send(sql)
        return self.receive()

    def value(self, sql):
        return self.query(sql)[0]

    def time_ms(self, sql):
        """How long one statement takes from sending it to its result, measured by psql."""
        lines = self.query(f"\\timing on\n{sql};\n\\timing off\n")
        return float(next(line for line in lines if line.startswith("Time: ")).split()[1])

    def cpu_ns(self):
        """The CPU time that the backend has used; exact while the backend is idle."""
        try:
            with open(f"/proc/{self._pid}/schedstat", encoding="ascii") as schedstat:
                return int(schedstat.read().split()[0])
        except FileNotFoundError:
            raise SystemExit("this kernel has no /proc/PID/schedstat with the CPU time in nanoseconds") from None

    def close(self):
        self._psql.stdin.close()
        self._psql.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def wait_for_burst(session):
    """Waits until ids are no longer ahead of the clock: then the whole burst of one second is available."""
    while float(session.value("SELECT extract(epoch FROM drift) FROM idgen_status()")) > 0:
        time.sleep(0.02)


def set_block_size(session, size):
    """The background worker validates settings and passes them on to the backends within half a second."""
    session.query(f"ALTER SYSTEM SET idgen.block_size = {size}")
    session.query("SELECT pg_reload_conf()")
    time.sleep(1)


def make_objects():
    """The extension and its peers, once per run."""
    with Session() as session:
        session.query('CREATE EXTENSION idgen; CREATE EXTENSION "uuid-ossp"')
        session.query("SELECT idgen_create_generator('named', epoch => '2023-01-01')")
        session.query("CREATE SEQUENCE cache_1 CACHE 1; CREATE SEQUENCE cache_1000 CACHE 1000")
        session.query("SELECT idgen_create_sequencer('segments', cache => 1000000)")
        session.query(_INSTAGRAM)
        for peer in peers.built():
            session.query(f"CREATE EXTENSION {peer.extension}; {peer.setup}")


# The function that Instagram's engineers published for sharding: milliseconds, shard, sequence modulo 1024.
_INSTAGRAM = """
CREATE SEQUENCE instagram_sequence;
CREATE FUNCTION instagram_id() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    epoch_ms constant bigint := 1314220021721;
    shard_id constant bigint := 1;
    now_ms bigint;
    sequence bigint;
BEGIN
    SELECT nextval('instagram_sequence') % 1024 INTO sequence;
    SELECT floor(extract(epoch FROM clock_timestamp()) * 1000) INTO now_ms;
    RETURN (now_ms - epoch_ms) << 23 | shard_id << 10 | sequence;
END $$"""
