"""A crash loop: an engine that has died again and again starts at halt_all, and a person looks first.

Each start is on record until the engine ends in order; what a later start finds there has died. Whether it
was killed or crashed does not matter: nobody has looked in between.
"""

from __future__ import annotations

import msgspec

from engine.core import STORAGE_FAILURES, Core
from safety.killbyte import KillLevel
from seams.clock import NS_PER_S

FACT = "engine_starts"
WINDOW_NS = 600 * NS_PER_S
"""Deaths longer ago than this are no loop (F24 of the catalogue of faults: three in ten minutes)."""
SOURCE = "crash_loop"


def note_start(core: Core) -> None:
    """Put this start on record, and latch halt_all where too many before it have died of late.

    Raises `StoreError` where it cannot be recorded: then the engine does not start.
    """
    now_ns, most = core.clock.now_ns(), core.settings.engine.crash_loop_deaths
    died = [at_ns for at_ns in _kept(core) if abs(now_ns - at_ns) <= WINDOW_NS]
    if len(died) >= most:
        said = f"{len(died)} engines have died within {WINDOW_NS // (60 * NS_PER_S)} minutes"
        try:
            core.kill.trip(KillLevel.HALT_ALL, by="engine", reason=said, source=SOURCE)
        except OSError as error:
            core.halt(error, "kill latch")
        core.sync_kill_hold()
        core.note(SOURCE, "eng", said)
        core.alarm(SOURCE, "engine", "eng", said)
        died = []  # they are answered for: the latch outlives this start, and only a named person resets it
    _keep(core, [*died, now_ns])


def note_end(core: Core) -> None:
    """Take this start off the record: it ended in order."""
    try:
        _keep(core, _kept(core)[:-1])
    except STORAGE_FAILURES as error:
        core.halt(error, "shutdown")


def _kept(core: Core) -> list[int]:
    return msgspec.json.decode(core.store.facts.get(FACT) or "[]", type=list[int])


def _keep(core: Core, starts: list[int]) -> None:
    core.store.facts.set(FACT, msgspec.json.encode(starts).decode(), core.clock.now_ns())
