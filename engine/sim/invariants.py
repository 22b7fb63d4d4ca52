"""What must hold at every byte that leaves, at every push that comes, and on the bus.

Numbers are those of `engine.sim.table`; what is judged every second stands in `engine.sim.standing`, what
at the end in `engine.sim.ending`. A check looks at the world's truth (the exchange, the disk) and at
the engine's memory; it never helps the engine.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import msgspec

from engine.api import subjects
from engine.api.commands import Reply
from engine.api.views import StatusView
from engine.core import Core
from engine.sim.bourses.contract import Left
from engine.sim.guard import Guard
from engine.sim.table import INVARIANTS
from engine.sim.time import INCARNATION
from engine.sim.world import HOME, World, now_s
from engine.trading.custody import Verdict
from engine.trading.working import ManagedOrder, Sent
from safety.approval import ApprovalRule, TicketState, ticket_hash
from safety.interlock import HoldLevel
from safety.killbyte import KillLevel
from seams.clock import NS_PER_MS
from venues.types import OrderRequest

FORBIDDEN = (b"\x1b", b"\\u001b", "\u202e".encode(), b"\\u202e", b"\\u009b")
"""What would steer a terminal, raw and as JSON writes it."""


@dataclass
class Judge:
    """Keeps what was seen, and what was broken: (invariant, when, what)."""

    world: World
    guard: Guard
    broken: list[tuple[str, float, str]] = field(default_factory=list)
    checks: Counter[str] = field(default_factory=Counter)
    bytes_of: dict[str, bytes] = field(default_factory=dict)
    order_of_intent: dict[str, str] = field(default_factory=dict)
    sends: Counter[str] = field(default_factory=Counter)
    nonces: list[tuple[int, int]] = field(default_factory=list)
    """(number of the order on record, nonce) of every order that left, by number."""
    latch: tuple[KillLevel, int] = (KillLevel.CLEAR, 0)
    """Level and epoch of the kill switch when last looked at."""
    latched: tuple[int, float] = (0, 0.0)
    """The incarnation that is seen latched, and when it was last seen clear (or first at all)."""
    memory: tuple[int, Decimal, Decimal, int] = (0, Decimal(0), Decimal(0), 0)
    """Day, its start, high water, and resets so far of the risk memory when last looked at."""
    is_open: bool = True
    """Whether the shared byte was clear when last looked at."""
    beaten: int = 0
    """The engine's count of progress when last looked at."""
    wanted_since_s: dict[str, float] = field(default_factory=dict)
    """Since when a sound engine wants, or must want, the cancel of each order that works."""
    cancels: Counter[str] = field(default_factory=Counter)
    """How often the cancel of each order has left the engine."""
    sealed: dict[Path, str] = field(default_factory=dict)
    """The hash of each ended session's folder, when first seen."""
    stream: tuple[int, int] = (0, 0)
    """Which stream of which incarnation, and the number of the newest order push taken from it."""

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
        bourse = self.world.bourse
        left = bourse.left(frame)
        if left is not None:
            self._durable(frame, left)
            self._same_bytes(frame, left.order)
            self._may_leave(left.order)
        for order_id in bourse.cancelled(frame):
            self.cancels[order_id] += 1

    def on_point(self, site: str) -> None:
        """I34: an entry is not decided on while the clock is behind the record."""
        incarnation = self.world.incarnation
        if site != "orders.recorded" or incarnation is None:
            return
        engine = incarnation.engine
        assert engine.custody is not None
        order = next(reversed(engine.custody.orders.orders.values()))
        if not order.request.reduce_only:
            now_ns, last_ns = engine.core.clock.now_ns(), engine.core.audit.last_ns
            behind = f"{order.order_id} was made at {now_ns}, the record is at {last_ns}"
            self.check("I34", now_ns >= last_ns, lambda: behind)

    def on_delivered(self, frame: bytes) -> None:
        """I15: a hole in the numbered stream is noticed at the next push, and what it hid is asked for."""
        incarnation = self.world.incarnation
        number = None if incarnation is None else self.world.bourse.number(frame)
        if incarnation is None or number is None:
            return
        wire, custody = incarnation.wire, incarnation.engine.custody
        assert custody is not None
        stream = incarnation.number * 10_000 + wire.delivering
        newest = self.stream[1] if self.stream[0] == stream else number
        self.stream = stream, max(number, newest)
        if number > newest + 1:
            self.check("I15", custody.is_dirty, lambda: f"push {number} followed {newest} unnoticed")

    def _durable(self, frame: bytes, left: Left) -> None:
        """I2: intent, nonce and bytes are on the disk before; I1: one order for one intent."""
        oid, nonce = left.order.client_order_id, left.nonce
        database = sqlite3.connect(HOME / "db" / "live.db")
        try:
            row = database.execute(
                "select payload, intent_id, rowid from orders where client_order_id = ?", (oid,)
            ).fetchone()
            spent = database.execute("select value from kv where key like 'nonce:%'").fetchone()
        finally:
            database.close()
        is_spent = spent is not None and int(spent[0]) >= nonce
        self.check("I4", is_spent, lambda: f"nonce {nonce} of {oid} left before it was durable")
        kept = None if row is None else msgspec.json.decode(row[0], type=Sent)
        is_kept = kept is not None and kept.signed.wire == frame and kept.signed.nonce == nonce
        self.check(
            "I2", is_kept and bool(kept and kept.ticket_hash), lambda: f"{oid} left before it was durable"
        )
        if row is not None:
            first = self.order_of_intent.setdefault(row[1], oid)
            self.check("I1", first == oid, lambda: f"intent {row[1]} has orders {first} and {oid}")
            self._nonce(row[2], nonce)

    def _nonce(self, number: int, nonce: int) -> None:
        """I4: nonces rise with the record (what leaves may overtake), across restarts and clock steps."""
        place = bisect_left(self.nonces, (number, nonce))
        if place < len(self.nonces) and self.nonces[place][0] == number:
            return  # a repeat
        below = self.nonces[place - 1][1] if place else 0
        above = self.nonces[place][1] if place < len(self.nonces) else nonce + 1
        self.nonces.insert(place, (number, nonce))
        self.check("I4", below < nonce < above, lambda: f"nonce {nonce} between {below} and {above}")
        away_ms = abs(nonce - self.world.true_clock.now_ns() // NS_PER_MS)
        self.check("I4", away_ms < 86_400_000, lambda: f"nonce {nonce} is {away_ms} ms from the clock")

    def _same_bytes(self, frame: bytes, order: OrderRequest) -> None:
        """I3: a repeat is the same bytes."""
        oid = order.client_order_id
        self.sends[oid] += 1
        if oid in self.bytes_of:
            self.check("I3", self.bytes_of[oid] == frame, lambda: f"{oid} was signed anew")
            return
        self.bytes_of[oid] = frame

    def _may_leave(self, order: OrderRequest) -> None:
        """I5, I10, I11, I27, I39: what holds forbid does not leave, nor what the dead would say."""
        incarnation = self.world.incarnation
        sender = INCARNATION.get()
        is_alive = incarnation is not None and incarnation.number == sender and not incarnation.is_dead
        self.check("I39", is_alive, lambda: f"sent by incarnation {sender}, which is not alive")
        if incarnation is None:
            return
        engine = incarnation.engine
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
            self._ticket(engine.core, mine, order)
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

    def _ticket(self, core: Core, mine: ManagedOrder, order: OrderRequest) -> None:
        """I21, I22, I24: the ticket covers exactly this order, now."""
        oid = mine.order_id
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
        # Unknown: it waited for its connection so long that people were told that the venue is silent.
        is_out = ticket.state in (TicketState.SENT, TicketState.UNKNOWN)
        is_used = ticket.approved_by != "" and is_out and ticket.allowed
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
        is_safe = not any(secret in body for secret in self.world.bourse.secrets)
        self.check("I35", is_safe, lambda: f"the secret is on {subject}")
        if subject == subjects.view("status"):
            self._status(body)
        if subject.startswith(subjects.VIEW):
            found = [each for each in FORBIDDEN if each in body]
            self.check("I45", not found, lambda: f"{found[0]!r} is on {subject}")

    def _status(self, body: bytes) -> None:
        """I36: the status that is shown is the one that stands: no hold and no kill is left out."""
        incarnation = self.world.incarnation
        if incarnation is None:
            return
        core, shown = incarnation.engine.core, msgspec.json.decode(body, type=StatusView)
        is_held = core.interlock.level is not HoldLevel.CLEAR
        is_killed = core.kill.record.level is not KillLevel.CLEAR
        is_told = shown.level != "clear" and len(shown.holds) >= len(core.interlock.holds)
        self.check(
            "I36",
            is_told or not (is_held or is_killed),
            lambda: f"shown as {shown.level}, held by {core.interlock.holds}, kill {core.kill.record}",
        )

    def on_garbage(self, answer: bytes) -> None:
        """I44: what is no command is refused."""
        reply = msgspec.json.decode(answer, type=Reply)
        is_refused = not reply.ok and reply.code in ("invalid_request", "wrong_epoch", "expired_request")
        self.check("I44", is_refused, lambda: f"garbage was answered {reply}")
