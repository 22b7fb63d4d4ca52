"""The engine's end of the feeds: a venue's market from its feed process where one is there, else its own.

Both are heard all the time and make bars on the same grid, so that a feed that comes or goes changes who
is listened to, and nothing else: no bar is told twice and no price goes back in time.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from engine.feed.messages import ABSENT_S, SUBJECT, Push
from seams.clock import NS_PER_MS, NS_PER_S, Clock
from seams.net import Net
from venues.bars import QuoteBars
from venues.contract import MarketSource
from venues.public import Top, Trade
from venues.types import FeedEnd, MarketEvent, Quote

Listener = Callable[[MarketEvent], None]
Note = Callable[[str, str, str], None]
DECODER = msgspec.json.Decoder(Push)


class FedMarket:
    """What one venue's feed process tells this engine."""

    def __init__(self, venue: str, clock: Clock, bar_ns: int) -> None:
        self.venue, self._clock = venue, clock
        self._listeners: list[Listener] = []
        self._bars = QuoteBars(bar_ns, self._tell)
        self._boot_ns = self._seq = 0
        self._heard_ns = -(2**62)
        self._is_whole, self._stale = False, frozenset[str]()
        self.events = self.holes = self.boots = 0
        """`holes`: how often pushes were missing; `boots`: how many processes were heard."""

    @property
    def is_present(self) -> bool:
        """A feed process was heard just now."""
        return self._clock.monotonic_ns() - self._heard_ns <= ABSENT_S * NS_PER_S

    @property
    def age_ms(self) -> int:
        """How long ago it was heard; only after the first time."""
        return (self._clock.monotonic_ns() - self._heard_ns) // NS_PER_MS

    @property
    def state(self) -> str:
        """One word: ok, stale, broken or lost."""
        if not self.is_present:
            return "lost"
        return "broken" if not self._is_whole else "stale" if self._stale else "ok"

    @property
    def stale(self) -> tuple[str, ...]:
        return tuple(sorted(self._stale))

    def serves(self, symbol: str) -> bool:
        """Tell whether this symbol is to be taken from the feed now."""
        is_told = self._bars.mid(symbol) is not None
        return self.is_present and self._is_whole and symbol not in self._stale and is_told

    def on_market(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def off_market(self, listener: Listener) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)

    def take(self, push: Push) -> None:
        """Take one push."""
        if push.boot_ns != self._boot_ns:
            self.boots += 1
        elif push.seq <= self._seq:
            return  # a repeat, or one that comes late: what it says was said
        elif push.seq != self._seq + 1:
            self.holes += 1
        self._boot_ns, self._seq = push.boot_ns, push.seq
        self._heard_ns = self._clock.monotonic_ns()
        self._is_whole, self._stale = push.is_whole, frozenset(push.stale)
        for event in push.events:
            self.events += 1
            if isinstance(event, Top):
                self._bars.quote(Quote(symbol=event.symbol, at_ns=event.at_ns, bid=event.bid, ask=event.ask))
            elif isinstance(event, Trade):
                self._bars.traded(event.symbol, event.size)

    def _tell(self, event: MarketEvent) -> None:
        for listener in tuple(self._listeners):
            listener(event)


class SwitchedMarket:
    """A `MarketSource`: an adapter's own market, or its venue's feed wherever that serves the symbol."""

    def __init__(self, own: MarketSource, fed: FedMarket) -> None:
        self._own, self._fed = own, fed
        self._listeners: list[Listener] = []
        self._told_ns: dict[tuple[str, str], int] = {}

    @property
    def name(self) -> str:
        return self._own.name

    def on_market(self, listener: Listener) -> None:
        """Tell `listener` every market event, until `off_market`."""
        if not self._listeners:
            self._own.on_market(self._from_own)
            self._fed.on_market(self._from_feed)
        self._listeners.append(listener)

    def off_market(self, listener: Listener) -> None:
        """Tell `listener` no more; harmless where it was not told."""
        if listener in self._listeners:
            self._listeners.remove(listener)
        if not self._listeners:
            self._own.off_market(self._from_own)
            self._fed.off_market(self._from_feed)

    def _from_own(self, event: MarketEvent) -> None:
        if isinstance(event, FeedEnd) or not self._fed.serves(event.symbol):
            self._tell(event)

    def _from_feed(self, event: MarketEvent) -> None:
        if not isinstance(event, FeedEnd) and self._fed.serves(event.symbol):
            self._tell(event)

    def _tell(self, event: MarketEvent) -> None:
        """Tell what is newer than what was told of its kind: the other side may have said it before."""
        if not isinstance(event, FeedEnd):
            at_ns = event.at_ns if isinstance(event, Quote) else event.open_ns
            key = (type(event).__name__, event.symbol)
            before_ns = self._told_ns.get(key, -1)
            if at_ns < before_ns or (at_ns == before_ns and not isinstance(event, Quote)):
                return
            self._told_ns[key] = at_ns
        for listener in tuple(self._listeners):
            listener(event)


class FeedMarkets:
    """Every feed process that this engine hears."""

    def __init__(self, clock: Clock, bar_ns: int = NS_PER_S) -> None:
        self._clock, self._bar_ns = clock, bar_ns
        self._fed: dict[str, FedMarket] = {}
        self._present: dict[str, bool] = {}
        self.bad_pushes = 0

    async def listen(self, net: Net) -> None:
        """Hear the feeds of every venue on the bus."""
        await net.subscribe(f"{SUBJECT}.*", self.hear)

    async def hear(self, subject: str, body: bytes) -> bytes | None:
        """Take one push; one that cannot be read, or is on another venue's subject, is counted and left."""
        try:
            push = DECODER.decode(body)
        except msgspec.MsgspecError:
            self.bad_pushes += 1
            return None
        if subject != f"{SUBJECT}.{push.venue}":
            self.bad_pushes += 1
            return None
        self.of(push.venue).take(push)
        return None

    def of(self, venue: str) -> FedMarket:
        """Return what is heard of a venue's feed."""
        if venue not in self._fed:
            self._fed[venue] = FedMarket(venue, self._clock, self._bar_ns)
        return self._fed[venue]

    def source(self, own: MarketSource) -> SwitchedMarket:
        """Return a venue's market from its feed where that is there, else from the adapter itself."""
        return SwitchedMarket(own, self.of(own.name))

    def heard(self) -> tuple[FedMarket, ...]:
        """Return the feeds that were ever heard, by name."""
        return tuple(self._fed[venue] for venue in sorted(self._fed) if self._fed[venue].boots)

    def look(self, note: Note) -> None:
        """Put on the record when a feed comes or goes; call about once a second."""
        for fed in self.heard():
            if fed.is_present is self._present.get(fed.venue, False):
                continue
            self._present[fed.venue] = fed.is_present
            if fed.is_present:
                note("feed_found", "eng", f"{fed.venue}: the market comes from its feed process")
            else:
                note("feed_lost", "eng", f"{fed.venue}: its feed process is silent; own streams are used")
