"""The real console, which also writes down when its event loop ran: for measuring a stalled terminal.

`python -m benchmarks._probed` is `interlock console` with one more timer: every 50 ms it appends the time
to the file named by `TUIBENCH_PROBE`. Only the measuring tool starts it.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from console.tui import launch
from console.tui.app import InterlockApp
from engine.api.home import home_folder

TICK_S = 0.05


class Probed(InterlockApp):
    """The console with a pulse on the disk."""

    CSS_PATH = [Path(launch.__file__).parent / str(name) for name in InterlockApp.CSS_PATH]  # noqa: RUF012

    def on_ready(self) -> None:
        self.set_interval(TICK_S, self._tick)

    def _tick(self) -> None:
        with Path(os.environ["TUIBENCH_PROBE"]).open("a", encoding="ascii") as probe:
            probe.write(f"{time.time():.3f}\n")


def main() -> int:
    """Run the console on this terminal."""
    setattr(launch, "InterlockApp", Probed)  # noqa: B010 - the name that `run_console` builds
    return launch.run_console(home_folder(), "bench", True)


if __name__ == "__main__":
    sys.exit(main())
