"""A simulated exchange: one account, market and limit orders, scripted faults.

It behaves as a venue does: it acknowledges, refuses with codes, fills at a later price event, and
answers a repeated `client_order_id` with the first outcome instead of executing again (I1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import msgspec

from seams.clock import Clock
from venues.contract import Capabilities, OrderListener, OutcomeUnknown, Refused, Retryable
from venues.sandbox.account import Account
from venues.sandbox.admission import judge
from venues.sandbox.journal import STATE_VERSION, JournalEntry, SandboxState, as_venue_order, changed
from venues.sandbox.matching import FillAt, Matching, PriceGrid, bounded, is_through
from venues.sandbox.odds import CERTAIN, Odds
from venues.sandbox.scenarios import DEFAULT_SYMBOLS, VENUE_NAME, SymbolSpec, instrument_of
from venues.sandbox.script import Fault, FaultKind, FaultScript
from venues.types import (
    TERMINAL,
    Accepted,
    AccountSnapshot,
    Bar,
    BarOpen,
    Cancelled,
    FeedEnd,
    Fill,
    Instrument,
    MarketEvent,
    OrderEvent,
    OrderRequest,
    OrderStatus,
    OrderType,
    Quote,
    Side,
    TimeInForce,
    VenueOrder,
)

MAX_ORDERS = 1_000_000


class SandboxVenue:
    """The matching and the books of one account over simulated prices, told through `on_market`.

    `venues.sandbox.embedded` is its adapter inside an engine, `venues.sandbox.exchange` its outside
    process with a wire.

    `fill_at="next_open"`: a market order fills at the next `BarOpen` of its symbol at
    `price * (1 + side * slippage_bps * 1e-4)`, by the back-test's own code;
    `price_grid="tick"` then rounds it to the tick against us.
    `fill_at="next_quote"`: at the next `Quote`'s far side plus slippage, rounded to the tick against us.
    A market order's `limit_price` above 0 bounds its price; beyond the bound it is cancelled (IOC).
    A limit order fills at its limit when the market trades through it. `odds` says how long an order is on
    its way and in how many parts it executes; unless told, it acts at the next event, whole. What is left
    of it stays at work. Stamps are the venue's clock, not market time.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        starting_cash_usd: Decimal = Decimal(100_000),
        fill_at: FillAt | str = FillAt.NEXT_OPEN,
        price_grid: PriceGrid | str = PriceGrid.EXACT,
        slippage_bps: float = 2.0,
        maker_fee_bps: Decimal = Decimal("1.5"),
        taker_fee_bps: Decimal = Decimal("4.5"),
        max_leverage: Decimal = Decimal(10),
        symbols: Sequence[SymbolSpec] = DEFAULT_SYMBOLS,
        instruments: Sequence[Instrument] | None = None,
        account_id: str = "sandbox-1",
        odds: Odds = CERTAIN,
    ) -> None:
        assert slippage_bps >= 0 and max_leverage > 0
        made = [instrument_of(spec, maker_fee_bps, taker_fee_bps) for spec in symbols]
        self._instruments = {each.symbol: each for each in (made if instruments is None else instruments)}
        self._clock = clock
        self._matching = Matching(
            fill_at=FillAt(fill_at), slippage_bps=slippage_bps, price_grid=PriceGrid(price_grid)
        )
        self._max_leverage, self.account_id, self._odds = max_leverage, account_id, odds
        self._account = Account(starting_cash_usd)
        self._listener: OrderListener | None = None
        self._marks: dict[str, float] = {}
        self._market_ns = 0
        self._fills: list[Fill] = []
        self._working: dict[str, None] = {}
        self.journal: dict[str, JournalEntry] = {}
        self.faults = FaultScript()
        self.part_of: Callable[[Decimal, Decimal], Decimal] = lambda quantity, lot: quantity
        """How much of a quantity (in whole lots) executes at one price event; all of it unless told."""

    @property
    def name(self) -> str:
        return VENUE_NAME

    def capabilities(self) -> Capabilities:
        return Capabilities(
            venue=VENUE_NAME,
            has_reduce_only=True,
            has_native_stop=False,
            has_dead_man_switch=False,
            has_test_order=False,
            has_fence=True,
            outlives_engine=False,
        )

    def instruments(self) -> Sequence[Instrument]:
        return tuple(self._instruments.values())

    def on_order_event(self, listener: OrderListener) -> None:
        self._listener = listener

    def script(self, fault: Fault) -> None:
        """Let the nth new order (1-based, counted over the venue's life) meet a fault."""
        self.faults.add(fault)

    async def submit(self, request: OrderRequest) -> None:
        """Take one order; see `VenueAdapter.submit`. A refusal is raised, and is not also an event."""
        known = self.journal.get(request.client_order_id)
        if known is not None:
            self._answer_again(known, request)
            return
        fault = self.faults.next() or self._odds.mishap(self.faults.attempts)
        kind = None if fault is None else fault.kind
        if kind is FaultKind.RETRYABLE:
            raise Retryable("scripted: connection refused before anything was sent")
        if kind is FaultKind.DROP_WITHOUT_APPLY:
            raise OutcomeUnknown("simulated: no answer (the order did not arrive)")
        refusal = self._refusal_of(request)
        if fault is not None and kind is FaultKind.REJECT:
            refusal = Refused(fault.code, "simulated refusal")
        self._receive(request, refusal)
        if kind is FaultKind.APPLY_THEN_DROP:
            raise OutcomeUnknown("simulated: no answer (the order arrived)")
        if refusal is not None:
            raise refusal
        self._acknowledge(self.journal[request.client_order_id])

    async def cancel(self, client_order_id: str) -> None:
        """Cancel what rests; Refused `unknown_order` or `already_ended` otherwise."""
        entry = self.journal.get(client_order_id)
        if entry is None:
            raise Refused("unknown_order", client_order_id)
        if entry.status in TERMINAL:
            raise Refused("already_ended", f"{client_order_id} is {entry.status}")
        self._end(client_order_id, OrderStatus.CANCELLED, "requested", self._clock.now_ns())

    async def query(self, client_order_id: str) -> VenueOrder | None:
        entry = self.journal.get(client_order_id)
        return None if entry is None else as_venue_order(entry)

    async def open_orders(self) -> Sequence[VenueOrder]:
        return tuple(as_venue_order(self.journal[oid]) for oid in self._working)

    async def fills_since(self, since_ns: int) -> Sequence[Fill]:
        return tuple(fill for fill in self._fills if fill.at_ns >= since_ns)

    def all_fills(self) -> Sequence[Fill]:
        """Return every execution, oldest first."""
        return self._fills

    def working(self) -> Sequence[JournalEntry]:
        """Return every order that may still act."""
        return [self.journal[oid] for oid in self._working]

    def mark(self, symbol: str) -> Decimal:
        """Return the last price of a symbol, 0 before the first."""
        return Decimal(repr(self._marks.get(symbol, 0.0)))

    def fills_of(self, client_order_id: str) -> list[Fill]:
        """Return one order's executions, oldest first."""
        return [fill for fill in self._fills if fill.client_order_id == client_order_id]

    async def account(self) -> AccountSnapshot:
        return self._account.snapshot(self.account_id, self._marks, self._clock.now_ns())

    def move_cash(self, amount_usd: Decimal) -> None:
        """Book a deposit (above 0), or a withdrawal or funding payment (below)."""
        self._account.move_cash(amount_usd)

    def move_position(self, symbol: str, quantity: Decimal) -> None:
        """Book a signed quantity that comes without a trade (a transfer, a liquidation), at the mark; no
        list of fills shows it."""
        moved = Fill(
            fill_id=f"MOVED-{self._clock.now_ns()}-{symbol}",
            client_order_id="",
            symbol=symbol,
            side=Side.BUY if quantity > 0 else Side.SELL,
            quantity=abs(quantity),
            price=self.mark(symbol),
            fee=Decimal(0),
            is_maker=False,
            at_ns=self._clock.now_ns(),
        )
        self._account.apply(moved)

    async def close(self) -> None:
        """Nothing to give back."""

    def now_ns(self) -> int:
        """Return the venue's clock."""
        return self._clock.now_ns()

    def on_market(self, event: MarketEvent) -> None:
        """Take one market event: mark positions, then match what works, oldest order first."""
        if isinstance(event, FeedEnd):
            return
        self._marks[event.symbol] = _mark_of(event)
        self._market_ns = max(self._market_ns, _time_of(event))
        for oid in tuple(self._working):
            if oid in self._working and self.journal[oid].request.symbol == event.symbol:
                self._match(self.journal[oid], event)

    def export_state(self) -> dict[str, object]:
        """Return the whole venue as JSON-able built-ins."""
        state = SandboxState(
            version=STATE_VERSION,
            account=self._account.state(),
            journal=tuple(self.journal.values()),
            fills=tuple(self._fills),
            marks=dict(self._marks),
            market_ns=self._market_ns,
            attempts=self.faults.attempts,
        )
        built: dict[str, object] = msgspec.to_builtins(state)
        return built

    def import_state(self, state: Mapping[str, object]) -> None:
        """Become what `export_state` described. Raises `ValueError` on anything else, changing nothing."""
        try:
            read = msgspec.convert(dict(state), SandboxState)
        except msgspec.ValidationError as error:
            raise ValueError(f"not a sandbox state: {error}") from error
        if read.version != STATE_VERSION:
            raise ValueError(f"sandbox state version {read.version}, expected {STATE_VERSION}")
        self._account = Account.from_state(read.account)
        self.journal = {entry.request.client_order_id: entry for entry in read.journal}
        self._working = {oid: None for oid, entry in self.journal.items() if entry.status not in TERMINAL}
        self._fills, self._marks, self._market_ns = list(read.fills), dict(read.marks), read.market_ns
        self.faults.attempts = read.attempts

    def _answer_again(self, known: JournalEntry, request: OrderRequest) -> None:
        """Give a repeat its first outcome; refuse another order under the same id."""
        if known.request != request:
            raise Refused("duplicate_client_order_id", "this id already names a different order")
        self.journal[request.client_order_id] = changed(known, received=known.received + 1)
        if known.refused_code:
            raise Refused(known.refused_code, known.refused_message)
        self._acknowledge(known)

    def _refusal_of(self, request: OrderRequest) -> Refused | None:
        if len(self.journal) >= MAX_ORDERS:
            return Refused("venue_full", f"at most {MAX_ORDERS} orders")
        instrument = self._instruments.get(request.symbol)
        return judge(request, instrument, self._account, self._marks, self._max_leverage)

    def _receive(self, request: OrderRequest, refusal: Refused | None) -> None:
        """Write an order down, working or refused."""
        number = f"SBX-{len(self.journal) + 1:06d}"
        latency_ns = self._odds.latency_ns(number)
        entry = JournalEntry(
            request=request,
            venue_order_id=number,
            status=OrderStatus.OPEN if refusal is None else OrderStatus.REJECTED,
            filled=Decimal(0),
            received=1,
            accepted_ns=self._clock.now_ns(),
            placed_ns=self._market_ns,
            acts_ns=self._market_ns + latency_ns if latency_ns else 0,
            refused_code="" if refusal is None else refusal.code,
            refused_message="" if refusal is None else refusal.message,
        )
        self.journal[request.client_order_id] = entry
        if refusal is None:
            self._working[request.client_order_id] = None

    def _acknowledge(self, entry: JournalEntry) -> None:
        oid = entry.request.client_order_id
        self._tell(
            Accepted(client_order_id=oid, venue_order_id=entry.venue_order_id, at_ns=entry.accepted_ns)
        )

    def _match(self, entry: JournalEntry, event: Bar | BarOpen | Quote) -> None:
        """Fill, end or leave one working order at one price event of its symbol."""
        request, instrument = entry.request, self._instruments[entry.request.symbol]
        if _time_of(event) < entry.acts_ns:
            return  # still on its way
        is_market = request.order_type is OrderType.MARKET
        if is_market:
            bps = self._odds.slippage_bps(entry.venue_order_id, entry.parts, self._matching.slippage_bps)
            price = self._matching.market_price(request.side, event, instrument.tick, bps)
        else:
            there_ns = max(entry.placed_ns, entry.acts_ns)
            price = request.limit_price if is_through(request, event, there_ns) else None
        at_ns = self._clock.now_ns()
        if price is None:
            if not is_market and request.time_in_force is TimeInForce.IOC:
                self._end(request.client_order_id, OrderStatus.CANCELLED, "ioc_unfilled", at_ns)
        elif is_market and not bounded(request, price):
            self._end(request.client_order_id, OrderStatus.CANCELLED, "price_bound", at_ns)
        else:
            self._fill(entry, instrument, price, at_ns)

    def _fill(self, entry: JournalEntry, instrument: Instrument, price: Decimal, at_ns: int) -> None:
        """Execute what may be executed; the rest of a reduce-only order is cancelled."""
        request, oid = entry.request, entry.request.client_order_id
        possible = request.quantity - entry.filled
        if request.reduce_only:
            possible = min(possible, self._account.reducible(request.symbol, request.side))
        quantity = possible
        if not entry.parts:
            part = self._odds.first_part(entry.venue_order_id, request.quantity, instrument.lot)
            quantity = min(possible, part)
        quantity = self.part_of(quantity, instrument.lot) if possible > 0 else possible
        assert 0 <= quantity <= possible
        if quantity > 0:
            is_maker = request.order_type is OrderType.LIMIT and request.time_in_force is not TimeInForce.IOC
            fee_bps = instrument.maker_fee_bps if is_maker else instrument.taker_fee_bps
            fill = Fill(
                fill_id=f"SBXF-{len(self._fills) + 1:07d}",
                client_order_id=oid,
                symbol=request.symbol,
                side=request.side,
                quantity=quantity,
                price=price,
                fee=Matching.fee(quantity, price, fee_bps),
                is_maker=is_maker,
                at_ns=at_ns,
            )
            self._account.apply(fill)
            self._fills.append(fill)
            filled = entry.filled + quantity
            status = OrderStatus.FILLED if filled == request.quantity else OrderStatus.PARTIAL
            self.journal[oid] = changed(entry, filled=filled, status=status, parts=entry.parts + 1)
            if status is OrderStatus.FILLED:
                del self._working[oid]
            self._tell(fill)
        is_ioc = request.order_type is OrderType.LIMIT and request.time_in_force is TimeInForce.IOC
        if oid in self._working and (quantity == possible or is_ioc):
            reason = "reduce_only" if quantity == possible else "ioc_unfilled"
            self._end(oid, OrderStatus.CANCELLED, reason, at_ns)

    def _end(self, oid: str, status: OrderStatus, reason: str, at_ns: int) -> None:
        assert status in TERMINAL
        self.journal[oid] = changed(self.journal[oid], status=status)
        self._working.pop(oid, None)
        filled = self.journal[oid].filled
        self._tell(Cancelled(client_order_id=oid, reason=reason, at_ns=at_ns, filled=filled))

    def _tell(self, event: OrderEvent) -> None:
        if self._listener is not None:
            self._listener(event)


def _mark_of(event: Bar | BarOpen | Quote) -> float:
    if isinstance(event, Quote):
        return event.mid
    return event.price if isinstance(event, BarOpen) else event.close


def _time_of(event: Bar | BarOpen | Quote) -> int:
    if isinstance(event, Quote):
        return event.at_ns
    return event.open_ns if isinstance(event, BarOpen) else event.close_ns


__all__ = ["Fault", "FaultKind", "FillAt", "JournalEntry", "PriceGrid", "SandboxState", "SandboxVenue"]
