"""The loopback Kraken's candles, added up from what was printed."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from seams.clock import NS_PER_S
from venues.sandbox.kraken.books import ZERO, Print
from venues.sandbox.kraken.listing import Pair

INTERVALS_MIN = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
KEPT = 720
MINUTE_NS = 60 * NS_PER_S


@dataclass(slots=True)
class Candle:
    """One candle; `turnover` is in quote."""

    open_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = ZERO
    turnover: Decimal = ZERO
    count: int = 0

    @property
    def vwap(self) -> Decimal:
        return self.turnover / self.volume if self.volume else ZERO


class Candles:
    """The candles of one pair at every interval; at most 720 of each are kept, the last unfinished."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._kept: dict[int, list[Candle]] = {minutes: [] for minutes in INTERVALS_MIN}

    def past(self, minutes: int, candles: list[Candle]) -> None:
        """Give an interval its history, oldest first, up to what has been printed."""
        kept = self._kept[minutes]
        older = [each for each in candles if not kept or each.open_ns < kept[0].open_ns]
        kept[:] = (older + kept)[-KEPT:]

    def take(self, seen: Print) -> None:
        """Add one trade."""
        for minutes, kept in self._kept.items():
            length_ns = minutes * MINUTE_NS
            open_ns = seen.at_ns // length_ns * length_ns
            if kept and kept[-1].open_ns < open_ns:
                self._bridge(kept, open_ns, length_ns)
            if not kept or kept[-1].open_ns < open_ns:
                kept.append(Candle(open_ns, seen.price, seen.price, seen.price, seen.price))
                del kept[:-KEPT]
            last = kept[-1]
            last.high, last.low = max(last.high, seen.price), min(last.low, seen.price)
            last.close, last.count = seen.price, last.count + 1
            last.volume, last.turnover = (
                last.volume + seen.quantity,
                last.turnover + seen.quantity * seen.price,
            )

    def of(self, minutes: int) -> list[Candle]:
        """Return the candles of one interval, oldest first."""
        return self._kept[minutes]

    def _bridge(self, kept: list[Candle], open_ns: int, length_ns: int) -> None:
        """An interval without a trade has a candle of the last close, as the venue shows it."""
        close, first_ns = kept[-1].close, max(kept[-1].open_ns + length_ns, open_ns - KEPT * length_ns)
        for missed_ns in range(first_ns, open_ns, length_ns):
            kept.append(Candle(missed_ns, close, close, close, close))
