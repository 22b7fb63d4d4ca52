"""Replay every subject in full: `python -m tests.survival.crashpoints [--subject NAME] [--json]`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from tests.survival.crashpoints.recorder import NoCompiler, build_shim
from tests.survival.crashpoints.replay import replay

FULL: dict[str, tuple[int, int]] = {
    "audit": (25, 8),
    "latch": (25, 8),
    "endpoint": (12, 8),
    "session": (25, 4),
    "run": (12, 8),
    "store": (12, 1),
    "live": (150, 1),
}
"""Subject -> (size of its scenario, power losses drawn at each operation)."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.survival.crashpoints", description=__doc__)
    parser.add_argument("--subject", choices=sorted(FULL), action="append")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    total = bad = 0
    rows = []
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        try:
            shim = build_shim(Path(folder))
        except NoCompiler as missing:
            print(missing, file=sys.stderr)
            return 2
        for name in wanted.subject or FULL:
            size, losses = FULL[name]
            began = time.monotonic()
            outcome = replay(name, Path(folder), shim, size=size, losses=losses)
            total, bad = total + outcome.states, bad + outcome.bad
            row = {
                "subject": name,
                "operations": outcome.operations,
                "states": outcome.states,
                **dict(sorted(outcome.by_kind.items())),
                "bad": outcome.bad,
                "wall_s": round(time.monotonic() - began, 1),
            }
            rows.append({**row, "broken": outcome.broken})
            if not wanted.json:
                print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
                for line in outcome.broken:
                    print(f"    {line}", flush=True)
    if wanted.json:
        print(json.dumps({"states": total, "bad": bad, "subjects": rows}))
    else:
        print(f"{total} states, {bad} bad")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
