"""Our own sandbox exchange behind its link, as the suite needs it."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from functools import partial

from seams.clock import NS_PER_S
from seams.virtual import VirtualLoop
from seams.wire import FrameHandler, Lost, MayLeave, StateHandler, Unsent, always
from tests.conformance.rig import ASK, BID, CASH_USD, Call, Halt, Rig, Terms, Truth, Who
from venues.bars import QuoteBars
from venues.contract import LiveVenue
from venues.keyfile import KeyFile
from venues.sandbox import messages as m
from venues.sandbox.exchange import Exchange
from venues.sandbox.link import EXCHANGE_NAME, ExchangeLink
from venues.sandbox.programs import HTML, NOT_APPLIED, Fault, Program, Strike
from venues.sandbox.pushes import PushFault, PushProgram, PushStrike
from venues.sandbox.venue import SandboxVenue
from venues.types import Instrument, OrderRequest, OrderType, Quote, Side, TimeInForce

SYMBOL, OTHER = "BTC-PERP", "ETH-PERP"
REOPEN_S = 0.2
BODIES = {
    Strike.HTML: HTML,
    Strike.STATUS: HTML,
    Strike.STATUS_WITHOUT_APPLY: HTML,
    Strike.REDIRECT: HTML,
    Strike.NULL: b"null",
    Strike.EMPTY: b"",
}


def _instrument(symbol: str) -> Instrument:
    return Instrument(
        symbol=symbol,
        venue="sandbox",
        tick=Decimal("0.5"),
        lot=Decimal("0.001"),
        min_notional_usd=Decimal(10),
        maker_fee_bps=Decimal("1.5"),
        taker_fee_bps=Decimal("4.5"),
    )


class ExchangeWire:
    """A `Wire` to the exchange in this process; requests and pushes meet the rig's fault programs."""

    def __init__(self, rig: ExchangeRig, exchange: Exchange) -> None:
        self._rig, self.exchange = rig, exchange
        self._on_frame: FrameHandler | None = None
        self._on_state: StateHandler | None = None
        self._opening: asyncio.Task[None] | None = None

    def start(self, on_frame: FrameHandler, on_state: StateHandler) -> None:
        self._on_frame, self._on_state = on_frame, on_state
        self._rig.wires.append(self)
        self._open()

    def push(self, frame: bytes) -> None:
        assert self._on_frame is not None
        self._on_frame(frame)

    def drop(self) -> None:
        """The stream ends, and is opened again."""
        assert self._on_state is not None
        self._rig.wires.remove(self)
        self._on_state(False)

        async def reopen() -> None:
            await self._rig.clock.sleep(REOPEN_S)
            self._rig.wires.append(self)
            self._open()

        self._opening = asyncio.get_running_loop().create_task(reopen())

    async def call(self, body: bytes, timeout_s: float, may_leave: MayLeave = always) -> bytes:
        await self._rig.clock.sleep(0)
        if self._rig.is_cut:
            raise Unsent("the wire is cut")
        if not may_leave():
            raise Unsent("the gate closed before the first byte")
        self._rig.left.append(body)
        return await self._rig.answer(self.exchange, body, timeout_s)

    async def close(self) -> None:
        if self in self._rig.wires:
            self._rig.wires.remove(self)

    def _open(self) -> None:
        assert self._on_state is not None
        self._on_state(True)


class ExchangeRig(Rig):
    """`Exchange` and `ExchangeLink`."""

    calls = {
        Call.SUBMIT: "place",
        Call.CANCEL: "cancel",
        Call.FENCE: "noop",
        Call.TIME: "ask_time",
        Call.QUERY: "look",
        Call.OPEN: "list_open",
        Call.FILLS: "list_fills",
        Call.ACCOUNT: "ask_account",
    }
    terms = Terms(
        symbol=SYMBOL,
        other=OTHER,
        lot=Decimal("0.001"),
        too_small=Decimal("0"),
        codes={
            "unfunded": "insufficient_margin",
            "too_small": "bad_quantity",
            "post_only": "post_only_would_cross",
            "nothing_to_reduce": "reduce_only_nothing",
            "ended": "already_ended",
            "halted": "market_closed",
            "unlisted": "brand_new",
            "powerless": "not_permitted",
        },
        secret="engine secret",
        account="a",
    )

    def __init__(self, loop: VirtualLoop, *, is_limited: bool) -> None:
        super().__init__(loop, is_limited=is_limited)
        self.instruments = (_instrument(SYMBOL), _instrument(OTHER))
        self.venue = self._venue("a")
        self.exchange = self._exchange(self.venue)
        self.program, self.pushes = Program(), PushProgram()
        self.left: list[bytes] = []
        self.wires: list[ExchangeWire] = []
        self.is_cut = self.is_down = self.is_garbled = False
        self.bars = QuoteBars(NS_PER_S, self.exchange.on_market)
        self.bystander = self._exchange(self._venue("b"))
        for exchange in (self.exchange, self.bystander):
            exchange.listeners.append(partial(self._pushed, exchange))
        self._last = (BID, ASK)
        self.quote()

    def _venue(self, account: str) -> SandboxVenue:
        return SandboxVenue(
            self.venue_clock,
            starting_cash_usd=CASH_USD,
            fill_at="next_quote",
            price_grid="tick",
            slippage_bps=0.0,
            instruments=self.instruments,
            account_id=account,
        )

    def _exchange(self, venue: SandboxVenue) -> Exchange:
        keys = {"engine": (b"engine secret", True), "watchdog": (b"dog", False), "other": (b"other", True)}
        return Exchange(self.venue_clock, venue, keys, lag_ns=0)

    def adapter(self, who: Who) -> LiveVenue:
        named = {Who.POWERLESS: ("watchdog", "dog"), Who.FORGED: ("engine", "guess")}
        named[Who.BYSTANDER] = ("other", "other")
        key, secret = named.get(who, ("engine", "engine secret"))
        vault = "sub" if who is Who.SUB else ""
        file = KeyFile(venue=EXCHANGE_NAME, account="a", key=key, secret=secret, vault=vault)
        exchange = self.bystander if who is Who.BYSTANDER else self.exchange
        return ExchangeLink.of_key(ExchangeWire(self, exchange), file, self.instruments)

    # --- the wire -------------------------------------------------------------------------------------

    async def answer(self, exchange: Exchange, body: bytes, timeout_s: float) -> bytes:
        """Answer one request, or do with it what the fault program says."""
        kind, now_ns = _kind_of(body), self.venue_clock.now_ns()
        if self.is_down:
            return m.ENCODER.encode(m.Refusal(code="unavailable", message="maintenance", at_ns=now_ns))
        fault = self.program.next(kind)
        if fault is None:
            return await exchange.handle(body)
        if fault.strike is Strike.DELAY_BEFORE:
            await self._late(exchange, body, fault.value)
            if fault.value >= timeout_s:
                raise Lost("no answer in time")
        said = b"" if fault.strike in NOT_APPLIED else await exchange.handle(body)
        if fault.strike in (Strike.APPLY_THEN_DROP, Strike.DROP_WITHOUT_APPLY, Strike.CUT):
            raise Lost("the connection broke")
        if fault.strike in (Strike.SILENCE, Strike.DRIP, Strike.DELAY_AFTER):
            await self.clock.sleep(timeout_s)
            raise Lost("no answer in time")
        if fault.strike in (Strike.SAY, Strike.APPLY_THEN_SAY):
            return fault.text.encode()
        return BODIES.get(fault.strike, said[: len(said) // 2])

    async def _late(self, exchange: Exchange, body: bytes, pause_s: float) -> None:
        """Let what has left arrive after a pause, whether or not its sender still waits."""

        async def arrive() -> None:
            await self.clock.sleep(pause_s)
            await exchange.handle(body)

        self.arriving = asyncio.get_running_loop().create_task(arrive())
        await self.clock.sleep(5.0)

    def _pushed(self, exchange: Exchange, frame: bytes) -> None:
        is_own = frame.startswith(b'{"type":"order"')
        if not is_own and self.is_garbled:
            self.is_garbled, frame = False, b'{"type":"market","kind":'
        now_ms = self.clock.now_ns() // 1_000_000
        for said in self.pushes.carried("order" if is_own else "market", frame, now_ms):
            for wire in [each for each in self.wires if each.exchange is exchange]:
                wire.push(said)

    # --- what the suite may do ------------------------------------------------------------------------

    def quote(self, bid: float = BID, ask: float = ASK) -> None:
        self._last = (bid, ask)
        self.bars.quote(Quote(symbol=SYMBOL, at_ns=self.venue_clock.now_ns(), bid=bid, ask=ask))

    async def settle(self) -> None:
        await self.clock.sleep(0.02)
        self.quote(*self._last)  # the exchange matches at its next quote
        await self.clock.sleep(0.03)

    def hit(self, side: Side, price: Decimal, quantity: Decimal) -> None:
        before, whole = self._last, self.venue.part_of
        self.venue.part_of = lambda possible, lot: min(possible, quantity)
        if side is Side.BUY:
            self.quote(float(price) - 10, float(price))
        else:
            self.quote(float(price), float(price) + 10)
        self.venue.part_of = whole
        self.quote(*before)

    def shallow(self, quantity: Decimal) -> None:
        self.venue.part_of = lambda possible, lot: min(possible, quantity)

    def strike(self, call: Call, strike: Strike, *, nth: int = 1, value: float = 0.0, text: str = "") -> None:
        self.program.add(Fault(nth=nth, on=self.calls[call], strike=strike, value=value, text=text))

    def push(self, strike: PushStrike, *, nth: int = 1) -> None:
        self.pushes.add(PushFault(nth=nth, on="order", strike=strike))

    def garble(self) -> None:
        self.is_garbled = True

    def cut(self, is_cut: bool) -> None:
        self.is_cut = is_cut

    def break_streams(self) -> None:
        for wire in list(self.wires):
            wire.drop()

    def halt(self, what: Halt) -> None:
        self.is_down = what is Halt.VENUE

        def refuses(order: OrderRequest) -> str:
            return "market_closed" if what is Halt.MARKET else ""

        self.exchange.refuses = refuses

    def lag(self, seconds: float) -> None:
        self.exchange.lag_ns = round(seconds * NS_PER_S)

    def refusal(self, text: str) -> str:
        return m.ENCODER.encode(m.Refusal(code="brand_new", message=text, at_ns=1)).decode()

    def hollow(self) -> str:
        return m.ENCODER.encode(m.OpenList(orders=(), at_ns=1)).decode()

    def sent(self) -> list[bytes]:
        return [body for body in self.left if _kind_of(body) == "place"]

    def truths(self, name: str) -> list[Truth]:
        entry = self.venue.journal.get(name)
        if entry is None or entry.refused_code:
            return []
        asked = entry.request
        is_live = any(each.request.client_order_id == name for each in self.venue.working())
        return [Truth(asked.side, asked.quantity, asked.limit_price, entry.filled, is_live)]

    def live(self) -> int:
        return len(self.venue.working())

    def held(self) -> Decimal:
        holding = self.venue._account.holdings.get(SYMBOL)
        return Decimal(0) if holding is None else holding.quantity

    def foreign(self, price: Decimal = Decimal(58_000)) -> None:
        body = m.Place(
            nonce=self.venue_clock.now_ns() // 1_000_000 - len(self.left) - 1,
            valid_until_ns=0,
            order=OrderRequest(
                client_order_id="hand-1",
                symbol=SYMBOL,
                side=Side.BUY,
                quantity=Decimal("0.02"),
                order_type=OrderType.LIMIT,
                limit_price=price,
                time_in_force=TimeInForce.GTC,
                reduce_only=False,
                mark_price=Decimal(60_000),
            ),
        )
        work = self.exchange.handle(m.seal("other", b"other", body))
        try:
            work.send(None)
        except StopIteration:
            return
        raise AssertionError("the exchange answers at once")

    def seize(self) -> None:
        self.venue.move_position(SYMBOL, -self.held())


def _kind_of(body: bytes) -> str:
    return next((word for word in KINDS if f'"type":"{word}"'.encode() in body), "")


KINDS = (*ExchangeRig.calls.values(), "cancel_all")
