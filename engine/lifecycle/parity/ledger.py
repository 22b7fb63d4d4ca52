"""The parity ledger: what a sweep said of its candidates beside what one plain kernel makes of them.

A line of parity_ledger.jsonl is one candidate's value on one axis. Rows that failed come first,
STATE_MACHINE before REDUCTION_ORDER (OC-45), then errors, then what passed, each by rank. A ledger has one
comparison contract; with more it is invalid as a whole (OC-46).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from engine.lifecycle.parity.contract import MIXED
from engine.lifecycle.parity.report import FAIL, PASS
from engine.lifecycle.parity.trace import ORDER, TOLERANCE, Cause, Difference
from engine.research.sweep.request import Axis
from engine.research.sweep.trials import Result
from venues.types import Record

LEDGER_FILE = "parity_ledger.jsonl"
STATE = ("trades", "wins", "bars", "trace", "reject_reason")
"""Figures that differ only where other decisions were taken; the trace is the digest of all trades."""
SUMS = ("final_equity", "total_pnl", "fees", "gross_profit", "gross_loss", "max_drawdown", "return_sum",
        "return_squares")  # fmt: skip
EMPTY_LEDGER = "ledger_empty"


class Status(StrEnum):
    """Whether a row's two executions agree; error: one of them could not be made."""

    PASS = "pass"
    FAIL = "fail"
    ERROR = "error"


PLACES = (Status.FAIL, Status.ERROR, Status.PASS)


class LedgerRow(Record):
    """One line of parity_ledger.jsonl.

    `axis_index` and `axis_path` name a parameter in name order, `sample_index` is the value's place among
    the sampled ones. `status` is pass, fail or error; `cause` STATE_MACHINE, REDUCTION_ORDER, an error's
    reason code, or empty. `accel` is what the sweep recorded, `cpu` what one plain kernel made of it now;
    deltas are accel - cpu, money in account currency. `is_bit_equal`: every figure is the same double.
    `trusted` is the source that counts where the two disagree. `trace_artifact`: the plain kernel's trades,
    empty where the row passed. `rank` is the candidate's on the leaderboard.
    """

    schema_version: int = 1
    axis_index: int
    axis_path: str
    sample_index: int
    sample_value: float
    status: Status
    cause: str
    config_id: str
    rank: int
    trial: int
    cpu: dict[str, float | int | str]
    accel: dict[str, float | int | str]
    trade_delta: int
    balance_delta: float
    pnl_delta: float
    is_bit_equal: bool
    trusted: str
    trace_artifact: str
    contract_hash: str


class LedgerVerdict(Record):
    """A ledger judged: pass, fail or mixed_contract; how many rows of each status, fails by cause."""

    verdict: str
    rows: int
    candidates: int
    counts: dict[str, int]
    contract_hashes: tuple[str, ...]


def figures(result: Result) -> dict[str, float | int | str]:
    """Return what a ledger shows of a result: its figures, all of them compared."""
    return {name: getattr(result, name) for name in (*STATE, *SUMS)}


def cause_of(recorded: Result, replayed: Result, *, demands_bits: bool) -> Cause | None:
    """Return why two results differ: other decisions before other sums; None where they agree.

    Stricter than the 1e-6 that the contract of accelerators allows: on one kernel (`demands_bits`) lanes,
    workers and devices must give the plain kernel's bits, on another sums may differ by 1e-12.
    """
    if any(getattr(recorded, name) != getattr(replayed, name) for name in STATE):
        return Cause.STATE_MACHINE
    if any(abs(getattr(recorded, name) - getattr(replayed, name)) > TOLERANCE for name in SUMS):
        return Cause.REDUCTION_ORDER
    return Cause.REDUCTION_ORDER if demands_bits and not is_bit_equal(recorded, replayed) else None


def is_bit_equal(recorded: Result, replayed: Result) -> bool:
    """Tell whether every figure is the same."""
    return figures(recorded) == figures(replayed)


def result_differences(recorded: Result, replayed: Result, rank: int) -> list[Difference]:
    """Return the figures that differ, as a report lists them: `row` is the candidate's rank."""
    found = []
    for name in (*STATE, *SUMS):
        left, right = getattr(recorded, name), getattr(replayed, name)
        if left != right:
            is_number = isinstance(left, int | float) and name != "trace"
            found.append(
                Difference(
                    cause=Cause.STATE_MACHINE if name in STATE else Cause.REDUCTION_ORDER,
                    table=f"trial {recorded.number}",
                    row=rank,
                    field=name,
                    at_ns=0,
                    recorded=str(left),
                    replayed=str(right),
                    delta=float(right) - float(left) if is_number else None,
                )
            )
    return found


def axes_of(axes: Sequence[Axis], results: Iterable[Result]) -> list[tuple[str, list[float]]]:
    """Return each axis with its sampled values, ascending, in name order."""
    sampled = list(results)
    return [
        (axis.name, sorted({result.params[axis.name] for result in sampled}))
        for axis in sorted(axes, key=lambda axis: axis.name)
    ]


def in_order(rows: Iterable[LedgerRow]) -> list[LedgerRow]:
    """Sort as the ledger lists them."""

    def place(row: LedgerRow) -> tuple[int, int, int, int]:
        cause = ORDER[Cause(row.cause)] if row.cause in Cause.__members__ else len(ORDER)
        return PLACES.index(row.status), cause, row.rank, row.axis_index

    return sorted(rows, key=place)


def judge_ledger(rows: Sequence[LedgerRow]) -> LedgerVerdict:
    """Judge a ledger's rows: more than one contract makes the whole invalid, no row proves nothing."""
    kinds = tuple(sorted({row.contract_hash for row in rows}))
    counts: dict[str, int] = {}
    for row in in_order(rows):
        name = row.cause if row.status is Status.FAIL else row.status.value
        counts[name] = counts.get(name, 0) + 1
    is_good = all(row.status is Status.PASS for row in rows)
    verdict = PASS if is_good else FAIL
    if not rows:
        verdict = EMPTY_LEDGER
    if len(kinds) > 1:
        verdict = MIXED
    return LedgerVerdict(
        verdict=verdict,
        rows=len(rows),
        candidates=len({row.config_id for row in rows}),
        counts=counts,
        contract_hashes=kinds,
    )


def to_lines(rows: Iterable[LedgerRow]) -> bytes:
    """Return parity_ledger.jsonl."""
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def read_lines(data: bytes) -> list[LedgerRow]:
    """Read parity_ledger.jsonl. Raises `ValueError` for a line that is none of it."""
    found = []
    for number, line in enumerate(data.splitlines(), 1):
        try:
            found.append(msgspec.json.decode(line, type=LedgerRow, strict=True))
        except msgspec.MsgspecError as error:
            raise ValueError(f"line {number} is no row of a parity ledger: {error}") from error
    return found
