"""A paper session: market events in, decisions by the kernel, tickets, orders, evidence out.

One bar's way: hub -> kernel.close -> wish -> intent -> preflight -> ticket -> (operator or rule) ->
order manager -> venue -> fill -> ledger and kernel. The hub waits at each closed bar until what was
decided at it is with the venue, so a session decides exactly as a back-test over the same bars.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from engine.core import STORAGE_FAILURES, Core
from engine.failures import reason_code
from engine.market.hub import HubState, MarketHub
from engine.trading.deciding import Decision, Judgement, chain_decision, record_decision, record_sending
from engine.trading.gather import account_facts
from engine.trading.hooks import asked
from engine.trading.lane_board import LaneBoard
from engine.trading.ledger import Ledger
from engine.trading.market_memory import MarketMemory
from engine.trading.orders import OrderManager
from engine.trading.owner import Owner
from engine.trading.pipeline import bounds_of, intent_of, policy_for, request_of
from engine.trading.plan import Counts, SessionPlan
from engine.trading.rows import intent_row, judgement_rows, ticket_row
from engine.trading.shadow import Shadow, hear
from engine.trading.standing import Standing
from engine.trading.working import ManagedOrder
from native.intents import OrderIntent
from native.kernel import Kernel
from safety.approval import ApprovalRule, Ticket, TicketEvent, TicketState
from safety.canonical import changed
from safety.facts import AccountFacts, DeskFacts, Preflight, VenueFacts
from safety.intent import ExecutionIntent, ExecutionPolicy
from safety.override import may_go
from safety.preflight import preflight, refusals
from safety.reasons import Refusal
from seams.clock import NS_PER_MS
from venues.sandbox.embedded import EmbeddedVenue
from venues.types import (
    Bar,
    BarOpen,
    Environment,
    FeedEnd,
    Fill,
    Instrument,
    MarketEvent,
    Mode,
    OrderStatus,
    Quote,
)

Judged = tuple[Preflight, Judgement]
Snapshot = tuple[ExecutionIntent, AccountFacts, ExecutionPolicy, Instrument | None]
FillWatcher = Callable[[ManagedOrder, Fill], None]


class PaperSession:
    """One running session. `run()` returns when the feed ends, `stop()` ends it early."""

    def __init__(
        self,
        core: Core,
        plan: SessionPlan,
        hub: MarketHub,
        orders: OrderManager,
        kernel: Kernel,
        ledger: Ledger,
        stop_feed: Callable[[], None],
    ) -> None:
        self.core, self.plan, self.hub = core, plan, hub
        self.orders, self.venue = orders, orders.venue
        self.kernel, self.ledger = kernel, ledger
        self.stop_feed = stop_feed
        self.on_fill: list[FillWatcher] = []
        self.on_value: list[Callable[[], None]] = []
        """Called in the same event as every mark and fill, before anything is decided on it (I27)."""
        self.on_denied: list[Callable[[ExecutionIntent, Preflight], None]] = []
        self.standing = Standing(core.events)
        self.counts = Counts()
        self.market_ns = 0
        self.failure = ""
        """Why the session must end as failed; empty while all is well."""
        self.failure_code = ""
        self.stale_good: dict[str, int] = {}
        orders.attach(plan.session_id, Owner(plan.run_fingerprint, self._on_fill, self._on_end))
        self._policy = (0, plan.policy)
        self.stated_stops: dict[str, Decimal | None] = {}
        """The stop that the last entry's ticket named, by symbol: what a kernel without one is held to."""
        self.memory = {symbol: MarketMemory(not plan.uses_market_time) for symbol, _ in plan.lanes}
        self.venue_facts: Callable[[], VenueFacts] = VenueFacts
        """What the venue says of reconciliation, signer and budget; a paper venue says nothing."""
        self.clock_offset_ms: Callable[[], float | None] = _no_offset
        """How far the venue's clock is ahead of ours; a venue in this process has ours."""
        self.desk_facts: Callable[[], DeskFacts] = DeskFacts
        """What the other sessions carry; a session without a desk does not know, and may not open."""
        self.shadow: Shadow | None = None
        """A twin that is told what the kernel is told, and never acts; None without one."""
        self._lane_of = {symbol: lane for lane, (symbol, _) in enumerate(plan.lanes)}
        self._smaller: set[str] = set()
        """Wishes that a validator made smaller: the rest of each will never act."""
        self._wishes: list[OrderIntent] = []
        self._waiting: dict[str, OrderIntent] = {}
        self.board = LaneBoard(self)
        hub.add_listener(self._on_market)
        hub.set_barrier(self._after_bar)

    async def run(self) -> HubState:
        """Trade until the feed ends; what a state had decided and not yet done is proposed first."""
        if self._wishes:
            await self._after_bar()
        return await self.hub.run()

    def go_on(self, market_ns: int) -> None:
        """Take up what the kernel's state had decided at its last close, at `market_ns`."""
        assert self.counts.bars == 0
        self.market_ns = market_ns
        for lane in range(len(self.plan.lanes)):
            self._wishes.extend(self.kernel.outstanding(lane))

    # --- from the market -------------------------------------------------------------------------

    def _on_market(self, event: MarketEvent) -> None:
        if isinstance(event, FeedEnd):
            return
        try:
            self._take(event)
        except STORAGE_FAILURES as error:
            self.fail(error)
            raise

    def _take(self, event: Quote | Bar | BarOpen) -> None:
        self.market_ns = _time_of(event)
        if isinstance(self.venue, EmbeddedVenue):
            self.venue.on_market(event)
        if isinstance(event, Bar):
            self._decide(event)
        memory = self.memory.get(event.symbol)
        if memory is not None:
            memory.take(event)
        if isinstance(event, Quote):
            self._mark(event.symbol, event.mid)
        elif isinstance(event, BarOpen):
            self._mark(event.symbol, event.price)
        else:
            self._mark(event.symbol, event.close)
            self.ledger.sample(event.close_ns)

    def _mark(self, symbol: str, price: float) -> None:
        self.ledger.mark(symbol, Decimal(repr(price)), self.market_ns)
        self._valued()

    def _valued(self) -> None:
        for watcher in self.on_value:
            watcher()

    def _decide(self, bar: Bar) -> None:
        """Let the kernel close the bar first: its wishes wait for `_after_bar`, when this bar has moved marks
        and limits, so that what they hold refuses in the same event (I27)."""
        self.counts.bars += 1
        lane = self._lane_of.get(bar.symbol)
        if lane is None:
            return
        self.board.heed()
        try:
            wishes = self.kernel.close(lane, bar.open_ns, bar.open, bar.high, bar.low, bar.close, bar.volume)
        except ValueError as error:
            self.counts.errors.append(str(error))
            self.core.note("bar_refused", "kernel", str(error), symbol=bar.symbol)
            return
        if wishes:
            self.board.decided(lane, bar.close_ns)
        self._wishes.extend(wishes)

    async def _after_bar(self) -> None:
        wishes, self._wishes = self._wishes, []
        try:
            for wish in wishes:
                await self._propose(wish)
        except STORAGE_FAILURES as error:
            self.fail(error)
            raise
        self.board.write()
        if self.shadow is not None:
            hear(self.core, self.plan.session_id, self.shadow)

    # --- from wish to order ----------------------------------------------------------------------

    async def _propose(self, wish: OrderIntent) -> None:
        self.counts.decisions += 1
        self.counts.intents += 1
        hooked = asked(self.core.hooks, self._intent(wish))
        intent = hooked.intent
        verdict, judgement = self._judged(intent)
        verdict = hooked.stricter(verdict)
        if hooked.is_smaller:
            self._smaller.add(wish.intent_id)
        mine, now_ns = self.plan.run_fingerprint, self.core.clock.now_ns()
        decided = Decision(intent, wish, verdict, judgement, hooked.context, mine, now_ns)
        chain_decision(self.core, decided)
        if not verdict.allowed:
            record_decision(self.core, decided)
            self._deny(intent, verdict, wish)
            return
        try:
            ticket = self._ticket(intent, wish, verdict)
            approved = None if self._needs_operator(intent) else self._approved_by_rule(ticket)
        except Refusal:
            record_decision(self.core, decided)
            raise
        self.counts.tickets += 1
        self._waiting[ticket.id] = wish
        if approved is not None:
            await self.execute(approved, decided)
            return
        record_decision(self.core, decided, ticket)
        text = f"{intent.side} {intent.quantity.normalize():f} {intent.symbol} waits for an operator"
        self.core.note("ticket", "eng", f"{ticket.id} {text}", ticket_id=ticket.id)

    def _ticket(self, intent: ExecutionIntent, wish: OrderIntent, verdict: Preflight) -> Ticket:
        return self.core.tickets.propose(
            self.core.ids.new("T"),
            intent,
            verdict,
            epoch=self.core.epoch,
            limits_epoch=self.core.limits.epoch,
            moment=self.core.moment(),
            ttl_ns=self.plan.ticket_ttl_ns,
            why=f"{intent.strategy_id}: {wish.reason} at {wish.decision_price:.8g}",
        )

    def _needs_operator(self, intent: ExecutionIntent) -> bool:
        """Entries of a supervised session wait for a person; exits reduce risk and never wait."""
        chosen = self.plan.supervised_strategies
        is_watched = not chosen or intent.strategy_id in chosen
        is_asked = self.core.is_money or (self.plan.is_supervised and is_watched)
        return is_asked and not intent.reduce_only

    def _intent(self, wish: OrderIntent) -> ExecutionIntent:
        return intent_of(
            wish,
            instrument=self.plan.instruments[wish.symbol],
            session_id=self.plan.session_id,
            strategy=self.plan.lanes[wish.lane][1],
            account=self.plan.account,
            config_fingerprint=self.core.config_fingerprint,
            mark_age_ms=0,
        )

    def judge(self, intent: ExecutionIntent) -> Preflight:
        """Run preflight with the facts of this moment. Pure in its inputs; called again at review."""
        return preflight(*self._snapshot(intent))

    def _judged(self, intent: ExecutionIntent) -> Judged:
        """Judge what is proposed, and return with the verdict what it was made from (I29)."""
        snapshot = self._snapshot(intent)
        verdict = preflight(*snapshot)
        return verdict, self._kept(snapshot, verdict.reasons, "proposal")

    def _snapshot(self, intent: ExecutionIntent) -> Snapshot:
        """Return everything that a verdict of this moment is made from."""
        instrument, policy = self.plan.instruments.get(intent.symbol), policy_for(self.policy, intent)
        return intent, account_facts(self, intent), policy, instrument

    def _kept(self, snapshot: Snapshot, reasons: tuple[str, ...], phase: str) -> Judgement:
        return judgement_rows(*snapshot, reasons, phase, self.core.clock.now_ns(), self.core.limits.epoch)

    @property
    def policy(self) -> ExecutionPolicy:
        """The bounds in force: the plan's allow-lists with the desk's limits of this epoch."""
        epoch = self.core.limits.epoch
        if self._policy[0] != epoch:
            self._policy = (epoch, changed(self.plan.policy, **bounds_of(self.core.settings.risk)))
        return self._policy[1]

    def mark_age_ms(self, symbol: str) -> int | None:
        """Return how old a mark is, in the session's own time; None before the first."""
        if self.plan.uses_market_time:
            held = self.ledger.holding(symbol)
            return (self.market_ns - held.mark_ns) // NS_PER_MS if held.mark_ns else None
        return self.hub.age_ms(symbol)

    def _deny(self, intent: ExecutionIntent, verdict: Preflight, wish: OrderIntent | None) -> None:
        self.counts.denied += 1
        for watcher in self.on_denied:
            watcher(intent, verdict)
        self.standing.refused(intent, verdict, wish)
        now_ns, mine = self.core.clock.now_ns(), self.plan.run_fingerprint
        row = intent_row(intent, intent.decision_id, mine, now_ns, "denied", verdict.reasons)
        self.core.store.orders.record_intent(row)
        if wish is not None:
            self.kernel.reject(wish.lane, wish.intent_id, verdict.reasons[0])

    def _approved_by_rule(self, ticket: Ticket) -> Ticket:
        """The stage's rule: what preflight allows is approved; the record names the rule."""
        rule = ApprovalRule.PAPER
        if self.core.mode is Mode.LIVE:
            is_sandbox = self.core.environment is Environment.SANDBOX
            rule = ApprovalRule.SANDBOX if is_sandbox else ApprovalRule.EXIT
        return self.core.tickets.approve_by_rule(
            ticket.id, rule, epoch=self.core.epoch, moment=self.core.moment()
        )

    async def execute(self, ticket: Ticket, decided: Decision | None = None) -> ManagedOrder | None:
        """Send an approved ticket. Preflight runs once more; what it refuses now is withdrawn.

        `decided` is the decision that is not on the database's record yet: it goes into the same commit.
        """
        assert ticket.state is TicketState.APPROVED
        try:
            return await self._send(ticket, decided)
        except STORAGE_FAILURES as error:
            self.fail(error)
            raise

    async def _send(self, ticket: Ticket, decided: Decision | None) -> ManagedOrder | None:
        wish = self._waiting.pop(ticket.id, None)  # None: an order by hand
        snapshot = self._snapshot(ticket.intent)
        reasons = refusals(*snapshot)
        judgement = self._kept(snapshot, reasons, "send")
        if not may_go(reasons, ticket):
            said = ", ".join(reasons)
            after = self.core.tickets.advance(ticket.id, TicketEvent.REJECT, reason=said)
            with self.core.store.transaction():
                record_sending(self.core, judgement, decided)
                self.core.store.tickets.save_ticket(ticket_row(after, "eng", self.core.clock.now_ns()))
            self._deny(ticket.intent, preflight(*snapshot), wish)
            return None
        self.counts.approvals += 1
        intent = ticket.intent
        if not intent.reduce_only:
            self.stated_stops[intent.symbol] = intent.stop_loss
        self.counts.orders += 1
        lane = self.lane_of(intent.symbol) if wish is None else wish.lane

        def approved() -> None:
            record_sending(self.core, judgement, decided)
            self.core.store.tickets.save_ticket(ticket_row(ticket))

        request = request_of(intent, self.core.ids.new("O"))
        return await self.orders.send(ticket, request, lane, along=approved)

    def fail(self, error: Exception) -> None:
        """The record of this session cannot be kept: halt, and end it as failed."""
        self.counts.errors.append(str(error))
        if not self.failure:
            self.failure = f"{type(error).__name__}: {error}"
            self.failure_code = reason_code(error)
        self.core.halt(error, self.plan.session_id)
        self.stop_feed()

    # --- from operator and clock -----------------------------------------------------------------

    def refuse(self, ticket: Ticket, code: str) -> None:
        """A ticket was rejected or expired: the kernel may wish again at its next signal."""
        wish = self._waiting.pop(ticket.id, None)
        if wish is not None:
            self.kernel.reject(wish.lane, wish.intent_id, code)

    def lane_of(self, symbol: str) -> int:
        """Return the kernel lane that trades a symbol."""
        return self._lane_of[symbol]

    @property
    def hub_name(self) -> str:
        return self.plan.feed_name

    # --- from the venue --------------------------------------------------------------------------

    def _on_fill(self, order: ManagedOrder, fill: Fill) -> None:
        self.counts.fills += 1
        self.ledger.book(fill, self.market_ns)
        self._valued()
        for watcher in self.on_fill:
            watcher(order, fill)
        side = fill.side.sign
        units = int(fill.quantity * 1_000_000)
        at_ns = self.market_ns or fill.at_ns
        self.kernel.fill(order.lane, order.intent_id, units, float(fill.price), float(fill.fee), at_ns, side)
        self.board.write()

    def _on_end(self, order: ManagedOrder) -> None:
        """An order ended without (all of) its fill: tell the kernel that the rest will never act."""
        if order.status is OrderStatus.FILLED and order.intent_id not in self._smaller:
            return
        try:
            self.kernel.reject(order.lane, order.intent_id, order.reason)
        except KeyError:
            self.core.events.add("late_end", "eng", f"{order.order_id} ended: {order.reason}")

    async def cancel_all(self) -> tuple[int, int]:
        """Cancel every order of this session that may be alive; return (asked, confirmed)."""
        mine = [order for order in self.orders.alive() if order.session_id == self.plan.session_id]
        return await self.orders.cancel_each(mine)


def _no_offset() -> float | None:
    return None


def _time_of(event: Quote | Bar | BarOpen) -> int:
    if isinstance(event, Quote):
        return event.at_ns
    return event.close_ns if isinstance(event, Bar) else event.open_ns
