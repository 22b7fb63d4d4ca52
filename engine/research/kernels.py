"""A run's kernel: its rules from the configuration, its lane, and what it reads besides the bars."""

from __future__ import annotations

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


class Beside(NamedTuple):
    """What a run reads besides its bars; None where it has none."""

    funding: FundingWindow | None = None
    sub_bars: BarColumns | None = None


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
    return shelf_of(request, choice, bars, home, disk).over(bars)


def kernel_of(config: RunConfig, choice: Choice, run_id: str, beside: Beside = NOTHING) -> Kernel:
    """Return a fresh kernel of one lane with its payments and sub-bars. Raises `RunFailed`: invalid_request
    for what the kernel refuses, not_reproducible where what is beside is not the configuration's."""
    demand_payments(config, beside.funding)
    if ("" if beside.sub_bars is None else beside.sub_bars.content_sha256) != config.sub_data_sha256:
        raise RunFailed("not_reproducible", "this needs the run's finer bars, and has others or none")
    try:
        rules = kernel_config(config, has_funding=beside.funding is not None)
        kernel = Kernel(rules, [lane_of(config.ticker, choice, config.lot, config.tick)], run_id=run_id)
        give_funding(kernel, 0, beside.funding)
        give_sub_bars(kernel, beside.sub_bars)
    except ValueError as error:
        raise RunFailed("invalid_request", str(error)) from error
    return kernel


def lane_of(symbol: str, choice: Choice, lot: float, tick: float) -> LaneSpec:
    """Return one strategy on one symbol; an instance holds its parameters itself."""
    params = choice.params if isinstance(choice.strategy, str) else {}
    return LaneSpec(symbol=symbol, strategy=choice.strategy, params=params, lot=lot, tick=tick)


def give_sub_bars(kernel: Kernel, subs: BarColumns | None, lane: int = 0) -> None:
    """Hand a lane its finer bars, once more where they changed after the last bar stepped."""
    if subs is not None:
        kernel.set_sub_bars(lane, subs.ts_ns, subs.open, subs.high, subs.low, subs.close, subs.volume)
