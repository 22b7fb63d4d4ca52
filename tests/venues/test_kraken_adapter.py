"""The Kraken adapter on the loopback Kraken: every outcome is classed, the stream heals, books are proved."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from seams.clock import NS_PER_MS, NS_PER_S
from seams.virtual import VirtualClock, VirtualLoop, run_virtual
from tests.venues.kraken_desk import SECRET, Desk
from venues.contract import AlreadySeen, Busy, OutcomeUnknown, Refused, Signed
from venues.keyfile import KeyFile
from venues.kraken.adapter import KrakenAdapter
from venues.kraken.client import Tier
from venues.sandbox.inprocess import PeerCaller, PeerLink
from venues.sandbox.programs import Fault, Strike
from venues.sandbox.pushes import PushFault, PushStrike
from venues.types import (
    Accepted,
    Bar,
    BarOpen,
    Fill,
    MarketEvent,
    OrderEvent,
    OrderRequest,
    OrderType,
    Quote,
    Side,
    TimeInForce,
)

KEY = KeyFile(venue="kraken", account="trader", key="K", secret=SECRET, ask_key="ASK", ask_secret=SECRET)


class Rig:
    """An adapter and its venue in one virtual world."""

    def __init__(self, loop: VirtualLoop, **options: Any) -> None:
        self.clock = VirtualClock(loop)
        self.desk = Desk(self.clock, **options)
        self.wire = PeerCaller(self.desk.exchange, self.clock)
        self.own = PeerLink(self.desk.exchange, "auth", "/v2", self.clock)
        self.public = PeerLink(self.desk.exchange, "public", "/v2", self.clock)
        self.adapter = KrakenAdapter(
            self.wire,
            "loopback",
            self.own,
            self.public,
            KEY,
            self.clock,
            bar_ns=NS_PER_S,
            tier=Tier(most=1e6),
        )
        self.events: list[OrderEvent] = []
        self.states: list[bool] = []
        self.market: list[MarketEvent] = []
        self.adapter.on_order_event(self.events.append)
        self.adapter.on_link(self.states.append)
        self.adapter.on_market(self.market.append)
        self._nonce = 0

    async def up(self) -> Rig:
        self.adapter.start()
        await self.clock.sleep(0.1)
        assert self.states == [True]
        return self

    def sign(self, **changes: Any) -> Signed:
        given: dict[str, Any] = {
            "client_order_id": f"O-1-{len(self.desk.exchange.log):04d}",
            "symbol": "BTC-USD",
            "side": Side.BUY,
            "quantity": Decimal("0.01"),
            "order_type": OrderType.LIMIT,
            "limit_price": Decimal(59_000),
            "time_in_force": TimeInForce.GTC,
            "reduce_only": False,
            "mark_price": Decimal(60_000),
        }
        self._nonce = max(self._nonce + 1, self.clock.now_ns() // NS_PER_MS)
        return self.adapter.sign(
            OrderRequest(**given | changes), self._nonce, self.clock.now_ns() + 10 * NS_PER_S
        )

    async def place(self, **changes: Any) -> Signed:
        signed = self.sign(**changes)
        await self.adapter.submit(signed)
        await self.clock.sleep(0.01)
        return signed

    def of(self, kind: type[OrderEvent], name: str) -> list[Any]:
        return [e for e in self.events if isinstance(e, kind) and e.client_order_id == name]


def virtual(test: Callable[[Rig], Awaitable[None]]) -> None:
    """Run one test in a world of its own, connected; the adapter closes cleanly at its end."""
    loop = VirtualLoop()

    async def main() -> None:
        rig = await Rig(loop).up()
        await test(rig)
        await rig.adapter.close()

    run_virtual(main(), loop)


def test_a_market_order_with_a_bound_goes_out_as_limit_ioc() -> None:
    async def life(rig: Rig) -> None:
        await rig.place(order_type=OrderType.MARKET, limit_price=Decimal("60000.17"), quantity=Decimal(1))
        body = rig.desk.exchange.log[-1][2].decode()
        assert "ordertype=limit&" in body and "price=60000.1&timeinforce=IOC" in body
        assert "deadline=" in body and "oflags=fciq" in body

    virtual(life)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"side": Side.SELL}, "spot_no_short"),
        ({"reduce_only": True}, "spot_no_short"),
        ({"quantity": Decimal("0.00004")}, "min_quantity"),
        ({"quantity": Decimal("0.0001"), "limit_price": Decimal(1_000)}, "min_notional"),
        ({"client_order_id": "O" * 19}, "bad_client_order_id"),
    ],
)
def test_what_must_not_leave_is_refused_here_and_no_byte_leaves(changes: dict[str, Any], code: str) -> None:
    async def life(rig: Rig) -> None:
        before = len(rig.desk.exchange.log)
        with pytest.raises(Refused) as refused:
            await rig.place(**changes)
        assert refused.value.code == code and len(rig.desk.exchange.log) == before

    virtual(life)


SAID = '{"error":["%s"]}'
DOUBTFUL = [
    (Strike.SAY, SAID % "EService:Unavailable", False),
    (Strike.APPLY_THEN_SAY, SAID % "EService:Busy", True),
    (Strike.SAY, SAID % "EService:Deadline elapsed", False),
    (Strike.APPLY_THEN_SAY, SAID % "EGeneral:Internal error", True),
    (Strike.SAY, SAID % "EBrandNew:Never heard of", False),
    (Strike.APPLY_THEN_SAY, '{"error":[]}', True),
    (Strike.APPLY_THEN_SAY, '{"result":{"txid":["O"]}}', True),
]
"""What only this venue says; how else an answer is lost, the conformance suite asks of all."""


@pytest.mark.parametrize(("strike", "text", "is_there"), DOUBTFUL, ids=range(len(DOUBTFUL)))
def test_a_doubtful_answer_is_unknown_whether_it_was_applied_or_not(
    strike: Strike, text: str, is_there: bool
) -> None:
    async def life(rig: Rig) -> None:
        rig.desk.exchange.script(Fault(nth=1, on="AddOrder", strike=strike, text=text))
        signed = rig.sign()
        with pytest.raises(OutcomeUnknown):
            await rig.adapter.submit(signed)
        await rig.clock.sleep(4.0)
        found = await rig.adapter.query(signed.client_order_id)
        assert (found is not None) is is_there
        assert sum(name == "AddOrder" for _, name, _ in rig.desk.exchange.log) == 1, "it was sent once"

    virtual(life)


def test_a_refused_nonce_proves_nothing_even_at_the_first_sending() -> None:
    """The simulator's seed 7: a proxy sent an order twice, and the answer to the second copy came first."""

    async def life(rig: Rig) -> None:
        stale = rig.sign()
        await rig.place(client_order_id="newer")
        with pytest.raises(AlreadySeen, match="Invalid nonce"):
            await rig.adapter.submit(stale)

    virtual(life)


def test_after_its_deadline_an_order_can_no_longer_be_admitted() -> None:
    async def life(rig: Rig) -> None:
        signed = rig.sign()
        await rig.clock.sleep(11)
        with pytest.raises(OutcomeUnknown, match="Deadline"):
            await rig.adapter.submit(signed)
        assert await rig.adapter.query(signed.client_order_id) is None

    virtual(life)


def test_orders_leave_in_the_order_of_their_nonces_and_none_waits_for_anothers_answer() -> None:
    async def life(rig: Rig) -> None:
        rig.desk.exchange.script(Fault(nth=1, on="AddOrder", strike=Strike.SILENCE))
        first, second = rig.sign(client_order_id="a"), rig.sign(client_order_id="b")
        began = rig.clock.monotonic_ns()
        slow = asyncio.ensure_future(rig.adapter.submit(first))
        await asyncio.sleep(0)  # it has begun, and its bytes have not left
        await rig.adapter.submit(second)
        assert rig.clock.monotonic_ns() - began < NS_PER_S
        with pytest.raises(OutcomeUnknown):
            await slow

    virtual(life)


def test_questions_jump_over_a_nonce_that_somebody_else_used() -> None:
    async def life(rig: Rig) -> None:
        far = rig.clock.now_ns() // NS_PER_MS + 60_000
        assert rig.desk.private("Balance", key="ASK", nonce=far)["error"] == []
        assert (await rig.adapter.account()).cash_usd == 100_000

    virtual(life)


def test_questions_wait_for_the_request_budget_and_cancels_do_not() -> None:
    loop = VirtualLoop()

    async def main() -> None:
        rig = await Rig(loop).up()
        rig.adapter._client._tier = Tier()
        rig.adapter._client._level = 0.0
        began_ns = rig.clock.monotonic_ns()
        for _ in range(18):
            await rig.adapter.open_orders()
        assert rig.clock.monotonic_ns() - began_ns < NS_PER_S
        await rig.place()
        await rig.adapter.cancel_all()  # neither orders nor cancels are questions
        assert rig.clock.monotonic_ns() - began_ns < NS_PER_S
        await rig.adapter.open_orders()
        assert rig.clock.monotonic_ns() - began_ns > 0.9 * NS_PER_S
        # What ten ask while there is no room is asked once when there is (found in the simulator's seed 38).
        same = await asyncio.gather(*(rig.adapter.open_orders() for _ in range(10)))
        assert same == [same[0]] * 10 and rig.clock.monotonic_ns() - began_ns < 3 * NS_PER_S
        others = [rig.adapter.query(f"nobody-{number}") for number in range(10)]
        said = await asyncio.gather(*others, return_exceptions=True)
        kept = [each for each in said if isinstance(each, Busy)]
        assert kept and all(each.wait_s > 0 for each in kept), "far away is said at once, and how far"
        assert [name for name in said if isinstance(name, Refused)] == [], "the venue never had to refuse"
        await rig.adapter.close()

    run_virtual(main(), loop)


def test_a_missing_order_is_asked_for_again_only_after_the_lag_that_is_stated() -> None:
    async def life(rig: Rig) -> None:
        rig.desk.exchange.script(Fault(nth=1, on="AddOrder", strike=Strike.DELAY_BEFORE, value=6))
        signed = rig.sign()
        with pytest.raises(OutcomeUnknown):
            await rig.adapter.submit(signed)
        assert await rig.adapter.query(signed.client_order_id) is None
        asked = len(rig.desk.exchange.log)
        await rig.clock.sleep(2)
        known = await rig.adapter.query(signed.client_order_id)
        assert known is not None, "the stream told of it: no list is needed to find it"
        assert (
            rig.adapter.capabilities().lookup_lag_ns >= 10 * NS_PER_S and len(rig.desk.exchange.log) > asked
        )

    virtual(life)


# --- streams ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strike", [PushStrike.DROP, PushStrike.SWAP, PushStrike.GARBAGE])
def test_a_hole_or_rubbish_in_our_executions_breaks_the_link_until_it_is_whole(strike: PushStrike) -> None:
    async def life(rig: Rig) -> None:
        rig.desk.exchange.sockets.pushes.add(PushFault(nth=2, on="executions", strike=strike))
        await rig.place(client_order_id="x", limit_price=Decimal(60_010))
        await rig.clock.sleep(1.0)
        assert False in rig.states and rig.states[-1] is True
        listed = await rig.adapter.fills_since(0)
        assert sum(fill.quantity for fill in listed) == Decimal("0.01")

    virtual(life)


def test_a_fill_that_nobody_heard_and_a_list_lacked_is_asked_for_again() -> None:
    """Found by the simulator (seed 100): remembered as complete, the list hid our own fill for 20 s."""

    async def life(rig: Rig) -> None:
        rig.desk.exchange.private.lag_ns = 3 * NS_PER_S
        rig.own.drop()
        await rig.place(client_order_id="x", limit_price=Decimal(60_010))
        await rig.clock.sleep(2.0)
        assert rig.states[-1] is True and not rig.of(Fill, "x") and not await rig.adapter.fills_since(0)
        await rig.clock.sleep(9.0)
        listed = await rig.adapter.fills_since(0)
        assert sum(fill.quantity for fill in listed) == Decimal("0.01")

    virtual(life)


def test_somebody_elses_order_is_told_with_the_venues_name() -> None:
    async def life(rig: Rig) -> None:
        txid = rig.desk.ok(
            "AddOrder", pair="XBTUSD", type="buy", ordertype="limit", price="58000", volume="0.1"
        )
        await rig.clock.sleep(0.01)
        foreign = f"kraken:{txid['txid'][0]}"
        assert rig.of(Accepted, foreign)
        assert [each.client_order_id for each in await rig.adapter.open_orders()] == [foreign]
        await rig.adapter.cancel(foreign)
        assert not await rig.adapter.open_orders()

    virtual(life)


def test_books_are_proved_over_a_moving_market_and_add_up_to_bars() -> None:
    async def life(rig: Rig) -> None:
        price = 60_000.0
        for step in range(400):
            price += (-1) ** (step // 7) * 0.7 * (step % 5)
            rig.desk.quote(round(price, 1))
            await rig.clock.sleep(0.05)
        market = rig.adapter._market
        assert market.breaks == 0 and rig.desk.exchange.sockets.sessions
        last = [e for e in rig.market if isinstance(e, Quote) and e.symbol == "BTC-USD"][-1]
        book = rig.desk.exchange.trading.books["XXBTZUSD"]
        assert (last.bid, last.ask) == (float(book.best_price(True) or 0), float(book.best_price(False) or 0))
        bars = [e for e in rig.market if isinstance(e, Bar)]
        assert len(bars) >= 18 and all(b.low <= min(b.open, b.close) <= b.high for b in bars)
        opens = [e for e in rig.market if isinstance(e, BarOpen)]
        assert [b.close for b in bars] == [o.price for o in opens]
        assert sum(b.volume for b in bars) > 0

    virtual(life)


def test_a_false_checksum_throws_the_book_away_and_it_is_fetched_anew() -> None:
    async def life(rig: Rig) -> None:
        rig.desk.exchange.sockets.false_checksums = 1
        rig.desk.quote(60_001.0)
        await rig.clock.sleep(1.0)
        told = len(rig.market)
        assert rig.adapter._market.breaks == 1
        rig.desk.quote(60_002.0)
        await rig.clock.sleep(0.1)
        assert rig.adapter._market.breaks == 1 and len(rig.market) > told

    virtual(life)


def test_the_pairs_rules_are_the_venues_once_it_answers() -> None:
    async def life(rig: Rig) -> None:
        assert {i.symbol for i in rig.adapter.instruments()} == {"BTC-USD", "ETH-USD", "SOL-USD", "XRP-USD"}
        rig.desk.exchange.trading.pair_status["XXBTZUSD"] = "cancel_only"
        await rig.adapter._refresh()
        with pytest.raises(Refused, match="market_closed"):
            await rig.place()

    virtual(life)


def test_validation_places_nothing_and_the_dead_mans_switch_is_armed_when_asked() -> None:
    async def life(rig: Rig) -> None:
        assert await rig.adapter.cancel_all_after(60) > "2026"
        await rig.place()
        await rig.clock.sleep(61)
        rig.desk.exchange.advance()
        assert not await rig.adapter.open_orders()
        assert "withdraw-funds" not in await rig.adapter.permissions()

    virtual(life)


def test_a_question_repeated_on_its_way_does_not_push_the_nonces_ahead_of_the_clock() -> None:
    """The simulator's seed 4: each start jumped over the last one's jumps, until the venue locked the key."""

    async def life(rig: Rig) -> None:
        said = '{"error":["EAPI:Invalid nonce"]}'
        for _ in range(5):
            rig.desk.exchange.script(Fault(nth=1, on="BalanceEx", strike=Strike.SAY, text=said))
            await rig.adapter.account()
        assert rig.adapter._client.nonces.next() <= rig.clock.now_ns() // 1_000_000 + 100

    virtual(life)
