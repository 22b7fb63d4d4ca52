"""Hyperliquid's questions under loss: asked again, remembered, within the budget; its stream made whole."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from safety.reasons import explain
from seams.clock import NS_PER_S
from seams.http import decode_request
from tests.venues.hyperliquid_desk import IOC
from tests.venues.test_hyperliquid_adapter import USER, Rig, on_rig
from venues.contract import Busy, OutcomeUnknown, Refused, Retryable
from venues.hyperliquid.budget import PAUSE_NS
from venues.hyperliquid.cloids import FOREIGN
from venues.hyperliquid.outcomes import LISTED, RULES
from venues.sandbox.hyperliquid.exchange import kind_of
from venues.sandbox.programs import Strike
from venues.sandbox.pushes import PushFault, PushStrike
from venues.types import OrderStatus, Quote, Rejected, TimeInForce


def listen(rig: Rig) -> list[str]:
    """Note the type of every request that leaves from now on."""
    asked: list[str] = []
    call = rig.wire.call

    async def noting(body: bytes, *rest: object) -> bytes:
        found = decode_request(body)
        assert found is not None
        asked.append(kind_of(found[0]))
        return await call(body, *rest)  # type: ignore[arg-type]

    rig.wire.call = noting  # type: ignore[method-assign]
    return asked


def test_a_question_that_is_lost_is_asked_once_more() -> None:
    async def scene(rig: Rig) -> None:
        asked = listen(rig)
        rig.strike(Strike.DROP_WITHOUT_APPLY, "exchangeStatus")
        assert await rig.adapter.time_ns() > 0
        assert asked == ["exchangeStatus"] * 2
        for nth in (1, 2):
            rig.strike(Strike.DROP_WITHOUT_APPLY, "exchangeStatus", nth=nth)
        with pytest.raises(OutcomeUnknown):
            await rig.adapter.time_ns()

    on_rig(scene)


def test_an_order_is_never_asked_again_by_the_client() -> None:
    async def scene(rig: Rig) -> None:
        asked = listen(rig)
        rig.strike(Strike.APPLY_THEN_DROP)
        with pytest.raises(OutcomeUnknown):
            await rig.place()
        assert asked == ["order"]

    on_rig(scene)


def test_a_list_that_cannot_be_read_leaves_a_cancel_of_all_unknown() -> None:
    async def scene(rig: Rig) -> None:
        await rig.place()
        for said in (b"null", b'[{"coin":"BTC"}]', b'"x"'):
            rig.strike(Strike.SAY, "frontendOpenOrders", text=said.decode())
            with pytest.raises(OutcomeUnknown):
                await rig.adapter.cancel_all()

    on_rig(scene)


def test_what_was_answered_while_getting_ready_is_not_asked_again() -> None:
    async def scene(rig: Rig) -> None:
        asked = listen(rig)
        await rig.adapter.close()
        other = rig.make()
        for nth in range(1, 7):
            rig.strike(Strike.DROP_WITHOUT_APPLY, "userFees", nth=nth)
        other.start()
        await rig.clock.sleep(20)
        assert other.is_ready, other.problems
        assert {kind: asked.count(kind) for kind in ("extraAgents", "userRole", "userAbstraction")} == {
            "extraAgents": 1,
            "userRole": 1,  # of the agent without a name: the list of agents does not show it
            "userAbstraction": 1,
        }
        await other.close()

    on_rig(scene)


def test_a_round_begins_only_where_the_budget_has_room_for_all_of_it() -> None:
    async def scene(rig: Rig) -> None:
        rig.exchange.has_ip_limit = True
        while rig.adapter.budget.used + 20 <= 1_200 - 250 - 30:
            await rig.adapter.open_orders()
        with pytest.raises(Retryable):
            await rig.adapter.fills_since(0)
        assert await rig.adapter.open_orders() == []

    on_rig(scene, weight_a_minute=1_200)


@pytest.mark.parametrize("struck", ["frontendOpenOrders", "order"])
def test_after_a_429_questions_wait_and_orders_and_cancels_do_not(struck: str) -> None:
    async def scene(rig: Rig) -> None:
        name = await rig.place()
        rig.strike(Strike.STATUS_WITHOUT_APPLY, on=struck, value=429)
        if struck == "order":
            with pytest.raises(OutcomeUnknown):
                await rig.place()
        else:
            with pytest.raises(Busy, match="429"):
                await rig.adapter.open_orders()
        asked = listen(rig)
        with pytest.raises(Busy, match="429"):
            await rig.adapter.open_orders()
        assert asked == [], "nothing leaves into the same no"
        await rig.adapter.time_ns()
        await rig.adapter.cancel(name)
        await rig.place()
        assert asked == ["exchangeStatus", "cancelByCloid", "order"] or asked == [
            "exchangeStatus",
            "cancel",
            "order",
        ]
        await rig.clock.sleep(PAUSE_NS / NS_PER_S)
        assert len(await rig.adapter.open_orders()) == 1

    on_rig(scene)


def test_an_order_that_the_lists_call_refused_has_a_code_that_we_explain() -> None:
    """The stream overtakes the answer: the alarm read `badAloPxRejected: badAloPxRejected`, and the code was
    explained by no row."""
    assert set(LISTED.values()) <= {rule.code for rule in RULES}

    async def scene(rig: Rig) -> None:
        with pytest.raises(Refused) as refused:
            await rig.place(limit_price=Decimal(60_010), time_in_force=TimeInForce.POST_ONLY)
        await rig.clock.sleep(0.1)
        (told,) = rig.of(Rejected)
        assert told.code == refused.value.code == explain(told.code).code == "post_only_would_cross"
        assert told.message == "the venue lists it as badAloPxRejected"

    on_rig(scene)


def test_nothing_may_be_traded_before_keys_are_looked_at() -> None:
    async def scene(rig: Rig) -> None:
        other = rig.make()
        assert other.instruments() == ()
        assert rig.adapter.instruments() != ()

    on_rig(scene)


def test_a_subscription_that_nobody_acknowledges_opens_the_stream_anew() -> None:
    async def scene(rig: Rig) -> None:
        rig.link.drop()
        rig.exchange.pushes.add(PushFault(nth=1, on="subscriptionResponse", strike=PushStrike.DROP))
        await rig.clock.sleep(3)
        assert not rig.adapter.is_up
        await rig.clock.sleep(8)
        assert rig.adapter.is_up

    on_rig(scene)


def test_a_market_that_nobody_watches_goes_nowhere() -> None:
    async def scene(rig: Rig) -> None:
        rig.market.clear()
        hostile = b'{"channel":"bbo","data":{"coin":"\\u001b[2J","time":1790000000000,"bbo":'
        hostile += b'[{"px":"1.0","sz":"1.0","n":1},{"px":"2.0","sz":"1.0","n":1}]}}'
        rig.adapter._stream._frame(hostile)
        trade = b'{"channel":"trades","data":[{"coin":"\\u001b[2J","sz":"1.0"}]}'
        rig.adapter._stream._frame(trade)
        assert [each for each in rig.market if isinstance(each, Quote) and "\x1b" in each.symbol] == []
        assert rig.adapter.is_up

    on_rig(scene)


def test_every_trade_of_the_present_bar_counts_once() -> None:
    """A block may hold several trades; a subscription begins with trades from before, some of another bar."""

    def told(*trades: tuple[int, int, str]) -> bytes:
        rows = [{"coin": "BTC", "tid": tid, "time": at_ms, "sz": size} for tid, at_ms, size in trades]
        return msgspec.json.encode({"channel": "trades", "data": rows})

    async def scene(rig: Rig) -> None:
        stream = rig.adapter._stream
        before, now_ms = stream.bars._bars["BTC-PERP"].volume, stream.bars._open_ns // 1_000_000
        begins = told((91, now_ms - 5, "100"), (92, now_ms, "1"), (93, now_ms + 1, "2"))
        for frame in (begins, told((94, now_ms + 2, "4"), (95, now_ms + 2, "8")), begins):
            stream._frame(frame)
        assert stream.bars._bars["BTC-PERP"].volume == pytest.approx(before + 15)

    on_rig(scene)


def test_a_past_order_is_as_the_newest_of_its_entries_says() -> None:
    async def scene(rig: Rig) -> None:
        assert await rig.adapter.past_order("O-1-9999") is None
        name, other = await rig.place(), await rig.place(quantity=Decimal("0.02"))
        assert (await rig.adapter.past_order(name)).status is OrderStatus.OPEN  # type: ignore[union-attr]
        await rig.adapter.cancel(name)
        rows = rig.desk.ask("historicalOrders", user=USER)
        assert [row["status"] for row in rows].count("open") == 2 and rows[0]["status"] == "canceled"
        for listed in (rows, rows[::-1]):
            rig.strike(Strike.SAY, "historicalOrders", text=msgspec.json.encode(listed).decode())
            found = await rig.adapter.past_order(name)
            assert found is not None and found.status is OrderStatus.CANCELLED
            assert found.client_order_id == name and found.filled == 0
        kept = await rig.adapter.past_order(other)
        assert kept is not None and (kept.status, kept.quantity) == (OrderStatus.OPEN, Decimal("0.02"))
        strangers = rig.desk.order("58000", "0.001", cloid=None)["resting"]["oid"]
        by_number = await rig.adapter.past_order(f"{FOREIGN}{strangers}")
        assert by_number is not None and by_number.venue_order_id == str(strangers)

    on_rig(scene)


def test_rows_of_an_answer_cost_beside_its_question() -> None:
    async def scene(rig: Rig) -> None:
        rig.exchange.has_ip_limit = True
        fill = rig.desk.order("60010", "0.001", tif=IOC) and rig.desk.user.fills[0]
        rig.desk.user.fills += [{**fill, "tid": number} for number in range(1_000, 1_399)]
        ours, theirs = rig.adapter.budget.used, sum(weight for _, weight in rig.exchange._spent)
        assert len(await rig.adapter.fills_since(0)) == 400
        assert rig.adapter.budget.used - ours == 20 + 400 // 20
        assert sum(weight for _, weight in rig.exchange._spent) - theirs == 20 + 400 // 20

    on_rig(scene)
