"""The lanes of a portfolio run: each strategy on each symbol, with its bars and what it reads beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from engine.market.universe import listed_at, read_history
from engine.market.validation import BadData
from engine.research.bars import load_bars
from engine.research.choice import Choice, RunFailed, choose, forged
from engine.research.funding import OF_DATA, give_funding
from engine.research.kernels import NOTHING, Beside, beside_of, give_sub_bars, kernel_of, lane_of
from engine.research.request import RunRequest
from engine.research.schemas import RunConfig
from engine.research.switching import kernel_config
from native.kernel import Kernel
from native.portfolio import Portfolio
from seams.clock import iso_z
from seams.disk import Disk

if TYPE_CHECKING:
    from engine.market.catalogue import BarColumns

MAX_LANES = 1_000
ANY = "*"
"""Stands for the lane's symbol in the names of funding, marks and finer bars."""


class Lane(NamedTuple):
    """One strategy on one symbol: its own request, its choice, its bars and what stands beside them."""

    request: RunRequest
    choice: Choice
    bars: BarColumns
    symbol: str
    interval: str
    beside: Beside = NOTHING


def expanded(request: RunRequest, home: Path, disk: Disk) -> RunRequest:
    """Return the request with the universe's symbols of its date in place of the `*`. Raises `RunFailed`."""
    if not request.universe:
        return request
    venue, star, interval = (*request.data.split("/"), "", "")[:3]
    if star != ANY or not interval or request.at_ns is None:
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
        (bool(request.symbol), "a symbol's name is for one symbol only"),
    ):
        if is_odd:
            raise RunFailed("invalid_request", what)
    _demand_stars(request, len(names))
    owned = own_params(request, strategies)
    asked = [
        msgspec.structs.replace(alone(request, name), strategy=strategy, params=params)  # type: ignore[type-var]
        for name in names
        for strategy, params in zip(strategies, owned, strict=True)
    ]
    lanes = loaded(asked, home, disk)
    if len({lane.choice.name for lane in lanes}) < len(strategies):
        raise RunFailed("invalid_request", "two strategies have the same name")
    if len({lane.bars.interval_ns for lane in lanes}) > 1:
        raise RunFailed("invalid_request", "all symbols of a portfolio need bars of one length")
    if len({lane.symbol for lane in lanes}) < len(names):
        raise RunFailed("invalid_request", "two data sets are of the same symbol")
    return lanes


def alone(request: RunRequest, data: str) -> RunRequest:
    """Return the request for one symbol's data."""
    changes = {"data": data, "more_data": (), "more_strategies": (), "universe": "", "at_ns": None}
    return msgspec.structs.replace(request, **changes)  # type: ignore[type-var]


def loaded(requests: Iterable[RunRequest], home: Path, disk: Disk) -> list[Lane]:
    """Load a lane for each request of one symbol; symbols that repeat are read once. Raises `RunFailed`."""
    lanes: list[Lane] = []
    for request in requests:
        try:
            if lanes and lanes[-1].request.data == request.data:
                bars, symbol, interval = lanes[-1][2:5]
            else:
                bars, symbol, interval = load_bars(request, home, disk)
            own = _named(request, symbol)
            lane = anew(Lane(own, NO_CHOICE, bars, symbol, interval), home, disk)
            beside = beside_of(own, lane.choice, bars, home, disk)
        except LookupError as error:
            raise RunFailed(
                "invalid_request", f"{request.data}: {error}; a portfolio leaves none out"
            ) from error
        lanes.append(lane._replace(beside=beside))
    return lanes


def _demand_stars(request: RunRequest, symbols: int) -> None:
    """Refuse one symbol's funding, marks or finer bars for all of several."""
    sub_data = str(request.switches.get("sub_data", ""))
    for text, what in (
        (request.funding, "funding"),
        (request.funding_marks, "funding marks"),
        (sub_data, "finer bars"),
    ):
        if symbols > 1 and text not in ("", OF_DATA) and ANY not in text:
            raise RunFailed(
                "invalid_request", f"{what} of several symbols: write {ANY} for the symbol, not {text}"
            )


def _named(request: RunRequest, symbol: str) -> RunRequest:
    """Return a lane's request with its symbol in place of each `*`."""
    switches = dict(request.switches)
    if "sub_data" in switches:
        switches["sub_data"] = str(switches["sub_data"]).replace(ANY, symbol)
    return msgspec.structs.replace(
        request,
        funding=request.funding.replace(ANY, symbol),
        funding_marks=request.funding_marks.replace(ANY, symbol),
        switches=switches,
    )  # type: ignore[type-var]


NO_CHOICE = choose("buy_and_hold", "", {})
"""Stands in a lane until its own strategy is built."""


def own_params(request: RunRequest, strategies: Sequence[str]) -> list[dict[str, float | str]]:
    """Return each strategy's share of the parameters: those it has, and `strategy.name` over `name`.

    Raises `RunFailed` for one that no strategy has.
    """
    if len(strategies) == 1:
        return [dict(request.params)]
    choices = [choose(each, "", {}) for each in strategies]
    qualified = {f"{choice.name}.{name}" for choice in choices for name in choice.params}
    known = qualified.union(*(choice.params for choice in choices))
    if foreign := sorted(set(request.params) - known):
        raise RunFailed("invalid_request", f"no strategy has a parameter {', '.join(foreign)}")
    found: list[dict[str, float | str]] = []
    for choice in choices:
        own = {name: value for name, value in request.params.items() if name in choice.params}
        start = f"{choice.name}."
        own |= {
            name.removeprefix(start): value
            for name, value in request.params.items()
            if name.startswith(start)
        }
        found.append(own)
    return found


def anew(lane: Lane, home: Path, disk: Disk) -> Lane:
    """Return a lane with a strategy that has seen nothing."""
    asked = lane.request
    choice = choose(asked.strategy, asked.preset, asked.params)
    return lane._replace(choice=forged(choice, home, disk) if asked.is_forged else choice)


def portfolio_of(config: RunConfig, lanes: Sequence[Lane], run_id: str) -> Portfolio:
    """Return a fresh portfolio, its lanes with their payments and finer bars. Raises `RunFailed`."""
    try:
        specs = [lane_of(lane.symbol, lane.choice, config.lot, config.tick) for lane in lanes]
        kernel = Portfolio(kernel_config(config, has_funding=bool(config.funding)), specs, run_id=run_id)
        for at, lane in enumerate(lanes):
            give_funding(kernel, at, lane.beside.funding)
            give_sub_bars(kernel, lane.beside.sub_bars, at)
    except ValueError as error:
        raise RunFailed("invalid_request", str(error)) from error
    return kernel


class Again(NamedTuple):
    """How to make a run's kernels again, with strategies that have seen nothing."""

    config: RunConfig
    lanes: Sequence[Lane]
    home: Path
    disk: Disk

    def together(self) -> Portfolio:
        """Return the whole portfolio."""
        return portfolio_of(self.config, [anew(lane, self.home, self.disk) for lane in self.lanes], "check")

    def alone(self, at: int) -> Kernel:
        """Return a kernel with nothing but one lane in it: nobody else takes its room."""
        lane, own = anew(self.lanes[at], self.home, self.disk), self.config.lanes[at]
        changes = {
            "ticker": lane.symbol,
            "funding_sha256": own.funding_sha256,
            "sub_data_sha256": own.sub_data_sha256,
            "lanes": (),
        }
        config = msgspec.structs.replace(self.config, **changes)  # type: ignore[type-var]
        return kernel_of(config, lane.choice, "check", lane.beside)
