"""The loopback Kraken's public REST endpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from email.utils import formatdate

from seams.clock import NS_PER_S, Clock
from venues.sandbox.kraken.books import ZERO, Print
from venues.sandbox.kraken.candles import INTERVALS_MIN, Candles
from venues.sandbox.kraken.listing import ASSETS, PAIRS, Pair
from venues.sandbox.kraken.reading import invalid, pair_of
from venues.sandbox.kraken.shapes import Json, asset_shape, padded, pair_shape, rfc3339, seconds
from venues.sandbox.kraken.trading import Hearer, Trading

Fields = Mapping[str, str]
DAY_NS = 86_400 * NS_PER_S


class Public(Hearer):
    """Answers what anybody may ask. Refusals are `KrakenError`s."""

    def __init__(self, clock: Clock, trading: Trading) -> None:
        self._clock, self._trading = clock, trading
        self.candles = {pair_id: Candles(pair) for pair_id, pair in PAIRS.items()}
        self.methods: Mapping[str, Callable[[Fields], object]] = {
            "Time": self._time,
            "SystemStatus": self._system,
            "Assets": self._assets,
            "AssetPairs": self._pairs,
            "Ticker": self._ticker,
            "OHLC": self._ohlc,
            "Depth": self._depth,
            "Trades": self._trades,
        }

    def on_print(self, seen: Print) -> None:
        self.candles[seen.pair.id].take(seen)

    def _time(self, fields: Fields) -> Json:
        unix_s = self._clock.now_ns() // NS_PER_S
        return {"unixtime": unix_s, "rfc1123": formatdate(unix_s, usegmt=True)}

    def _system(self, fields: Fields) -> Json:
        return {"status": self._trading.system, "timestamp": rfc3339(self._clock.now_ns())}

    def _assets(self, fields: Fields) -> Json:
        return {asset.id: asset_shape(asset) for asset in ASSETS.values()}

    def _pairs(self, fields: Fields) -> Json:
        return {pair.id: pair_shape(pair, self._trading.pair_status[pair.id]) for pair in _chosen(fields)}

    def _ticker(self, fields: Fields) -> Json:
        return {pair.id: self._tick(pair) for pair in _chosen(fields)}

    def _tick(self, pair: Pair) -> Json:
        book, now_ns = self._trading.books[pair.id], self._clock.now_ns()
        prints = self._trading.prints[pair.id]
        day = [seen for seen in prints if seen.at_ns >= now_ns - DAY_NS]
        today = [seen for seen in day if seen.at_ns // DAY_NS == now_ns // DAY_NS]

        def price(value: Decimal) -> str:
            return padded(value, pair.price_decimals)

        def both(figure: Callable[[list[Print]], str]) -> list[str]:
            return [figure(today), figure(day)]

        sides = {}
        for name, is_buy in (("a", False), ("b", True)):
            level = next(iter(book.levels(is_buy, 1)), None)
            sides[name] = ["0", "0", "0"]
            if level is not None:
                sides[name] = [price(level.price), str(int(level.size)), padded(level.size, 3)]
        last = prints[-1] if prints else None
        return {
            **sides,
            "c": [price(last.price), padded(last.quantity, pair.lot_decimals)] if last else ["0", "0"],
            "v": both(lambda some: padded(_volume(some), pair.lot_decimals)),
            "p": both(lambda some: price(_vwap(some))),
            "t": [len(today), len(day)],
            "l": both(lambda some: price(min((seen.price for seen in some), default=ZERO))),
            "h": both(lambda some: price(max((seen.price for seen in some), default=ZERO))),
            "o": price(today[0].price if today else ZERO),
        }

    def _ohlc(self, fields: Fields) -> Json:
        pair = pair_of(fields.get("pair", ""))
        text = fields.get("interval", "1")
        if not text.isdigit() or int(text) not in INTERVALS_MIN:
            raise invalid("interval")
        since_s = _since(fields)
        candles = self.candles[pair.id].of(int(text))
        rows = [
            [
                candle.open_ns // NS_PER_S,
                *(
                    padded(v, pair.price_decimals)
                    for v in (candle.open, candle.high, candle.low, candle.close)
                ),
                padded(candle.vwap, pair.price_decimals),
                padded(candle.volume, pair.lot_decimals),
                candle.count,
            ]
            for candle in candles
            if candle.open_ns // NS_PER_S > since_s or not since_s
        ]
        finished = [candle.open_ns // NS_PER_S for candle in candles[:-1]]
        return {pair.id: rows, "last": finished[-1] if finished else 0}

    def _depth(self, fields: Fields) -> Json:
        pair = pair_of(fields.get("pair", ""))
        text = fields.get("count", "100")
        if not text.isdigit() or not 1 <= int(text) <= 500:
            raise invalid("count")
        now_s = self._clock.now_ns() // NS_PER_S
        book = self._trading.books[pair.id]

        def rows(is_buy: bool) -> list[list[object]]:
            return [
                [padded(level.price, pair.price_decimals), padded(level.size, 3), now_s]
                for level in book.levels(is_buy, int(text))
            ]

        return {pair.id: {"asks": rows(False), "bids": rows(True)}}

    def _trades(self, fields: Fields) -> Json:
        pair = pair_of(fields.get("pair", ""))
        since_ns = _since(fields)
        prints = [seen for seen in self._trading.prints[pair.id] if seen.at_ns > since_ns]
        rows = [
            [
                padded(seen.price, pair.price_decimals),
                padded(seen.quantity, pair.lot_decimals),
                seconds(seen.at_ns),
                seen.side[0],
                "m" if seen.is_market else "l",
                "",
                seen.number,
            ]
            for seen in prints
        ]
        return {pair.id: rows, "last": str(prints[-1].at_ns if prints else since_ns)}


def _chosen(fields: Fields) -> list[Pair]:
    names = fields.get("pair")
    return list(PAIRS.values()) if not names else [pair_of(name) for name in names.split(",")]


def _since(fields: Fields) -> int:
    text = fields.get("since", "0")
    if not text.isdigit():
        raise invalid("since")
    return int(text)


def _volume(prints: list[Print]) -> Decimal:
    return sum((seen.quantity for seen in prints), ZERO)


def _vwap(prints: list[Print]) -> Decimal:
    volume = _volume(prints)
    return sum((seen.quantity * seen.price for seen in prints), ZERO) / volume if volume else ZERO
