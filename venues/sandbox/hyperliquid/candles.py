"""Candles of the loopback Hyperliquid: a seeded past, then what was traded; the newest may be open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MINUTE_MS = 60_000
INTERVALS_MS = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "2h": 120 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "8h": 480 * MINUTE_MS,
    "12h": 720 * MINUTE_MS,
    "1d": 1_440 * MINUTE_MS,
}
DAY_MS = INTERVALS_MS["1d"]
KEPT = 5_000
"""Only the newest of an interval exist, as at the venue."""


@dataclass(slots=True)
class Candle:
    """One candle; `end_ms` is its last millisecond."""

    start_ms: int
    end_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int

    def wire(self, coin: str, interval: str) -> dict[str, Any]:
        return {
            "t": self.start_ms,
            "T": self.end_ms,
            "s": coin,
            "i": interval,
            "o": _text(self.open),
            "c": _text(self.close),
            "h": _text(self.high),
            "l": _text(self.low),
            "v": _text(round(self.volume, 6)),
            "n": self.trades,
        }


def _text(number: float) -> str:
    text = f"{number:.8f}".rstrip("0")
    return text + "0" if text.endswith(".") else text


class Candles:
    """Minutes per coin; longer intervals are made of them when asked."""

    def __init__(self) -> None:
        self._minutes: dict[str, list[Candle]] = {}
        self._days: dict[str, list[Candle]] = {}

    def past(self, coin: str, candles: list[Candle]) -> None:
        """Give a coin its history, oldest first, before the first trade."""
        assert coin not in self._minutes
        self._minutes[coin] = candles[-KEPT:]

    def past_days(self, coin: str, candles: list[Candle]) -> None:
        """Give a coin the days before its minutes, oldest first: of every interval the newest 5000 exist."""
        self._days[coin] = candles[-KEPT:]

    def trade(self, coin: str, at_ms: int, price: float, size: float) -> None:
        minutes = self._minutes.setdefault(coin, [])
        start_ms = at_ms // MINUTE_MS * MINUTE_MS
        if not minutes or minutes[-1].start_ms < start_ms:
            minutes.append(Candle(start_ms, start_ms + MINUTE_MS - 1, price, price, price, price, 0.0, 0))
            del minutes[:-KEPT]
        now = minutes[-1]
        now.high, now.low, now.close = max(now.high, price), min(now.low, price), price
        now.volume, now.trades = now.volume + size, now.trades + 1

    def newest(self, coin: str, interval: str) -> Candle | None:
        """Return the present candle of an interval."""
        span_ms, minutes = INTERVALS_MS[interval], self._minutes.get(coin)
        if not minutes:
            return None
        start_ms = minutes[-1].start_ms // span_ms * span_ms
        return _joined(
            [each for each in minutes[-(span_ms // MINUTE_MS) :] if each.start_ms >= start_ms], span_ms
        )

    def window(self, coin: str, interval: str, first_ms: int, last_ms: int) -> list[Candle]:
        """Return the candles that begin in [first, last], oldest first."""
        span_ms, found, group = INTERVALS_MS[interval], [], list[Candle]()
        for minute in self._minutes.get(coin, ()):
            if group and minute.start_ms // span_ms != group[0].start_ms // span_ms:
                found.append(_joined(group, span_ms))
                group = []
            group.append(minute)
        if group:
            found.append(_joined(group, span_ms))
        if span_ms == DAY_MS:
            first = found[0].start_ms if found else last_ms + 1
            found = [each for each in self._days.get(coin, ()) if each.start_ms < first] + found
        return [each for each in found if first_ms <= each.start_ms <= last_ms][-KEPT:]


def _joined(minutes: list[Candle], span_ms: int) -> Candle:
    start_ms = minutes[0].start_ms // span_ms * span_ms
    return Candle(
        start_ms,
        start_ms + span_ms - 1,
        minutes[0].open,
        max(each.high for each in minutes),
        min(each.low for each in minutes),
        minutes[-1].close,
        sum(each.volume for each in minutes),
        sum(each.trades for each in minutes),
    )
