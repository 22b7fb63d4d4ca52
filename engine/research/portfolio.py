"""A portfolio run: several strategies on several symbols under one account, in the order of time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from engine.research import identity
from engine.research.bars import short_name
from engine.research.choice import RunFailed, build_of, execution_of
from engine.research.findings import count_earlier_runs
from engine.research.funding import source_of
from engine.research.portfolio_findings import find_out_together
from engine.research.portfolio_lanes import Again, Lane, expanded, lanes_of, portfolio_of
from engine.research.request import RunRequest, RunResult
from engine.research.run import (
    CHUNK_BARS,
    INDEX,
    Made,
    Replayed,
    RunCancelled,
    held_of,
    published,
    resolved_config,
)
from engine.research.schemas import Identity, LaneConfig, RunConfig
from native.portfolio import Portfolio
from seams.clock import Clock, iso_z
from seams.disk import Disk

if TYPE_CHECKING:
    from engine.market.catalogue import BarColumns

Progress = Callable[[int, int], None]
COLUMNS = ("ts_ns", "open", "high", "low", "close", "volume")


def run_portfolio(
    request: RunRequest,
    home: Path,
    disk: Disk,
    clock: Clock,
    *,
    on_progress: Progress | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> RunResult:
    """Run each strategy on each symbol under one account and publish it as one run; see `run_backtest`.

    Raises `RunFailed` with invalid_request too where bars have different lengths or a symbol has no bars.
    """
    if request.init_state:
        raise RunFailed("state_symbol_mismatch", "a run of several symbols starts from no state")
    lanes = lanes_of(expanded(request, home, disk), home, disk)
    config = portfolio_config(request, lanes)

    def make(run_id: str) -> Made:
        kernel = portfolio_of(config, lanes, run_id)
        replayed = replay_together(kernel, config, lanes, on_progress, is_cancelled)
        ts_ns = kernel.portfolio_curve()[0]
        findings = find_out_together(
            config,
            lanes,
            replayed,
            ts_ns,
            Again(config, lanes, home, disk),
            trials=request.trials,
            earlier_runs=count_earlier_runs(home / INDEX, config.data_sha256, disk),
        )
        return Made(_identity(config, lanes, replayed), findings, replayed, ts_ns)

    result = published(request, config, make, home, disk, clock)
    words = {execution_of(lane.choice): None for lane in lanes}
    builds = {build_of(lane.choice): None for lane in lanes}
    ways = {"execution": ", ".join(words), "build_sha256": ", ".join(each for each in builds if each)}
    return msgspec.structs.replace(result, **ways)  # type: ignore[type-var]


def portfolio_config(request: RunRequest, lanes: Sequence[Lane], names: Sequence[str] = ()) -> RunConfig:
    """Return everything that decides the numbers; the window spans all lanes'.

    `names`: what the lanes' data are called, as they were asked for where it is empty.
    """
    first = lanes[0]
    called = names or [short_name(lane.request.data) for lane in lanes]
    shared = {"funding": "", "funding_marks": "", "switches": request.switches}
    plain = msgspec.structs.replace(first.request, **shared)  # type: ignore[type-var]
    base = resolved_config(plain, first.choice, first.bars, first.symbol, first.interval)
    listed = tuple(
        LaneConfig(
            symbol=lane.symbol,
            strategy=lane.choice.name,
            data=name,
            data_sha256=lane.bars.content_sha256,
            start=iso_z(int(lane.bars.ts_ns[0])),
            end=iso_z(int(lane.bars.ts_ns[-1])),
            bars=len(lane.bars),
            funding=source_of(lane.request),
            funding_sha256="" if lane.beside.funding is None else lane.beside.funding.content_sha256,
            sub_data_sha256="" if lane.beside.sub_bars is None else lane.beside.sub_bars.content_sha256,
        )
        for name, lane in zip(called, lanes, strict=True)
    )
    paid = [lane.beside.funding for lane in lanes if lane.beside.funding is not None]
    choices = {lane.choice.name: lane.choice for lane in lanes}
    params = {
        name if len(choices) == 1 else f"{choice.name}.{name}": value
        for choice in choices.values()
        for name, value in sorted(choice.params.items())
    }
    sets = dict.fromkeys((lane.symbol, lane.data, lane.data_sha256, lane.start, lane.end) for lane in listed)
    return msgspec.structs.replace(  # type: ignore[type-var]
        base,
        ticker=counted(len(sets)),
        data=", ".join(each[1] for each in sets),
        data_sha256=hashlib.sha256(msgspec.json.encode(list(sets))).hexdigest(),
        start=min(lane.start for lane in listed),
        end=max(lane.end for lane in listed),
        strategy=", ".join(choices),
        params=params,
        lanes=listed,
        funding=request.funding,
        funding_marks=request.funding_marks,
        funding_sha256=_together([lane.funding_sha256 for lane in listed]),
        funding_missing=max((each.missing for each in paid), default=0),
        sub_data_sha256=_together([lane.sub_data_sha256 for lane in listed]),
    )


def _together(hashes: Sequence[str]) -> str:
    """Return one sha256 over the lanes' hashes; empty where no lane has any."""
    return hashlib.sha256(msgspec.json.encode(list(hashes))).hexdigest() if any(hashes) else ""


def counted(symbols: int) -> str:
    """Return what lists show for a portfolio's symbols."""
    return f"{symbols} symbol" + "s" * (symbols != 1)


def replay_together(
    kernel: Portfolio,
    config: RunConfig,
    lanes: Sequence[Lane],
    on_progress: Progress | None,
    is_cancelled: Callable[[], bool] | None,
) -> Replayed:
    """Step the portfolio through the merged times, a part at a time."""
    times = np.unique(np.concatenate([lane.bars.ts_ns for lane in lanes]))
    size = max(1, CHUNK_BARS // len(lanes))
    for first in range(0, len(times), size):
        if is_cancelled is not None and is_cancelled():
            raise RunCancelled(kernel.run_id)
        last = min(first + size, len(times))
        try:
            kernel.replay([_part(lane.bars, int(times[first]), int(times[last - 1])) for lane in lanes])
        except ValueError as error:
            raise RunFailed("bad_bars", str(error)) from error
        if on_progress is not None:
            on_progress(last, len(times))
    equity = kernel.portfolio_curve()[1]
    if config.switches.get("close_at_end"):
        for lane in range(len(lanes)):
            kernel.finish(lane)
        equity[-1] = kernel.final_equity()
    assert len(equity) == len(times), "one equity value for each time at which some symbol has a bar"
    return Replayed(
        trades=kernel.trades(),
        decisions=kernel.decisions(),
        equity=equity,
        wins=kernel.wins(),
        final_equity=kernel.final_equity(),
        fees_usd=kernel.fees_paid(),
        funding_usd=0.0 - kernel.funding_received() if config.funding else None,
        is_liquidated=kernel.is_liquidated(),
        trades_sha256=kernel.trades_sha256(),
        decision_sha256=kernel.decision_hash(),
        held=held_of(kernel, len(lanes)),
    )


def _part(
    bars: BarColumns, first_ns: int, last_ns: int
) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    begin = int(np.searchsorted(bars.ts_ns, first_ns, side="left"))
    end = int(np.searchsorted(bars.ts_ns, last_ns, side="right"))
    return [getattr(bars, name)[begin:end] for name in COLUMNS]


def strategies_sha256(lanes: Sequence[Lane], kernel: str = "") -> str:
    """Return the hash of all strategies; `kernel`: the kernel's hash to use, empty for the loaded one's."""
    each = dict.fromkeys(
        identity.strategy_sha256(
            lane.choice.name,
            lane.choice.params,
            lane.choice.source_sha256,
            build_of(lane.choice),
            kernel=kernel,
        )
        for lane in lanes
    )
    return next(iter(each)) if len(each) == 1 else hashlib.sha256("".join(each).encode()).hexdigest()


def _identity(config: RunConfig, lanes: Sequence[Lane], replayed: Replayed) -> Identity:
    return Identity(
        kernel_sha256=identity.kernel_sha256(),
        strategy_sha256=strategies_sha256(lanes),
        config_sha256=config.config_sha256,
        data_sha256=config.data_sha256,
        data_start_ns=min(int(lane.bars.ts_ns[0]) for lane in lanes),
        data_end_ns=max(int(lane.bars.ts_ns[-1]) for lane in lanes),
        seed=config.seed,
        decision_sha256=replayed.decision_sha256,
        trades_sha256=replayed.trades_sha256,
    )
