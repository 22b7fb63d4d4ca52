"""The process that is recorded: `python -m tests.survival.crashpoints.scenario SUBJECT ROOT SIZE`."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

from tests.survival.crashpoints.recorder import ACK
from tests.survival.crashpoints.subjects import SUBJECTS

PLANTS = "tests.survival.test_crashpoints"
"""Where writers that break their promise are, for the tests of the replay itself."""


def main() -> None:
    name, root, size = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    os.umask(0o077)
    told = os.open(root / ACK, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def ack(text: str) -> None:
        """Say that something is done; from here on no crash may undo it."""
        os.write(told, text.encode() + b"\n")

    planted = os.environ.get("CRASHPOINTS_PLANTED", "")
    act = getattr(importlib.import_module(PLANTS), planted) if planted else SUBJECTS[name].act
    act(root, size, ack)


if __name__ == "__main__":
    main()
