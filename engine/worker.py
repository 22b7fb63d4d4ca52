"""A worker process: reads one run request from standard input, makes the run, exits."""

from __future__ import annotations

import sys

import msgspec

from engine.api.commands import RunStart
from engine.api.home import home_folder
from engine.api.research import run_request, start_run


def main() -> int:
    """Run once. Exit 0 when the run was published, 1 with the reason on standard error."""
    run = msgspec.json.decode(sys.stdin.buffer.read(), type=RunStart)
    fields = {name: getattr(run, name) for name in ("strategy", "preset", "data", "params", "name")}
    try:
        start_run(run_request(fields), home_folder())
    except Exception as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
