"""Funding in a run: the stored payments of its window, applied inside the kernel and charged to baselines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.research.choice import RunFailed
from engine.research.request import RunRequest
from engine.research.schemas import RunConfig
from native.kernel import Kernel
from seams.disk import Disk

if TYPE_CHECKING:
    from engine.market.catalogue import BarColumns
    from engine.market.funding import FundingWindow

OF_DATA = "data"
"""As `RunRequest.funding`: the series of the data's own venue and symbol."""


class Series(NamedTuple):
    """A stored series as a request names it: times, rates, bars of mark prices, how many may be missing."""

    ts_ns: NDArray[np.int64]
    rates: NDArray[np.float64]
    marks: BarColumns | None
    max_missing: int

    def over(self, bars: BarColumns) -> FundingWindow:
        """Return the payments of a run over `bars`. Raises `FundingIncomplete` (funding_missing)."""
        from engine.market.funding import window

        return window(self.ts_ns, self.rates, bars, self.marks, self.max_missing)


def series_of(request: RunRequest, home: Path, disk: Disk) -> Series | None:
    """Return the series a request names, None where it names none.

    Raises `RunFailed` or what the stores raise.
    """
    if not request.funding:
        return None
    from engine.market.catalogue import load
    from engine.market.funding_store import load_funding

    venue, symbol = source_of(request).split("/")
    marks = None
    if request.funding_marks:
        parts = request.funding_marks.split("/")
        if len(parts) != 3:
            raise RunFailed("invalid_request", f"{request.funding_marks!r} is not VENUE/SYMBOL/INTERVAL")
        marks = load(home, parts[0], parts[1], parts[2])
    _, ts_ns, rates = load_funding(home, venue, symbol, disk)
    return Series(ts_ns, rates, marks, request.max_missing_funding)


def funding_of(request: RunRequest, bars: BarColumns, home: Path, disk: Disk) -> FundingWindow | None:
    """Return the payments of a run over `bars`; None where none were asked for.

    Raises `RunFailed`, `FundingIncomplete` (funding_missing) or what the stores raise.
    """
    series = series_of(request, home, disk)
    return None if series is None else series.over(bars)


def source_of(request: RunRequest) -> str:
    """Return the series' VENUE/SYMBOL; empty without funding. Raises `RunFailed`."""
    if not request.funding:
        return ""
    parts = (request.data if request.funding == OF_DATA else request.funding).split("/")
    wanted = 3 if request.funding == OF_DATA else 2
    if len(parts) != wanted or not all(parts):
        raise RunFailed(
            "invalid_request",
            "a file has no venue: name its funding series as VENUE/SYMBOL"
            if request.funding == OF_DATA
            else f"funding is VENUE/SYMBOL, not {request.funding!r}",
        )
    return "/".join(parts[:2])


def demand_payments(config: RunConfig, funding: FundingWindow | None) -> None:
    """Raise `RunFailed` where a run's payments are not at hand: without them it would be another run."""
    found = "" if funding is None else funding.content_sha256
    if found != config.funding_sha256:
        raise RunFailed("not_reproducible", "this needs the run's funding payments, and has others or none")


def give_funding(kernel: Kernel, lane: int, funding: FundingWindow | None) -> None:
    """Hand a lane its payments."""
    if funding is not None:
        columns = (np.ascontiguousarray(funding.payments[name]) for name in ("ts_ns", "rate", "mark"))
        kernel.set_funding(lane, *columns)


def cost_per_unit(funding: FundingWindow | None, ts_ns: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Return what one unit held long since the first bar has paid at each bar's open, (bars,), in quote
    currency: mark * rate of every payment up to and with it, as the kernel books them."""
    if funding is None:
        return None
    at = np.searchsorted(ts_ns, funding.payments["ts_ns"], side="left")
    each = np.bincount(
        at, weights=funding.payments["mark"] * funding.payments["rate"], minlength=len(ts_ns) + 1
    )
    return np.cumsum(each[: len(ts_ns)])
