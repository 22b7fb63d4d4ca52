"""Two traces side by side: decisions, trades, equity; each difference has one cause."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from venues.types import Record

TOLERANCE = 1e-12
"""Absolute; schemas.md, "Parity contract"."""
MAX_LISTED = 25


class Cause(StrEnum):
    """Why two executions differ, in the order of reports (OC-45).

    STATE_MACHINE: other decisions or trades. DATA, CONFIG: other bars or assumptions, so that traces do not
    compare. LATENCY: the same at another time. VENUE: other fills, fees or funding. REDUCTION_ORDER: only
    sums.
    """

    STATE_MACHINE = "STATE_MACHINE"
    DATA = "DATA"
    CONFIG = "CONFIG"
    LATENCY = "LATENCY"
    VENUE = "VENUE"
    REDUCTION_ORDER = "REDUCTION_ORDER"


ORDER = {cause: place for place, cause in enumerate(Cause)}
_S, _L, _V, _R = Cause.STATE_MACHINE, Cause.LATENCY, Cause.VENUE, Cause.REDUCTION_ORDER
DECISION_CAUSES: dict[str, Cause] = {
    "lane": _S, "action": _S, "side": _S, "reason": _S, "gates": _S, "units": _S, "price": _S,
    "ts_ns": _L, "step": _L,
}  # fmt: skip
TRADE_CAUSES: dict[str, Cause] = {
    "lane": _S, "side": _S, "reason": _S, "units": _S,
    "entry_bar": _L, "exit_bar": _L, "entry_ts_ns": _L, "exit_ts_ns": _L,
    "entry_fill": _V, "exit_fill": _V, "fees": _V, "funding": _V,
    "pnl": _R,
}  # fmt: skip
TIMES = {"decisions": "ts_ns", "trades": "exit_ts_ns"}


class Difference(Record):
    """One difference: row and field of a table (row -1: the whole table), both values as text.

    `at_ns` is the recorded row's time, 0 where there is none; `delta` is replayed - recorded of numbers.
    """

    cause: Cause
    table: str
    row: int
    field: str
    at_ns: int
    recorded: str
    replayed: str
    delta: float | None = None


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What one execution left: kernel records in order; equity per bar, or empty where none was kept."""

    decisions: NDArray[Any]
    trades: NDArray[Any]
    equity: NDArray[np.float64]

    @property
    def decision_sha256(self) -> str:
        return sha256_of(self.decisions)

    @property
    def trades_sha256(self) -> str:
        """The same name and form as a run's own: `Kernel.trades_sha256`."""
        return trades_sha256(self.trades)


def sha256_of(rows: NDArray[Any]) -> str:
    """Return the sha256 (hex) of the rows' bytes."""
    return hashlib.sha256(np.ascontiguousarray(rows).tobytes()).hexdigest()


def trades_sha256(trades: NDArray[Any]) -> str:
    """Return the sha256 of trades in the oracles' text form, lane by lane: entry bar, exit bar, side, units,
    entry fill, exit fill (%.6f), a line each. `trades`: rows with the fields of `TRADE_DTYPE`."""
    digest = hashlib.sha256()
    fields = ["entry_bar", "exit_bar", "side", "units", "entry_fill", "exit_fill"]
    order = np.argsort(trades["lane"], kind="stable")
    for entry_bar, exit_bar, side, units, entry, leave in trades[fields][order].tolist():
        digest.update(f"{entry_bar},{exit_bar},{side},{units},{entry:.6f},{leave:.6f}\n".encode())
    return digest.hexdigest()


def compare(recorded: Trace, replayed: Trace) -> list[Difference]:
    """Return every difference beyond `TOLERANCE`, STATE_MACHINE first, then by table and row.

    A row has one difference, of its first cause: what follows from a changed decision is not counted anew.
    """
    found = [
        *_tables("decisions", recorded.decisions, replayed.decisions, DECISION_CAUSES),
        *_tables("trades", recorded.trades, replayed.trades, TRADE_CAUSES),
        *_equity(recorded.equity, replayed.equity),
    ]
    return in_order(found)


def in_order(found: list[Difference]) -> list[Difference]:
    """Sort by cause; within one cause the order stays."""
    return sorted(found, key=lambda each: ORDER[each.cause])


def _tables(
    name: str, recorded: NDArray[Any], replayed: NDArray[Any], causes: dict[str, Cause]
) -> Iterator[Difference]:
    if recorded.dtype != replayed.dtype:
        yield _whole(name, "layout", str(recorded.dtype), str(replayed.dtype))
        return
    assert set(recorded.dtype.names or ()) == set(causes), f"every field of {name} has a cause"
    if len(recorded) != len(replayed):
        yield _whole(name, "count", str(len(recorded)), str(len(replayed)), len(replayed) - len(recorded))
    count = min(len(recorded), len(replayed))
    masks = {field: _differ(recorded[field][:count], replayed[field][:count]) for field in causes}
    fields = sorted(causes, key=lambda field: ORDER[causes[field]])
    for row in np.flatnonzero(np.logical_or.reduce(list(masks.values()))).tolist():
        field = next(field for field in fields if masks[field][row])
        left, right = recorded[field][row], replayed[field][row]
        yield Difference(
            cause=causes[field],
            table=name,
            row=row,
            field=field,
            at_ns=int(recorded[TIMES[name]][row]),
            recorded=_text(left),
            replayed=_text(right),
            delta=_delta(left, right),
        )


def _equity(recorded: NDArray[np.float64], replayed: NDArray[np.float64]) -> Iterator[Difference]:
    if len(recorded) != len(replayed):
        yield _whole("equity", "count", str(len(recorded)), str(len(replayed)))
        return
    for row in np.flatnonzero(_differ(recorded, replayed)).tolist():
        left, right = recorded[row], replayed[row]
        yield Difference(
            cause=Cause.REDUCTION_ORDER,
            table="equity",
            row=row,
            field="equity",
            at_ns=0,
            recorded=_text(left),
            replayed=_text(right),
            delta=_delta(left, right),
        )


def _differ(left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell where two columns differ: whole numbers at all, doubles beyond the tolerance; NaN equals NaN."""
    if left.dtype.kind != "f":
        return np.asarray(left != right)
    with np.errstate(invalid="ignore"):
        is_near = (left == right) | (np.abs(left - right) <= TOLERANCE)
    return np.asarray(~(is_near | (np.isnan(left) & np.isnan(right))))


def _whole(table: str, field: str, left: str, right: str, delta: float | None = None) -> Difference:
    return Difference(
        cause=Cause.STATE_MACHINE,
        table=table,
        row=-1,
        field=field,
        at_ns=0,
        recorded=left,
        replayed=right,
        delta=delta,
    )


def _text(value: Any) -> str:
    return repr(value.item())


def _delta(left: Any, right: Any) -> float | None:
    delta = float(right) - float(left)
    return delta if np.isfinite(delta) else None
