"""A reader process: it answers questions about evidence, one line of JSON in, one line out.

It exists so that the engine's loop never waits for a large file. It only reads, and may be killed at
any moment; it leaves by itself when nobody asks for a while or its engine is gone.
"""

from __future__ import annotations

import select
import sys
from pathlib import Path

import msgspec

from engine.api.home import home_folder
from engine.api.lab import LabFailure, LabQuery
from engine.api.research import UnknownRun
from engine.journal import JournalDamaged
from engine.research.lab import answer
from seams.disk import RealDisk

IDLE_S = 300.0


def main() -> int:
    """Answer until the input ends or nothing has been asked for `IDLE_S`."""
    home, disk = home_folder(), RealDisk()
    source = sys.stdin.buffer
    while select.select([source], [], [], IDLE_S)[0]:
        line = source.readline()
        if not line:
            break
        sys.stdout.buffer.write(_reply(line, home, disk) + b"\n")
        sys.stdout.buffer.flush()
    return 0


def _reply(line: bytes, home: Path, disk: RealDisk) -> bytes:
    try:
        query = msgspec.json.decode(line, type=LabQuery)
        return b"+" + msgspec.json.encode(answer(query, home, disk))
    except UnknownRun as error:
        return b"-" + msgspec.json.encode(LabFailure(code="not_found", message=str(error)))
    except (JournalDamaged, OSError, ValueError, msgspec.MsgspecError) as error:
        said = f"{type(error).__name__}: {error}"
        return b"-" + msgspec.json.encode(LabFailure(code="invalid_request", message=said))


if __name__ == "__main__":
    raise SystemExit(main())
