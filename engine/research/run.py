"""One research run, from data to published folder: load, replay, measure, write, index."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.research import identity
from engine.research.artifacts import config_hash, make_run_id, sweep_staging
from engine.research.choice import Choice, RunFailed, build_of, choose, execution_of, forged
from engine.research.findings import Findings, count_earlier_runs, find_out
from engine.research.funding import exchange_of, funding_of, give_funding, source_of
from engine.research.request import RunRequest as RunRequest
from engine.research.request import RunResult as RunResult
from engine.research.schemas import Identity, RunConfig, json_bytes
from native.kernel import Kernel, KernelConfig, LaneSpec
from seams.clock import Clock, iso_z
from seams.disk import Disk
from venues.types import Record

if TYPE_CHECKING:
    from engine.config import Settings
    from engine.market.catalogue import BarColumns
    from engine.market.funding import FundingWindow

CHUNK_BARS = 1 << 18
FILE_SUFFIXES = (".csv", ".gz", ".parquet", ".pq", ".txt")
MODE = "run"

Progress = Callable[[int, int], None]


class RunCancelled(Exception):
    """The caller asked to stop; nothing was written."""


class Replayed(Record):
    """What the kernel made of the bars. `funding_usd`: paid above 0, received below; None without funding."""

    trades: NDArray[Any]
    decisions: NDArray[Any]
    equity: NDArray[np.float64]
    wins: int
    final_equity: float
    fees_usd: float
    funding_usd: float | None
    trades_sha256: str
    decision_sha256: str


def run_backtest(
    request: RunRequest,
    home: Path,
    disk: Disk,
    clock: Clock,
    *,
    on_progress: Progress | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> RunResult:
    """Run once and publish `outputs/runs/<run_id>/`; same request and data give the same hashes.

    `on_progress(bars_done, bars_total)` is called after each chunk. Raises `RunFailed`, `RunCancelled`,
    what the market catalogue raises for its data, or `OSError`. A failure leaves no run folder, only
    `outputs/failed/<run_id>.json`.
    """
    # Here, not above: the engine imports this module for its types and must not pay for HDF5.
    from engine.research.index import refresh_runs_index
    from engine.research.publish import publish_run

    choice = _choice(request, home, disk)
    bars, symbol, interval = load_bars(request, home, disk)
    funding = funding_of(request, bars, home, disk)
    config = resolved_config(request, choice, bars, symbol, interval, funding)
    runs = home / "outputs" / "runs"
    disk.make_folder(runs)
    sweep_staging(runs)
    created_ns = clock.now_ns()
    run_id = make_run_id(created_ns, MODE, config, runs)
    try:
        replayed = replay(config, choice, bars, run_id, on_progress, is_cancelled, funding)
        proof = identify(config, choice, bars, replayed)
        findings = find_out(
            config,
            bars,
            replayed,
            lambda: kernel_of(config, _choice(request, home, disk), "check", funding),
            trials=request.trials,
            earlier_runs=count_earlier_runs(runs.parent / "runs_index.json", bars.content_sha256, disk),
            funding=funding,
        )
        folder = publish_run(
            runs / run_id, request, config, proof, findings, replayed, bars.ts_ns, iso_z(created_ns)
        )
    except RunCancelled:
        raise
    except Exception as error:
        _note_failure(home, run_id, error, created_ns, disk)
        raise
    refresh_runs_index(runs, disk, clock)
    result = _result(run_id, folder, request, config, proof, findings, replayed)
    execution = {"execution": execution_of(choice), "build_sha256": build_of(choice)}
    return msgspec.structs.replace(result, **execution)  # type: ignore[type-var]


def _choice(request: RunRequest, home: Path, disk: Disk) -> Choice:
    choice = choose(request.strategy, request.preset, request.params)
    return forged(choice, home, disk) if request.is_forged else choice


def with_settings(request: RunRequest, settings: Settings) -> RunRequest:
    """Add the configuration's fingerprint and, without a preset, its account where none was asked for."""
    from engine.config import config_fingerprint

    changes: dict[str, object] = {"config_sha256": config_fingerprint(settings)}
    if not request.preset:
        account = {
            "cash": settings.analytics.run_cash_usd,
            "notional_usd": settings.analytics.run_notional_usd,
            "fee_bps": settings.execution.fee_bps,
            "slippage_bps": settings.execution.slippage_bps,
        }
        changes |= {name: value for name, value in account.items() if getattr(request, name) is None}
    return msgspec.structs.replace(request, **changes)  # type: ignore[type-var]


def load_bars(request: RunRequest, home: Path, disk: Disk) -> tuple[BarColumns, str, str]:
    """Return the bars of the request's window, their symbol and interval."""
    from engine.market import catalogue

    name = request.data
    if name.lower().endswith(FILE_SUFFIXES):
        path = Path(name).expanduser()
        bars = catalogue.load_file(path, request.interval or None)
        symbol = request.symbol or symbol_of(path.name)
        interval = request.interval or interval_text(bars.interval_ns)
    else:
        parts = name.split("/")
        if len(parts) != 3:
            raise RunFailed("invalid_request", f"data must be a file or VENUE/SYMBOL/INTERVAL, not {name!r}")
        bars = catalogue.load(home, parts[0], parts[1], parts[2])
        symbol, interval = parts[1], parts[2]
    bars = _window(bars, request.start_ns, request.end_ns, request.max_bars)
    if not len(bars):
        raise RunFailed("no_bars", f"no bars of {name} lie in the window")
    return bars, symbol, interval


def symbol_of(file_name: str) -> str:
    """Guess a symbol from a file name: the part before the first underscore or dot."""
    return re.split(r"[_.]", file_name, maxsplit=1)[0].upper() or "UNKNOWN"


def interval_text(interval_ns: int) -> str:
    """Write an interval such as 1m, 4h or 1d."""
    seconds = interval_ns // 1_000_000_000
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def resolved_config(
    request: RunRequest,
    choice: Choice,
    bars: BarColumns,
    symbol: str,
    interval: str,
    funding: FundingWindow | None = None,
) -> RunConfig:
    """Return everything that decides the numbers: the request, then the preset, then the defaults."""
    base = choice.account or KernelConfig()
    is_file = request.data.lower().endswith(FILE_SUFFIXES)
    return RunConfig(
        ticker=symbol,
        start=iso_z(int(bars.ts_ns[0])),
        end=iso_z(int(bars.ts_ns[-1])),
        interval=interval,
        data=Path(request.data).name if is_file else request.data,
        data_sha256=bars.content_sha256,
        strategy=choice.name,
        preset=request.preset,
        params=dict(sorted(choice.params.items())),
        seed=request.seed,
        initial_cash=_first(request.cash, base.cash),
        notional_usd=_first(request.notional_usd, base.notional_usd),
        fee_bps=_first(request.fee_bps, base.fee_bps),
        slippage_bps=_first(request.slippage_bps, base.slippage_bps),
        slippage_mode="fixed",
        stops=base.stops,
        lot=_first(request.lot, choice.lot),
        tick=_first(request.tick, choice.tick),
        paper=False,
        config_sha256=request.config_sha256,
        funding=source_of(request),
        funding_marks=request.funding_marks,
        funding_sha256="" if funding is None else funding.content_sha256,
        funding_missing=0 if funding is None else funding.missing,
    )


def _first(asked: float | None, otherwise: float) -> float:
    return otherwise if asked is None else asked


def replay(
    config: RunConfig,
    choice: Choice,
    bars: BarColumns,
    run_id: str,
    on_progress: Progress | None,
    is_cancelled: Callable[[], bool] | None,
    funding: FundingWindow | None = None,
) -> Replayed:
    """Step the kernel over the bars in chunks, so that progress shows and cancelling works."""
    kernel = kernel_of(config, choice, run_id, funding)
    total = len(bars)
    for first in range(0, total, CHUNK_BARS):
        if is_cancelled is not None and is_cancelled():
            raise RunCancelled(run_id)
        part = slice(first, min(first + CHUNK_BARS, total))
        try:
            kernel.replay(
                0,
                bars.ts_ns[part],
                bars.open[part],
                bars.high[part],
                bars.low[part],
                bars.close[part],
                bars.volume[part],
            )
        except ValueError as error:
            raise RunFailed("bad_bars", str(error)) from error
        if on_progress is not None:
            on_progress(part.stop, total)
    equity = kernel.equity_curve()
    assert len(equity) == total, "one equity value per bar"
    return Replayed(
        trades=kernel.trades(),
        decisions=kernel.decisions(),
        equity=equity,
        wins=kernel.wins(),
        final_equity=kernel.final_equity(),
        fees_usd=kernel.fees_paid(),
        funding_usd=None if funding is None else 0.0 - kernel.funding_received(),
        trades_sha256=kernel.trades_sha256(),
        decision_sha256=kernel.decision_hash(),
    )


def identify(config: RunConfig, choice: Choice, bars: BarColumns, replayed: Replayed) -> Identity:
    """Return the run's identity (kernel.md, "Identity")."""
    return Identity(
        kernel_sha256=identity.kernel_sha256(),
        strategy_sha256=identity.strategy_sha256(
            choice.name, config.params, choice.source_sha256, build_of(choice)
        ),
        config_sha256=config.config_sha256,
        data_sha256=bars.content_sha256,
        data_start_ns=int(bars.ts_ns[0]),
        data_end_ns=int(bars.ts_ns[-1]),
        seed=config.seed,
        decision_sha256=replayed.decision_sha256,
        trades_sha256=replayed.trades_sha256,
    )


def kernel_of(config: RunConfig, choice: Choice, run_id: str, funding: FundingWindow | None = None) -> Kernel:
    """Return a fresh kernel of one lane with its payments. Raises `RunFailed`: invalid_request for what the
    kernel refuses, not_reproducible for other payments than the configuration's."""
    exchange = exchange_of(config, funding)
    try:
        kernel = Kernel(
            KernelConfig(
                cash=config.initial_cash,
                notional_usd=config.notional_usd,
                fee_bps=config.fee_bps,
                slippage_bps=config.slippage_bps,
                seed=config.seed,
                stops="intrabar" if config.stops == "intrabar" else "next_open",
                exchange=exchange,
            ),
            [
                LaneSpec(
                    symbol=config.ticker,
                    strategy=choice.strategy,
                    params=config.params if isinstance(choice.strategy, str) else {},
                    lot=config.lot,
                    tick=config.tick,
                )
            ],
            run_id=run_id,
        )
        give_funding(kernel, 0, funding)
    except ValueError as error:
        raise RunFailed("invalid_request", str(error)) from error
    return kernel


def _window(bars: BarColumns, start_ns: int | None, end_ns: int | None, max_bars: int) -> BarColumns:
    """Cut to `start_ns <= t < end_ns` and at most `max_bars`; the content hash stays that of the whole
    set (the window is recorded beside it)."""
    if start_ns is None and end_ns is None and not max_bars:
        return bars
    first = 0 if start_ns is None else int(np.searchsorted(bars.ts_ns, start_ns, side="left"))
    last = len(bars) if end_ns is None else int(np.searchsorted(bars.ts_ns, end_ns, side="left"))
    last = min(last, first + max_bars) if max_bars else last
    names = ("ts_ns", "open", "high", "low", "close", "volume")
    return msgspec.structs.replace(bars, **{name: getattr(bars, name)[first:last] for name in names})


def _note_failure(home: Path, run_id: str, error: Exception, at_ns: int, disk: Disk) -> None:
    folder = home / "outputs" / "failed"
    disk.make_folder(folder)
    note = {
        "run_id": run_id,
        "status": "failed",
        "created_at": iso_z(at_ns),
        "error_type": type(error).__name__,
        "code": getattr(error, "code", "defect"),
        "message": str(error)[:500],
    }
    disk.write_atomic(folder / f"{run_id}.json", json_bytes(note))


def _result(
    run_id: str,
    folder: Path,
    request: RunRequest,
    config: RunConfig,
    proof: Identity,
    findings: Findings,
    replayed: Replayed,
) -> RunResult:
    return RunResult(
        run_id=run_id,
        status=status_of(replayed),
        path=str(folder),
        name=request.name,
        strategy=config.strategy,
        preset=config.preset,
        params=config.params,
        bars=len(replayed.equity),
        trades=len(replayed.trades),
        wins=replayed.wins,
        final_equity=replayed.final_equity,
        trades_sha256=proof.trades_sha256,
        decision_sha256=proof.decision_sha256,
        data_sha256=proof.data_sha256,
        kernel_sha256=proof.kernel_sha256,
        strategy_sha256=proof.strategy_sha256,
        config_sha256=proof.config_sha256,
        config_hash=config_hash(config),
        metrics=findings.metrics.values,
        trust=findings.trust,
        checks=findings.checks,
    )


def status_of(replayed: Replayed) -> str:
    """Return `no_trades` when no trade closed, else `success`."""
    return "success" if len(replayed.trades) else "no_trades"
