"""A paper session made again: its kernel, built anew, is given every recorded input in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.api.research import UnknownSession
from engine.journal import JournalDamaged
from engine.lifecycle.parity.contract import KERNEL, Contract
from engine.lifecycle.parity.runs import Where
from engine.lifecycle.parity.sources import Source, most_trusted
from engine.lifecycle.parity.subject import Subject, claim
from engine.lifecycle.parity.trace import Cause, Difference, Trace
from engine.research import identity
from engine.research.choice import Choice, RunFailed, choose
from engine.research.run import INIT_STATE
from engine.research.session_records import SessionStatus
from engine.research.sessions import SESSION_ID, read_status
from engine.research.sweep.trials import config_id
from engine.state.init_state import InitState, read_state
from engine.state.start import begin
from engine.strategies.registry import BUNDLED
from engine.trading.inputs import JOURNAL, Kind, SessionJournal, inputs_sha256, read_journal
from native.codes import Gate
from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from seams.disk import Disk

BAR = ("ts_ns", "open", "high", "low", "close", "volume")


def session_subject(session_id: str, home: Path, disk: Disk, where: Where) -> Subject:
    """Return a paper session as a subject of replay.

    Raises `UnknownSession`, `JournalDamaged`, or `RunFailed` with journal_missing or not_reproducible.
    """
    status, journal = read_session(session_id, home, disk)
    start = session_start(journal, home, disk)
    kernel, chosen = session_kernel(journal, where, start)
    recorded = Trace(decisions=journal.decisions, trades=journal.trades, equity=np.zeros(0))

    def execute() -> tuple[Trace, list[Difference]]:
        answers = drive(kernel, journal.inputs)
        trace = Trace(decisions=kernel.decisions(), trades=kernel.trades(), equity=np.zeros(0))
        claims = claim(
            "session",
            "decision_sha256",
            status.decision_sha256,
            recorded.decision_sha256,
            Cause.STATE_MACHINE,
        )
        return trace, claims + answers

    return Subject(
        name=session_id,
        kind="session",
        trusted=most_trusted((Source.PAPER, Source.REPLAY)),
        recorded_contract=_contract(
            journal, [lane.source_sha256 for lane in journal.facts.lanes], journal.inputs_sha256
        ),
        contract={
            **_contract(journal, [choice.source_sha256 for choice in chosen], inputs_sha256(journal.inputs)),
            KERNEL: identity.kernel_sha256(),
        },
        recorded=recorded,
        execute=execute,
    )


def read_session(session_id: str, home: Path, disk: Disk) -> tuple[SessionStatus, SessionJournal]:
    """Read a session's status and journal; see `session_subject` for what is raised."""
    folder = home / "outputs" / "paper_sessions" / session_id
    if not SESSION_ID.fullmatch(session_id):
        raise UnknownSession(f"no paper session {session_id[:80]!r}")
    try:
        status = read_status(folder, disk)
    except (OSError, msgspec.MsgspecError) as error:
        raise UnknownSession(f"no paper session {session_id[:80]!r}: {type(error).__name__}") from error
    try:
        journal = read_journal(disk.read(folder / "artifacts" / JOURNAL))
    except FileNotFoundError as error:
        raise RunFailed(
            "journal_missing", f"session {session_id} ({status.status}) has no journal"
        ) from error
    if journal.facts.session_id != session_id:
        raise JournalDamaged(f"{JOURNAL} belongs to session {journal.facts.session_id}")
    if not journal.is_complete:
        raise JournalDamaged(f"{JOURNAL} of {session_id} ends before the session did")
    return status, journal


def session_start(journal: SessionJournal, home: Path, disk: Disk) -> InitState | None:
    """Return the state that a session started from. Raises `RunFailed` with not_reproducible, or for a state
    that does not read."""
    wanted = journal.facts.init_state_sha256
    if not wanted:
        return None
    path = home / "outputs" / "paper_sessions" / journal.facts.session_id / "artifacts" / INIT_STATE
    try:
        state = read_state(disk.read(path))
    except OSError as error:
        raise RunFailed("not_reproducible", f"{INIT_STATE}: {type(error).__name__}") from error
    if state.state_sha256 != wanted:
        raise RunFailed("not_reproducible", f"{INIT_STATE} is another state than the session started from")
    return state


def session_kernel(
    journal: SessionJournal, where: Where, start: InitState | None = None
) -> tuple[Kernel, list[Choice]]:
    """Build the session's kernel anew, as it started. Raises `RunFailed` with not_reproducible, or what
    `engine.state.start.begin` raises."""
    chosen = [_choice(lane.strategy, lane.file, lane.params, where) for lane in journal.facts.lanes]
    lanes = [
        LaneSpec(
            symbol=lane.symbol,
            strategy=choice.strategy,
            params=choice.params if isinstance(choice.strategy, str) else {},
            lot=lane.lot,
            tick=lane.tick,
        )
        for lane, choice in zip(journal.facts.lanes, chosen, strict=True)
    ]
    try:
        config = msgspec.convert(journal.facts.config, KernelConfig)
        kernel = Kernel(config, lanes, matching="external", run_id=journal.facts.session_id)
    except (ValueError, TypeError) as error:
        raise RunFailed("not_reproducible", f"the session's kernel cannot be built: {error}") from error
    if start is not None:
        begin(kernel, start)
    return kernel, chosen


def _choice(name: str, file: str, params: dict[str, float], where: Where) -> Choice:
    spec = name if name in BUNDLED else where.strategy or file
    try:
        return choose(spec, "", params)
    except RunFailed as error:
        raise RunFailed(
            "not_reproducible", f"strategy {name} is not found: {error}; name it with --strategy"
        ) from error


def drive(kernel: Kernel, inputs: NDArray[Any]) -> list[Difference]:
    """Give a kernel recorded inputs in order; return those that it refused, or took, otherwise than then."""
    found: list[Difference] = []
    row = 0
    while row < len(inputs):
        last = row + 1
        if inputs["kind"][row] == Kind.WARM:
            while last < len(inputs) and _is_same_warmth(inputs, row, last):
                last += 1
            _warm(kernel, inputs[row:last])
        else:
            is_refused = _give(kernel, inputs[row])
            if is_refused != bool(inputs["is_refused"][row]):
                found.append(_answered_otherwise(inputs, row, is_refused))
        row = last
    return found


def _is_same_warmth(inputs: NDArray[Any], first: int, row: int) -> bool:
    return bool(inputs["kind"][row] == Kind.WARM and inputs["lane"][row] == inputs["lane"][first])


def _warm(kernel: Kernel, rows: NDArray[Any]) -> None:
    columns = [np.ascontiguousarray(rows[name]) for name in BAR]
    kernel.warm(int(rows["lane"][0]), *columns)


def _give(kernel: Kernel, row: Any) -> bool:
    """Give one input; tell whether the kernel refused it."""
    lane, kind = int(row["lane"]), Kind(int(row["kind"]))
    try:
        if kind is Kind.CLOSE:
            kernel.close(lane, int(row["ts_ns"]), *(float(row[name]) for name in BAR[1:]))
        elif kind is Kind.FILL:
            kernel.fill(
                lane,
                _intent_id(kernel, row),
                int(row["units"]),
                float(row["close"]),
                float(row["fee"]),
                int(row["ts_ns"]),
                int(row["side"]) or None,
            )
        elif kind is Kind.INTERLOCK:
            kernel.set_gate(lane, Gate.INTERLOCK, row["units"] != 0)
        else:
            kernel.reject(lane, _intent_id(kernel, row), "replayed")
    except (ValueError, KeyError):
        return True
    return False


def _intent_id(kernel: Kernel, row: Any) -> str | int:
    step, offset = int(row["step"]), int(row["offset"])
    if step < 0:
        return offset if offset >= 0 else "external"
    return f"{kernel.run_id}:{step}:{int(row['lane'])}:{offset}"


def _answered_otherwise(inputs: NDArray[Any], row: int, is_refused: bool) -> Difference:
    words = ("taken", "refused")
    return Difference(
        cause=Cause.STATE_MACHINE,
        table="inputs",
        row=row,
        field=Kind(int(inputs["kind"][row])).name.lower(),
        at_ns=int(inputs["ts_ns"][row]),
        recorded=words[not is_refused],
        replayed=words[is_refused],
    )


def _contract(journal: SessionJournal, sources: list[str], inputs: str) -> Contract:
    facts = journal.facts
    return {
        "config_ids": [config_id(lane.strategy, lane.params) for lane in facts.lanes],
        "symbols": [lane.symbol for lane in facts.lanes],
        "lots": [[lane.lot, lane.tick] for lane in facts.lanes],
        "strategy_sha256": sources,
        "data": facts.feed,
        "data_sha256": inputs,
        "start": int(journal.inputs["ts_ns"][0]) if len(journal.inputs) else 0,
        "account": facts.config,
        "init_state_sha256": facts.init_state_sha256,
        KERNEL: facts.kernel_sha256,
    }
