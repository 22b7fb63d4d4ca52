"""A portfolio run: several strategies on several symbols under one account, in the order of time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from engine.market.universe import listed_at, read_history
from engine.market.validation import BadData
from engine.research import identity
from engine.research.bars import load_bars, short_name
from engine.research.choice import Choice, RunFailed, build_of, choose, execution_of, forged
from engine.research.findings import count_earlier_runs
from engine.research.kernels import lane_of
from engine.research.portfolio_findings import find_out_together
from engine.research.request import RunRequest, RunResult
from engine.research.run import CHUNK_BARS, INDEX, Made, Replayed, RunCancelled, published, resolved_config
from engine.research.schemas import Identity, LaneConfig, RunConfig
from engine.research.switching import kernel_config
from native.portfolio import Portfolio
from seams.clock import Clock, iso_z
from seams.disk import Disk

if TYPE_CHECKING:
    from engine.market.catalogue import BarColumns

Progress = Callable[[int, int], None]
COLUMNS = ("ts_ns", "open", "high", "low", "close", "volume")
MAX_LANES = 1_000


class Lane(NamedTuple):
    """One strategy on one symbol: its own request, its choice and its bars."""

    request: RunRequest
    choice: Choice
    bars: BarColumns
    symbol: str
    interval: str


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
    lanes = lanes_of(expanded(request, home, disk), home, disk)
    config = portfolio_config(request, lanes)

    def make(run_id: str) -> Made:
        kernel = portfolio_of(config, lanes, run_id)
        replayed = replay_together(kernel, config, lanes, on_progress, is_cancelled)
        ts_ns = kernel.portfolio_curve()[0]
        findings = find_out_together(
            config,
            [lane.bars for lane in lanes],
            replayed,
            ts_ns,
            lambda: portfolio_of(config, [_anew(lane, home, disk) for lane in lanes], "check"),
            trials=request.trials,
            earlier_runs=count_earlier_runs(home / INDEX, config.data_sha256, disk),
        )
        return Made(_identity(config, lanes, replayed), findings, replayed, ts_ns)

    result = published(request, config, make, home, disk, clock)
    words = {execution_of(lane.choice): None for lane in lanes}
    builds = {build_of(lane.choice): None for lane in lanes}
    ways = {"execution": ", ".join(words), "build_sha256": ", ".join(each for each in builds if each)}
    return msgspec.structs.replace(result, **ways)  # type: ignore[type-var]


def expanded(request: RunRequest, home: Path, disk: Disk) -> RunRequest:
    """Return the request with the universe's symbols of its date in place of the `*`. Raises `RunFailed`."""
    if not request.universe:
        return request
    venue, star, interval = (*request.data.split("/"), "", "")[:3]
    if star != "*" or not interval or request.at_ns is None:
        raise RunFailed("invalid_request", "a universe needs its date and data as VENUE/*/INTERVAL")
    try:
        history = read_history(disk.read(Path(request.universe).expanduser()), venue, request.universe)
    except (OSError, BadData) as error:
        raise RunFailed(
            "invalid_request", f"the universe {request.universe} cannot be read: {error}"
        ) from error
    names = [f"{venue}/{symbol}/{interval}" for symbol in listed_at(history, request.at_ns)]
    if not names:
        raise RunFailed("no_bars", f"no market of {request.universe} was listed at {iso_z(request.at_ns)}")
    changes = {"data": names[0], "more_data": (*names[1:], *request.more_data)}
    return msgspec.structs.replace(request, **changes)  # type: ignore[type-var]


def lanes_of(request: RunRequest, home: Path, disk: Disk) -> list[Lane]:
    """Load every lane, symbols first. Raises `RunFailed` and what the catalogue raises."""
    strategies = (request.strategy, *request.more_strategies)
    names = (request.data, *request.more_data)
    for is_odd, what in (
        (
            request.more_strategies and request.preset,
            "a preset names one strategy; leave it or the others out",
        ),
        (len(set(names)) < len(names) or len(set(strategies)) < len(strategies), "something is named twice"),
        (len(names) * len(strategies) > MAX_LANES, f"more than {MAX_LANES} lanes"),
        (bool(request.funding), "funding is paid in runs of one symbol only"),
        (request.switches.get("sub_data"), "finer bars are for runs of one symbol only"),
        (bool(request.symbol), "a symbol's name is for one symbol only"),
    ):
        if is_odd:
            raise RunFailed("invalid_request", what)
    owned = _own_params(request, strategies)
    lanes: list[Lane] = []
    for name in names:
        alone = {"data": name, "more_data": (), "more_strategies": (), "universe": "", "at_ns": None}
        try:
            bars, symbol, interval = load_bars(msgspec.structs.replace(request, **alone), home, disk)  # type: ignore[type-var]
        except LookupError as error:
            raise RunFailed("invalid_request", f"{name}: {error}; a portfolio leaves none out") from error
        for strategy, params in zip(strategies, owned, strict=True):
            own = msgspec.structs.replace(request, **alone, strategy=strategy, params=params)  # type: ignore[type-var]
            lanes.append(_anew(Lane(own, NO_CHOICE, bars, symbol, interval), home, disk))
    if len({lane.choice.name for lane in lanes}) < len(strategies):
        raise RunFailed("invalid_request", "two strategies have the same name")
    if len({lane.bars.interval_ns for lane in lanes}) > 1:
        raise RunFailed("invalid_request", "all symbols of a portfolio need bars of one length")
    if len({lane.symbol for lane in lanes}) < len(names):
        raise RunFailed("invalid_request", "two data sets are of the same symbol")
    return lanes


NO_CHOICE = choose("buy_and_hold", "", {})
"""Stands in a lane until its own strategy is built."""


def _own_params(request: RunRequest, strategies: Sequence[str]) -> list[dict[str, float | str]]:
    """Return each strategy's share of the parameters: those it has. Raises `RunFailed` for one of none."""
    if len(strategies) == 1:
        return [dict(request.params)]
    known = [set(choose(each, "", {}).params) for each in strategies]
    if foreign := sorted(set(request.params) - set().union(*known)):
        raise RunFailed("invalid_request", f"no strategy has a parameter {', '.join(foreign)}")
    return [{name: value for name, value in request.params.items() if name in names} for names in known]


def _anew(lane: Lane, home: Path, disk: Disk) -> Lane:
    """Return a lane with a strategy that has seen nothing."""
    asked = lane.request
    choice = choose(asked.strategy, asked.preset, asked.params)
    return lane._replace(choice=forged(choice, home, disk) if asked.is_forged else choice)


def portfolio_config(request: RunRequest, lanes: Sequence[Lane]) -> RunConfig:
    """Return everything that decides the numbers; the window spans all lanes'."""
    first = lanes[0]
    base = resolved_config(first.request, first.choice, first.bars, first.symbol, first.interval)
    listed = tuple(
        LaneConfig(
            symbol=lane.symbol,
            strategy=lane.choice.name,
            data=short_name(lane.request.data),
            data_sha256=lane.bars.content_sha256,
            start=iso_z(int(lane.bars.ts_ns[0])),
            end=iso_z(int(lane.bars.ts_ns[-1])),
            bars=len(lane.bars),
        )
        for lane in lanes
    )
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
    )


def counted(symbols: int) -> str:
    """Return what lists show for a portfolio's symbols."""
    return f"{symbols} symbol" + "s" * (symbols != 1)


def portfolio_of(config: RunConfig, lanes: Sequence[Lane], run_id: str) -> Portfolio:
    """Return a fresh portfolio. Raises `RunFailed` with invalid_request."""
    try:
        specs = [lane_of(lane.symbol, lane.choice, config.lot, config.tick) for lane in lanes]
        return Portfolio(kernel_config(config), specs, run_id=run_id)
    except ValueError as error:
        raise RunFailed("invalid_request", str(error)) from error


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
        funding_usd=None,
        is_liquidated=kernel.is_liquidated(),
        trades_sha256=kernel.trades_sha256(),
        decision_sha256=kernel.decision_hash(),
    )


def _part(
    bars: BarColumns, first_ns: int, last_ns: int
) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    begin = int(np.searchsorted(bars.ts_ns, first_ns, side="left"))
    end = int(np.searchsorted(bars.ts_ns, last_ns, side="right"))
    return [getattr(bars, name)[begin:end] for name in COLUMNS]


def _identity(config: RunConfig, lanes: Sequence[Lane], replayed: Replayed) -> Identity:
    strategies = dict.fromkeys(
        identity.strategy_sha256(
            lane.choice.name, lane.choice.params, lane.choice.source_sha256, build_of(lane.choice)
        )
        for lane in lanes
    )
    only = next(iter(strategies))
    together = only if len(strategies) == 1 else hashlib.sha256("".join(strategies).encode()).hexdigest()
    return Identity(
        kernel_sha256=identity.kernel_sha256(),
        strategy_sha256=together,
        config_sha256=config.config_sha256,
        data_sha256=config.data_sha256,
        data_start_ns=min(int(lane.bars.ts_ns[0]) for lane in lanes),
        data_end_ns=max(int(lane.bars.ts_ns[-1]) for lane in lanes),
        seed=config.seed,
        decision_sha256=replayed.decision_sha256,
        trades_sha256=replayed.trades_sha256,
    )
