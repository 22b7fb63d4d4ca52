"""Opening the console on a terminal: what it needs, and which terminal it found."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from console.tui.app import InterlockApp
from console.tui.gateway import EngineGateway
from seams.clock import SystemClock


def run_console(home: Path, operator: str, readonly: bool) -> int:
    """Run the console until it is left; return its exit code. The picture goes to stderr."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        sys.stdout.write("interlock console needs a terminal on stdin and stderr; try `interlock status`\n")
        return 2
    clock = SystemClock()
    gateway = EngineGateway(home, clock, operator, is_readonly=readonly)
    terminal = f"{os.environ.get('TERM', 'unknown')}{' in tmux' if os.environ.get('TMUX') else ''}"
    app = InterlockApp(gateway, clock, operator, is_readonly=readonly, terminal=terminal)
    app.run(mouse=False)
    return app.return_code or 0
