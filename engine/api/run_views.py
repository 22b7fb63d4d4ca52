"""What a console may see of research: runs, paper sessions and jobs, as rows and one by one."""

from __future__ import annotations

from decimal import Decimal

from venues.types import Record


class RunRow(Record):
    run_id: str
    mode: str
    strategy: str
    ticker: str
    interval: str
    created_at: str
    status: str
    """success or no_trades: a run that failed publishes nothing."""
    sharpe_simple: float | None
    total_return: float | None
    max_drawdown: float | None
    trades: int
    data_sha256: str
    config_hash: str
    decision_sha256: str
    path: str
    trust: str = "not_checked"
    """What the run's checks found: passed, failed or not_checked; separate from `status` (OC-88)."""


class SessionRow(Record):
    session_id: str
    status: str
    """running, success, failed or aborted; `stale` is derived and never stored."""
    status_reason: str
    strategies: tuple[str, ...]
    symbols: tuple[str, ...]
    feed: str
    is_supervised: bool
    started_ns: int
    finished_ns: int
    bars: int
    decisions: int
    orders: int
    fills: int
    equity_usd: Decimal
    decision_sha256: str
    message: str
    path: str
    shadow: str = ""
    """How far its twin agrees, in words; empty without one."""
    config_ids: dict[str, str] = {}
    """Strategy -> the id of it with all its parameters, as a sweep and its replay name it (OC-44)."""
    environment: str = ""
    """Where its orders reached a real venue: testnet or mainnet; empty for paper."""
    states: tuple[str, ...] = ()
    """Where each lane stands while it runs (void, vigil, engaged, hedge, halt, recovery), by symbol."""


class JobRow(Record):
    """Research work asked for from a console. `done`, `total` and the rate are in `unit`s.

    `state` is running, cancelling, finished, failed or aborted: whether the work was done, not whether
    its result may be trusted (`RunRow.trust`). `left_s` is an estimate, None while there is none. `cpu_pct`
    (of one core, over its life) and `rss_mb` are None where the process is gone or the host does not say.
    `strategy` and `version` are those of a crucible run. `folder` holds what a foundry job made; `code` is
    the reason code of a failed job, where it has one.
    """

    job_id: str
    kind: str
    what: str
    operator: str
    state: str
    started_ns: int
    done: int = 0
    total: int = 0
    unit: str = ""
    rate_per_s: float = 0.0
    left_s: float | None = None
    run_id: str = ""
    message: str = ""
    strategy: str = ""
    version: str = ""
    cpu_pct: float | None = None
    rss_mb: float | None = None
    folder: str = ""
    code: str = ""


class RunsView(Record, tag="runs"):
    """Research runs, paper sessions and jobs: three lists, never mixed."""

    seq: int
    at_ns: int
    runs: tuple[RunRow, ...]
    sessions: tuple[SessionRow, ...]
    jobs: tuple[JobRow, ...] = ()


class TradeRow(Record):
    entry_at: str
    exit_at: str
    side: str
    quantity: float
    entry_price: float
    exit_price: float
    pnl_usd: float
    reason: str


class RunCheck(Record):
    """One check of a run: what it found, in words; `status` is passed, failed or not_checked."""

    name: str
    status: str
    detail: str


class RunDetail(Record):
    """Result of `RunShow`; curves are thinned to at most the points asked for."""

    row: RunRow
    metrics: dict[str, float | int | str | None]
    config: dict[str, str]
    curve_ns: tuple[int, ...]
    equity: tuple[float, ...]
    drawdown: tuple[float, ...]
    trades: tuple[TradeRow, ...]
    artifacts: tuple[str, ...]
    report_markdown: str
    null_reasons: dict[str, str] = {}
    """Why a metric is null, as a code."""
    checks: tuple[RunCheck, ...] = ()
    baselines: dict[str, dict[str, float | int | str | None]] = {}
    """What the same market gave without the strategy: cash, buy_and_hold, random_entries."""
