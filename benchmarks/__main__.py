"""Run one benchmark by name (`python -m benchmarks store --json`), or all without a name."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Import `benchmarks.NAME` and return what its `main(arguments)` returns."""
    names = sorted(file.stem for file in Path(__file__).parent.glob("*.py") if not file.stem.startswith("_"))
    if not arguments or arguments == ["--json"]:
        return max(_run_one(name, arguments) for name in names)
    if arguments[0] not in names:
        print(f"usage: python -m benchmarks [NAME] [--json]\nnames: {', '.join(names)}", file=sys.stderr)
        return 2
    return int(importlib.import_module(f"benchmarks.{arguments[0]}").main(arguments[1:]) or 0)


def _run_one(name: str, arguments: list[str]) -> int:
    print(f"# {name}", flush=True)
    return int(importlib.import_module(f"benchmarks.{name}").main(arguments) or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
