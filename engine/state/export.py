"""The end of a run or paper session as an init state: made again, compared with its record, exported."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from engine.lifecycle.parity.replay import is_run
from engine.lifecycle.parity.runs import Where, read_report, remake
from engine.lifecycle.parity.sessions import drive, read_session, session_kernel, session_start
from engine.research import identity
from engine.research.choice import Choice, RunFailed, build_of
from engine.research.kernels import kernel_of
from engine.research.run import step_over
from engine.state.init_state import InitState, LaneStart, StateSource, account_of, state_bytes
from engine.trading.inputs import Kind
from native.kernel import Kernel
from seams.clock import NS_PER_MS, Clock
from seams.disk import Disk

if TYPE_CHECKING:
    from engine.trading.inputs import SessionJournal

Progress = Callable[[int, int], None]


def export_state(
    name: str, home: Path, disk: Disk, clock: Clock, where: Where, on_progress: Progress | None = None
) -> InitState:
    """Return the state at the end of a run or an ended paper session.

    Raises `UnknownRun`, `UnknownSession`, `JournalDamaged`, or `RunFailed`: kernel_hash_mismatch,
    not_reproducible, journal_missing, or state_not_exportable.
    """
    if is_run(name):
        return _of_run(name, home, disk, clock, where, on_progress)
    return _of_session(name, home, disk, clock, where)


def write_state(state: InitState, path: Path, disk: Disk) -> None:
    """Write a state's file whole. Raises `OSError`."""
    disk.make_folder(path.parent)
    disk.write_atomic(path, state_bytes(state))


def _of_run(
    run_id: str, home: Path, disk: Disk, clock: Clock, where: Where, on_progress: Progress | None
) -> InitState:
    report = read_report(home, run_id, disk)
    _demand_kernel(report.identity.kernel_sha256)
    if report.config_resolved.lanes:
        raise _not_exportable("symbols that share an account have no state of their own")
    if report.config_resolved.switches.get("close_at_end"):
        raise _not_exportable("it was closed at its end (close_at_end): nothing goes on from there")
    made = remake(report, home, disk, where)
    kernel = kernel_of(made.config, made.choice, run_id, made.beside)
    step_over(kernel, made.config, made.bars, on_progress, None)
    if kernel.decision_hash() != report.identity.decision_sha256:
        raise RunFailed("not_reproducible", f"{run_id} decides otherwise here; see interlock replay {run_id}")
    source = StateSource(kind="run", id=run_id, decision_sha256=kernel.decision_hash())
    return _state(source, kernel, [made.choice], made.bars.interval_ns, clock, dict(made.config.switches))


def _of_session(session_id: str, home: Path, disk: Disk, clock: Clock, where: Where) -> InitState:
    _, journal = read_session(session_id, home, disk)
    _demand_kernel(journal.facts.kernel_sha256)
    kernel, chosen = session_kernel(journal, where, session_start(journal, home, disk))
    differences = drive(kernel, journal.inputs)
    if differences or kernel.decisions().tobytes() != journal.decisions.tobytes():
        raise RunFailed(
            "not_reproducible", f"{session_id} decides otherwise here; see interlock replay {session_id}"
        )
    waiting = [wish.intent_id for lane in range(len(kernel.lanes)) for wish in kernel.outstanding(lane)]
    if waiting:
        raise _not_exportable(f"{', '.join(waiting)} may still be alive at the venue")
    source = StateSource(kind="session", id=session_id, decision_sha256=kernel.decision_hash())
    return _state(source, kernel, chosen, interval_of(journal), clock, {})


def interval_of(journal: SessionJournal) -> int:
    """Return the length of a session's bars in ns: the smallest step between two of a lane."""
    rows = journal.inputs[np.isin(journal.inputs["kind"], (Kind.WARM, Kind.CLOSE))]
    steps = [np.diff(rows["ts_ns"][rows["lane"] == lane]) for lane in range(len(journal.facts.lanes))]
    positive = np.concatenate(steps)
    positive = positive[positive > 0]
    if not len(positive):
        raise _not_exportable("fewer than two bars reached it")
    return int(positive.min())


def _state(
    source: StateSource,
    kernel: Kernel,
    chosen: list[Choice],
    interval_ns: int,
    clock: Clock,
    switches: dict[str, bool | float | int | str],
) -> InitState:
    try:
        data = kernel.export_start()
    except TypeError as error:
        raise _not_exportable(str(error)) from error
    account = account_of(kernel)
    return InitState(
        source=source,
        exported_at_ms=clock.now_ns() // NS_PER_MS,
        kernel_sha256=identity.kernel_sha256(),
        interval_ns=interval_ns,
        balance=account.balance,
        equity=account.equity,
        positions=account.positions,
        runtime=account.runtime,
        lanes=tuple(
            LaneStart(
                symbol=lane.symbol,
                strategy=choice.name,
                file=choice.file,
                source_sha256=choice.source_sha256,
                build_sha256=build_of(choice),
                params=choice.params,
                lot=lane.lot,
                tick=lane.tick,
                last_bar_ms=kernel.remembered(index)["last_ts_ns"] // NS_PER_MS,
            )
            for index, (lane, choice) in enumerate(zip(kernel.lanes, chosen, strict=True))
        ),
        config=msgspec.to_builtins(kernel.config),
        switches=switches,
        state_sha256=hashlib.sha256(data).hexdigest(),
        kernel_state=data,
    )


def _demand_kernel(recorded: str) -> None:
    own = identity.kernel_sha256()
    if recorded != own:
        raise RunFailed("kernel_hash_mismatch", f"recorded by kernel {recorded[:12]}, this is {own[:12]}")


def _not_exportable(message: str) -> RunFailed:
    return RunFailed("state_not_exportable", message)
