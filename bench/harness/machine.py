"""The machine that was measured on, without names of hosts or paths."""

import datetime
import os
import platform
import re
import subprocess

from harness.server import Session


def describe():
    with Session() as session:
        version = session.value("SELECT current_setting('server_version')")
        buffers = session.value("SELECT current_setting('shared_buffers')")
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "PostgreSQL": f"{version}, shared_buffers {buffers}, fsync on, autovacuum and jit off",
        "compiler": subprocess.run(["g++", "--version"], capture_output=True, text=True).stdout.split("\n")[0],
        "date": datetime.date.today().isoformat(),
    }


def _processor():
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        found = re.search(r"^(?:model name|Processor|CPU part)\s*: (.*)$", cpuinfo.read(), re.MULTILINE)
    return found[1] if found else platform.processor() or "unknown"
