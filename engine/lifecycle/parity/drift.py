"""Live against replay, day by day: what a session's fills came to, and the model's on its bars (QX-47).

A journal replayed with its own fills is equal to the bit, or there is a defect. Here is the other question:
with the same bars and holds, but a back-test's simulated exchange in place of the venue, what would have
been decided, filled and earned? What differs is the venue's part: fills, slippage, refusals, operators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.lifecycle.parity.runs import Where
from engine.lifecycle.parity.sessions import BAR, drive, read_session, session_kernel, session_start
from engine.lifecycle.verify.gate import demand_verified
from engine.research import identity
from engine.research.schemas import json_bytes
from engine.state.start import begin
from engine.strategies.registry import BUNDLED
from engine.trading.inputs import Kind, SessionJournal
from native.codes import Action, Gate
from native.kernel import Kernel
from safety.reasons import Refusal
from seams.clock import NS_PER_S, Clock, iso_z
from seams.disk import Disk
from venues.types import Record

DRIFT_FILE = "drift_report.json"
DAY_NS = 86_400 * NS_PER_S
ACTED = (Action.OPEN, Action.CLOSE, Action.EXIT_IN_BAR, Action.LIQUIDATED)
"""What counts as a decision here; blocked and refused wishes are none."""
PROGRESS_EVERY = 5_000
Progress = Callable[[int, int], None]
Acted = tuple[int, int, int, int, int]
"""A decision on either side: lane, time, action, side, reason."""


class Side(Record):
    """One day of one side. `pnl_usd` is the change of value at the day's last closes, fees deducted.

    `slippage_bps`: notional-weighted mean of (fill - decision price) / decision price, positive where it
    cost; None without a fill whose decision price is known.
    """

    pnl_usd: float
    fees_usd: float
    fills: int
    decisions: int
    slippage_bps: float | None


class DayDrift(Record):
    """One UTC day of market time. `agreement`: decisions on both sides over those on either, else 1."""

    day: str
    bars: int
    live: Side
    replay: Side
    pnl_drift_usd: float
    agreed: int
    live_only: int
    replay_only: int
    agreement: float


class DriftWarning(Record):
    """What makes a figure doubtful; `code` is a reason code."""

    code: str
    detail: str


class DriftReport(Record):
    """drift_report.json. `is_reproduced`: the journal, its fills given, decides again what was recorded."""

    schema_version: str = "1.0"
    artifact_type: str = "interlock.drift_report"
    session_id: str
    generated_at: str
    kernel_sha256: str
    recorded_kernel_sha256: str
    is_reproduced: bool
    days: tuple[DayDrift, ...]
    total: DayDrift | None
    warnings: tuple[DriftWarning, ...]
    path: str = ""


@dataclass
class Book:
    """One side's account while it is walked: cash moved and position by lane, fills and decisions by day."""

    cash: list[float]
    held: list[float]
    fills: dict[int, list[tuple[float, float, float | None]]] = field(default_factory=dict)
    """By day: (notional, fee, slippage in bps)."""

    def fill(
        self, lane: int, ts_ns: int, side: int, units: int, price: float, fee: float, at: float | None
    ) -> None:
        """Book one fill; `at` is the price of its decision, None where it is not known."""
        quantity = units / 1e6
        self.cash[lane] -= side * quantity * price + fee
        self.held[lane] += side * quantity
        slippage = None if at is None else side * (price - at) / at * 1e4
        self.fills.setdefault(ts_ns // DAY_NS, []).append((quantity * price, fee, slippage))

    def value(self, closes: list[float]) -> float:
        return sum(
            cash + held * close for cash, held, close in zip(self.cash, self.held, closes, strict=True)
        )


def drift_of(
    session_id: str,
    home: Path,
    disk: Disk,
    clock: Clock,
    *,
    where: Where,
    on_progress: Progress | None = None,
) -> DriftReport:
    """Compare an ended session with its replay, day by day, and write the report into its folder.

    `on_progress(inputs_done, inputs_total)`. Raises what `read_session`, `session_start` and `session_kernel`
    raise, or `OSError`.
    """
    _, journal = read_session(session_id, home, disk)
    start = session_start(journal, home, disk)
    again, _ = session_kernel(journal, where, start)
    refusals = drive(again, journal.inputs)
    is_reproduced = not refusals and again.decisions().tobytes() == journal.decisions.tobytes()
    model = Kernel(again.config, _fresh(journal, where), matching="internal", run_id=session_id)
    if start is not None:
        begin(model, start)
    days, total = compare_days(journal, model, on_progress)
    path = home / "outputs" / "paper_sessions" / session_id / "artifacts" / DRIFT_FILE
    report = DriftReport(
        session_id=session_id,
        generated_at=iso_z(clock.now_ns()),
        kernel_sha256=identity.kernel_sha256(),
        recorded_kernel_sha256=journal.facts.kernel_sha256,
        is_reproduced=is_reproduced,
        days=days,
        total=total,
        warnings=(),
        path=str(path),
    )
    warnings = tuple(_warnings(report, journal, home, disk))
    report = msgspec.structs.replace(report, warnings=warnings)  # type: ignore[type-var]
    disk.write_atomic(path, json_bytes(report))
    return report


def _fresh(journal: SessionJournal, where: Where) -> list[Any]:
    """Return the session's lanes again: a strategy's instance serves one kernel only."""
    return list(session_kernel(journal, where)[0].lanes)


def compare_days(
    journal: SessionJournal, model: Kernel, on_progress: Progress | None = None
) -> tuple[tuple[DayDrift, ...], DayDrift | None]:
    """Walk a journal's inputs once, booking its own fills and the model's; return each day, then all."""
    walk = _Walk(journal, model)
    inputs, first = journal.inputs, 0
    while first < len(inputs):
        last = first + 1
        if inputs["kind"][first] == Kind.WARM:
            lane = inputs["lane"][first]
            while last < len(inputs) and inputs["kind"][last] == Kind.WARM and inputs["lane"][last] == lane:
                last += 1
            model.warm(int(lane), *(np.ascontiguousarray(inputs[name][first:last]) for name in BAR))
        else:
            walk.take(inputs[first])
        if on_progress is not None and (first % PROGRESS_EVERY == 0 or last == len(inputs)):
            on_progress(last, len(inputs))
        first = last
    return walk.days()


class _Walk:
    """Two accounts over one stream of inputs: the session's, from its fills, and the model's."""

    def __init__(self, journal: SessionJournal, model: Kernel) -> None:
        count = len(model.lanes)
        places = [model.position(lane) for lane in range(count)]
        held = [place.side * place.units / 1e6 for place in places]
        self.journal, self.model = journal, model
        self.live, self.replayed = Book([0.0] * count, list(held)), Book([0.0] * count, list(held))
        self.closes = [model.remembered(lane)["last_close"] for lane in range(count)]
        self.bars: dict[int, int] = {}
        self.marks: dict[int, tuple[float, float]] = {}
        self._begun = self._values()
        self._prices = _decision_prices(journal.decisions)
        self._seen = [0] * count
        self._model_prices: dict[tuple[int, int, int], float] = {}

    def _values(self) -> tuple[float, float]:
        return self.live.value(self.closes), self.replayed.value(self.closes)

    def take(self, row: Any) -> None:
        """Take one input that is no warm-up."""
        kind, lane, side = Kind(int(row["kind"])), int(row["lane"]), int(row["side"])
        if kind is Kind.INTERLOCK:
            self.model.set_gate(lane, Gate.INTERLOCK, row["units"] != 0)
        elif kind is Kind.FILL and not row["is_refused"]:
            at = self._prices.get((lane, int(row["step"]), side))
            units, price, fee = int(row["units"]), float(row["close"]), float(row["fee"])
            self.live.fill(lane, int(row["ts_ns"]), side, units, price, fee, at)
        elif kind is Kind.CLOSE:
            self._close(lane, row)

    def _close(self, lane: int, row: Any) -> None:
        """Step the model over one bar; one that the session's kernel refused is refused here too."""
        model, ts_ns = self.model, int(row["ts_ns"])
        fills = []
        with suppress(ValueError):
            fills += model.open(lane, ts_ns, float(row["open"]))
            model.close(lane, ts_ns, *(float(row[name]) for name in BAR[1:]))
            fills += model.take_fills(lane)
        for fill in fills:
            step = int(fill.intent_id.rsplit(":", 3)[1])
            at = self._model_prices.get((lane, step, fill.side))
            self.replayed.fill(lane, fill.ts_ns, fill.side, fill.units, fill.price, fill.fee, at)
        self._note_decisions(lane)
        if row["is_refused"]:
            return
        self.closes[lane] = float(row["close"])
        day = ts_ns // DAY_NS
        self.bars[day] = self.bars.get(day, 0) + 1
        self.marks[day] = self._values()

    def _note_decisions(self, lane: int) -> None:
        """Keep the prices of what the model has just decided: its fills come at the next open."""
        new = self.model.decisions_since(lane, self._seen[lane])
        self._seen[lane] += len(new)
        self._model_prices |= _decision_prices(new)

    def days(self) -> tuple[tuple[DayDrift, ...], DayDrift | None]:
        """Return each day's comparison, and the whole session's as one."""
        decided = [_acted(self.journal.decisions), _acted(self.model.decisions())]
        found, before = [], self._begun
        for day in sorted(self.bars):
            found.append(self._day([day], iso_z(day * DAY_NS)[:10], before, self.marks[day], decided))
            before = self.marks[day]
        if not found:
            return (), None
        return tuple(found), self._day(sorted(self.bars), "total", self._begun, before, decided)

    def _day(
        self,
        days: list[int],
        name: str,
        before: tuple[float, float],
        after: tuple[float, float],
        decided: list[set[Acted]],
    ) -> DayDrift:
        wanted = set(days)
        ours, theirs = ({each for each in side if each[1] // DAY_NS in wanted} for side in decided)
        live = _side(self.live, days, after[0] - before[0], len(ours))
        replayed = _side(self.replayed, days, after[1] - before[1], len(theirs))
        agreed, either = len(ours & theirs), len(ours | theirs)
        return DayDrift(
            day=name,
            bars=sum(self.bars[day] for day in days),
            live=live,
            replay=replayed,
            pnl_drift_usd=live.pnl_usd - replayed.pnl_usd,
            agreed=agreed,
            live_only=len(ours - theirs),
            replay_only=len(theirs - ours),
            agreement=agreed / either if either else 1.0,
        )


def _side(book: Book, days: list[int], pnl_usd: float, decisions: int) -> Side:
    fills = [fill for day in days for fill in book.fills.get(day, [])]
    priced = [(notional, slippage) for notional, _, slippage in fills if slippage is not None]
    weight = sum(notional for notional, _ in priced)
    mean = sum(notional * slippage for notional, slippage in priced) / weight if weight else None
    return Side(
        pnl_usd=pnl_usd,
        fees_usd=sum(fee for _, fee, _ in fills),
        fills=len(fills),
        decisions=decisions,
        slippage_bps=mean,
    )


def _acted(decisions: NDArray[Any]) -> set[Acted]:
    """Return what was decided, as far as both sides can agree on it."""
    rows = decisions[np.isin(decisions["action"], ACTED)]
    names = ("lane", "ts_ns", "action", "side", "reason")
    return set(zip(*(rows[name].tolist() for name in names), strict=True))


def _decision_prices(decisions: NDArray[Any]) -> dict[tuple[int, int, int], float]:
    """Return the price at which each order was decided, by (lane, step, side)."""
    rows = decisions[np.isin(decisions["action"], (Action.OPEN, Action.CLOSE))]
    keys = zip(rows["lane"].tolist(), rows["step"].tolist(), rows["side"].tolist(), strict=True)
    return dict(zip(keys, rows["price"].tolist(), strict=True))


def _warnings(report: DriftReport, journal: SessionJournal, home: Path, disk: Disk) -> Iterable[DriftWarning]:
    """Say what makes the figures doubtful: above all a strategy that nobody verified (QX-47)."""
    if report.recorded_kernel_sha256 != report.kernel_sha256:
        said = f"recorded by {report.recorded_kernel_sha256[:12]}, replayed by {report.kernel_sha256[:12]}"
        yield DriftWarning(code="kernel_hash_mismatch", detail=said)
    if not report.is_reproduced:
        yield DriftWarning(
            code="not_reproducible", detail="given its own fills the session decides otherwise"
        )
    drift = 0.0 if report.total is None else report.total.pnl_drift_usd
    for lane in {lane.strategy: lane for lane in journal.facts.lanes}.values():
        is_compiled = lane.strategy in BUNDLED and BUNDLED[lane.strategy].is_compiled
        source = "" if is_compiled else lane.source_sha256
        try:
            demand_verified(
                home, disk, lane.strategy, kernel_sha256=report.kernel_sha256, source_sha256=source
            )
        except Refusal as refusal:
            said = f"{lane.strategy}: {refusal.code}; a drift of {drift:+.2f} may be the build's own"
            yield DriftWarning(code="verify_skipped", detail=said)


def market_days(session_id: str, home: Path, disk: Disk) -> frozenset[str]:
    """Return the UTC days of market time that an ended session traded in. Raises as `read_session`."""
    _, journal = read_session(session_id, home, disk)
    rows = journal.inputs[journal.inputs["kind"] == Kind.CLOSE]
    return frozenset(iso_z(day * DAY_NS)[:10] for day in np.unique(rows["ts_ns"] // DAY_NS).tolist())
