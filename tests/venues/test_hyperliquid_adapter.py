"""The Hyperliquid adapter on the loopback Hyperliquid: every outcome is classed, and the stream heals."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seams.clock import NS_PER_MS, NS_PER_S, FixedClock
from seams.http import decode_request
from seams.virtual import VirtualClock, VirtualLoop, run_virtual
from tests.venues.hyperliquid_desk import AGENT, ASKER, MASTER, OTHER, Desk
from venues.contract import AlreadySeen, Fence, OutcomeUnknown, Refused, Retryable, Signed
from venues.hyperliquid.adapter import HyperliquidAdapter
from venues.hyperliquid.cloids import Cloids
from venues.hyperliquid.outcomes import NEVER_ADMITTED, RULES
from venues.hyperliquid.signing import throwaway_key
from venues.keyfile import KeyFile
from venues.sandbox.inprocess import PeerCaller, PeerLink
from venues.sandbox.programs import Fault, Strike
from venues.sandbox.pushes import PushFault, PushStrike
from venues.types import (
    Accepted,
    Bar,
    BarOpen,
    Cancelled,
    Fill,
    MarketEvent,
    OrderEvent,
    OrderRequest,
    OrderStatus,
    OrderType,
    Quote,
    Rejected,
    Side,
    TimeInForce,
)

USER = MASTER.address.lower()
letters = st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
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


def test_an_order_rests_fills_and_is_told_by_our_name() -> None:
    async def scene(rig: Rig) -> None:
        name = await rig.place(limit_price=Decimal(60_004))
        assert (await rig.adapter.query(name)).status is OrderStatus.OPEN  # type: ignore[union-attr]
        rig.desk.order("60004", "0.004", is_buy=False, signer=OTHER)
        await rig.clock.sleep(0.01)
        found = await rig.adapter.query(name)
        assert found is not None and (found.status, found.filled) == (OrderStatus.PARTIAL, Decimal("0.004"))
        rig.desk.order("60004", "0.006", is_buy=False, signer=OTHER)
        await rig.clock.sleep(0.01)
        fills: list[Fill] = rig.of(Fill)
        assert [fill.quantity for fill in fills] == [Decimal("0.004"), Decimal("0.006")]
        assert {(f.client_order_id, f.price, f.is_maker, f.symbol) for f in fills} == {
            (name, Decimal(60_004), True, "BTC-PERP")
        }
        assert list(await rig.adapter.fills_since(0)) == fills
        assert (await rig.adapter.query(name)).status is OrderStatus.FILLED  # type: ignore[union-attr]
        assert {event.client_order_id for event in rig.of(Accepted)} == {name}

    on_rig(scene)


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


def test_a_part_filled_ioc_ends_cancelled_with_what_it_got() -> None:
    async def scene(rig: Rig) -> None:
        rig.desk.user.cash = Decimal(1_000_000)
        name = await rig.place(
            quantity=Decimal(1), limit_price=Decimal(60_010), time_in_force=TimeInForce.IOC
        )
        (fill,), (ended,) = rig.of(Fill), rig.of(Cancelled)
        assert ended.filled == fill.quantity < 1 and ended.client_order_id == name
        assert (await rig.adapter.query(name)).status is OrderStatus.CANCELLED  # type: ignore[union-attr]

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


def test_everything_is_cancelled_whoever_placed_it() -> None:
    async def scene(rig: Rig) -> None:
        await rig.place()
        rig.desk.order("58000", signer=MASTER)
        (foreign,) = [o for o in await rig.adapter.open_orders() if o.client_order_id.startswith("hl:")]
        assert (await rig.adapter.query(foreign.client_order_id)) == foreign
        await rig.adapter.cancel_all()
        assert list(await rig.adapter.open_orders()) == []
        await rig.adapter.cancel_all()

    on_rig(scene)


def test_fills_are_asked_page_by_page_and_each_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(rig: Rig) -> None:
        monkeypatch.setattr("venues.sandbox.hyperliquid.info.FILLS_PAGE", 4)
        monkeypatch.setattr("venues.hyperliquid.history.FILLS_PAGE", 4)
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

DOUBTS = [
    (Strike.APPLY_THEN_DROP, {}, True),
    (Strike.DROP_WITHOUT_APPLY, {}, False),
    (Strike.CUT, {}, True),
    (Strike.STATUS, {"value": 502}, True),
    (Strike.STATUS_WITHOUT_APPLY, {"value": 502}, False),
    (Strike.STATUS_WITHOUT_APPLY, {"value": 429}, False),
    (Strike.HTML, {}, True),
    (Strike.TRUNCATED, {}, True),
    (Strike.NULL, {}, True),
    (Strike.EMPTY, {}, True),
    (Strike.REDIRECT, {"text": "http://elsewhere.invalid/exchange"}, False),
    (Strike.SILENCE, {}, True),
    (Strike.DRIP, {"value": 1.0}, True),
    (Strike.DELAY_AFTER, {"value": 30.0}, True),
    (Strike.SAY, {"text": '{"status":"ok"}'}, False),
    (
        Strike.APPLY_THEN_SAY,
        {"text": '{"status":"ok","response":{"type":"order","data":{"statuses":[]}}}'},
        True,
    ),
]


@pytest.mark.parametrize(
    ("strike", "more", "is_placed"), DOUBTS, ids=[f"{s}-{i}" for i, (s, _, _) in enumerate(DOUBTS)]
)
def test_doubt_is_never_a_refusal_and_the_fence_ends_it(
    strike: Strike, more: dict[str, Any], is_placed: bool
) -> None:
    async def scene(rig: Rig) -> None:
        rig.strike(strike, **more)
        signed = rig.sign()
        with pytest.raises(OutcomeUnknown):
            await rig.adapter.submit(signed)
        assert len(rig.bodies) <= 1, "nothing is sent twice"
        assert await rig.adapter.fence(signed) is (Fence.ADMITTED if is_placed else Fence.DEAD)
        await rig.clock.sleep(0.1)
        assert (await rig.adapter.query(signed.client_order_id) is not None) is is_placed
        with pytest.raises(AlreadySeen):
            await rig.adapter.submit(signed)
        assert len(rig.desk.user.live) == int(is_placed)

    on_rig(scene)


def test_the_same_bytes_once_more_execute_once() -> None:
    async def scene(rig: Rig) -> None:
        rig.strike(Strike.DROP_WITHOUT_APPLY)
        signed = rig.sign()
        with pytest.raises(OutcomeUnknown):
            await rig.adapter.submit(signed)
        await rig.adapter.submit(signed)
        with pytest.raises(AlreadySeen):
            await rig.adapter.submit(signed)
        assert len(rig.desk.user.live) == 1

    on_rig(scene)


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


def test_a_closed_gate_and_a_cut_wire_mean_that_nothing_left() -> None:
    async def scene(rig: Rig) -> None:
        signed = rig.sign()
        with pytest.raises(Retryable):
            await rig.adapter.submit(signed, lambda: False)
        rig.wire.is_up = False
        with pytest.raises(Retryable):
            await rig.adapter.submit(signed)
        assert rig.bodies == []
        rig.wire.is_up = True
        await rig.adapter.submit(signed)

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


def test_a_broken_stream_is_told_and_heals() -> None:
    async def scene(rig: Rig) -> None:
        for session in list(rig.exchange.room.sessions):
            session.close(1000)
        await rig.clock.sleep(0.01)
        assert rig.states[-1] is False and not rig.adapter.is_up
        rig.desk.order("60010", "0.001")
        await rig.clock.sleep(1)
        assert rig.states[-1] is True
        assert len(await rig.adapter.fills_since(0)) == 1, "what was missed is asked for"

    on_rig(scene)


@pytest.mark.parametrize("channel", ["orderUpdates", "userFills"])
def test_a_message_that_cannot_be_read_breaks_the_stream(channel: str) -> None:
    async def scene(rig: Rig) -> None:
        rig.exchange.pushes.add(PushFault(nth=1, on=channel, strike=PushStrike.GARBAGE))
        rig.desk.order("60010", "0.001")
        await rig.clock.sleep(0.01)
        assert False in rig.states
        await rig.clock.sleep(1)
        assert rig.states[-1] is True

    on_rig(scene)


def test_repeats_change_nothing_and_strays_are_foreign() -> None:
    async def scene(rig: Rig) -> None:
        rig.exchange.pushes.add(PushFault(nth=1, on="userFills", strike=PushStrike.DUPLICATE))
        rig.desk.order("60010", "0.001", signer=MASTER)
        await rig.clock.sleep(0.01)
        fills: list[Fill] = rig.of(Fill)
        assert len(fills) == 2 and len({fill.fill_id for fill in fills}) == 1
        assert fills[0].client_order_id.startswith("hl:")

    on_rig(scene)


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
        rig.exchange.add_agent(USER, AGENT.address)
        await rig.clock.sleep(3)
        assert rig.adapter.is_up, "and heals when it is approved"
        await rig.adapter.close()

    run_virtual(play(), loop)


def test_a_sub_account_is_traded_through_its_masters_agents() -> None:
    sub = "0x" + "5c" * 20
    loop = VirtualLoop()

    async def play() -> None:
        rig = Rig(loop, KeyFile(**{**{f: getattr(KEY, f) for f in KEY.__struct_fields__}, "vault": sub}))
        rig.exchange.registry.open(sub, role="subAccount", master=USER, cash=Decimal(5_000))
        await rig.up()
        await rig.place(limit_price=Decimal(60_010))
        assert not rig.desk.user.positions and len(rig.of(Fill)) == 1
        assert (await rig.adapter.account()).positions[0].quantity == Decimal("0.01")
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


def test_names_survive_a_restart_and_another_desks_are_foreign() -> None:
    async def scene(rig: Rig) -> None:
        name = await rig.place()
        again, other = rig.make(), rig.make(desk="desk-2")
        assert (await again.query(name)) is not None
        assert [each.client_order_id for each in await again.open_orders()] == [name]
        assert await other.query(name) is None, "a desk that counts from one again finds no old orders"
        assert (await other.open_orders())[0].client_order_id.startswith("hl:")

    on_rig(scene)


NAMES = ["O-1-0001", "O-X-12-0034", "O-67108863-16777215", "W-7-9999", "O-0-0000"]
DIGESTS = ["O-01-0001", "O-67108864-0001", "X-01HZXC8P2K-0007", "drill-3", "O-1-00012"]


@pytest.mark.parametrize("name", NAMES + DIGESTS)
def test_every_name_has_its_own_cloid(name: str) -> None:
    ids = Cloids("d")
    cloid = ids.of(name)
    assert len(cloid) == 34 and cloid == cloid.lower() == ids.of(name)
    assert ids.name_of(cloid.upper().replace("0X", "0x"), 1) == name
    assert len({cloid, ids.of("O-1-0002"), Cloids("e").of(name)}) == 3
    restarted = Cloids("d").name_of(cloid, 7)
    assert restarted == (name if name in NAMES else "hl:7")


@given(
    first=letters, second=st.none() | letters, epoch=st.integers(0, 1 << 26), count=st.integers(0, 1 << 24)
)
def test_counted_names_are_read_back(first: str, second: str | None, epoch: int, count: int) -> None:
    name = "-".join([first, *([second] if second else []), str(epoch), f"{count:04d}"])
    cloid = Cloids("d").of(name)
    is_small = epoch < 1 << 26 and count < 1 << 24
    assert Cloids("d").name_of(cloid, 7) == (name if is_small else "hl:7")


def test_every_refusal_has_a_code_of_ours() -> None:
    assert all(rule.code.isidentifier() and rule.prefix for rule in RULES)
    assert len({rule.prefix for rule in RULES}) == len(RULES) and set(NEVER_ADMITTED) == {400, 415, 422}


def test_nothing_is_left_running() -> None:
    async def scene(rig: Rig) -> None:
        await rig.adapter.close()
        await asyncio.sleep(0)
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert not any(name.startswith("hyperliquid") for name in names)

    on_rig(scene)
