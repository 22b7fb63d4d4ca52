"""How far back a venue's candle endpoint reaches, and whether a stored set can still be continued from it."""

from __future__ import annotations

from engine.market.catalogue import SetInfo
from engine.market.validation import interval_ns_of
from venues.types import Record

CAP_BARS = {"hyperliquid": 5_000, "kraken": 720}
"""Newest bars that the venue's candle endpoint answers, for each interval (its own documentation)."""
DEFAULT_CAP_BARS = 5_000
"""For venues not named here; an assumption."""


class Backfill(Record):
    """`cap_bars` newest bars can be fetched, back to `reaches_back_to_ns` (UTC ns) as of `as_of_ns`.

    `unreachable_bars` between the set's end and that time can no longer be fetched there: a gap that only
    another source fills. `is_cap_assumed` tells that the venue is not in our table.
    """

    cap_bars: int
    is_cap_assumed: bool
    as_of_ns: int
    reaches_back_to_ns: int
    missing_bars: int
    unreachable_bars: int


def backfill(info: SetInfo, now_ns: int) -> Backfill:
    """Judge whether the venue can still fill what follows a stored set's last bar."""
    step_ns = interval_ns_of(info.interval)
    cap = CAP_BARS.get(info.venue.lower(), DEFAULT_CAP_BARS)
    missing = max(0, now_ns // step_ns - info.last_ns // step_ns - 1)
    return Backfill(
        cap_bars=cap,
        is_cap_assumed=info.venue.lower() not in CAP_BARS,
        as_of_ns=now_ns,
        reaches_back_to_ns=(now_ns // step_ns - cap) * step_ns,
        missing_bars=missing,
        unreachable_bars=max(0, missing - cap),
    )
