"""Custody: one account at a venue that outlives us. Until it agrees with the venue, nothing is risked.

A pass asks for fills, open orders and balances, books what was missed, settles every order that is not
proved, and compares. Its verdict is CLEAN (both sides say the same), SETTLING (they differ, but answers
of a venue lag: looked at again), or AMBIGUOUS (they still differ: a hold, and a person). Nothing is
booked to make a difference go away; only a named operator's adjustment does that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from decimal import Decimal

import msgspec

from engine.api.reconcile import Act, DecidedRow
from engine.core import STORAGE_FAILURES, Core
from engine.trading.account_holds import ACCOUNT, AccountHolds
from engine.trading.account_record import AccountRecord, booking_order
from engine.trading.adjustments import Adjustment, demand_named
from engine.trading.cash import VenueCash
from engine.trading.differences import Difference, ForeignOrder, Kind, compare
from engine.trading.forced import on_forced
from engine.trading.foreign import ForeignBook
from engine.trading.ledger import Ledger
from engine.trading.machine import Evidence
from engine.trading.orders import OrderManager
from engine.trading.pace import QUICK_PASSES, Pace
from engine.trading.settle import OVERLAP_NS, Lists, awaits_fills, settle, settle_unknown, working
from engine.trading.sources import Sources
from engine.trading.venue_clock import ask_time
from engine.trading.verdict import STATES
from engine.trading.verdict import Verdict as Verdict
from engine.trading.working import ManagedOrder
from safety.canonical import changed
from safety.facts import VenueFacts
from safety.interlock import HoldLevel
from safety.killbyte import KillLevel
from seams import chaos
from seams.clock import NS_PER_MS, NS_PER_S
from venues.contract import VenueAdapter, VenueError
from venues.types import AccountSnapshot, Fill, OrderEvent, OrderStatus

TEND_S = 1.0
IN_TOUCH_NS = 3 * NS_PER_S
"""With the watchdog's 10 s: cancels leave within 13.2 s of the last answer, proved within 15 s (S14)."""
SETTLING_PASSES = QUICK_PASSES


class Custody:
    """The orders, the ledger and the standing verdict of one account."""

    def __init__(self, core: Core, venue: VenueAdapter, account: str) -> None:
        self.core, self.venue, self.account = core, venue, account
        self.orders = OrderManager(core, venue, account)
        self.orders.on_foreign = self._foreign
        self.orders.on_booked = lambda order, fill: self._book(fill)
        self.holds = AccountHolds(core, venue.name)
        self.ledger = Ledger(Decimal(0))
        self.on_value: Callable[[], None] = lambda: None
        """Called when the ledger's worth may have changed, session or not: the desk's limits see it then."""
        self.record = AccountRecord(core.store, venue.name, account)
        self.key = self.record.key
        self.cash, self._sources = VenueCash(core, venue, self.key), Sources(core.clock, venue)
        self.verdict = Verdict.HYDRATING
        self.is_open: Callable[[], bool] = lambda: True
        """Whether the venue may be asked at all: a real one only as arming says."""
        self.known_facts: Callable[[], dict[str, object]] = dict
        """What is known of keys and rate budgets, by the names of `VenueFacts`."""
        self.differences: tuple[Difference, ...] = ()
        self.set_aside: tuple[Difference, ...] = ()
        """Differences that an operator said to ignore, as they are now."""
        self.decided: list[DecidedRow] = []
        """Every operator's decision about a difference, oldest first."""
        self.agreed_ns = 0
        """When both sides last agreed, by the wall clock; 0 never."""
        self.reconciled_ns = 0
        """When a full pass last ended CLEAN, on the monotonic clock; 0 never."""
        self.heard_ns = core.clock.monotonic_ns()
        """When the venue last answered, on the monotonic clock."""
        self.passes = 0
        """How many whole passes the venue has answered."""
        self.failed: VenueError | None = None
        """What ended the newest pass, if the venue did not answer all of it."""
        self.differs_ns = 0
        """Since when both sides differ, by the wall clock."""
        self.marks: dict[str, Decimal] = {}
        """The venue's mark of each symbol that it showed a position in."""
        self.entries: dict[str, tuple[Decimal, Decimal]] = {}
        """What the venue last said of each position: signed quantity and average entry price in USD."""
        self.is_dirty, self._same = True, 0
        self._stood: tuple[Difference, ...] = ()
        self._looks = 0
        self._strangers = ForeignBook(core, venue)
        self.foreign, self.leaving = self._strangers.seen, self._strangers.leaving
        self._booked_to = (0, "")
        """Time and id of the newest booking: one from before it is booked in its place."""
        self.pace = Pace(
            core.clock, lambda: core.settings.risk.reconcile_stale_ms, lambda: not self.orders.alive()
        )
        venue.on_order_event(self._on_event)
        venue.on_link(self._on_link)
        self.holds.put("hydration", HoldLevel.HYDRATING, "the account is not yet synced with the venue")

    def load(self) -> None:
        """Rebuild orders and ledger from the record. Raises `ValueError` where it cannot be read."""
        store = self.core.store
        for row in store.orders.orders_open():
            if (row.venue, row.account) == (self.venue.name, self.account):
                order = ManagedOrder.from_row(row)
                self.orders.keep(order)
                if order.status is OrderStatus.SUBMITTING:
                    # The dead engine may have sent it, whole or in part: that is what UNKNOWN means.
                    self.orders.take(order, Evidence.NO_ANSWER, "the engine ended while it was on its way")
                elif order.status is OrderStatus.UNKNOWN:
                    self.holds.put("ambiguity", HoldLevel.CLOSE_ONLY, order.order_id, order.request.symbol)
        self.decided = self.record.decisions()
        self._rebuild()

    def adjustments(self) -> list[Adjustment]:
        """Return every operator's booking on record, oldest first."""
        return self.record.adjustments()

    def ledger_of_record(self) -> Ledger:
        """Return the ledger that a restart would build: without marks."""
        ledger = Ledger(Decimal(0))
        ledger.rebook(*self.record.bookings(self.cash.total_usd))
        return ledger

    def _rebuild(self) -> None:
        """Book everything on record in the order of its time: what arrived late is booked in its place,
        so that average prices are the venue's, and memory is what a restart would read."""
        self._strangers.settled = {name for each in self.adjustments() for name in each.settles}
        cash_usd, fills = self.record.bookings(self.cash.total_usd)
        self.ledger.rebook(cash_usd, fills)
        self._booked_to = max(map(booking_order, fills), default=(0, ""))
        self.on_value()

    async def run(self) -> None:
        """Tend the account until cancelled; a pass that takes long keeps no cancel from being repeated."""
        await asyncio.gather(self._each_second(self.tend), self._each_second(self.stop_working))

    async def _each_second(self, work: Callable[[], Awaitable[None]]) -> None:
        """Work once a second. What we do not know how to handle halts."""
        while True:
            try:
                if self.is_open():
                    await work()
            except Exception as error:
                self.core.halt(error, f"custody of {self.account}")
            await self.core.clock.sleep(TEND_S)

    async def stop_working(self) -> None:
        """Repeat a kill's cancels until the venue has confirmed them, whatever came to be ours since."""
        level = self.core.kill.level
        if level is not KillLevel.CLEAR:
            is_halt = level is KillLevel.HALT_ALL
            chosen = [o for o in self.orders.alive() if (is_halt or not o.request.reduce_only)]
            await self.orders.cancel_each([order for order in chosen if not order.is_flatten])

    async def tend(self) -> None:
        """Settle what is UNKNOWN, and make a full pass where one is due."""
        now_ns = self.core.clock.monotonic_ns()
        differs = self.verdict is not Verdict.CLEAN
        clean_ns = self.pace.clean_ns(is_counted=self.venue.capabilities().has_request_budget)
        is_due = self.pace.is_due if differs else now_ns - self.reconciled_ns > clean_ns
        if self.is_dirty or is_due:
            await self.reconcile()
            return
        await settle_unknown(self.orders)
        if self.core.clock.monotonic_ns() - self.heard_ns >= NS_PER_S:
            await self._listen()

    async def _listen(self) -> None:
        """Ask for a sign of life between two passes; a venue that does not answer is not heard."""
        with suppress(VenueError):
            await self.venue.time_ns()
            self.heard_ns = self.core.clock.monotonic_ns()

    async def reconcile(self) -> Verdict:
        """Make one full pass and return the verdict. A venue that does not answer leaves it as it was."""
        self.is_dirty, looks = False, self._looks
        try:
            differences = await self._pass()
        except VenueError as error:
            self.is_dirty, self.failed = True, error
            self.core.events.add("reconcile_failed", self.venue.name, str(error))
            return self.verdict
        self.heard_ns, self.passes = self.core.clock.monotonic_ns(), self.passes + 1
        self.failed = None
        if looks == self._looks:  # else it was compared, in part, before something was booked
            self._judge(differences)
        return self.verdict

    def adjust(self, adjustment: Adjustment) -> None:
        """Book what an operator has established by other means. Raises `Refusal` without name or reason."""
        demand_named(adjustment)
        text = msgspec.json.encode(adjustment).decode()
        self.core.note("adjustment", adjustment.operator, text)
        self.record.adjust(text, self.core.clock.now_ns())
        self._rebuild()
        for name in adjustment.settles:
            self.foreign.pop(name, None)
        self.look_again()

    def decide(self, row: DecidedRow) -> None:
        """Keep an operator's decision about a difference, durably."""
        self.record.decide(len(self.decided) + 1, row)
        self.decided.append(row)

    def look_again(self) -> None:
        """What was compared before this is no basis for another booking: nothing is adopted twice."""
        self.differences, self._looks = (), self._looks + 1
        self._news()
        if self.verdict is Verdict.AMBIGUOUS:
            self.verdict = Verdict.SETTLING

    def is_ignored(self, difference: Difference) -> bool:
        """Tell whether an operator said, not too long ago, to ignore exactly this."""
        now_ns, seen = self.core.clock.now_ns(), difference.seen(self.key)
        return any(
            row.act is Act.IGNORE and row.seen == seen and now_ns < row.until_ns for row in self.decided
        )

    # --- one pass --------------------------------------------------------------------------------

    async def _pass(self) -> tuple[Difference, ...]:
        venue_ns = await ask_time(self.orders, self.core.clock)
        self.heard_ns = self.core.clock.monotonic_ns()
        if not self.record.is_open:
            self._open_account(await self.venue.account())
        from_ns = self._fills_from()
        fills = await self.venue.fills_since(from_ns)
        for fill in fills:
            chaos.point("custody.between_fills")
            self._take_fill(fill)
        listed = await working(self.orders)
        lists = Lists(listed, {fill.client_order_id for fill in fills}, from_ns)
        for order_id, seen in listed.items():
            if self.orders.known(order_id) is None and order_id not in self.foreign:
                self._keep_foreign(self._strangers.listed(order_id, seen))
        await self._strangers.ask(self._keep_foreign)
        for order in self.orders.alive():
            await settle(self.orders, order, venue_ns, listed.get(order.order_id), lists)
        snapshot = await self.venue.account()
        differences = self._compare(snapshot)
        cash = next((each for each in differences if each.kind == Kind.CASH), None)
        if cash is not None and await self.cash.explain(cash.amount):
            self._rebuild()
            return self._compare(snapshot)
        return differences

    def _compare(self, snapshot: AccountSnapshot) -> tuple[Difference, ...]:
        """List every disagreement about orders, positions and cash that nobody has set aside."""
        self.marks |= {each.symbol: each.mark_price for each in snapshot.positions}
        self.entries = {each.symbol: (each.quantity, each.entry_price) for each in snapshot.positions}
        is_spot = self.venue.capabilities().pays_in_full
        cash_usd = self.ledger.settled_usd - (self.ledger.paid_usd if is_spot else 0)
        found = compare(
            self.foreign,
            {each.symbol: each.quantity for each in self.ledger.open_holdings()},
            {position.symbol: position.quantity for position in snapshot.positions},
            (cash_usd, snapshot.cash_usd),
        )
        found += self._sources.look(snapshot)
        self.set_aside = tuple(each for each in found if self.is_ignored(each))
        return tuple(each for each in found if each not in self.set_aside)

    def _judge(self, differences: tuple[Difference, ...]) -> None:
        """Turn what a pass found into the verdict, its holds and its alarms."""
        core = self.core
        if not self.differences or not self.differs_ns:
            self.differs_ns = core.clock.now_ns()
        # Each of them was in the pass before, perhaps beside one that has ended since: it has stood as long.
        is_same = bool(differences) and set(differences) <= set(self._stood)
        self._stood = differences
        self._same = self._same + 1 if is_same else 0
        self.pace.passed(is_same=is_same)
        self.differences = differences
        if not differences:
            self.verdict, self.reconciled_ns = Verdict.CLEAN, core.clock.monotonic_ns()
            self.agreed_ns = core.clock.now_ns()
            self.holds.clear("ambiguity", ACCOUNT, "ledger and venue agree")
            core.calm("reconciliation_difference", self.key)
        elif (self._same >= SETTLING_PASSES and not awaits_fills(self.orders, differences)) or any(
            each.kind == Kind.FOREIGN for each in differences
        ):
            said = "; ".join(f"{d.kind} {d.subject}: ours {d.ours}, venue {d.theirs}" for d in differences)
            self.verdict = Verdict.AMBIGUOUS
            self.holds.put("ambiguity", HoldLevel.CLOSE_ONLY, said, ACCOUNT)
            core.alarm("reconciliation_difference", self.key, self.venue.name, said)
        elif self.verdict is not Verdict.HYDRATING:
            self.verdict = Verdict.SETTLING
        if self.verdict in (Verdict.CLEAN, Verdict.AMBIGUOUS):
            self.holds.clear("hydration", "", f"synced: {self.verdict}")

    # --- bookings --------------------------------------------------------------------------------

    def _take_fill(self, fill: Fill) -> None:
        if self.ledger.has_booked(fill.fill_id):
            return  # every pass lists the fills of a minute: the record is asked about the new ones
        order = self.orders.known(fill.client_order_id)
        if order is not None:
            self.orders.fill(order, fill)
        else:
            self._foreign(fill)

    def _news(self) -> None:
        """Something has changed: what both sides say is compared anew, and soon."""
        self.is_dirty = True
        self.pace.news()

    def _book(self, fill: Fill) -> None:
        self.pace.news()
        if booking_order(fill) < self._booked_to:
            self._rebuild()
            return
        self.ledger.book(fill)
        self._booked_to = booking_order(fill)
        self.on_value()

    def _open_account(self, snapshot: AccountSnapshot) -> None:
        """First contact: what the account holds now is where our ledger begins; positions stay differences
        until an operator adopts them, and what was traded before is history: its cash is in the opening."""
        with self.core.store.transaction():
            self.record.open(snapshot.cash_usd, self.core.clock.now_ns())
            self.cash.open(snapshot.at_ns)
        self.core.note("account_opened", self.venue.name, f"{self.account}: {snapshot.cash_usd} USD")
        self._rebuild()

    def _fills_from(self) -> int:
        newest = self.core.store.orders.newest_fill_ns(self.venue.name, self.account)
        oldest_open = min((order.created_ns for order in self.orders.alive()), default=newest)
        return max(0, self.cash.opened_ns - OVERLAP_NS, min(newest, oldest_open) - OVERLAP_NS)

    def _foreign(self, event: OrderEvent) -> None:
        """The venue told of an order that is not in our record: somebody else acts on this account. What was
        executed before our first contact is history; before that contact a pass asks for what came since."""
        opened_ns = self.cash.opened_ns
        if isinstance(event, Fill) and (not opened_ns or event.at_ns < opened_ns):
            return
        if isinstance(event, Fill) and event.forced:
            on_forced(self.core, self.venue.name, self.key, event)
        seen = self._strangers.after(event)
        if seen is not None:
            self._keep_foreign(seen)

    def _keep_foreign(self, seen: ForeignOrder) -> None:
        """Keep what is known of a foreign order; whatever is new about it holds new risk at once."""
        if not self._strangers.keep(seen):
            return
        self._news()
        name, said = seen.order_id, seen.said()
        if not self.is_ignored(Difference(kind=Kind.FOREIGN, subject=name, ours="unknown", theirs=said)):
            self.core.alarm("reconciliation_difference", self.key, self.venue.name, f"{name}: {said}")
            self.holds.put(
                "ambiguity", HoldLevel.CLOSE_ONLY, f"order {name} at the venue is not ours", ACCOUNT
            )

    def _on_event(self, event: OrderEvent) -> None:
        """Take one event of the stream; what the record refuses halts us and is asked for again."""
        try:
            self.orders.on_event(event)
        except STORAGE_FAILURES as error:
            self._news()
            self.core.halt(error, event.client_order_id)

    def _on_link(self, is_up: bool) -> None:
        """The stream broke or opened anew: what it told meanwhile must be asked."""
        self._news()
        self.core.events.add("link", self.venue.name, "stream open" if is_up else "stream has a gap")

    def venue_facts(self) -> VenueFacts:
        """Return what preflight may know of this account: reconciliation and nonces."""
        last = self.orders.nonces.last
        facts = VenueFacts(
            reconcile_state=STATES[self.verdict],
            reconcile_age_ms=self.age_ms(),
            nonce_next=max(last + 1, self.core.clock.now_ns() // NS_PER_MS),
            nonce_durable=last,
        )
        return changed(facts, **self.known_facts())

    def is_in_touch(self) -> bool:
        """Tell whether the venue has answered lately; an engine that is cut off makes no progress."""
        return not self.is_open() or self.core.clock.monotonic_ns() - self.heard_ns <= IN_TOUCH_NS

    def offset_ms(self) -> float | None:
        """Return how far the venue's clock is ahead of ours, or None before it was asked."""
        return self.orders.offset_ns / NS_PER_MS if self.reconciled_ns else None

    def age_ms(self) -> int | None:
        """Return how long ago both sides were last seen to agree, or None if never."""
        if not self.reconciled_ns:
            return None
        return (self.core.clock.monotonic_ns() - self.reconciled_ns) // NS_PER_MS
