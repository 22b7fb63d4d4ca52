"""What a run is asked for, and what it gave."""

from __future__ import annotations

from engine.api.switches import Value
from engine.research.schemas import NOT_CHECKED, Check
from venues.types import Record


class RunRequest(Record):
    """What to run. `data` is a file or `VENUE/SYMBOL/INTERVAL`; numbers left None come from the
    preset, else from the kernel's defaults. `start_ns` and `end_ns` bound bar open times, end excluded;
    `max_bars` above 0 keeps the first so many of them. `trials`: how many
    configurations were tried to find this one (deflates the Sharpe ratio). `is_forged`: compile the
    strategy file and run the library. `funding`: empty (none), `data` (the stored series of the data's venue
    and symbol) or VENUE/SYMBOL; `funding_marks`: bars of mark prices, VENUE/SYMBOL/INTERVAL;
    `max_missing_funding`: how many payments the series may lack. `switches`: assumptions beyond the plain
    ones by name (`engine.api.switches`). With `more_data` or `more_strategies`, each strategy trades each of
    them under one account; `universe` is a CSV of listings (symbol, listed, delisted): those of `at_ns` stand
    for the `*` in data VENUE/*/INTERVAL. `init_state`: the state to start from, a file or an imported one's
    name; `max_state_gap_bars`: how many bars may be missing after its last."""

    @property
    def is_portfolio(self) -> bool:
        return bool(self.more_data or self.more_strategies or self.universe)

    strategy: str = ""
    preset: str = ""
    data: str
    more_data: tuple[str, ...] = ()
    more_strategies: tuple[str, ...] = ()
    universe: str = ""
    at_ns: int | None = None
    params: dict[str, float | str] = {}
    symbol: str = ""
    interval: str = ""
    start_ns: int | None = None
    end_ns: int | None = None
    max_bars: int = 0
    cash: float | None = None
    notional_usd: float | None = None
    fee_bps: float | None = None
    slippage_bps: float | None = None
    slippage_mode: str = ""
    stops: str = ""
    switches: dict[str, Value] = {}
    lot: float | None = None
    tick: float | None = None
    seed: int = 0
    trials: int = 1
    is_forged: bool = False
    funding: str = ""
    funding_marks: str = ""
    max_missing_funding: int = 0
    init_state: str = ""
    max_state_gap_bars: int = 0
    name: str = ""
    request_id: str = ""
    command: str = ""
    config_path: str = "inline_cli"
    config_sha256: str = ""


class RunResult(Record):
    """What a run gave. `status` is success or no_trades, `trust` what its checks found, `execution` how the
    strategy ran: compiled (bundled), interpreted or forged (then with its build).

    Hashes are hex; money in account currency.
    """

    run_id: str
    status: str
    path: str
    name: str
    strategy: str
    preset: str
    params: dict[str, float]
    bars: int
    trades: int
    wins: int
    final_equity: float
    trades_sha256: str
    decision_sha256: str
    data_sha256: str
    kernel_sha256: str
    strategy_sha256: str
    config_sha256: str
    config_hash: str
    metrics: dict[str, float | int | str | None]
    execution: str = ""
    build_sha256: str = ""
    trust: str = NOT_CHECKED
    checks: tuple[Check, ...] = ()
