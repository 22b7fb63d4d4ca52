"""What the process benchmarks share: a fresh home, an engine in it, a finished child's time and memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

INTERLOCK = str(Path(sys.executable).with_name("interlock"))


def environment(home: Path) -> dict[str, str]:
    """Return the surroundings of a child that works in `home`."""
    return {
        **os.environ,
        "INTERLOCK_HOME": str(home),
        "INTERLOCK_OPERATOR": "bench",
        "TERM": "xterm-256color",
    }


def timed(home: Path, *arguments: str) -> tuple[float, float]:
    """Run one command in `home`: wall seconds and peak MB. Raises RuntimeError when it fails."""
    began = time.perf_counter()
    process = subprocess.Popen([INTERLOCK, *arguments], env=environment(home), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    spent = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"interlock {' '.join(arguments)} exited {process.returncode}")
    return spent, usage.ru_maxrss / 1000


@contextmanager
def running_engine() -> Iterator[Path]:
    """Run an engine in a home of its own; yields the home."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        timed(home, "engine", "start")
        try:
            yield home
        finally:
            timed(home, "engine", "stop")


def percentile(values: list[float], share: float) -> float:
    """Return the value below which `share` of the values lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
