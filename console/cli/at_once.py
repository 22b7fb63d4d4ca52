"""`interlock kill --direct` acts before the command line is loaded: that costs more than the kill itself.

Only words that are beyond doubt are obeyed here; whatever else is said goes the ordinary way, which reads
every word, and asks, refuses or explains.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.api.direct_kill import Latched

DEFAULT_REASON = "operator kill from the command line"
LEVELS = ("halt_all", "close_only")
_FLAGS = ("--direct", "--json")
_VALUES = ("--confirm", "--level", "--reason", "--operator")

done: Latched | None = None
"""What was latched here; the command tells of it and does not latch again."""


def kill_at_once(words: Sequence[str]) -> None:
    """Latch where the words are a whole, confirmed, direct kill. Never raises: the ordinary way follows."""
    global done
    said = _read(words)
    if said is None:
        return
    from engine.api.direct_kill import latch
    from engine.api.home import home_folder

    try:
        who = said["--operator"].strip() or getpass.getuser()
        home = Path(said["--home"]).expanduser().resolve() if said["--home"] else home_folder()
        done = latch(home, operator=who, reason=said["--reason"], level=said["--level"])
    except (OSError, KeyError):  # the ordinary way tries again, and says what is wrong
        done = None


def _read(words: Sequence[str]) -> dict[str, str] | None:
    """Return the values of a direct kill that nothing is missing from; None for all that is not one."""
    rest = list(words)
    said = {"--home": "", "--confirm": "", "--level": LEVELS[0], "--reason": DEFAULT_REASON}
    said["--operator"] = os.environ.get("INTERLOCK_OPERATOR", "")
    if rest[:1] == ["--home"] and len(rest) > 1:
        said["--home"], rest = rest[1], rest[2:]
    if rest[:1] != ["kill"] or "--direct" not in rest:
        return None
    rest = [word for word in rest[1:] if word not in _FLAGS]
    if len(rest) % 2 or any(name not in _VALUES for name in rest[::2]):
        return None
    said.update(zip(rest[::2], rest[1::2], strict=True))
    return said if said["--confirm"] == "KILL" and said["--level"] in LEVELS else None
