"""What Hyperliquid pushes: our orders and fills, and the best prices of the markets we watch.

The venue counts nothing and says nothing of gaps. So the stream is whole only once every subscription has
been acknowledged, a message that cannot be read breaks the connection, and after each new one the engine
asks by REST what it missed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from seams.clock import NS_PER_MS, NS_PER_S, Clock
from seams.wire import MessageLink
from venues.bars import QuoteBars
from venues.contract import Pushed
from venues.hyperliquid import translate
from venues.hyperliquid.cloids import Cloids
from venues.hyperliquid.subscriptions import Subscriptions
from venues.types import MarketEvent, OrderEvent

ACKNOWLEDGED_WITHIN = 2
"""After so many pings without the acknowledgement of every subscription, the stream is opened anew."""
TRADES_KNOWN = 2_000
"""How many trades are remembered: more than any (new) subscription begins with."""
STATE = "clearinghouseState"
"""A second source beside REST, and no more: the stream is whole without it, and a refusal costs only it."""
STATE_FRESH_NS = 30 * NS_PER_S
PERSONAL = ("orderUpdates", "userFills", "userEvents")


class Stream:
    """One connection for one account and some coins."""

    def __init__(
        self,
        link: MessageLink,
        user: str,
        coins: Sequence[str],
        cloids: Cloids,
        clock: Clock,
        bar_ns: int,
        on_event: Callable[[OrderEvent], None],
        on_market: Callable[[MarketEvent], None],
        on_whole: Callable[[bool], None],
    ) -> None:
        self._link, self._user, self._coins, self._cloids = link, user, tuple(coins), cloids
        self._clock, self._on_event, self._on_whole = clock, on_event, on_whole
        self.bars = QuoteBars(bar_ns, on_market)
        self._subscriptions = Subscriptions(link, clock, "hyperliquid ping", ACKNOWLEDGED_WITHIN)
        self._quoted_ns: dict[str, int] = {}
        self._counted: dict[tuple[int, str, int], None] = {}
        """The newest trades that were counted, oldest first."""
        self.bad_frames = 0
        self.is_whole = False
        self._pushed: tuple[int, Pushed] | None = None
        """When the venue made the newest picture of the account, and what it says."""

    def start(self) -> None:
        """Open the stream and keep it open."""
        self._link.start(self._frame, self._state)

    async def close(self) -> None:
        """End the stream."""
        self._subscriptions.end()
        await self._link.close()

    def _state(self, is_up: bool) -> None:
        self._subscriptions.end()
        self._pushed = None
        if is_up:
            state = {"type": STATE, "user": self._user, "dex": ""}
            self._subscriptions.begin(self._wanted(), [state])
        else:
            self._become(False)

    def _wanted(self) -> list[dict[str, str]]:
        wanted: list[dict[str, str]] = [{"type": kind, "user": self._user} for kind in PERSONAL]
        wanted += [{"type": "bbo", "coin": coin} for coin in self._coins]
        wanted += [{"type": "trades", "coin": coin} for coin in self._coins]
        return wanted

    def _become(self, is_whole: bool) -> None:
        if is_whole is not self.is_whole or not is_whole:
            self.is_whole = is_whole
            self._on_whole(is_whole)

    def _frame(self, frame: bytes) -> None:
        try:
            said = translate.table(msgspec.json.decode(frame))
            self._take(translate.text(said, "channel"), said.get("data"))
        except (msgspec.MsgspecError, ValueError, KeyError, TypeError):
            self.bad_frames += 1  # what it said is lost: as if the stream had a hole
            self._become(False)
            self._link.drop()

    def _take(self, channel: str, data: Any) -> None:
        if channel == "bbo":  # by far the most come of it
            self._quote(translate.table(data))
        elif channel == "subscriptionResponse":
            if self._subscriptions.heard(translate.table(translate.table(data)["subscription"])):
                self._become(True)
        elif channel == "orderUpdates":
            for update in translate.rows(data):
                event = translate.order_event(update, self._cloids)
                if event is not None:
                    self._on_event(event)
        elif channel == "userFills":
            self._fills(translate.table(data))
        elif channel == "user":
            self._other(translate.table(data))
        elif channel == "trades":
            self._trades(translate.rows(data))
        elif channel == STATE:
            self._account(translate.table(data))
        elif channel == "error" and STATE not in str(data):
            raise ValueError(f"the stream was refused: {str(data)[:200]}")

    def _fills(self, data: dict[str, Any]) -> None:
        """Tell fills, those of the snapshot too: whoever has booked one already knows it by its name."""
        for each in sorted(translate.rows(data["fills"]), key=lambda fill: int(fill["time"])):
            self._on_event(translate.fill(each, self._cloids, self._user))

    def _other(self, data: dict[str, Any]) -> None:
        """Something the venue did by itself: what it did is asked by REST, so the stream counts as holed."""
        if "liquidation" in data or "funding" in data:
            self._on_whole(False)
            self._on_whole(True)

    def pushed(self) -> Pushed | None:
        """Return what the stream last said of the account; None where that is old, or nothing."""
        if self._pushed is None or self._clock.monotonic_ns() - self._pushed[1].whole_ns > STATE_FRESH_NS:
            return None
        return self._pushed[1]

    def _account(self, data: dict[str, Any]) -> None:
        if str(data.get("user", "")).lower() != self._user.lower():
            return
        found = translate.account(data[STATE], self._user)
        if self._pushed is not None and found.at_ns < self._pushed[0]:
            return  # an older picture that comes late
        held = {each.symbol: each.quantity for each in found.positions}
        now_ns = self._clock.monotonic_ns()
        self._pushed = found.at_ns, Pushed(cash_usd=found.cash_usd, held=held, whole_ns=now_ns)

    def _quote(self, data: dict[str, Any]) -> None:
        found = translate.quote(data) if translate.text(data, "coin") in self._coins else None
        if found is None or found.at_ns < self._quoted_ns.get(found.symbol, 0):
            return  # an older one that comes late says nothing about now
        self._quoted_ns[found.symbol] = found.at_ns
        self.bars.quote(found)

    def _trades(self, trades: list[dict[str, Any]]) -> None:
        """Count each trade once: a (new) subscription begins with those before it, which may be known."""
        for each in trades:
            coin = translate.text(each, "coin")
            if coin not in self._coins:
                continue  # a market that nobody watches: its name goes nowhere
            name = int(each["time"]), coin, int(each["tid"])  # `tid` alone is not unique (venues.md 3.10)
            if name in self._counted:
                continue
            self._counted[name] = None
            if len(self._counted) > TRADES_KNOWN:
                del self._counted[next(iter(self._counted))]
            at_ns = int(each["time"]) * NS_PER_MS
            self.bars.traded(translate.symbol_of(coin), float(translate.amount(each, "sz")), at_ns)
