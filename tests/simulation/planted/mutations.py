"""How our code is changed by a planted bug: one function for each mutation."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from engine.handlers import Handlers
from engine.risk_memory import RiskMemory
from engine.sim.world import SECRET
from engine.store.facts import FactRows
from engine.trading.custody import Custody, Verdict
from engine.trading.ledger import Ledger
from engine.trading.machine import Evidence as E
from engine.trading.nonces import Nonces
from engine.trading.orders import OrderManager
from engine.trading.working import ManagedOrder
from safety import killswitch
from safety.audit import AuditLog
from safety.canonical import changed, digest
from safety.interlock import Interlock
from safety.killbyte import KillLevel
from safety.killswitch import KillSwitch
from seams.clock import NS_PER_MS
from tests.simulation.planted.plant import Changes
from venues.contract import AlreadySeen, Fence, OutcomeUnknown, Refused, Retryable
from venues.sandbox import link as link_module
from venues.sandbox import messages as m
from venues.sandbox.link import ExchangeLink
from venues.types import OrderStatus as S
from venues.types import Side

Patch = Callable[[Changes], None]


def set_(owner: Any, name: str, value: Any) -> Patch:
    return lambda changes: changes.set(owner, name, value)


def wrap(owner: Any, name: str, make: Callable[[Any], Any]) -> Patch:
    return lambda changes: changes.wrap(owner, name, make)


def row(status: S, evidence: E, after: S) -> Patch:
    return lambda changes: changes.row(status, evidence, after)


def nothing(*_: Any, **__: Any) -> None:
    """In place of something that mattered."""


async def nothing_async(*_: Any, **__: Any) -> None:
    """In place of something that mattered."""


def request(**fields: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Alter the request that a ticket is turned into."""

    def make(old: Any) -> Any:
        def request_of(*args: Any) -> Any:
            request = old(*args)
            new = {name: change(getattr(request, name)) for name, change in fields.items()}
            return changed(request, **new)

        return request_of

    return make


def twin(old: Any) -> Any:
    async def submit(self: ExchangeLink, signed: Any, *rest: Any) -> None:
        await old(self, signed, *rest)
        body = m.BODIES.decode(bytes(m.FRAMES.decode(signed.wire).body))
        assert isinstance(body, m.Place)
        order = changed(body.order, client_order_id=body.order.client_order_id + "b")
        again = changed(body, order=order, nonce=body.nonce + 1)
        await self._send(m.seal(self._key, self._secret, again), m.Done)

    return submit


def signed_anew(old: Any) -> Any:
    async def submit(self: ExchangeLink, signed: Any, *rest: Any) -> None:
        body = m.BODIES.decode(bytes(m.FRAMES.decode(signed.wire).body))
        again = changed(body, nonce=signed.nonce + 1)
        wire = m.seal(self._key, self._secret, again)
        await old(self, changed(signed, wire=wire), *rest)

    return submit


async def dead_at_once(orders: OrderManager, order: ManagedOrder, venue_ns: int) -> None:
    orders.take(order, E.FENCED, "not found")


async def fence_dead(self: ExchangeLink, signed: Any) -> Fence:
    return Fence.DEAD


def lost_parts(old: Any) -> Any:
    def fill(self: OrderManager, order: ManagedOrder, fill: Any) -> bool:
        is_part = order.filled + fill.quantity < order.request.quantity
        return False if is_part else bool(old(self, order, fill))

    return fill


def some_lost(old: Any) -> Any:
    def fill(self: OrderManager, order: ManagedOrder, fill: Any) -> bool:
        return False if fill.fill_id.endswith("5") else bool(old(self, order, fill))

    return fill


def booked_again(old: Any) -> Any:
    def book(self: Ledger, fill: Any, market_ns: int = 0) -> bool:
        self._seen_fills.discard(fill.fill_id)
        return bool(old(self, fill, market_ns))

    return book


def forgets_at_start(self: KillSwitch, was_started: bool) -> killswitch.LatchRecord:
    self.byte.clear()
    return killswitch.LatchRecord(
        level=KillLevel.CLEAR, epoch=0, trips=0, since_ns=0, by="engine", reason="start", source="start"
    )


def heals(old: Any) -> Any:
    def poll(self: KillSwitch) -> Any:
        if self._record.level is not KillLevel.CLEAR:
            self._record = changed(self._record, level=KillLevel.CLEAR, source="timeout")
            self.byte.clear()
        return old(self)

    return poll


def lost_is_unsent(old: Any) -> Any:
    async def send(self: ExchangeLink, *args: Any) -> Any:
        try:
            return await old(self, *args)
        except OutcomeUnknown as error:
            raise Retryable(str(error)) from error

    return send


def lost_is_refused(old: Any) -> Any:
    async def send(self: ExchangeLink, *args: Any) -> Any:
        try:
            return await old(self, *args)
        except OutcomeUnknown as error:
            raise Refused("timeout", str(error)) from error

    return send


def lost_is_done(old: Any) -> Any:
    async def submit(self: ExchangeLink, *args: Any) -> None:
        try:
            await old(self, *args)
        except OutcomeUnknown:
            return

    return submit


def used_is_refused(old: Any) -> Any:
    async def submit(self: ExchangeLink, *args: Any) -> None:
        try:
            await old(self, *args)
        except AlreadySeen as error:
            raise Refused("nonce_used", str(error)) from error

    return submit


def ended_by_asking(old: Any) -> Any:
    async def cancel(self: OrderManager, order_id: str) -> Any:
        order = await old(self, order_id)
        self.take(order, E.CANCELLED, "asked")
        return order

    return cancel


def recorded(**fields: Any) -> Callable[[Any], Any]:
    """Alter an order after it was recorded."""

    def make(old: Any) -> Any:
        def record(self: OrderManager, *args: Any) -> Any:
            order = old(self, *args)
            for name, change in fields.items():
                setattr(order, name, change(self, getattr(order, name)))
            return order

        return record

    return make


def without(kind: str) -> Callable[[Any], Any]:
    """Overlook one kind of difference."""

    def make(old: Any) -> Any:
        def compare(self: Custody, snapshot: Any) -> Any:
            return tuple(each for each in old(self, snapshot) if each.kind != kind)

        return compare

    return make


def always_clean(self: Custody, differences: Any) -> None:
    self.verdict, self.reconciled_ns = Verdict.CLEAN, self.core.clock.monotonic_ns()
    self._clear("ambiguity", "account", "looks fine")
    self._clear("hydration", "", "looks fine")


def unheld(code: str) -> Callable[[Any], Any]:
    """Raise no hold of one kind."""

    def make(old: Any) -> Any:
        def raise_hold(self: Interlock, named: str, **facts: Any) -> Any:
            if named == code:
                return None
            return old(self, named, **facts)

        return raise_hold

    return make


def after_load(change: Callable[[Custody], None]) -> Callable[[Any], Any]:
    def make(old: Any) -> Any:
        def load(self: Custody) -> None:
            old(self)
            change(self)

        return load

    return make


def still_submitting(self: Custody) -> None:
    for order in self.orders.unknown():
        order.status = S.SUBMITTING
        self.orders._end_ambiguity(order, "restart")


def allowed(old: Any) -> Any:
    def preflight(*args: Any) -> Any:
        return changed(old(*args), allowed=True, reasons=())

    return preflight


def one_reason_less(old: Any) -> Any:
    def preflight(*args: Any) -> Any:
        verdict = old(*args)
        reasons = verdict.reasons[1:]
        return changed(verdict, allowed=not reasons, reasons=reasons)

    return preflight


def other_facts(old: Any) -> Any:
    def rows(intent: Any, facts: Any, *rest: Any) -> Any:
        kept = changed(facts, kill_level=2)
        return old(intent, kept, *rest)

    return rows


def hash_of_id(ticket_id: str, version: int, *_: Any) -> str:
    return digest([ticket_id, version])


def limits_of_tomorrow(old: Any) -> Any:
    def propose(self: Any, *args: Any, **facts: Any) -> Any:
        return old(self, *args, **{**facts, "limits_epoch": facts["limits_epoch"] + 1})

    return propose


def forgetful_memory(old: Any) -> Any:
    def start(self: RiskMemory, rows: Any, clock: Any) -> None:
        old(self, rows, clock)
        self.peak_usd = self.day_start_usd = self.total_usd = Decimal(0)
        self.day_start_usd = Decimal(1)

    return start


def high_water_follows(old: Any) -> Any:
    def observe(self: RiskMemory, sessions: Any) -> None:
        old(self, sessions)
        self.peak_usd = self.total_usd

    return observe


def day_begins_now(old: Any) -> Any:
    def observe(self: RiskMemory, sessions: Any) -> None:
        old(self, sessions)
        self.day_start_usd = self.total_usd

    return observe


def audit_skips(old: Any) -> Any:
    def append(self: AuditLog, kind: str, body: Any) -> Any:
        if kind == "alarm":
            self._seq += 1
        return old(self, kind, body)

    return append


def audit_forks(old: Any) -> Any:
    def append(self: AuditLog, kind: str, body: Any) -> Any:
        if kind == "fill":
            self._hash = "0" * 64
        return old(self, kind, body)

    return append


def says_secret(old: Any) -> Any:
    def record(self: OrderManager, *args: Any) -> Any:
        order = old(self, *args)
        self.core.note("signed", "eng", f"with {SECRET.decode()}")
        return order

    return record


def accepts_garbage(old: Any) -> Any:
    async def on_command(self: Handlers, subject: str, body: bytes) -> bytes:
        answer: bytes = await old(self, subject, body)
        return answer.replace(b'"ok":false', b'"ok":true')

    return on_command


def without_fee(old: Any) -> Any:
    def fill_of(*args: Any) -> Any:
        return changed(old(*args), fee=Decimal(0))

    return fill_of


def bought_not_sold(old: Any) -> Any:
    def fill_of(*args: Any) -> Any:
        return changed(old(*args), side=Side.BUY)

    return fill_of


def clock_only(self: Nonces) -> int:
    return self._clock.now_ns() // NS_PER_MS


def not_kept(self: Nonces) -> int:
    self._last = max((self._last or 0) + 1, self._clock.now_ns() // NS_PER_MS)
    return self._last


def at_the_end(self: Custody, fill: Any) -> None:
    self.ledger.book(fill)


def level_of_record(self: KillSwitch) -> KillLevel:
    return self._record.level


def same_epoch(old: Any) -> Any:
    def reset(self: KillSwitch, **facts: Any) -> Any:
        epoch = self._record.epoch
        record = old(self, **facts)
        self._record = changed(record, epoch=epoch)
        return record

    return reset


def cleared(old: Any) -> Any:
    def end(self: OrderManager, order: ManagedOrder, proof: str) -> None:
        for hold in self.core.interlock.holds:
            self.core.interlock._holds.pop((hold.code, hold.subject), None)

    return end


def no_answers(*_: Any) -> Any:
    async def fills_since(self: ExchangeLink, since_ns: int) -> tuple[()]:
        return ()

    return fills_since


def deaf_to_holes(self: ExchangeLink, seq: int) -> None:
    self._seq = seq


def takes_all(self: ExchangeLink, frame: bytes) -> None:
    push = m.PUSHES.decode(frame)
    if isinstance(push, m.OrderPush):
        self._count(push.seq)
        if self._on_event is not None:
            self._on_event(push.event)
        return
    for listener in tuple(self._on_market):
        listener(link_module._market(push))


def half_filled(old: Any) -> Any:
    def fill(self: OrderManager, order: ManagedOrder, fill: Any) -> bool:
        is_new = bool(old(self, order, fill))
        if is_new:
            order.filled -= fill.quantity / 2
        return is_new

    return fill


def adopts_nothing(old: Any) -> Any:
    def set_(self: FactRows, key: str, value: str, at_ns: int) -> None:
        if not key.startswith("adjustment:"):
            old(self, key, value, at_ns)

    return set_


def adopted_twice(old: Any) -> Any:
    """The desk works with the old picture, and books its difference again."""

    def adjust(self: Custody, adjustment: Any) -> None:
        old(self, adjustment)
        old(self, adjustment)

    return adjust
