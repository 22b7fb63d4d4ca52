"""The one place where market events enter the engine: latest prices, their age, gaps, and listeners."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from enum import StrEnum

from seams.clock import NS_PER_MS, NS_PER_S, Clock
from venues.contract import Feed, HandingFeed
from venues.types import Bar, BarOpen, FeedEnd, MarketEvent, Quote, Record

MarketListener = Callable[[MarketEvent], None]
Barrier = Callable[[], Awaitable[None]]

MAX_GAPS_KEPT = 1_000


class HubState(StrEnum):
    IDLE = "idle"
    RUNNING = "running"
    ENDED = "ended"
    FAILED = "failed"


class SymbolAge(Record):
    """How old the newest event of a symbol is; `age_ms` is None before the first."""

    symbol: str
    age_ms: int | None
    limit_ms: int
    is_stale: bool


class Gap(Record):
    """A hole in a symbol's closed bars: the expected and the actual next open time."""

    symbol: str
    expected_open_ns: int
    actual_open_ns: int
    missing_bars: int


class MarketHub:
    """Reads one feed and tells registered listeners, synchronously and in order of registration.

    Age is counted on the monotonic clock from receipt, so neither market time nor a step of the host's
    clock can make an old price look young. `stale_after_s` is one limit or one per symbol
    (`default_stale_after_s` for those not named).
    """

    def __init__(
        self,
        clock: Clock,
        feed: Feed,
        stale_after_s: float | Mapping[str, float],
        symbols: Sequence[str] = (),
        default_stale_after_s: float = 10.0,
    ) -> None:
        self._clock, self._feed = clock, feed
        self._limits = dict(stale_after_s) if isinstance(stale_after_s, Mapping) else {}
        self._limit_s = default_stale_after_s if isinstance(stale_after_s, Mapping) else stale_after_s
        assert self._limit_s > 0 and all(limit > 0 for limit in self._limits.values())
        self._seen_ns: dict[str, int] = {}
        self._known = list(dict.fromkeys((*symbols, *self._limits)))
        self._quotes: dict[str, Quote] = {}
        self._bars: dict[str, Bar] = {}
        self._opens: dict[str, BarOpen] = {}
        self._listeners: list[MarketListener] = []
        self._barrier: Barrier | None = None
        self._is_behind = True
        """Whether an event has to wait its turn: nothing reads yet, or a closed bar's barrier is up."""
        self._ahead: MarketEvent | None = None
        """A closed bar that was taken at once, and whose barrier is still due."""
        self._broken: Exception | None = None
        self.state = HubState.IDLE
        self.failure: str | None = None
        self.gaps: list[Gap] = []
        self.event_count = 0
        self.duplicate_bar_count = 0

    def add_listener(self, listener: MarketListener) -> None:
        """Call `listener` with every event that is passed on; an exception from it fails the hub."""
        self._listeners.append(listener)

    def remove_listener(self, listener: MarketListener) -> None:
        """Stop calling `listener`; unknown ones are ignored."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def set_barrier(self, barrier: Barrier) -> None:
        """Await `barrier` after each closed bar, before the next event is taken.

        With it, what was decided at a close is with the venue before the next open.
        """
        self._barrier = barrier

    async def run(self) -> HubState:
        """Read the feed to its end; may be called again. A feed's or listener's exception becomes
        state FAILED with `failure` set, never a silent stop. Cancellation passes through."""
        assert self.state is not HubState.RUNNING
        self.state, self.failure = HubState.RUNNING, None
        try:
            ended = await self._read()
        except Exception as error:
            self.failure = f"{type(error).__name__}: {error}"
            self.state = HubState.FAILED
        except BaseException:
            self.state = HubState.IDLE
            raise
        else:
            self.failure = None if ended else f"feed {self._feed.name} stopped without FeedEnd"
            self.state = HubState.ENDED if ended else HubState.FAILED
        return self.state

    def offer(self, event: MarketEvent) -> bool:
        """Take one event; returns whether it was passed on (False for a bar already seen)."""
        if not self._note(event):
            return False
        self.event_count += 1
        for listener in tuple(self._listeners):
            listener(event)
        return True

    def prime(self, bars: Sequence[Bar]) -> None:
        """Know these closed bars (warm-up, or before a restart) without telling listeners."""
        for bar in bars:
            latest = self._bars.get(bar.symbol)
            if latest is None or bar.open_ns > latest.open_ns:
                self._bars[bar.symbol] = bar

    def quote(self, symbol: str) -> Quote | None:
        return self._quotes.get(symbol)

    def bar(self, symbol: str) -> Bar | None:
        """Return the latest closed bar."""
        return self._bars.get(symbol)

    def price(self, symbol: str) -> float | None:
        """Return the best price known: the quote's middle, else the newer of the last open and close."""
        quote, opened, bar = self._quotes.get(symbol), self._opens.get(symbol), self._bars.get(symbol)
        candidates = [
            (quote.at_ns, 2, quote.mid) if quote else None,
            (opened.open_ns, 1, opened.price) if opened else None,
            (bar.close_ns, 0, bar.close) if bar else None,
        ]
        known = [candidate for candidate in candidates if candidate is not None]
        return max(known)[2] if known else None

    def symbols(self) -> tuple[str, ...]:
        return tuple(self._known)

    def limit_s(self, symbol: str) -> float:
        return self._limits.get(symbol, self._limit_s)

    def age_ms(self, symbol: str) -> int | None:
        """Return milliseconds since the newest event of the symbol; None before the first."""
        seen_ns = self._seen_ns.get(symbol)
        return None if seen_ns is None else (self._clock.monotonic_ns() - seen_ns) // NS_PER_MS

    def is_stale(self, symbol: str) -> bool:
        """Tell whether nothing came for longer than the limit; an unknown symbol is stale."""
        if symbol not in self._seen_ns:
            return True
        return self._clock.monotonic_ns() - self._seen_ns[symbol] > round(self.limit_s(symbol) * NS_PER_S)

    def stale_symbols(self) -> tuple[str, ...]:
        return tuple(symbol for symbol in self._known if self.is_stale(symbol))

    def ages(self) -> tuple[SymbolAge, ...]:
        return tuple(
            SymbolAge(
                symbol=symbol,
                age_ms=self.age_ms(symbol),
                limit_ms=round(self.limit_s(symbol) * 1_000),
                is_stale=self.is_stale(symbol),
            )
            for symbol in self._known
        )

    async def _read(self) -> bool:
        """Offer every event; return whether the feed said that it ended."""
        self._ahead = self._broken = None
        if isinstance(self._feed, HandingFeed):
            self._feed.hand_over(self._take_at_once)
        self._is_behind = False
        try:
            async with aclosing(self._feed.events()) as events:  # type: ignore[type-var]
                async for event in events:
                    await self._take(event)
                    if isinstance(event, FeedEnd):
                        return True
        finally:
            self._is_behind = True
            if isinstance(self._feed, HandingFeed):
                self._feed.hand_over(None)
        return False

    async def _take(self, event: MarketEvent) -> None:
        if self._broken is not None:
            raise self._broken
        was_passed_on = event is self._ahead or self.offer(event)
        self._ahead = None
        if self._barrier is not None and was_passed_on and isinstance(event, Bar):
            self._is_behind = True
            await self._barrier()
        self._is_behind = False

    def _take_at_once(self, event: MarketEvent) -> bool:
        """Offer an event in the step that brought it: a task's turn costs as much as a decision.

        False leaves it to the reader: the feed's end, what comes behind a closed bar, and that bar itself,
        whose barrier only the reader can await. What a listener raises is the reader's to raise.
        """
        if self._is_behind or isinstance(event, FeedEnd):
            return False
        try:
            was_passed_on = self.offer(event)
        except Exception as error:
            self._broken, self._is_behind = error, True
            return False
        if self._barrier is None or not was_passed_on or not isinstance(event, Bar):
            return True
        self._ahead, self._is_behind = event, True
        return False

    def _note(self, event: MarketEvent) -> bool:
        if isinstance(event, FeedEnd):
            return True
        if event.symbol not in self._seen_ns and event.symbol not in self._known:
            self._known.append(event.symbol)
        self._seen_ns[event.symbol] = self._clock.monotonic_ns()
        if isinstance(event, Quote):
            self._quotes[event.symbol] = event
        elif isinstance(event, BarOpen):
            self._opens[event.symbol] = event
        else:
            return self._note_bar(event)
        return True

    def _note_bar(self, bar: Bar) -> bool:
        latest = self._bars.get(bar.symbol)
        if latest is not None and bar.open_ns <= latest.open_ns:
            self.duplicate_bar_count += 1
            return False
        if latest is not None and bar.open_ns > latest.close_ns and len(self.gaps) < MAX_GAPS_KEPT:
            self.gaps.append(_gap(latest, bar))
        self._bars[bar.symbol] = bar
        return True


def _gap(before: Bar, after: Bar) -> Gap:
    length_ns = before.close_ns - before.open_ns
    return Gap(
        symbol=after.symbol,
        expected_open_ns=before.close_ns,
        actual_open_ns=after.open_ns,
        missing_bars=-(-(after.open_ns - before.close_ns) // length_ns),
    )
