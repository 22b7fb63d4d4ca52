"""The Hyperliquid adapter on the loopback Hyperliquid: every outcome is classed, and the stream heals."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from seams.clock import NS_PER_MS, NS_PER_S, FixedClock
from seams.http import decode_request
from seams.virtual import VirtualClock, VirtualLoop, run_virtual
from tests.venues.hyperliquid_desk import AGENT, ASKER, MASTER, OTHER, Desk
from venues.contract import Fence, OutcomeUnknown, Refused, Retryable, Signed
from venues.hyperliquid.adapter import HyperliquidAdapter
from venues.hyperliquid.outcomes import NEVER_ADMITTED, RULES
from venues.hyperliquid.signing import throwaway_key
from venues.keyfile import KeyFile
from venues.sandbox.inprocess import PeerCaller, PeerLink
from venues.sandbox.programs import Fault, Strike
from venues.types import (
    Bar,
    BarOpen,
    Cancelled,
    Fill,
    MarketEvent,
    OrderEvent,
    OrderRequest,
    OrderType,
    Quote,
    Rejected,
    Side,
    TimeInForce,
)

USER = MASTER.address.lower()
KEY = KeyFile(
    venue="hyperliquid",
    account=USER,
    key=AGENT.address,
    secret=throwaway_key("test", "agent"),
    ask_key=ASKER.address,
    ask_secret=throwaway_key("test", "asker"),
)


class Rig:
    """An adapter and its venue in one virtual world."""

    def __init__(self, loop: VirtualLoop, key: KeyFile = KEY, weight_a_minute: int = 1_000_000) -> None:
        self.weight_a_minute = weight_a_minute
        self.clock = VirtualClock(loop)
        self.desk = Desk(clock=self.clock)
        self.exchange = self.desk.exchange
        self.exchange.has_ip_limit = False
        self.exchange.trading.suffix_assets = True
        self.bodies: list[bytes] = []
        self.exchange.on_received = lambda at_ms, body: self.bodies.append(body)
        self.wire = PeerCaller(self.exchange, self.clock)
        self.link = PeerLink(self.exchange, "", "/ws", self.clock)
        self.adapter = self.make(key)
        self.events: list[OrderEvent] = []
        self.states: list[bool] = []
        self.market: list[MarketEvent] = []
        self.adapter.on_order_event(self.events.append)
        self.adapter.on_link(self.states.append)
        self.adapter.on_market(self.market.append)
        self._nonce = 0

    def make(self, key: KeyFile = KEY, desk: str = "desk-1") -> HyperliquidAdapter:
        return HyperliquidAdapter(
            self.wire,
            "loopback",
            self.link,
            key,
            self.clock,
            desk=desk,
            bar_ns=NS_PER_S,
            coins=("BTC", "ETH", "OLD"),
            weight_a_minute=self.weight_a_minute,
        )

    async def up(self) -> Rig:
        self.adapter.start()
        await self.clock.sleep(0.2)
        assert self.states[-1] is True and self.adapter.is_up, self.adapter.problems
        return self

    def sign(self, **changes: Any) -> Signed:
        self._nonce = max(self._nonce + 1, self.clock.now_ns() // NS_PER_MS)
        given: dict[str, Any] = {
            "client_order_id": f"O-1-{self._nonce % 10_000:04d}",
            "symbol": "BTC-PERP",
            "side": Side.BUY,
            "quantity": Decimal("0.01"),
            "order_type": OrderType.LIMIT,
            "limit_price": Decimal(59_000),
            "time_in_force": TimeInForce.GTC,
            "reduce_only": False,
            "mark_price": Decimal(60_005),
            **changes,
        }
        valid_until_ns = self.clock.now_ns() + 10 * NS_PER_S
        return self.adapter.sign(OrderRequest(**given), self._nonce, valid_until_ns)

    async def place(self, **changes: Any) -> str:
        signed = self.sign(**changes)
        await self.adapter.submit(signed)
        await self.clock.sleep(0.01)
        return signed.client_order_id

    def strike(self, strike: Strike, on: str = "order", nth: int = 1, **more: Any) -> None:
        self.exchange.program.add(Fault(nth=nth, on=on, strike=strike, **more))

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def on_rig(scene: Callable[[Rig], Awaitable[None]], **options: Any) -> None:
    loop = VirtualLoop()

    async def play() -> None:
        rig = await Rig(loop, **options).up()
        await scene(rig)
        await rig.adapter.close()

    run_virtual(play(), loop)


# --- orders ----------------------------------------------------------------------------------------


def test_a_market_order_is_an_ioc_inside_its_bound() -> None:
    async def scene(rig: Rig) -> None:
        order = {"order_type": OrderType.MARKET, "limit_price": Decimal("60100.7")}
        await rig.place(**order)
        sent = json.loads(rig.bodies[-1])["action"]["orders"][0]
        assert (sent["p"], sent["t"], sent["r"]) == ("60100", {"limit": {"tif": "Ioc"}}, False)
        assert rig.of(Fill)[0].price == 60_010
        snapshot = await rig.adapter.account()
        assert [(p.symbol, p.quantity) for p in snapshot.positions] == [("BTC-PERP", Decimal("0.01"))]
        assert snapshot.cash_usd == 10_000 - rig.of(Fill)[0].fee
        await rig.place(
            order_type=OrderType.MARKET, limit_price=Decimal("59900.3"), side=Side.SELL, reduce_only=True
        )
        assert json.loads(rig.bodies[-1])["action"]["orders"][0]["p"] == "59901", "a sale never for less"
        assert (await rig.adapter.account()).positions == ()

    on_rig(scene)


LOCAL = [
    ({"quantity": Decimal("0.0000001")}, "bad_quantity"),
    ({"quantity": Decimal("0.0001")}, "min_notional"),
    ({"limit_price": Decimal(10_000)}, "price_band"),
    ({"limit_price": Decimal("NaN")}, "bad_price"),
    ({"symbol": "DOGE-PERP"}, "unknown_symbol"),
    ({"symbol": "OLD-PERP", "limit_price": Decimal(1), "quantity": Decimal(50)}, "delisted"),
]


@pytest.mark.parametrize(("changes", "code"), LOCAL, ids=[code for _, code in LOCAL])
def test_what_the_venue_would_refuse_never_leaves(changes: dict[str, Any], code: str) -> None:
    async def scene(rig: Rig) -> None:
        signed = rig.sign(**changes)
        with pytest.raises(Refused) as refused:
            await rig.adapter.submit(signed)
        assert refused.value.code == code and signed.wire == b"" and rig.bodies == []
        assert await rig.adapter.fence(signed) is Fence.DEAD

    on_rig(scene)


VENUE = [
    ({"quantity": Decimal(100)}, "insufficient_margin"),
    ({"side": Side.SELL, "reduce_only": True}, "reduce_only_nothing"),
    ({"limit_price": Decimal(60_010), "time_in_force": TimeInForce.POST_ONLY}, "post_only_would_cross"),
    ({"time_in_force": TimeInForce.IOC}, "ioc_unmatched"),
]


@pytest.mark.parametrize(("changes", "code"), VENUE, ids=[code for _, code in VENUE])
def test_a_refusal_of_the_venue_has_a_stable_code(changes: dict[str, Any], code: str) -> None:
    async def scene(rig: Rig) -> None:
        with pytest.raises(Refused) as refused:
            await rig.place(**changes)
        assert refused.value.code == code
        await rig.clock.sleep(0.01)
        assert len(rig.of(Rejected)) == 1, "the stream says it too"

    on_rig(scene)


def test_a_cancel_is_proved_by_the_stream_and_works_before_the_lists_do() -> None:
    async def scene(rig: Rig) -> None:
        rig.exchange.lag_ms = 1_000
        name = await rig.place()
        await rig.adapter.cancel(name)
        await rig.clock.sleep(0.01)
        assert [(e.client_order_id, e.reason) for e in rig.of(Cancelled)] == [(name, "canceled")]
        with pytest.raises(Refused) as refused:
            await rig.adapter.cancel(name)
        assert refused.value.code == "already_ended"
        signers = {signer for _, signer, _, kind in rig.exchange.gate.admitted if kind == "cancelByCloid"}
        assert signers == {ASKER.address.lower()}, "no cancel takes an order's nonce"

    on_rig(scene)


def test_fills_are_asked_page_by_page_and_each_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(rig: Rig) -> None:
        monkeypatch.setattr("venues.sandbox.hyperliquid.info.FILLS_PAGE", 4)
        monkeypatch.setattr("venues.hyperliquid.history.FILLS_PAGE", 4)
        monkeypatch.setattr("venues.hyperliquid.history.SHORT_PAGE", 4)
        for _ in range(11):
            rig.desk.order("60010", "0.001")
            await rig.clock.sleep(0.5)
        asked = rig.exchange.program.counts.get("userFillsByTime", 0)
        found = await rig.adapter.fills_since(0)
        assert len(found) == len({fill.fill_id for fill in found}) == 11
        assert [fill.at_ns for fill in found] == sorted(fill.at_ns for fill in found)
        assert rig.exchange.program.counts["userFillsByTime"] - asked == 4
        rig.exchange._clock = FixedClock(rig.clock.now_ns())
        for _ in range(4):
            rig.desk.order("60010", "0.001")
        with pytest.raises(OutcomeUnknown, match="in one millisecond"):
            await rig.adapter.fills_since(rig.clock.now_ns())

    on_rig(scene)


# --- doubt -----------------------------------------------------------------------------------------


def test_a_refusal_of_a_second_copy_says_nothing_of_the_first() -> None:
    """The agent is replaced between two copies: the first had been taken, and lives on."""

    async def scene(rig: Rig) -> None:
        rig.strike(Strike.APPLY_THEN_DROP)
        signed = rig.sign()
        with pytest.raises(OutcomeUnknown):
            await rig.adapter.submit(signed)
        rig.exchange.add_agent(USER, OTHER.address)
        with pytest.raises(OutcomeUnknown) as doubt:
            await rig.adapter.submit(signed)
        assert "does not exist" in str(doubt.value) and len(rig.desk.user.live) == 1
        with pytest.raises(Refused) as refused:
            await rig.adapter.submit(rig.sign())
        assert refused.value.code == "unknown_signer"

    on_rig(scene)


def test_late_bytes_are_refused_and_that_is_proof() -> None:
    async def scene(rig: Rig) -> None:
        signed = rig.sign()
        await rig.clock.sleep(11)
        with pytest.raises(Refused) as refused:
            await rig.adapter.submit(signed)
        assert refused.value.code == "expired"

    on_rig(scene)


def test_what_leaves_is_what_was_signed_byte_for_byte() -> None:
    async def scene(rig: Rig) -> None:
        signed = rig.sign()
        request = decode_request(signed.wire)
        assert request is not None and request[0].path == "/exchange"
        await rig.adapter.submit(signed)
        assert rig.bodies == [request[0].body]
        said = json.loads(rig.bodies[0])
        assert list(said) == ["action", "nonce", "signature", "vaultAddress", "expiresAfter"]
        assert (said["nonce"], said["expiresAfter"]) == (signed.nonce, signed.valid_until_ns // NS_PER_MS)

    on_rig(scene)


def test_questions_wait_for_the_budget_and_cancels_do_not() -> None:
    async def scene(rig: Rig) -> None:
        rig.exchange.has_ip_limit = True
        name = await rig.place()
        while rig.adapter.budget.used + 20 <= 950:
            await rig.adapter.open_orders()
        with pytest.raises(Retryable, match="budget is kept"):
            await rig.adapter.open_orders()
        assert rig.adapter.budget.used > 930
        while rig.adapter.budget.used + 2 <= 1_100:  # the venue's clock is asked on: it is our sign of life
            await rig.adapter.time_ns()
        with pytest.raises(Retryable, match="budget is kept"):
            await rig.adapter.time_ns()
        await rig.adapter.cancel(name)
        await rig.place()
        await rig.clock.sleep(61)
        assert rig.adapter.budget.used <= 20 and len(await rig.adapter.open_orders()) == 1

    on_rig(scene, weight_a_minute=1_200)


def test_a_429_is_no_answer_about_an_order() -> None:
    async def scene(rig: Rig) -> None:
        signed = rig.sign()
        rig.exchange.has_ip_limit = True
        rig.exchange._spent.append((rig.exchange.now_ms(), 1_200))
        with pytest.raises(OutcomeUnknown, match="429"):
            await rig.adapter.submit(signed)
        with pytest.raises(Retryable):
            await rig.adapter.open_orders()
        rig.exchange.has_ip_limit = False
        assert await rig.adapter.fence(signed) is Fence.DEAD

    on_rig(scene)


# --- the stream ------------------------------------------------------------------------------------


def test_quotes_add_up_to_bars() -> None:
    async def scene(rig: Rig) -> None:
        for bid in (60_000, 60_050, 59_950, 60_020):
            rig.desk.quote("BTC", bid, bid + 10)
            await rig.clock.sleep(0.5)
        bars = [e for e in rig.market if isinstance(e, Bar) and e.symbol == "BTC-PERP"]
        assert bars and bars[-1].high == 60_055.0 and bars[-1].low <= 60_005.0
        kinds = [type(event) for event in rig.market]
        assert kinds.index(BarOpen) < len(kinds) - 1 - kinds[::-1].index(Quote)

    on_rig(scene)


def test_the_instruments_are_the_venues_and_their_tick_grows_with_the_price() -> None:
    async def scene(rig: Rig) -> None:
        found = {each.symbol: each for each in rig.adapter.instruments()}
        assert set(found) == {"BTC-PERP", "ETH-PERP"}, "a delisted market is no instrument"
        assert (found["BTC-PERP"].tick, found["BTC-PERP"].lot) == (Decimal(1), Decimal("0.00001"))
        assert found["ETH-PERP"].tick == Decimal("0.1")
        assert (found["BTC-PERP"].maker_fee_bps, found["BTC-PERP"].taker_fee_bps) == (
            Decimal("1.5"),
            Decimal("4.5"),
        )
        assert abs(await rig.adapter.time_ns() - rig.clock.now_ns()) < NS_PER_S

    on_rig(scene)


# --- keys and accounts -------------------------------------------------------------------------------


def test_a_key_that_is_nobodys_agent_never_becomes_ready() -> None:
    loop = VirtualLoop()

    async def play() -> None:
        rig = Rig(loop)
        del rig.exchange.registry.agents[AGENT.address.lower()]
        rig.adapter.start()
        await rig.clock.sleep(3)
        assert True not in rig.states and "not an agent" in rig.adapter.problems[0]
        with pytest.raises(Refused) as refused:
            await rig.adapter.submit(rig.sign())
        assert refused.value.code == "venue_not_ready"
        await rig.clock.sleep(57)
        used = rig.adapter.budget.used
        assert used < rig.adapter.budget.per_minute / 2, (
            f"{used}: the questions about it left room for no other"
        )
        rig.exchange.add_agent(USER, AGENT.address)
        await rig.clock.sleep(31)
        assert rig.adapter.is_up, "and heals when it is approved"
        await rig.adapter.close()

    run_virtual(play(), loop)


def test_a_key_that_soon_expires_is_a_warning() -> None:
    loop = VirtualLoop()

    async def play() -> None:
        rig = Rig(loop)
        rig.exchange.registry.agents[ASKER.address.lower()].until_ms = rig.exchange.now_ms() + 5 * 86_400_000
        await rig.up()
        assert rig.adapter.warnings == (f"{ASKER.address.lower()} expires in 5 days",)
        await rig.adapter.close()

    run_virtual(play(), loop)


def test_a_key_file_must_fit_its_secrets() -> None:
    loop = VirtualLoop()
    wrong = KeyFile(
        venue="hyperliquid",
        account=USER,
        key=OTHER.address,
        secret=KEY.secret,
        ask_key="x",
        ask_secret=KEY.secret,
    )
    with pytest.raises(ValueError, match="does not belong"):
        Rig(loop, wrong)
    loop.close()


def test_every_refusal_has_a_code_of_ours() -> None:
    assert all(rule.code.isidentifier() and rule.prefix for rule in RULES)
    assert len({rule.prefix for rule in RULES}) == len(RULES) and set(NEVER_ADMITTED) == {400, 415, 422}
