"""Runs one command, and measures its whole process tree."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
BENCH = TARGET / "bench"
WORK = BENCH / "work"

# Isolated from the user's configuration, keys and caches.
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": str(WORK / "home"), "LC_ALL": "C", "TZ": "UTC"}


class Failed(Exception):
    """A measured program failed."""


def shout(text):
    print(f"!!! {text}", file=sys.stderr, flush=True)


def say(text):
    print(text, file=sys.stderr, flush=True)


def has_gnu_time():
    return os.access("/usr/bin/time", os.X_OK)


def measure(command, log, timeout):
    """Wall-clock time, CPU time of all processes together, and the memory of the largest one."""
    report = WORK / "time"
    gnu_time = has_gnu_time()
    # A child's peak memory includes that of the process that forked it, and Python's is large: GNU time is run in between.
    timed = ["/usr/bin/time", "-q", "-o", report, "-f", "%M", *command] if gnu_time else command
    os.sync()
    with open(log, "wb") as output:
        start = time.perf_counter()
        # In its own session, so that a timeout kills all of its processes.
        child = subprocess.Popen(
            timed, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        end = threading.Timer(timeout, os.killpg, (child.pid, signal.SIGKILL))
        end.start()
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)
            raise
        finally:
            end.cancel()
        wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if wall >= timeout:
        raise Failed(f"took more than {timeout:,} s")
    if child.returncode != 0:
        raise Failed(f"exit code {child.returncode}, see {log}")
    return {
        "wall_s": round(wall, 4),
        "user_s": round(usage.ru_utime, 4),
        "system_s": round(usage.ru_stime, 4),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 4),
        "peak_kib": int(report.read_text().split()[-1]) if gnu_time else None,
    }
