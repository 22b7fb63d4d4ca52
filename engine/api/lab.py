"""Questions about research evidence and their answers: what a console may look at in the lab.

They are answered by a reader process of their own, never on the engine's loop: a large file that is
read for a chart must not delay a kill.
"""

from __future__ import annotations

from engine.api.research import Comparison, ExcludedRun
from engine.api.views import RunDetail, TradeRow
from venues.types import Record

PAGE_ROWS = 2_000
"""The most rows one page carries: it stays well under the bus's largest message."""


class RunShow(Record, tag="run_show"):
    """Ask for a run's detail: metrics, equity and drawdown (thinned), last trades."""

    run_id: str
    points: int = 400


class RunTrades(Record, tag="run_trades"):
    """Ask for closed trades from number `start` on, oldest first; at most `PAGE_ROWS`."""

    run_id: str
    start: int = 0
    count: int = PAGE_ROWS


class RunDecisions(Record, tag="run_decisions"):
    """Ask for decision records from number `start` on, oldest first; at most `PAGE_ROWS`."""

    run_id: str
    start: int = 0
    count: int = PAGE_ROWS


class RunCompare(Record, tag="run_compare"):
    """Ask for two to five runs side by side."""

    run_ids: tuple[str, ...]


class DataList(Record, tag="data_list"):
    """Ask what bars are stored, and what they lack."""


LabQuery = RunShow | RunTrades | RunDecisions | RunCompare | DataList


class TradePage(Record):
    """Part of a run's trades; `total` is how many there are."""

    run_id: str
    total: int
    start: int
    rows: tuple[TradeRow, ...]


class DecisionRow(Record):
    """One decision: what was done, why, and the gates that said no. `quantity` in base units."""

    at_ns: int
    bar: int
    lane: int
    action: str
    side: str
    quantity: float
    price: float
    reason: str
    gates: tuple[str, ...]


class DecisionPage(Record):
    """Part of a run's decisions; `total` is how many there are."""

    run_id: str
    total: int
    start: int
    rows: tuple[DecisionRow, ...]


class DataSetRow(Record):
    """A stored set of bars. `holes` are (last open time before it in ns, bars missing), largest first."""

    venue: str
    symbol: str
    interval: str
    rows: int
    first_ns: int
    last_ns: int
    gaps: int
    missing_bars: int
    holes: tuple[tuple[int, int], ...]
    repairs: tuple[str, ...]
    content_sha256: str
    source: str


class DataSets(Record):
    rows: tuple[DataSetRow, ...]


LabAnswer = RunDetail | TradePage | DecisionPage | Comparison | DataSets


class LabFailure(Record):
    """Why there is no answer; `code` is a reason code."""

    code: str
    message: str


__all__ = [
    "PAGE_ROWS",
    "Comparison",
    "DataList",
    "DataSetRow",
    "DataSets",
    "DecisionPage",
    "DecisionRow",
    "ExcludedRun",
    "LabAnswer",
    "LabFailure",
    "LabQuery",
    "RunCompare",
    "RunDecisions",
    "RunShow",
    "RunTrades",
    "TradePage",
]
