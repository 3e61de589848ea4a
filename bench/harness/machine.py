"""The version that was measured and the machine, without host names or paths."""

import datetime
import os
import platform
import re
import subprocess

from harness import peers
from harness.server import Session


def describe():
    with Session() as session:
        version = session.value("SELECT current_setting('server_version')")
        idgen = session.value("SELECT extversion FROM pg_extension WHERE extname = 'idgen'")
        buffers = session.value("SELECT current_setting('shared_buffers')")
    built = peers.built()
    return {
        "idgen": idgen,
        **({"peers": ", ".join(f"{peer.extension} {_version(peer.extension)}" for peer in built)} if built else {}),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "PostgreSQL": f"{version}, shared_buffers {buffers}, fsync on, autovacuum and jit off",
        "compiler": subprocess.run(["g++", "--version"], capture_output=True, text=True).stdout.split("\n")[0],
        "date": datetime.date.today().isoformat(),
    }


def _version(extension):
    with Session() as session:
        return session.value(f"SELECT extversion FROM pg_extension WHERE extname = '{extension}'")


def _processor():
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        found = re.search(r"^(?:model name|Processor|CPU part)\s*: (.*)$", cpuinfo.read(), re.MULTILINE)
    return found[1] if found else platform.processor() or "unknown"
