"""Places of our own code that may fail on command: the simulator's hands inside the house.

`point("orders.recorded")` does nothing in production: no hook is ever installed there (a test checks
that only the simulator does). Under the simulator a point may crash the engine or raise `OSError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_hook: Callable[[str], None] | None = None


def point(site: str) -> None:
    """Mark a place between two effects; `site` names it as `room.what_was_just_done`."""
    if _hook is not None:
        _hook(site)


@contextmanager
def installed(hook: Callable[[str], None]) -> Iterator[None]:
    """Let `hook` be called at every point while the context is open."""
    global _hook
    assert _hook is None, "one simulation at a time"
    _hook = hook
    try:
        yield
    finally:
        _hook = None
