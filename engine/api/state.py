"""What commands may ask of init states.

Every function imports what it needs when called, so that `interlock --help` stays fast.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from seams.clock import Clock, SystemClock, iso_z
from seams.disk import Disk, RealDisk
from venues.types import Record

if TYPE_CHECKING:
    from engine.state.init_state import InitState

NS_PER_MS = 10**6


class StateRow(Record):
    """An init state as lists show it; money in account currency, `last_bar` the open of its last bar."""

    name: str
    source: str
    strategies: tuple[str, ...]
    symbols: tuple[str, ...]
    interval_s: float
    last_bar: str
    balance: float
    equity: float
    positions: int
    state_sha256: str
    kernel_sha256: str
    path: str
    is_new: bool = False


def export_state(
    home: Path,
    subject: str,
    out: Path | None = None,
    *,
    data: str = "",
    strategy: str = "",
    on_progress: Callable[[int, int], None] | None = None,
    disk: Disk | None = None,
    clock: Clock | None = None,
) -> StateRow:
    """Export the end of a run or ended paper session; without `out` the file lies in its folder.

    Raises what `engine.state.export.export_state` raises, or `OSError`.
    """
    from engine.lifecycle.parity.replay import is_run
    from engine.lifecycle.parity.runs import Where
    from engine.state import export

    disk = disk or RealDisk()
    where = Where(data=data, strategy=strategy)
    state = export.export_state(subject, home, disk, clock or SystemClock(), where, on_progress)
    path = out or home / "outputs" / "exports" / f"{subject}.{'run' if is_run(subject) else 'session'}.json"
    export.write_state(state, path, disk)
    return _row(path.stem, state, path)


def import_state(
    home: Path,
    path: Path,
    name: str = "",
    *,
    strategy: str = "",
    replaces: bool = False,
    disk: Disk | None = None,
) -> StateRow:
    """Take a state into a home, proved; the same again changes nothing.

    Raises what `engine.state.states.import_state` raises.
    """
    from engine.state import states

    name, state, is_new = states.import_state(
        path, name, home, disk or RealDisk(), strategy=strategy, replaces=replaces
    )
    return _row(name, state, home / states.FOLDER / f"{name}.json", is_new)


def list_states(home: Path, disk: Disk | None = None) -> tuple[StateRow, ...]:
    """Return the imported states by name."""
    from engine.state import states

    found = states.imported(home, disk or RealDisk())
    return tuple(_row(name, state, home / states.FOLDER / f"{name}.json") for name, state in found)


def show_state(home: Path, where: str, disk: Disk | None = None) -> InitState:
    """Return a state by file or by its name. Raises `RunFailed`: unknown_state, state_damaged,
    state_version_unknown."""
    from engine.state.states import open_state

    return open_state(where, home, disk or RealDisk())


def _row(name: str, state: InitState, path: Path, is_new: bool = False) -> StateRow:
    last_ms = max(lane.last_bar_ms for lane in state.lanes)
    return StateRow(
        name=name,
        source=f"{state.source.kind} {state.source.id}",
        strategies=tuple(lane.strategy for lane in state.lanes),
        symbols=tuple(lane.symbol for lane in state.lanes),
        interval_s=state.interval_ns / 1e9,
        last_bar=iso_z(last_ms * NS_PER_MS),
        balance=state.balance,
        equity=state.equity,
        positions=len(state.positions),
        state_sha256=state.state_sha256,
        kernel_sha256=state.kernel_sha256,
        path=str(path),
        is_new=is_new,
    )
