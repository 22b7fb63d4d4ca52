"""What the rules know of each allowed market at a real venue: heard from its stream, and asked for.

Stillness comes from the quotes. Minutes and days come from where they are found first: the candles stored
here, what the stream was heard to do from end to end, then a bounded REST. What could not be gathered stays
unknown, and unknown refuses; nothing here is ever guessed.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from engine.core import Core
from engine.feed.backfill import closed_until
from engine.feed.candles import CandleStore, Series
from engine.feed.source import CandleSet, CandleSource
from engine.market.validation import BadData
from engine.trading.custody import Custody
from engine.trading.heard_market import Days, HeardMarket, days_of
from engine.trading.market_memory import GAP_WINDOW_BARS, VOLATILITY_DAYS
from safety.exposure import Carried, gross_exposure
from safety.facts import MarketFacts
from safety.intent import ExecutionIntent
from safety.text import clean
from seams.clock import NS_PER_MS, NS_PER_S, iso_z
from venues.contract import LiveVenue
from venues.evidence import FactVenue
from venues.types import Bar, MarketEvent, Quote

MINUTES, DAYS = "1m", "1d"
WANTED_BARS = {MINUTES: GAP_WINDOW_BARS, DAYS: VOLATILITY_DAYS + 1}
RETRY_NS = {MINUTES: 15 * NS_PER_S, DAYS: 60 * NS_PER_S}
"""How soon is asked again where no whole answer came."""
MOST_SYMBOLS = 20
MOST_QUESTIONS = 2
"""How many questions one set of candles may cost; each here fits into one page."""


class MarketWatch:
    """The markets that the desk's allow-list names, at one venue."""

    def __init__(self, core: Core, custody: Custody, venue: LiveVenue, facts: FactVenue) -> None:
        self._core, self._custody, self._venue, self._facts = core, custody, venue, facts
        self._source = CandleSource(
            CandleStore(core.paths.home, core.disk),
            core.clock,
            facts if core.settings.feed.allows_rest else None,
            MOST_QUESTIONS,
        )
        self._heard: dict[str, HeardMarket] = {}
        self._sets: dict[tuple[str, str], CandleSet] = {}
        self._days: dict[str, tuple[int, Days | None]] = {}
        self._whole_to: dict[tuple[str, str], int] = {}
        """Up to where an answer came in which the venue named everything that it has."""
        self._asked_ns: dict[tuple[str, str], int] = {}
        self._problems: dict[tuple[str, str], str] = {}
        self._work: asyncio.Task[None] | None = None
        venue.on_market(self._take)

    def symbols(self) -> tuple[str, ...]:
        """Return the markets that are watched: allowed, and listed by the venue."""
        listed = {each.symbol for each in self._venue.instruments()}
        allowed = self._core.settings.execution.allowed_symbols
        return tuple(symbol for symbol in allowed if symbol in listed)[:MOST_SYMBOLS]

    def tend(self) -> None:
        """Once a second: gather what is due, one set after another."""
        if not self._custody.is_open() or (self._work is not None and not self._work.done()):
            return
        due = [(symbol, each) for symbol in self.symbols() for each in WANTED_BARS if self._due(symbol, each)]
        if due:
            work = self._gather(due)
            self._work = asyncio.get_running_loop().create_task(work, name="market facts")

    async def close(self) -> None:
        """Listen and gather no more."""
        self._venue.off_market(self._take)
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    # --- what is known ---------------------------------------------------------------------------

    def facts(self, symbol: str) -> MarketFacts:
        """Return what is known of a market now; None wherever it is not."""
        now_ns, heard = self._core.clock.now_ns(), self._heard.get(symbol)
        if heard is None or heard.quote is None:
            return MarketFacts()
        minutes = self._minutes(symbol)
        window, days = heard.extremes(now_ns, minutes), self._days_of(symbol, now_ns)
        wanted = self._wanted(symbol, MINUTES)
        is_known = window is not None and window.is_whole
        return MarketFacts(
            bid=_exact(heard.quote.bid),
            ask=_exact(heard.quote.ask),
            unchanged_ms=max(0, now_ns - heard.moved_ns) // NS_PER_MS,
            gap_bars=sum(at_ns not in minutes for at_ns in wanted) if minutes else None,
            window_low=_exact(window.low) if window is not None and is_known else None,
            window_high=_exact(window.high) if window is not None and is_known else None,
            atr=None if days is None else days.atr,
            p90_volatility=None if days is None else days.p90_volatility,
            volatility_days=None if days is None or days.p90_volatility is None else days.count,
        )

    def margin(self, intent: ExecutionIntent, carried: Carried) -> dict[str, object]:
        """Return what the venue asks of a position, by the names of `VenueFacts`.

        One rate stands for the whole account: the highest of all symbols that may be carried, each at the
        tier that everything together would reach; so it is never too low.
        """
        if self._venue.capabilities().pays_in_full:
            return {"pays_in_full": True}
        try:
            most_usd = gross_exposure(carried, intent)
        except ValueError:
            return {"pays_in_full": False}
        symbols = {intent.symbol, *(each.symbol for each in carried.positions or ())}
        symbols |= {each.symbol for each in carried.orders or ()}
        rates = [self._facts.maintenance_rate(symbol, most_usd) for symbol in sorted(symbols)]
        known = [rate for rate in rates if rate is not None]
        return {"pays_in_full": False, "maintenance_rate": max(known) if len(known) == len(rates) else None}

    def told(self, symbol: str) -> dict[str, Any]:
        """Return where the facts of a market come from, and what is missing: evidence for a person."""
        heard, now_ns = self._heard.get(symbol), self._core.clock.now_ns()
        sets = {}
        for interval in WANTED_BARS:
            found, key = self._sets.get((symbol, interval)), (symbol, interval)
            have = self._minutes(symbol) if interval == MINUTES else self._asked_bars(symbol, DAYS)
            wanted = self._wanted(symbol, interval)
            sets[interval] = {
                "wanted": len(wanted),
                "known": sum(at_ns in have for at_ns in wanted),
                "gathered_from": {} if found is None else found.sources,
                "problem": self._problems.get(key, ""),
            }
        return {
            "is_watched": symbol in self.symbols(),
            "heard_since": iso_z(heard.since_ns) if heard is not None and heard.since_ns else "",
            "quote_age_ms": None
            if heard is None or heard.quote is None
            else (now_ns - heard.quote.at_ns) // NS_PER_MS,
            "candles": sets,
            "facts": self.facts(symbol),
        }

    # --- gathering -------------------------------------------------------------------------------

    def _take(self, event: MarketEvent) -> None:
        if isinstance(event, Quote):
            heard = self._heard.get(event.symbol)
            if heard is None:
                heard = self._heard[event.symbol] = HeardMarket(event.symbol)
            second, before = event.at_ns // NS_PER_S, heard.quote
            heard.take(event)
            if heard.quote is event and (before is None or before.at_ns // NS_PER_S < second):
                self._value(event)

    def _value(self, quote: Quote) -> None:
        """Once a second: what is held is worth what the market says, also where no session runs."""
        ledger = self._custody.ledger
        # Asked so that no holding is made: a ledger without any takes its first cash as its peak.
        held = ledger.holdings.get(quote.symbol)
        if held is not None and held.quantity:
            ledger.mark(quote.symbol, _exact(quote.mid), quote.at_ns)
            self._custody.on_value()

    def _series(self, symbol: str, interval: str) -> Series:
        return Series(venue=self._facts.name, symbol=symbol, interval=interval)

    def _wanted(self, symbol: str, interval: str) -> range:
        """Return when the latest bars open that must be closed by now."""
        series = self._series(symbol, interval)
        end_ns = closed_until(series, self._core.clock.now_ns())
        return range(end_ns - WANTED_BARS[interval] * series.step_ns, end_ns, series.step_ns)

    def _due(self, symbol: str, interval: str) -> bool:
        key, wanted = (symbol, interval), self._wanted(symbol, interval)
        have = self._minutes(symbol) if interval == MINUTES else self._asked_bars(symbol, interval)
        if self._whole_to.get(key, 0) >= wanted.stop or all(at_ns in have for at_ns in wanted):
            return False
        asked_ns = self._asked_ns.get(key)
        return asked_ns is None or self._core.clock.monotonic_ns() - asked_ns >= RETRY_NS[interval]

    async def _gather(self, due: list[tuple[str, str]]) -> None:
        for symbol, interval in due:
            key, wanted = (symbol, interval), self._wanted(symbol, interval)
            self._asked_ns[key] = self._core.clock.monotonic_ns()
            heard = self._heard.get(symbol)
            streamed = tuple(heard.minutes.values()) if heard is not None and interval == MINUTES else ()
            try:
                found = await self._source.candles(
                    self._series(symbol, interval), wanted.start, wanted.stop, streamed
                )
            except (BadData, OSError, ValueError) as error:
                self._problems[key] = clean(f"{type(error).__name__}: {error}", 200)
                continue
            self._sets[key], self._problems[key] = found, clean(found.problem, 200)
            self._days.pop(symbol, None)
            if not found.problem:
                self._whole_to[key] = wanted.stop

    def _asked_bars(self, symbol: str, interval: str) -> dict[int, Bar]:
        found = self._sets.get((symbol, interval))
        return {} if found is None else {bar.open_ns: bar for bar in found.bars}

    def _minutes(self, symbol: str) -> dict[int, Bar]:
        """Return every minute that is known: those that were asked for, and those that were heard whole."""
        heard = self._heard.get(symbol)
        return self._asked_bars(symbol, MINUTES) | ({} if heard is None else heard.minutes)

    def _days_of(self, symbol: str, now_ns: int) -> Days | None:
        """Judge the days, once per set and hour."""
        hour, known = now_ns // (3_600 * NS_PER_S), self._days.get(symbol)
        if known is None or known[0] != hour:
            found = self._sets.get((symbol, DAYS))
            known = self._days[symbol] = (hour, None if found is None else days_of(found.bars, now_ns))
        return known[1]


def _exact(value: float) -> Decimal:
    return Decimal(repr(value))
