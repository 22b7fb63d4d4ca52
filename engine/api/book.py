"""What commands may ask of recorded order books."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from seams.clock import NS_PER_MS, SystemClock
from seams.disk import RealDisk
from venues.types import Record

if TYPE_CHECKING:
    from engine.market.depth.feed import DepthFeed
    from engine.market.depth.quoting import QuoteFill, QuoteReport
    from engine.market.depth.replay import BookReplay
    from native.quotes import QuoteRules

QUEUE_MODELS = ("conservative", "power", "logarithm")


class QuoteTerms(Record):
    """What a quoting run assumes; see `native.quotes.QuoteRules`. `quoter` is a file, or nothing."""

    size: float
    half_spread_ticks: int = 5
    skew_ticks: int = 1
    max_orders_held: int = 10
    interval_ms: float = 100.0
    order_latency_ms: float = 1.0
    response_latency_ms: float = 1.0
    fee_bps: float = 2.0
    queue: str = "conservative"
    power: float = 1.0
    quoter: str = ""


def replay_recording(path: Path, source: str, symbol: str = "", depth: int = 5) -> BookReplay:
    """Read a recording and move a book through it; see `engine.market.depth.replay`.

    Raises `BadFeed` for a file that is not what it should be, `BookFault` (a ValueError) for an event no
    book takes, ValueError for an unknown format and OSError for an unreadable file.
    """
    from engine.market.depth.replay import read_feed, replay_book

    return replay_book(read_feed(RealDisk().read(path), source, symbol), SystemClock(), depth)


def quote_recording(
    path: Path, source: str, terms: QuoteTerms, symbol: str = ""
) -> tuple[QuoteReport, tuple[QuoteFill, ...]]:
    """Quote against a recording of levels and trades; see `engine.market.depth.quoting`.

    Raises what `replay_recording` does, ValueError for terms that are no market, and `StrategyError` for a
    file that holds no quoter or whose quoter fails.
    """
    from engine.market.depth.quoter_file import load_quoter
    from engine.market.depth.quoting import fill_rows, quote
    from engine.market.depth.replay import read_feed

    feed = read_feed(RealDisk().read(path), source, symbol)
    rules = _rules(feed, terms)
    file = Path(terms.quoter)
    quoter = load_quoter(file, RealDisk().read(file), rules.order_lots) if terms.quoter else None
    report, fills = quote(feed, rules, quoter)
    return report, fill_rows(fills, rules)


def _rules(feed: DepthFeed, terms: QuoteTerms) -> QuoteRules:
    from engine.market.depth.quoting import rules_for
    from native.quotes import QueueModel

    if terms.queue not in QUEUE_MODELS:
        raise ValueError(f"the queue model must be one of {', '.join(QUEUE_MODELS)}")
    return rules_for(
        feed,
        terms.size,
        half_spread_ticks=terms.half_spread_ticks,
        skew_ticks=terms.skew_ticks,
        max_units=terms.max_orders_held,
        interval_ns=round(terms.interval_ms * NS_PER_MS),
        order_latency_ns=round(terms.order_latency_ms * NS_PER_MS),
        response_latency_ns=round(terms.response_latency_ms * NS_PER_MS),
        fee_bps=terms.fee_bps,
        queue_model=QueueModel[terms.queue.upper()],
        queue_power=terms.power,
    )
