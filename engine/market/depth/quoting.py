"""Quoting strategies against a recorded L2 feed: what we saw when, what happened when, what it paid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.market.depth.feed import DepthFeed, refuse
from native.depth import DepthKind
from native.quotes import QueueModel, QuoteResult, QuoteRules
from native.quoting import QuoteSimulation
from seams.clock import NS_PER_MS
from venues.types import Record

Quoter = Callable[[int, int, int], tuple[int | None, int | None]]


class TwoViews(NamedTuple):
    """The same events at our times and at the exchange's, each sorted by `ts_ns`.

    `clock_shift_ns` was added to our times, so that nothing was received before it happened: the
    recorder's clock was at least that much behind the exchange's.
    """

    local: NDArray[Any]
    exchange: NDArray[Any]
    clock_shift_ns: int


class QuoteReport(Record):
    """A run of a quoting strategy, in quote currency and base units.

    `cash` is what sales brought less what purchases cost; equity = cash - fees + position at the last mid
    the strategy saw. `expired` are post-only orders that would have crossed when they arrived. `mean_ahead`
    is what stood before our filled orders when they joined their queues, `mean_wait_ms` how long they then
    waited; None without fills. `most_held` is the largest position, long or short.
    """

    symbol: str
    queue_model: str
    clock_shift_ms: float
    events: int
    steps: int
    submits: int
    cancels: int
    expired: int
    fills: int
    buys: int
    sells: int
    position: float
    most_held: float
    mean_ahead: float | None
    mean_wait_ms: float | None
    traded_notional: float
    cash: float
    fees: float
    equity: float


class QuoteFill(Record):
    """One fill: where we stood, what we hold after it, and the profit so far at this fill's price."""

    at_ns: int
    side: int
    price: float
    size: float
    ahead: float
    waited_ms: float
    position: float
    profit: float


def two_views(feed: DepthFeed) -> TwoViews:
    """Return both orders of a recording's events. Raises `BadFeed` for orders (L3) or without trades."""
    if feed.is_by_order:
        refuse(
            "bad_message", 0, "queue models are for levels; with orders positions are exact (L3Book.track)"
        )
    if not (feed.events["kind"] == DepthKind.TRADE).any():
        refuse("bad_message", 0, "without trades in the recording no queue moves forward")
    local, order = feed.events.copy(), np.argsort(feed.exchange_ns, kind="stable")
    shift_ns = max(0, -int((local["ts_ns"] - feed.exchange_ns).min()))
    local["ts_ns"] += shift_ns
    exchange = feed.events[order]
    exchange["ts_ns"] = feed.exchange_ns[order]
    return TwoViews(local, exchange, shift_ns)


def rules_for(feed: DepthFeed, order_size: float, **rules: Any) -> QuoteRules:
    """Return `QuoteRules` in the recording's ticks and lots; other fields as they are there.

    Raises ValueError where the size is no whole number of lots.
    """
    lots = order_size * 10**feed.scale.size_decimals
    if round(lots) < 1 or abs(lots - round(lots)) > 1e-6:
        raise ValueError(f"order size {order_size} is not a multiple of {feed.scale.size(1):g}")
    return QuoteRules(
        tick_size=feed.scale.price(1), lot_size=feed.scale.size(1), order_lots=round(lots), **rules
    )


def quote(
    feed: DepthFeed, rules: QuoteRules, quoter: Quoter | None = None
) -> tuple[QuoteReport, NDArray[Any]]:
    """Run a quoting strategy over a recording; return the report and the fills (`FILL_DTYPE`).

    `quoter(best_bid, best_ask, position_lots)` answers (bid, ask) in ticks or None; without it the
    rule described in `QuoteRules` quotes. Raises `BadFeed` and `BookFault`.
    """
    views = two_views(feed)
    simulation = QuoteSimulation(views.local, views.exchange, rules)
    result = simulation.run(quoter)
    fills = simulation.fills()
    return _report(feed, rules, views, result, fills), fills


def fill_rows(fills: NDArray[Any], rules: QuoteRules) -> tuple[QuoteFill, ...]:
    """Return fills (`FILL_DTYPE`) in the market's units, with what is held and earned after each."""
    size = rules.order_lots * rules.lot_size
    price, held = fills["tick"] * rules.tick_size, np.cumsum(fills["side"]) * size
    cash = -np.cumsum(fills["side"] * price * size) - np.cumsum(price * size) * (rules.fee_bps / 1e4)
    columns = {
        "at_ns": fills["ts_ns"],
        "side": fills["side"],
        "price": price,
        "ahead": fills["ahead_lots"] * rules.lot_size,
        "waited_ms": (fills["ts_ns"] - fills["joined_ns"]) / NS_PER_MS,
        "position": held,
        "profit": cash + held * price,
    }
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return tuple(QuoteFill(size=size, **dict(zip(columns, row, strict=True))) for row in rows)


def _report(
    feed: DepthFeed, rules: QuoteRules, views: TwoViews, result: QuoteResult, fills: NDArray[Any]
) -> QuoteReport:
    size = rules.order_lots * rules.lot_size
    return QuoteReport(
        symbol=feed.symbol,
        queue_model=QueueModel(rules.queue_model).name.lower(),
        clock_shift_ms=views.clock_shift_ns / NS_PER_MS,
        events=len(views.local),
        steps=result.steps,
        submits=result.submits,
        cancels=result.cancels,
        expired=result.expired,
        fills=result.fills,
        buys=int((fills["side"] > 0).sum()),
        sells=int((fills["side"] < 0).sum()),
        position=result.position_lots * rules.lot_size,
        most_held=float(np.abs(np.cumsum(fills["side"])).max(initial=0)) * size,
        mean_ahead=float(fills["ahead_lots"].mean()) * rules.lot_size if len(fills) else None,
        mean_wait_ms=float((fills["ts_ns"] - fills["joined_ns"]).mean()) / NS_PER_MS if len(fills) else None,
        traded_notional=float(fills["tick"].sum()) * rules.tick_size * size,
        cash=result.balance,
        fees=result.fees,
        equity=result.equity,
    )
