"""The sandbox exchange: an account that outlives every engine, behind a wire of signed JSON.

It checks signatures, lets each nonce be used once, refuses bytes that arrive too late, answers lookups
with the lag of a real venue, and pushes numbered order events. `handle` is the whole of it: bytes in,
bytes out, so that it runs the same inside the simulator and behind a socket.
"""

from __future__ import annotations

import hmac
from bisect import insort
from collections.abc import Callable
from decimal import Decimal

import msgspec

from seams.clock import NS_PER_S, Clock
from venues.contract import Refused, VenueError
from venues.sandbox import messages as m
from venues.sandbox.venue import SandboxVenue
from venues.types import (
    TERMINAL,
    Cancelled,
    Fill,
    MarketEvent,
    OrderEvent,
    OrderRequest,
    OrderStatus,
    VenueOrder,
)

NONCES_KEPT = 100
"""Of each key the highest are kept; a new one must exceed the lowest kept and be unused."""
NONCE_AHEAD_MS = 86_400_000


class Exchange:
    """One account with trading keys: key name -> (secret, may it open orders)."""

    def __init__(
        self, clock: Clock, venue: SandboxVenue, keys: dict[str, tuple[bytes, bool]], lag_ns: int = NS_PER_S
    ) -> None:
        self._clock, self.venue, self._keys, self.lag_ns = clock, venue, keys, lag_ns
        self._nonces: dict[str, list[int]] = {key: [] for key in keys}
        self._seq = 0
        self._ended_ns: dict[str, int] = {}
        self.received: list[tuple[int, bytes]] = []
        """Every order that arrived here, with its time and exact bytes, for whoever audits us."""
        self.listeners: list[Callable[[bytes], None]] = []
        self.refuses: Callable[[OrderRequest], str] = lambda order: ""
        """Returns the code by which an order is refused for reasons of the account's, or nothing."""
        venue.on_order_event(self._on_event)

    def on_market(self, event: MarketEvent) -> None:
        """Take a market event: match, then tell everybody."""
        self.venue.on_market(event)
        self._push(m.market_push(event))

    async def handle(self, frame: bytes) -> bytes:
        """Answer one request. Never raises for what a client may send."""
        now_ns = self._clock.now_ns()
        try:
            if len(frame) > m.MAX_FRAME_BYTES:
                raise Refused("too_large", "request is too large")
            answer = await self._answer(frame, now_ns)
        except Refused as refused:
            answer = m.Refusal(code=refused.code, message=refused.message, at_ns=now_ns)
        except VenueError as error:
            answer = m.Refusal(code="unavailable", message=str(error), at_ns=now_ns)
        return m.ENCODER.encode(answer)

    def is_subscription(self, frame: bytes) -> bool:
        """Tell whether this is a request for the stream, rightly signed."""
        try:
            return isinstance(self._open(frame)[1], m.Subscribe)
        except Refused:
            return False

    async def _answer(self, frame: bytes, now_ns: int) -> m.Answer:
        key, body = self._open(frame)
        if isinstance(body, m.Place):
            return await self._place(key, body, frame, now_ns)
        if isinstance(body, m.Subscribe):
            return m.Done(at_ns=now_ns)  # whoever holds the connection gives the stream
        if isinstance(body, m.Noop):
            self._use(key, body.nonce, now_ns)
            return m.Done(at_ns=now_ns)
        if isinstance(body, m.CancelOrder):
            await self.venue.cancel(body.client_order_id)
            return m.Done(at_ns=now_ns)
        if isinstance(body, m.CancelAll):
            for order in await self.venue.open_orders():
                await self.venue.cancel(order.client_order_id)
            return m.Done(at_ns=now_ns)
        return await self._read(body, now_ns)

    async def _read(
        self, body: m.Look | m.ListOpen | m.ListFills | m.AskAccount | m.AskTime, now_ns: int
    ) -> m.Answer:
        """Answer questions; lists and lookups show the books as they were `lag_ns` ago."""
        if isinstance(body, m.AskTime):
            return m.Done(at_ns=now_ns)
        if isinstance(body, m.AskAccount):
            return m.AccountIs(snapshot=await self.venue.account(), at_ns=now_ns)
        if isinstance(body, m.ListFills):
            fills = [f for f in await self.venue.fills_since(body.since_ns) if self._is_seen(f.at_ns, now_ns)]
            return m.FillList(fills=tuple(fills), at_ns=now_ns)
        if isinstance(body, m.ListOpen):
            late = (oid for oid, at_ns in self._ended_ns.items() if not self._is_seen(at_ns, now_ns))
            names = {entry.request.client_order_id: None for entry in self.venue.working()}
            shown = [self._as_seen(oid, now_ns) for oid in (*names, *(o for o in late if o not in names))]
            is_open = (OrderStatus.OPEN, OrderStatus.PARTIAL)
            orders = tuple(order for order in shown if order is not None and order.status in is_open)
            return m.OpenList(orders=orders, at_ns=now_ns)
        return m.Found(order=self._as_seen(body.client_order_id, now_ns), at_ns=now_ns)

    async def _place(self, key: str, body: m.Place, frame: bytes, now_ns: int) -> m.Answer:
        if not self._keys[key][1]:
            raise Refused("not_permitted", "this key may only cancel")
        if body.valid_until_ns and now_ns > body.valid_until_ns:
            raise Refused("expired", f"valid until {body.valid_until_ns}, now {now_ns}")
        self._use(key, body.nonce, now_ns)
        self.received.append((now_ns, frame))
        if code := self.refuses(body.order):
            raise Refused(code, body.order.client_order_id)
        await self.venue.submit(body.order)
        return m.Done(at_ns=now_ns)

    def _open(self, frame: bytes) -> tuple[str, m.Body]:
        try:
            read = m.FRAMES.decode(frame)
            raw = bytes(read.body)
            body = m.BODIES.decode(raw)
        except msgspec.MsgspecError as error:
            raise Refused("malformed", str(error)) from error
        known = self._keys.get(read.key)
        if known is None or not hmac.compare_digest(m.sign(known[0], raw), read.signature):
            raise Refused("bad_signature", f"key {read.key[:40]}")
        return read.key, body

    def _use(self, key: str, nonce: int, now_ns: int) -> None:
        used = self._nonces[key]
        if nonce in used:
            raise Refused("nonce_used", str(nonce))
        if len(used) >= NONCES_KEPT and nonce < used[0]:
            raise Refused("nonce_too_low", str(nonce))
        if nonce > now_ns // 1_000_000 + NONCE_AHEAD_MS:
            raise Refused("nonce_too_high", str(nonce))
        insort(used, nonce)
        del used[:-NONCES_KEPT]

    def _is_seen(self, at_ns: int, now_ns: int) -> bool:
        return at_ns <= now_ns - self.lag_ns

    def _as_seen(self, oid: str, now_ns: int) -> VenueOrder | None:
        """Return an order as the lagging lists show it: not yet there, or still open."""
        entry = self.venue.journal.get(oid)
        if entry is None or not self._is_seen(entry.accepted_ns, now_ns):
            return None
        filled = sum(
            (f.quantity for f in self.venue.fills_of(oid) if self._is_seen(f.at_ns, now_ns)), Decimal(0)
        )
        status = entry.status
        if status in TERMINAL and not self._is_seen(self._ended_ns.get(oid, entry.accepted_ns), now_ns):
            status = OrderStatus.PARTIAL if filled else OrderStatus.OPEN
        return VenueOrder(
            client_order_id=oid,
            venue_order_id=entry.venue_order_id,
            symbol=entry.request.symbol,
            side=entry.request.side,
            quantity=entry.request.quantity,
            filled=filled,
            status=status,
            limit_price=entry.request.limit_price,
        )

    def _on_event(self, event: OrderEvent) -> None:
        ended = isinstance(event, Cancelled) or (
            isinstance(event, Fill) and self.venue.journal[event.client_order_id].status in TERMINAL
        )
        if ended:
            self._ended_ns[event.client_order_id] = self._clock.now_ns()
        self._seq += 1
        self._push(m.ENCODER.encode(m.OrderPush(seq=self._seq, event=event)))

    def _push(self, frame: bytes) -> None:
        for listener in list(self.listeners):
            listener(frame)
