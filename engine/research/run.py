"""One research run, from data to published folder: load, replay, measure, write, index."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.api.switches import BY_NAME, chosen
from engine.research import identity
from engine.research.artifacts import config_hash, make_run_id, sweep_staging
from engine.research.bars import load_bars, short_name
from engine.research.choice import Choice, RunFailed, build_of, choose, execution_of, forged
from engine.research.findings import Findings, count_earlier_runs, find_out
from engine.research.funding import source_of
from engine.research.kernels import NOTHING, Beside, beside_of, kernel_of
from engine.research.request import RunRequest as RunRequest
from engine.research.request import RunResult as RunResult
from engine.research.schemas import Identity, RunConfig, json_bytes
from engine.research.switching import resolved_switches
from native.intents import KernelConfig, LanePosition
from native.kernel import Kernel
from seams.clock import Clock, iso_z
from seams.disk import Disk
from venues.types import Record

if TYPE_CHECKING:
    from engine.config import Settings
    from engine.market.catalogue import BarColumns
    from native.kernel import Kernel

CHUNK_BARS = 1 << 18
MODE = "run"
INIT_STATE = "init_state.json"
"""The state that a run started from, in its folder; a session has it among its artifacts."""
INDEX = Path("outputs") / "runs_index.json"

Progress = Callable[[int, int], None]


class RunCancelled(Exception):
    """The caller asked to stop; nothing was written."""


class Replayed(Record):
    """What the kernel made of the bars. `funding_usd`: paid above 0, received below; None without funding.

    `first_bar`: the number of the first bar in trades and decisions, above 0 after a start from a state.
    """

    trades: NDArray[Any]
    decisions: NDArray[Any]
    equity: NDArray[np.float64]
    wins: int
    final_equity: float
    fees_usd: float
    funding_usd: float | None
    is_liquidated: bool
    trades_sha256: str
    decision_sha256: str
    held: tuple[LanePosition, ...] = ()
    """What is still held after the last bar."""
    first_bar: int = 0

    @property
    def own_trades(self) -> NDArray[Any]:
        """The trades with bars numbered from the run's first; one that was carried in begins there."""
        if not self.first_bar:
            return self.trades
        trades = self.trades.copy()
        for name in ("entry_bar", "exit_bar"):
            trades[name] = np.maximum(trades[name] - self.first_bar, 0)
        return trades


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

    With `init_state` it goes on from there: its records are those of its own bars, numbered on.

    `on_progress(bars_done, bars_total)` is called after each chunk. Raises `RunFailed`, `RunCancelled`,
    what the market catalogue raises for its data, or `OSError`. A failure leaves no run folder, only
    `outputs/failed/<run_id>.json`.
    """
    if request.init_state:
        from engine.state.start import completed
        from engine.state.states import open_state

        request = completed(request, open_state(request.init_state, home, disk))
    choice = _choice(request, home, disk)
    bars, symbol, interval = load_bars(request, home, disk)
    beside = beside_of(request, choice, bars, home, disk)
    config = resolved_config(request, choice, bars, symbol, interval, beside)
    if shared := sorted(name for name in config.switches if BY_NAME[name].part == "portfolio"):
        raise RunFailed("invalid_request", f"{', '.join(shared)} is for several symbols; name more data")

    def make(run_id: str) -> Made:
        replayed = replay(config, choice, bars, run_id, on_progress, is_cancelled, beside)
        findings = find_out(
            config,
            bars,
            replayed,
            lambda: kernel_of(config, _choice(request, home, disk), "check", beside),
            trials=request.trials,
            earlier_runs=count_earlier_runs(home / INDEX, bars.content_sha256, disk),
            beside=beside,
        )
        return Made(identify(config, choice, bars, replayed), findings, replayed, bars.ts_ns)

    more = {} if beside.start is None else {INIT_STATE: json_bytes(beside.start)}
    result = published(request, config, make, home, disk, clock, more)
    execution = {"execution": execution_of(choice), "build_sha256": build_of(choice)}
    return msgspec.structs.replace(result, **execution)  # type: ignore[type-var]


class Made(NamedTuple):
    """What a run gave, before it is published: `ts_ns` are the times of the equity."""

    proof: Identity
    findings: Findings
    replayed: Replayed
    ts_ns: NDArray[np.int64]


def published(
    request: RunRequest,
    config: RunConfig,
    make: Callable[[str], Made],
    home: Path,
    disk: Disk,
    clock: Clock,
    more: Mapping[str, bytes] | None = None,
) -> RunResult:
    """Make a run under its new id and publish its folder, with `more` files; a failure leaves a note instead.

    Raises what `make` raises, or `OSError`.
    """
    # Here, not above: the engine imports this module for its types and must not pay for HDF5.
    from engine.research.index import refresh_runs_index
    from engine.research.publish import RUN, publish_run

    runs = home / "outputs" / "runs"
    disk.make_folder(runs)
    sweep_staging(runs)
    created_ns = clock.now_ns()
    run_id = make_run_id(created_ns, MODE, config, runs)
    try:
        made = make(run_id)
        folder = publish_run(
            runs / run_id,
            request,
            config,
            made.proof,
            made.findings,
            made.replayed,
            made.ts_ns,
            iso_z(created_ns),
            replace(RUN, more=more or {}),
        )
    except RunCancelled:
        raise
    except Exception as error:
        _note_failure(home, run_id, error, created_ns, disk)
        raise
    refresh_runs_index(runs, disk, clock)
    return _result(run_id, folder, request, config, made.proof, made.findings, made.replayed)


def _choice(request: RunRequest, home: Path, disk: Disk) -> Choice:
    choice = choose(request.strategy, request.preset, request.params)
    return forged(choice, home, disk) if request.is_forged else choice


HOLD_WINDOW = ("min_hold_minutes", "max_hold_minutes")


def with_settings(request: RunRequest, settings: Settings) -> RunRequest:
    """Add the configuration's fingerprint and, without a preset, its account where none was asked for."""
    from engine.config import config_fingerprint

    changes: dict[str, object] = {"config_sha256": config_fingerprint(settings)}
    if not (request.preset or request.init_state):
        account = {
            "cash": settings.analytics.run_cash_usd,
            "notional_usd": settings.analytics.run_notional_usd,
            "fee_bps": settings.execution.fee_bps,
            "slippage_bps": settings.execution.slippage_bps,
        }
        changes |= {name: value for name, value in account.items() if getattr(request, name) is None}
        window = {name: getattr(settings.risk, name) for name in HOLD_WINDOW}
        if any(window.values()):
            changes["switches"] = {**window, **request.switches}
    return msgspec.structs.replace(request, **changes)  # type: ignore[type-var]


def resolved_config(
    request: RunRequest,
    choice: Choice,
    bars: BarColumns,
    symbol: str,
    interval: str,
    beside: Beside = NOTHING,
) -> RunConfig:
    """Return everything that decides the numbers: the request, then the preset, then the defaults."""
    base = choice.account or KernelConfig()
    try:
        mode = chosen("slippage_mode", request.slippage_mode or base.exchange.slippage_mode)
        stops = chosen("stops", request.stops or base.stops)
    except ValueError as error:
        raise RunFailed("invalid_request", str(error)) from error
    funding, sub_bars, start = beside
    switches = resolved_switches(request, choice.switches)
    if "sub_data" in switches:
        switches["sub_data"] = short_name(str(switches["sub_data"]))
    return RunConfig(
        ticker=symbol,
        start=iso_z(int(bars.ts_ns[0])),
        end=iso_z(int(bars.ts_ns[-1])),
        interval=interval,
        data=short_name(request.data),
        data_sha256=bars.content_sha256,
        strategy=choice.name,
        preset=request.preset,
        params=dict(sorted(choice.params.items())),
        seed=request.seed,
        initial_cash=_first(request.cash, base.cash) if start is None else start.equity,
        notional_usd=_first(request.notional_usd, base.notional_usd),
        fee_bps=_first(request.fee_bps, base.fee_bps),
        slippage_bps=_first(request.slippage_bps, base.slippage_bps),
        slippage_mode=mode,
        stops=stops,
        lot=_first(request.lot, choice.lot),
        tick=_first(request.tick, choice.tick),
        paper=False,
        config_sha256=request.config_sha256,
        funding=source_of(request),
        funding_marks=request.funding_marks,
        funding_sha256="" if funding is None else funding.content_sha256,
        funding_missing=0 if funding is None else funding.missing,
        switches=switches,
        sub_data_sha256="" if sub_bars is None else sub_bars.content_sha256,
        init_state_sha256="" if start is None else start.state_sha256,
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
    beside: Beside = NOTHING,
) -> Replayed:
    """Step a kernel over the bars and return what came of them, not of what it started from."""
    kernel = kernel_of(config, choice, run_id, beside)
    past = kernel.remembered(0)
    step_over(kernel, config, bars, on_progress, is_cancelled)
    equity = kernel.equity_curve()
    assert len(equity) == len(bars), "one equity value per bar"
    received = kernel.funding_received() - past["funding_usd"]
    return Replayed(
        trades=kernel.trades(),
        decisions=kernel.decisions(),
        equity=equity,
        wins=kernel.wins() - past["wins"],
        final_equity=kernel.final_equity(),
        fees_usd=kernel.fees_paid() - past["fees_usd"],
        funding_usd=None if beside.funding is None else 0.0 - received,
        is_liquidated=kernel.is_liquidated(),
        trades_sha256=kernel.trades_sha256(),
        decision_sha256=kernel.decision_hash(),
        held=held_of(kernel, 1),
        first_bar=past["bars"],
    )


def step_over(
    kernel: Kernel,
    config: RunConfig,
    bars: BarColumns,
    on_progress: Progress | None,
    is_cancelled: Callable[[], bool] | None,
) -> None:
    """Step the kernel over the bars in chunks, so that progress shows and cancelling works."""
    total = len(bars)
    for first in range(0, total, CHUNK_BARS):
        if is_cancelled is not None and is_cancelled():
            raise RunCancelled(kernel.run_id)
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
    if config.switches.get("close_at_end"):
        kernel.finish(0)


def held_of(kernel: Kernel, lanes: int) -> tuple[LanePosition, ...]:
    """Return the positions that are open, by lane."""
    found = (kernel.position(lane) for lane in range(lanes))
    return tuple(each for each in found if each.side)


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
    """Return `no_trades` when nothing was ever held, else `success`."""
    return "success" if len(replayed.trades) or replayed.held else "no_trades"
