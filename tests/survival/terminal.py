"""A real command on a pseudo terminal of its own, as a person at a keyboard would have it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CODES = re.compile(rb"\x1b(\[[0-9;?<>=]*[a-zA-Z]|\][^\x07\x1b]*(\x07|\x1b\\)|P[^\x1b]*\x1b\\|[()=>78].?)")


def surroundings(home: Path) -> dict[str, str]:
    """Return the environment of a command that works in `home`, free of the tester's own settings."""
    base = {name: value for name, value in os.environ.items() if not name.startswith(("INTERLOCK_", "TMUX"))}
    named = {"INTERLOCK_HOME": str(home), "INTERLOCK_OPERATOR": "ada", "TERM": "xterm-256color"}
    return {**base, **named, "PYTHONPATH": str(REPOSITORY)}


class Terminal:
    """`interlock WORDS` on a terminal of 120x40."""

    def __init__(self, home: Path, *words: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "interlock", *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=surroundings(home),
            start_new_session=True,
        )
        os.close(slave)

    def wait_for(self, text: bytes, seconds: float = 60.0) -> None:
        """Read until `text` is painted; fail with what was painted last."""
        seen, deadline = b"", time.monotonic() + seconds
        while time.monotonic() < deadline:
            if select.select([self._master], [], [], 0.2)[0]:
                try:
                    seen += os.read(self._master, 1 << 16)
                except OSError:  # the program has left the terminal
                    break
            if text in CODES.sub(b"", seen):
                return
        raise AssertionError(f"{text!r} was not painted; last: {CODES.sub(b'', seen)[-400:]!r}")

    def press(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def kill_hard(self) -> None:
        """SIGKILL the program, alone: what it started is left to what it does then."""
        self.process.kill()
        self.process.wait(60)

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill_hard()
        os.close(self._master)
