"""The only writer of stderr: messages, warnings and progress; never data."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from console.cli.failure import Failure
from safety.text import clean

RED, RESET, ERASE = "\x1b[31m", "\x1b[0m", "\r\x1b[K"


def say(message: str) -> None:
    """Write one line to the person at the terminal."""
    print(clean(message), file=sys.stderr, flush=True)  # noqa: T201 - this is the stderr writer


def complain(failure: Failure) -> None:
    """Write what happened and what to do about it."""
    mark, end = (RED, RESET) if has_colour(os.environ, sys.stderr.isatty()) else ("", "")
    line = f"{mark}error{end} [{clean(failure.code)}] {clean(failure.message)}"
    print(line, file=sys.stderr)  # noqa: T201 - this is the stderr writer
    if failure.correction:
        say(f"to do: {failure.correction}")


def progress(done: int, total: int, label: str) -> None:
    """Redraw one progress line; silent where stderr is not a terminal."""
    if not sys.stderr.isatty():
        return
    share = f"{done / total:4.0%}" if total else f"{done}"
    sys.stderr.write(f"{ERASE}{clean(label)} {share}")
    if total and done >= total:
        sys.stderr.write("\n")
    sys.stderr.flush()


def stage(text: str) -> None:
    """Say what goes on after a progress line ended; silent where stderr is not a terminal."""
    if sys.stderr.isatty():
        say(text)


def has_colour(environ: Mapping[str, str], is_terminal: bool) -> bool:
    """Tell whether colour may be written: NO_COLOR and TERM=dumb forbid it."""
    if environ.get("NO_COLOR"):
        return False
    return is_terminal and environ.get("TERM") != "dumb"
