"""What must hold: judged at every byte that leaves, every second, and when all has settled.

Numbers are those of the safety case (I1 to I45). A check looks at the world's truth (the exchange, the
disk) and at the engine's memory; it never helps the engine.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from engine.sim.world import HOME, World, now_s
from engine.trading.custody import Verdict
from engine.trading.working import Sent
from safety.audit import verify_log
from safety.killbyte import KillLevel
from venues.sandbox import messages as m
from venues.types import OrderStatus


@dataclass
class Judge:
    """Keeps what was seen, and what was broken: (invariant, when, what)."""

    world: World
    broken: list[tuple[str, float, str]] = field(default_factory=list)
    checks: Counter[str] = field(default_factory=Counter)
    bytes_of: dict[str, bytes] = field(default_factory=dict)
    order_of_intent: dict[str, str] = field(default_factory=dict)
    top_nonce: int = 0

    def say(self, name: str, text: str) -> None:
        if len(self.broken) < 100:
            self.broken.append((name, now_s(self.world), text))

    def check(self, name: str, holds: bool, text: Callable[[], str]) -> None:
        """Count one judgement; keep what did not hold."""
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
        if oid in self.bytes_of:
            self.check("I3", self.bytes_of[oid] == frame, lambda: f"{oid} was signed anew")
            return
        self.bytes_of[oid] = frame
        self.check("I4", body.nonce > self.top_nonce, lambda: f"nonce {body.nonce} after {self.top_nonce}")
        self.top_nonce = max(self.top_nonce, body.nonce)

    def _may_leave(self, body: m.Place) -> None:
        """I5, I10, I11: what holds forbid does not leave."""
        incarnation = self.world.incarnation
        if incarnation is None:
            return
        engine, order = incarnation.engine, body.order
        custody = engine.custody
        assert custody is not None
        mine = custody.orders.orders.get(order.client_order_id)
        level = engine.core.kill.byte.level
        is_flatten = mine is not None and mine.is_flatten
        is_ok = level is not KillLevel.HALT_ALL or is_flatten
        self.check("I11", is_ok, lambda: f"{order.client_order_id} left under halt_all")
        is_ok = level is KillLevel.CLEAR or order.reduce_only or is_flatten
        self.check("I10", is_ok, lambda: f"{order.client_order_id} adds risk under {level.name}")
        if not order.reduce_only:
            others = [o for o in custody.orders.unknown() if o.order_id != order.client_order_id]
            others = [o for o in others if o.request.symbol == order.symbol]
            self.check(
                "I5", not others, lambda: f"{order.client_order_id} beside unknown {others[0].order_id}"
            )

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

    # --- when all has settled --------------------------------------------------------------------

    def settle(self) -> None:
        """Judge the end: the faults have stopped and the world had its minute."""
        world, incarnation = self.world, self.world.incarnation
        self.check("I42", incarnation is not None, lambda: "no engine is running")
        if incarnation is None:
            return
        engine = incarnation.engine
        custody = engine.custody
        assert custody is not None
        unknown = [order.order_id for order in custody.orders.unknown()]
        self.check("I42", not unknown, lambda: f"still UNKNOWN: {unknown}")
        is_settled = custody.verdict in (Verdict.CLEAN, Verdict.AMBIGUOUS)
        self.check("I42", is_settled, lambda: f"verdict {custody.verdict}")
        if engine.core.kill.level is KillLevel.HALT_ALL:
            alive = [o.order_id for o in custody.orders.alive()]
            self.check("I42", not alive, lambda: f"alive under halt_all: {alive}")
        self._ledger_is_the_venues(custody.verdict)
        self._record_is_whole()
        world.fact("end", f"{custody.verdict} kill {engine.core.kill.level.name}")

    def _ledger_is_the_venues(self, verdict: Verdict) -> None:
        """I15, I16: every fill of the venue is booked exactly once, and positions agree when CLEAN."""
        world = self.world
        assert world.incarnation is not None
        custody = world.incarnation.engine.custody
        assert custody is not None
        theirs = {fill.fill_id: fill for fill in world.exchange.venue.all_fills()}
        database = sqlite3.connect(HOME / "db" / "live.db")
        try:
            ours = [row[0] for row in database.execute("select fill_id from fills")]
        finally:
            database.close()
        doubled = [name for name, count in Counter(ours).items() if count > 1]
        self.check("I15", not doubled, lambda: f"booked twice: {doubled}")
        invented = sorted(set(ours) - set(theirs))
        self.check("I15", not invented, lambda: f"booked and never happened: {invented}")
        if verdict is not Verdict.CLEAN:
            return
        mine = [f for f in theirs.values() if f.client_order_id in self.bytes_of]
        missing = sorted({f.fill_id for f in mine} - set(ours))
        self.check("I15", not missing, lambda: f"never booked: {missing}")
        held: dict[str, Decimal] = {}
        for fill in theirs.values():
            held[fill.symbol] = held.get(fill.symbol, Decimal(0)) + fill.quantity * fill.side.sign
        for symbol, quantity in held.items():
            booked = custody.ledger.holding(symbol).quantity
            self.check("I16", booked == quantity, lambda s=symbol, b=booked, q=quantity: f"{s}: {b} is {q}")  # type: ignore[misc]

    def _record_is_whole(self) -> None:
        """I30: the audit chain verifies on what the disk holds now."""
        world = self.world
        assert world.incarnation is not None
        core = world.incarnation.engine.core
        if not core.audit.is_broken:
            result = verify_log(world.disk, core.paths.audit)
            self.check("I30", result.ok, lambda: f"audit: {result.problem} at {result.first_bad_record}")
