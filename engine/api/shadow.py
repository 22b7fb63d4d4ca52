"""What is known of a session's shadow: how often a twin that never acts agreed, and where it did not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from venues.types import Record

if TYPE_CHECKING:
    from seams.disk import Disk

SHADOW_FILE = "shadow.json"


class ShadowDisagreement(Record):
    """One close at which kernel and twin wished otherwise; `at_ns` is the bar's open."""

    at_ns: int
    symbol: str
    decided: str
    twin: str


class ShadowView(Record):
    """A shadow. `state` is agrees, diverged (below `alert_below`) or failed, then with `failure`.

    `compared`: closes at which kernel or twin decided something; `agreement` is the share that agreed of the
    last `window` of them; `disagreements` the last ones, newest first.
    """

    session_id: str
    twin: str
    state: str
    failure: str
    bars: int
    compared: int
    window: int
    agreement: float
    alert_below: float
    disagreements: tuple[ShadowDisagreement, ...]


def stored_shadow(home: Path, session_id: str, disk: Disk | None = None) -> ShadowView:
    """Read what an ended session's shadow left. Raises `LookupError`."""
    import msgspec

    from engine.api.home import HomePaths
    from engine.research.sessions import SESSION_ID
    from seams.disk import RealDisk

    if not SESSION_ID.fullmatch(session_id):
        raise LookupError(f"no session {session_id[:80]!r}")
    path = HomePaths(home).sessions / session_id / "artifacts" / SHADOW_FILE
    try:
        return msgspec.json.decode((disk or RealDisk()).read(path), type=ShadowView)
    except (OSError, msgspec.MsgspecError) as error:
        raise LookupError(f"session {session_id} left no shadow: {type(error).__name__}") from error
