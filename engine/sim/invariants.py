"""What must hold: judged at every byte that leaves, every second, and when all has settled.

Numbers are those of `engine.sim.table`; what is judged at the end stands in `engine.sim.ending`. A check
looks at the world's truth (the exchange, the disk) and at the engine's memory; it never helps the engine.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from engine.api import subjects
from engine.api.commands import Reply
from engine.api.views import StatusView
from engine.core import Core
from engine.daemon import Engine
from engine.desk import MAX_SESSIONS
from engine.sim.table import INVARIANTS
from engine.sim.time import INCARNATION
from engine.sim.world import HOME, SECRET, World, now_s
from engine.trading.custody import Custody, Verdict
from engine.trading.working import ManagedOrder, Sent
from native.identity import kernel_sha256
from safety.approval import ApprovalRule, TicketState, ticket_hash
from safety.interlock import Action, HoldLevel, permits
from safety.killbyte import KillLevel
from seams.clock import NS_PER_MS
from venues.sandbox import messages as m
from venues.sandbox.link import ExchangeLink
from venues.types import OrderStatus

FORBIDDEN = (b"\x1b", b"\\u001b", "\u202e".encode(), b"\\u202e", b"\\u009b")
"""What would steer a terminal, raw and as JSON writes it."""


@dataclass
class Judge:
    """Keeps what was seen, and what was broken: (invariant, when, what)."""

    world: World
    broken: list[tuple[str, float, str]] = field(default_factory=list)
    checks: Counter[str] = field(default_factory=Counter)
    bytes_of: dict[str, bytes] = field(default_factory=dict)
    order_of_intent: dict[str, str] = field(default_factory=dict)
    sends: Counter[str] = field(default_factory=Counter)
    top_nonce: int = 0
    latch: tuple[KillLevel, int] = (KillLevel.CLEAR, 0)
    """Level and epoch of the kill switch when last looked at."""
    memory: tuple[int, Decimal, Decimal, int] = (0, Decimal(0), Decimal(0), 0)
    """Day, its start, high water, and resets so far of the risk memory when last looked at."""
    ambiguous_since_s: float | None = None

    def say(self, name: str, text: str) -> None:
        if len(self.broken) < 100:
            self.broken.append((name, now_s(self.world), text))

    def check(self, name: str, holds: bool, text: Callable[[], str]) -> None:
        """Count one judgement; keep what did not hold."""
        assert name in INVARIANTS, name
        self.checks[name] += 1
        if not holds:
            self.say(name, text())

    # --- at every byte that leaves ---------------------------------------------------------------

    def on_sent(self, frame: bytes) -> None:
        """Judge one request at the instant its first byte leaves the engine."""
        body = m.BODIES.decode(bytes(m.FRAMES.decode(frame).body))
        if isinstance(body, m.Place):
            self._durable(frame, body)
            self._same_bytes(frame, body)
            self._may_leave(body)

    def _durable(self, frame: bytes, body: m.Place) -> None:
        """I2: intent, nonce and bytes are on the disk before; I1: one order for one intent."""
        oid = body.order.client_order_id
        database = sqlite3.connect(HOME / "db" / "live.db")
        try:
            row = database.execute(
                "select payload, intent_id from orders where client_order_id = ?", (oid,)
            ).fetchone()
        finally:
            database.close()
        kept = None if row is None else msgspec.json.decode(row[0], type=Sent)
        is_kept = kept is not None and kept.signed.wire == frame and kept.signed.nonce == body.nonce
        self.check(
            "I2", is_kept and bool(kept and kept.ticket_hash), lambda: f"{oid} left before it was durable"
        )
        if row is not None:
            first = self.order_of_intent.setdefault(row[1], oid)
            self.check("I1", first == oid, lambda: f"intent {row[1]} has orders {first} and {oid}")

    def _same_bytes(self, frame: bytes, body: m.Place) -> None:
        """I3: a repeat is the same bytes; I4: nonces only rise, across restarts and clock steps."""
        oid = body.order.client_order_id
        self.sends[oid] += 1
        if oid in self.bytes_of:
            self.check("I3", self.bytes_of[oid] == frame, lambda: f"{oid} was signed anew")
            return
        self.bytes_of[oid] = frame
        self.check("I4", body.nonce > self.top_nonce, lambda: f"nonce {body.nonce} after {self.top_nonce}")
        away_ms = abs(body.nonce - self.world.true_clock.now_ns() // NS_PER_MS)
        self.check("I4", away_ms < 86_400_000, lambda: f"nonce {body.nonce} is {away_ms} ms from the clock")
        self.top_nonce = max(self.top_nonce, body.nonce)

    def _may_leave(self, body: m.Place) -> None:
        """I5, I10, I11, I27, I39: what holds forbid does not leave, nor what the dead would say."""
        incarnation = self.world.incarnation
        sender = INCARNATION.get()
        is_alive = incarnation is not None and incarnation.number == sender and not incarnation.is_dead
        self.check("I39", is_alive, lambda: f"sent by incarnation {sender}, which is not alive")
        if incarnation is None:
            return
        engine, order = incarnation.engine, body.order
        custody, oid = engine.custody, order.client_order_id
        assert custody is not None
        mine = custody.orders.orders.get(oid)
        level = engine.core.kill.byte.level
        is_flatten = mine is not None and mine.is_flatten
        is_ok = level is not KillLevel.HALT_ALL or is_flatten
        self.check("I11", is_ok, lambda: f"{oid} left under halt_all")
        is_ok = level is KillLevel.CLEAR or order.reduce_only or is_flatten
        self.check("I10", is_ok, lambda: f"{oid} adds risk under {level.name}")
        if mine is not None:
            self.check("I39", mine.epoch <= engine.core.epoch, lambda: f"{oid} is of epoch {mine.epoch}")
            self._ticket(engine.core, mine, body)
        if order.reduce_only:
            return
        hold = engine.core.interlock.level
        self.check("I27", hold is HoldLevel.CLEAR, lambda: f"{oid} left under {engine.core.interlock.holds}")
        is_sure = custody.verdict is not Verdict.AMBIGUOUS
        self.check("I5", is_sure, lambda: f"{oid} left while AMBIGUOUS")
        others = [o for o in custody.orders.unknown() if o.order_id != oid]
        others = [o for o in others if o.request.symbol == order.symbol]
        self.check("I5", not others, lambda: f"{oid} beside unknown {others[0].order_id}")
        shown, true = order.mark_price, self.world.venue.mark(order.symbol)
        is_near = shown.is_finite() and true / 2 < shown < true * 2
        self.check("I28", is_near, lambda: f"{oid} was sized at {shown}, the market is at {true}")

    def _ticket(self, core: Core, mine: ManagedOrder, body: m.Place) -> None:
        """I21, I22, I24: the ticket covers exactly this order, now."""
        oid, order = mine.order_id, body.order
        if mine.epoch != core.epoch or self.sends[oid] > 1:
            return  # a repeat of what was approved before
        ticket = core.tickets.get(mine.ticket_id)
        made = ticket_hash(
            ticket.id, ticket.version, ticket.intent, ticket.checks, ticket.epoch, ticket.limits_epoch
        )
        is_bound = made == ticket.hash == mine.ticket_hash and ticket.epoch == core.epoch
        self.check("I21", is_bound, lambda: f"{oid} is not what {ticket.id} was approved for")
        intent = ticket.intent
        is_same = (intent.symbol, intent.side, intent.quantity) == (order.symbol, order.side, order.quantity)
        is_same = is_same and intent.reduce_only == order.reduce_only
        self.check("I21", is_same, lambda: f"{oid} differs from its ticket")
        is_used = ticket.approved_by != "" and ticket.state is TicketState.SENT and ticket.allowed
        self.check(
            "I21", is_used, lambda: f"{oid} left with a ticket {ticket.state} by {ticket.approved_by!r}"
        )
        is_rule = ticket.approved_by == ApprovalRule.FLATTEN
        self.check("I11", mine.is_flatten == is_rule, lambda: f"{oid} passes as flatten: {mine.is_flatten}")
        in_time = 0 <= ticket.approved_ns < ticket.expires_ns
        self.check("I21", in_time, lambda: f"{oid} left with an expired ticket")
        is_current = ticket.limits_epoch == core.limits.epoch
        self.check("I24", is_current, lambda: f"{oid} was judged under {ticket.limits_epoch}")
        if self.world.is_supervised and not order.reduce_only:
            self.check(
                "I22", ticket.approved_by == "ada", lambda: f"{oid} was approved by {ticket.approved_by}"
            )

    # --- on the bus ------------------------------------------------------------------------------

    def on_bus(self, subject: str, body: bytes) -> None:
        """I35, I45: no secret and no terminal sequence goes to people."""
        self.check("I35", SECRET not in body, lambda: f"the secret is on {subject}")
        if subject.startswith(subjects.VIEW):
            found = [each for each in FORBIDDEN if each in body]
            self.check("I45", not found, lambda: f"{found[0]!r} is on {subject}")

    def on_garbage(self, answer: bytes) -> None:
        """I44: what is no command is refused."""
        reply = msgspec.json.decode(answer, type=Reply)
        is_refused = not reply.ok and reply.code in ("invalid_request", "wrong_epoch", "expired_request")
        self.check("I44", is_refused, lambda: f"garbage was answered {reply}")

    # --- every second ----------------------------------------------------------------------------

    def look(self) -> None:
        """Judge the standing state of engine and exchange."""
        incarnation = self.world.incarnation
        if incarnation is None:
            return
        engine = incarnation.engine
        custody = engine.custody
        assert custody is not None
        risk = engine.core.settings.risk
        for symbol, worst_usd in self._worst().items():
            limit = Decimal(str(risk.max_symbol_exposure_usd)) * Decimal("1.02")
            self.check("I7", worst_usd <= limit, lambda s=symbol, w=worst_usd: f"{s} may reach {w:.0f} USD")  # type: ignore[misc]
        for order in custody.orders.orders.values():
            if "overfill" not in order.reason:
                is_ok = order.filled <= order.request.quantity
                self.check("I9", is_ok, lambda o=order: f"{o.order_id} is filled beyond its quantity")  # type: ignore[misc]
            if order.status is OrderStatus.UNKNOWN:
                held = engine.core.interlock.has("ambiguity", order.request.symbol)
                self.check("I5", held, lambda o=order: f"{o.order_id} is UNKNOWN and nothing holds")  # type: ignore[misc]
        level = engine.core.kill.level
        byte = engine.core.kill.byte.level
        self.check("I12", level >= byte, lambda: f"latch {level} below byte {byte}")
        if custody.verdict is Verdict.AMBIGUOUS:
            is_held = engine.core.interlock.has("ambiguity", "account")
            self.check("I16", is_held, lambda: "AMBIGUOUS and nothing holds")
        self._latch(engine.core)
        self._risk_memory(engine.core, custody)
        self._shown(engine, custody)
        self._bounded(engine, custody)
        for each in HoldLevel:
            self.check("I14", permits(Action.CANCEL, each), lambda: "a cancel is held back")
        is_named = engine.core.kernel_sha256 == kernel_sha256()
        self.check("I43", is_named, lambda: "another kernel runs than the one named")

    def _latch(self, core: Core) -> None:
        """I13: only a reset by name and with a reason loosens; each begins an epoch."""
        level, epoch = core.kill.level, core.kill.epoch
        if level < self.latch[0]:
            record = core.kill.record
            is_reset = record.source == "reset" and record.by == "ada" and bool(record.reason)
            # A reset may have been followed by a milder trip since the last look.
            is_ok = epoch > self.latch[1] and (is_reset or level is not KillLevel.CLEAR)
            self.check("I13", is_ok, lambda: f"{self.latch[0].name} became {level.name} by {record}")
        self.check("I13", epoch >= self.latch[1], lambda: f"epoch {self.latch[1]} became {epoch}")
        self.latch = (level, max(epoch, self.latch[1]))

    def _risk_memory(self, core: Core, custody: Custody) -> None:
        """I26: the day's start and the high-water mark are not forgotten."""
        memory, (day, start, peak, epoch) = core.risk_memory, self.memory
        if day:
            self.check("I26", memory.day >= day, lambda: f"day {day} became {memory.day}")
            is_kept = memory.day > day or memory.day_start_usd == start
            self.check("I26", is_kept, lambda: f"the day began at {start}, now {memory.day_start_usd}")
            is_kept = memory.peak_usd >= peak - Decimal("0.01") or core.kill.epoch > epoch
            self.check("I26", is_kept, lambda: f"high water {peak} became {memory.peak_usd}")
        row = core.store.risk.memory("desk")
        if row is not None:
            self.memory = (row.day, row.day_start_usd, row.peak_usd, core.kill.epoch)

    def _shown(self, engine: Engine, custody: Custody) -> None:
        """I36: two seconds after the account is AMBIGUOUS, people see a hold."""
        if custody.verdict is not Verdict.AMBIGUOUS or self.world.loop.frozen:
            self.ambiguous_since_s = None
            return
        now = now_s(self.world)
        self.ambiguous_since_s = now if self.ambiguous_since_s is None else self.ambiguous_since_s
        shown = engine.publisher.latest.get("status")
        if now - self.ambiguous_since_s > 3 and isinstance(shown, StatusView):
            self.check("I36", shown.level != "clear", lambda: "the status says clear while AMBIGUOUS")

    def _bounded(self, engine: Engine, custody: Custody) -> None:
        """I40: nothing grows with every session or event."""
        link = custody.venue
        assert isinstance(link, ExchangeLink)
        sizes = {
            "market listeners": (link.listening, MAX_SESSIONS),
            "tasks": (len(engine.handlers.background), 50),
            "holds": (len(engine.core.interlock.holds), 100),
            "sessions": (len(engine.desk.running), MAX_SESSIONS),
        }
        for name, (size, most) in sizes.items():
            self.check("I40", size <= most, lambda n=name, s=size: f"{s} {n}")  # type: ignore[misc]

    def _worst(self) -> dict[str, Decimal]:
        """Return, by symbol, the worst value the exchange's position could reach with what works there."""
        venue = self.world.exchange.venue
        books: dict[str, list[Decimal]] = {}
        for fill in venue.all_fills():
            book = books.setdefault(fill.symbol, [Decimal(0)] * 3)
            book[0] += fill.quantity * fill.side.sign
        for entry in venue.working():
            if not entry.request.reduce_only and entry.request.client_order_id in self.bytes_of:
                book = books.setdefault(entry.request.symbol, [Decimal(0)] * 3)
                book[1 if entry.request.side.sign > 0 else 2] += entry.request.quantity - entry.filled
        return {
            symbol: max(abs(held), abs(held + buys), abs(held - sells)) * venue.mark(symbol)
            for symbol, (held, buys, sells) in books.items()
        }
