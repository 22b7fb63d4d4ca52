"""From the demo's command to its first frame, in an empty home: `interlock demo`, then `make demo`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median

from benchmarks._engine import INTERLOCK
from benchmarks.console import Terminal
from engine.api.endpoint import is_alive, read_endpoint
from engine.api.home import HomePaths

ROOT = Path(__file__).resolve().parents[1]
RUNS, LIMIT_S, GONE_S = 3, 60.0, 15.0
COMMANDS = {
    "interlock": (INTERLOCK, "demo"),
    "make": ("make", "-C", str(ROOT), "--no-print-directory", "demo"),
}


def main(arguments: list[str]) -> int:
    """Print milliseconds to the first frame and to the engine's first figures, warm."""
    figures: dict[str, float] = {}
    for name, command in COMMANDS.items():
        if name == "make" and not _is_installed():
            print("make demo would install first: left out; run `make install`", file=sys.stderr)
            continue
        runs = [_first_frame(command) for _ in range(RUNS)]
        figures[f"{name}_demo_first_frame_median_ms"] = round(median(first for first, _ in runs), 1)
        figures[f"{name}_demo_first_frame_max_ms"] = round(max(first for first, _ in runs), 1)
        figures[f"{name}_demo_first_data_median_ms"] = round(median(data for _, data in runs), 1)
    if "--json" in arguments:
        print(json.dumps(figures))
    else:
        print("\n".join(f"{name:38} {value}" for name, value in figures.items()))
    return 0


def _is_installed() -> bool:
    """Tell whether `make demo` has nothing left to install: only then is it warm."""
    return subprocess.run(["make", "-q", "-C", str(ROOT), "install"], capture_output=True).returncode == 0


def _first_frame(command: tuple[str, ...]) -> tuple[float, float]:
    """Start a demo in a home of its own; leaves no engine behind."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        terminal = Terminal(home, command)
        try:
            first = terminal.wait(b" OVERVIEW ", terminal.began, LIMIT_S)
            return first, terminal.wait(b"ENG ok", terminal.began, LIMIT_S)
        finally:
            terminal.close()
            _wait_gone(HomePaths(home / "demo").endpoint)


def _wait_gone(endpoint: Path) -> None:
    """Wait for the demo's engine, which stops in order when its demo is gone."""
    with suppress(FileNotFoundError):
        pid = read_endpoint(endpoint).pid
        until = time.monotonic() + GONE_S
        while is_alive(pid) and time.monotonic() < until:
            time.sleep(0.05)
