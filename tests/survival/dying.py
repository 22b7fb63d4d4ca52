"""The real engine daemon, made to kill itself with SIGKILL at a named place of its own code, when told.

`python -m tests.survival.dying --home HOME`: once `HOME/run/die` says `SITE COUNT`, the process ends at the
COUNT-th time from then on that it comes to this place, as if somebody had typed kill -9 at that instant.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from engine.daemon import main
from seams import chaos

ORDER = "die"


class Doom:
    """What waits for this process."""

    def __init__(self, home: Path) -> None:
        self._path = home / "run" / ORDER
        self._seen = 0

    def at_point(self, site: str) -> None:
        if not self._path.exists():
            return
        wanted, count = self._path.read_text().split()
        if site == wanted:
            self._seen += 1
            if self._seen >= int(count):
                os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    with chaos.installed(Doom(Path(sys.argv[sys.argv.index("--home") + 1])).at_point):
        raise SystemExit(main())
