"""A run's kernel: its rules from the configuration, its lane, and what it reads besides the bars."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engine.research.bars import inside, load_sub_bars
from engine.research.choice import Choice, RunFailed
from engine.research.funding import Series, demand_payments, give_funding, series_of
from engine.research.request import RunRequest
from engine.research.schemas import RunConfig
from engine.research.switching import kernel_config, resolved_switches
from native.intents import LaneSpec
from native.kernel import Kernel
from seams.disk import Disk

if TYPE_CHECKING:
    from engine.market.catalogue import BarColumns
    from engine.market.funding import FundingWindow
    from engine.state.init_state import InitState


class Beside(NamedTuple):
    """What a run reads besides its bars, and the state that it starts from; None where it has none."""

    funding: FundingWindow | None = None
    sub_bars: BarColumns | None = None
    start: InitState | None = None


NOTHING = Beside()


class Shelf(NamedTuple):
    """What a request names besides its bars, loaded once; each window takes its part."""

    funding: Series | None = None
    sub_bars: BarColumns | None = None

    def over(self, bars: BarColumns) -> Beside:
        """Return what a run over `bars` reads. Raises `RunFailed` or `FundingIncomplete`."""
        return Beside(
            funding=None if self.funding is None else self.funding.over(bars),
            sub_bars=None if self.sub_bars is None else inside(self.sub_bars, bars, "the finer data"),
        )


EMPTY = Shelf()


def shelf_of(request: RunRequest, choice: Choice, bars: BarColumns, home: Path, disk: Disk) -> Shelf:
    """Load what a request names besides its bars. Raises `RunFailed` and what the stores raise."""
    sub_data = resolved_switches(request, choice.switches).get("sub_data")
    return Shelf(
        funding=series_of(request, home, disk),
        sub_bars=load_sub_bars(str(sub_data), bars, home, disk) if sub_data else None,
    )


def beside_of(request: RunRequest, choice: Choice, bars: BarColumns, home: Path, disk: Disk) -> Beside:
    """Load what a run over `bars` reads besides them. Raises `RunFailed` and what the stores raise."""
    found = shelf_of(request, choice, bars, home, disk).over(bars)
    if not request.init_state:
        return found
    from engine.state.start import demand_next, proved
    from engine.state.states import open_state

    start = open_state(request.init_state, home, disk)
    proved(start, home, disk, choice.file)
    symbol = start.lanes[0].symbol
    demand_next(start, symbol, int(bars.ts_ns[0]), bars.interval_ns, request.max_state_gap_bars)
    return found._replace(start=start)


def kernel_of(config: RunConfig, choice: Choice, run_id: str, beside: Beside = NOTHING) -> Kernel:
    """Return a kernel of one lane, fresh or from its start, with its payments and sub-bars.

    Raises `RunFailed`: invalid_request for what the kernel refuses, not_reproducible where what is beside is
    not the configuration's, or what `engine.state.start.begin` raises."""
    demand_payments(config, beside.funding)
    if ("" if beside.sub_bars is None else beside.sub_bars.content_sha256) != config.sub_data_sha256:
        raise RunFailed("not_reproducible", "this needs the run's finer bars, and has others or none")
    if ("" if beside.start is None else beside.start.state_sha256) != config.init_state_sha256:
        raise RunFailed("not_reproducible", "this needs the state that the run started from")
    try:
        rules = kernel_config(config, has_funding=beside.funding is not None)
        if beside.start is not None:
            # What a report counts from is the equity at the start; the kernel counts on from its own cash.
            rules = replace(rules, cash=beside.start.kernel_config.cash)
        kernel = Kernel(rules, [lane_of(config.ticker, choice, config.lot, config.tick)], run_id=run_id)
        give_funding(kernel, 0, beside.funding)
        give_sub_bars(kernel, beside.sub_bars)
    except ValueError as error:
        raise RunFailed("invalid_request", str(error)) from error
    if beside.start is not None:
        from engine.state.start import begin

        begin(kernel, beside.start)
    return kernel


def lane_of(symbol: str, choice: Choice, lot: float, tick: float) -> LaneSpec:
    """Return one strategy on one symbol; an instance holds its parameters itself."""
    params = choice.params if isinstance(choice.strategy, str) else {}
    return LaneSpec(symbol=symbol, strategy=choice.strategy, params=params, lot=lot, tick=tick)


def give_sub_bars(kernel: Kernel, subs: BarColumns | None, lane: int = 0) -> None:
    """Hand a lane its finer bars, once more where they changed after the last bar stepped."""
    if subs is not None:
        kernel.set_sub_bars(lane, subs.ts_ns, subs.open, subs.high, subs.low, subs.close, subs.volume)
