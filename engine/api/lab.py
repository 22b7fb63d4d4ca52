"""Questions about research evidence and their answers: what a console may look at in the lab.

They are answered by a reader process of their own, never on the engine's loop: a large file that is
read for a chart must not delay a kill.
"""

from __future__ import annotations

from engine.api.research import Comparison
from engine.api.run_views import RunDetail, TradeRow
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


class SweepShow(Record, tag="sweep_show"):
    """Ask for a sweep: the head of its leaderboard, its heat map and what stands beside them."""

    run_id: str
    rows: int = 500


class WalkList(Record, tag="walk_list"):
    """Ask for the walk-forwards, newest first."""


class WalkShow(Record, tag="walk_show"):
    """Ask for one walk-forward: its splits, what was chosen, and the stitched curve."""

    walk_id: str


LabQuery = RunShow | RunTrades | RunDecisions | RunCompare | DataList | SweepShow | WalkList | WalkShow


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


class SweepRow(Record):
    """One tried set of parameters; `rank` from 1, 0 where it was rejected. Drawdown is a fraction."""

    rank: int
    config_id: str
    params: dict[str, float]
    total_pnl: float
    max_drawdown: float
    trades: int
    profit_factor: float | None
    sharpe_simple: float | None
    channel: str
    reject_reason: str


class HeatMap(Record):
    """The best objective over two axes, the best over all others; None where nothing was tried."""

    x_name: str
    y_name: str
    x_values: tuple[float, ...]
    y_values: tuple[float, ...]
    cells: tuple[tuple[float | None, ...], ...]
    """Rows by `y_values`, columns by `x_values`."""


class SweepPage(Record):
    """A finished sweep. `notes` say how far its best can be believed."""

    run_id: str
    objective: str
    trials: int
    rejected: int
    axes: tuple[str, ...]
    dead_axes: tuple[str, ...]
    rows: tuple[SweepRow, ...]
    heat: HeatMap | None
    notes: tuple[str, ...]
    path: str


class WalkRow(Record):
    """One walk-forward in the list; returns are fractions."""

    walk_id: str
    splits: int
    oos_return: float | None
    oos_max_drawdown: float | None
    positive_splits: float | None
    sharpe_change: float | None
    path: str


class Walks(Record):
    rows: tuple[WalkRow, ...]


class WalkSplit(Record):
    """One split: its windows, what training chose first, and what that gave afterwards."""

    name: str
    train: str
    test: str
    embargo_bars: int
    config_id: str
    params: dict[str, float]
    train_sharpe: float | None
    test_sharpe: float | None
    test_return: float | None
    test_trades: int


class WalkPage(Record):
    """One walk-forward; `equity` is the stitched out-of-sample curve, from 1."""

    row: WalkRow
    splits: tuple[WalkSplit, ...]
    curve_at: tuple[str, ...]
    equity: tuple[float, ...]


LabAnswer = RunDetail | TradePage | DecisionPage | Comparison | DataSets | SweepPage | Walks | WalkPage


class LabFailure(Record):
    """Why there is no answer; `code` is a reason code."""

    code: str
    message: str
