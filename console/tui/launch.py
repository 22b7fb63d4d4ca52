"""Opening the console on a terminal: what it needs, and which terminal it found."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from console.tui import pastes
from console.tui.app import InterlockApp
from console.tui.gateway import EngineGateway, Gateway
from console.tui.past import PastGateway
from seams.clock import SystemClock


def run_console(home: Path, operator: str, readonly: bool) -> int:
    """Run the console until it is left; return its exit code. The picture goes to stderr."""
    return _run(EngineGateway(home, SystemClock(), operator, is_readonly=readonly), operator, readonly)


def run_past(home: Path, operator: str, at_ns: int, what: str) -> int:
    """Run the console on a past instant of the record; `what` names the reason to look."""
    return _run(PastGateway(home, at_ns, operator, what), operator, True)


def _run(gateway: Gateway, operator: str, readonly: bool) -> int:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        sys.stdout.write("interlock console needs a terminal on stdin and stderr; try `interlock status`\n")
        return 2
    clock = SystemClock()
    terminal = f"{os.environ.get('TERM', 'unknown')}{' in tmux' if os.environ.get('TMUX') else ''}"
    app = InterlockApp(gateway, clock, operator, is_readonly=readonly, terminal=terminal)
    pastes.install()
    app.run(mouse=False)
    return app.return_code or 0
