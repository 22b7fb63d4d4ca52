"""Where a session's lanes stand, read from its shared state: no engine is asked (`docs/shared-state.md`)."""

from __future__ import annotations

import json
from pathlib import Path

from engine.api.home import HomePaths
from safety.state_page import LaneBlock, PageDamaged, StateReader
from seams.clock import NS_PER_MS, Clock, SystemClock
from seams.disk import Disk, RealDisk
from venues.types import Record

FOLDER, SUFFIX = "state", ".lanes"


class LaneStateRow(Record):
    """One lane in words, as the engine's views show it."""

    session_id: str
    symbol: str
    strategy: str
    state: str
    """void, vigil, engaged, hedge, halt or recovery."""
    execution: str
    """idle, working, partial or hedging."""


class LaneRow(Record):
    """One lane as its block says; `quantity` is signed, times are UTC ns, `age_ms` since it was written."""

    session_id: str
    lane: int
    symbol: str
    strategy_state: str
    execution_state: str
    risk_interlock: str
    kill_level: str
    quantity: float
    last_close: float
    steps: int
    decided_ns: int
    written_ns: int
    age_ms: int
    epoch: int


def page_path(run: Path, session_id: str) -> Path:
    """Return where a running session's shared state is mapped from."""
    return run / FOLDER / f"{session_id}{SUFFIX}"


def shared_sessions(home: Path, disk: Disk | None = None) -> tuple[str, ...]:
    """Return the sessions whose lanes are shared now, the oldest first."""
    folder, disk = HomePaths(home).run / FOLDER, disk or RealDisk()
    names = disk.list(folder) if disk.exists(folder) else []
    return tuple(sorted(name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)))


class LaneWatch:
    """A session's lanes, mapped once and read as often as is asked."""

    def __init__(self, home: Path, session_id: str, disk: Disk | None = None) -> None:
        """Raises `LookupError` where no session of this name shares its lanes, or its page is damaged."""
        if Path(session_id).name != session_id:
            raise LookupError(f"{session_id[:80]!r} is no session's id")
        try:
            self._reader = StateReader.opened(page_path(HomePaths(home).run, session_id))
        except (OSError, PageDamaged) as error:
            said = f"session {session_id} shares no lanes: {type(error).__name__}"
            raise LookupError(said) from error
        self.session_id = session_id
        self._symbols = _symbols(home, session_id, disk or RealDisk())

    def rows(self, clock: Clock | None = None) -> tuple[LaneRow, ...]:
        """Return every lane as it is now. Raises `LookupError` where the page is damaged."""
        now_ns = (clock or SystemClock()).now_ns()
        try:
            blocks = self._reader.blocks()
        except PageDamaged as error:
            raise LookupError(f"session {self.session_id}: {error}") from error
        return tuple(self._row(block, now_ns) for block in blocks)

    def _row(self, block: LaneBlock, now_ns: int) -> LaneRow:
        names = self._symbols
        return LaneRow(
            session_id=self.session_id,
            lane=block.lane,
            symbol=names[block.lane] if block.lane < len(names) else "",
            strategy_state=block.strategy_state.name.lower(),
            execution_state=block.execution_state.name.lower(),
            risk_interlock=self._reader.interlock(block.lane).name.lower(),
            kill_level=block.kill_level.name.lower(),
            quantity=block.side * block.units / 1e6,
            last_close=block.last_close,
            steps=block.steps,
            decided_ns=block.decided_ns,
            written_ns=block.written_ns,
            age_ms=max(0, (now_ns - block.written_ns) // NS_PER_MS),
            epoch=block.epoch,
        )


def _symbols(home: Path, session_id: str, disk: Disk) -> tuple[str, ...]:
    """Return the names of a session's lanes; none where its folder does not say."""
    try:
        body = json.loads(disk.read(HomePaths(home).sessions / session_id / "session_metadata.json"))
        return tuple(str(name) for name in body["symbols"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()
