"""The loopback Hyperliquid behaves as the venue is known to: refusals, lists, timers, streams, faults."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.venues.hyperliquid_desk import AGENT, ALO, CLOID, GTC, IOC, MASTER, OTHER, Desk
from venues.hyperliquid import actions
from venues.sandbox.programs import Fault, Strike
from venues.sandbox.pushes import PushFault, PushStrike

USER = MASTER.address.lower()


@pytest.fixture
def desk() -> Desk:
    return Desk()


# --- admission -------------------------------------------------------------------------------------


# --- orders ----------------------------------------------------------------------------------------

REFUSALS = [
    ({"price": "59000.5"}, "Price must be divisible by tick size."),
    ({"price": "59000", "size": "0.000001"}, "Order has invalid size."),
    ({"price": "59000", "size": "0"}, "Order has zero size."),
    ({"price": "59000", "size": "0.0001"}, "Order must have minimum value of $10."),
    ({"price": "10000"}, "Order price cannot be more than 80% away from the reference price"),
    ({"price": "59000", "size": "100"}, "Insufficient margin to place order."),
    ({"price": "59000", "reduce_only": True, "is_buy": False}, "Reduce only order would increase position."),
    ({"price": "60010", "tif": ALO}, "Post only order would have immediately matched, bbo was 60000@60010."),
    ({"price": "59000", "tif": IOC}, "Order could not immediately match against any resting orders."),
    ({"price": "1", "size": "20", "asset": 4}, "Trading is halted for this asset."),
]


@pytest.mark.parametrize(("order", "text"), REFUSALS, ids=[text[:24] for _, text in REFUSALS])
def test_a_refused_order_is_told_in_the_venues_words(desk: Desk, order: dict[str, Any], text: str) -> None:
    assert desk.order(**order) == {"error": text}
    assert not desk.user.live and not desk.user.positions
    desk.exchange.trading.suffix_assets = True
    assert desk.order(**order) == {"error": f"{text} asset={order.get('asset', 0)}"}


def test_an_order_fills_in_parts_and_pays_its_fees(desk: Desk) -> None:
    level = desk.ask("l2Book", coin="BTC")["levels"][1][0]
    size = Decimal(level["sz"]) + Decimal("0.01")
    desk.user.cash = Decimal(1_000_000)
    said = desk.order("60010", f"{size:f}")
    assert list(said) == ["resting"], "a part that fills at entry is not told"
    fill = desk.ask("userFills", user=MASTER.address)[0]
    assert (fill["sz"], fill["crossed"], fill["dir"]) == (level["sz"], True, "Open Long")
    fee = (Decimal(level["sz"]) * 60_010 * Decimal("0.00045")).quantize(Decimal("1e-6"))
    assert Decimal(fill["fee"]) == fee and desk.user.cash == 1_000_000 - fee
    desk.quote("BTC", 60_010, 60_020)
    desk.quote("BTC", 59_990, 60_000)
    assert not desk.user.live and desk.user.fills[-1]["crossed"] is False


def test_two_accounts_meet_and_the_older_price_counts(desk: Desk) -> None:
    desk.order("60004", "0.01", is_buy=False)
    said = desk.order("60008", "0.01", tif=IOC, signer=OTHER)
    assert said["filled"]["avgPx"] == "60004.0"
    assert desk.user.positions["BTC"].szi == -desk.other.positions["BTC"].szi == Decimal("-0.01")


def test_an_account_does_not_trade_with_itself(desk: Desk) -> None:
    desk.order("60004", "0.01", is_buy=False, cloid=CLOID)
    assert "resting" in desk.order("60006", "0.02")
    assert desk.ask("orderStatus", user=USER, oid=CLOID)["order"]["status"] == "selfTradeCanceled"
    assert desk.user.volume == 0


def test_a_partly_filled_ioc_is_filled_with_a_remainder(desk: Desk) -> None:
    desk.user.cash = Decimal(10_000_000)
    sizes = [Decimal(level["sz"]) for level in desk.ask("l2Book", coin="BTC")["levels"][1]]
    said = desk.order("60050", f"{sum(sizes) + 1:f}", tif=IOC)
    assert Decimal(said["filled"]["totalSz"]) == sum(sizes)
    found = desk.ask("orderStatus", user=USER, oid=said["filled"]["oid"])["order"]
    assert found["status"] == "filled" and Decimal(found["order"]["sz"]) == 1


def test_a_cloid_is_a_tag_and_finds_the_newest(desk: Desk) -> None:
    first = desk.order("59000", cloid=CLOID)["resting"]["oid"]
    desk.act(actions.cancel([(0, first)]))
    second = desk.order("59000", cloid=CLOID)["resting"]["oid"]
    assert desk.ask("orderStatus", user=USER, oid=CLOID)["order"]["order"]["oid"] == second != first


def test_a_modify_cancels_first_and_may_leave_nothing(desk: Desk) -> None:
    oid = desk.order("59000", cloid=CLOID)["resting"]["oid"]
    crossing = actions.order_wire(0, is_buy=True, price=Decimal(60_010), size=Decimal("0.01"), tif=GTC)
    said = desk.act(actions.modify(oid, crossing))["response"]["data"]["statuses"][0]
    assert said["error"].startswith("Post only order would have immediately matched")
    assert not desk.user.live, "the phantom cancel"
    again = desk.act(actions.modify(oid, crossing))["response"]["data"]["statuses"][0]
    assert again["error"] == "Cannot modify canceled or filled order"


def test_a_cancel_of_what_is_gone_is_refused(desk: Desk) -> None:
    said = desk.act(actions.cancel_by_cloid([(0, CLOID)]))["response"]["data"]["statuses"]
    assert said == [{"error": "Order was never placed, already canceled, or filled."}]


def test_a_stop_fires_on_the_mark_and_takes_its_sibling_along(desk: Desk) -> None:
    parent = actions.order_wire(0, is_buy=True, price=Decimal(60_010), size=Decimal("0.01"), tif=GTC)

    def child(trigger: str, kind: str) -> dict[str, Any]:
        made = actions.order_wire(
            0, is_buy=False, price=Decimal(trigger), size=Decimal("0.01"), tif=GTC, reduce_only=True
        )
        return made | {"t": {"trigger": {"isMarket": True, "triggerPx": trigger, "tpsl": kind}}}

    action = {
        "type": "order",
        "orders": [parent, child("59500", "sl"), child("61000", "tp")],
        "grouping": "normalTpsl",
    }
    said = desk.act(action)["response"]["data"]["statuses"]
    assert "filled" in said[0] and said[1:] == ["waitingForTrigger", "waitingForTrigger"]
    assert desk.user.positions["BTC"].szi == Decimal("0.01")
    desk.quote("BTC", 59_480, 59_490)
    assert not desk.user.positions
    statuses = sorted(order.status for order in desk.user.orders.values())
    assert statuses == ["filled", "filled", "siblingFilledCanceled"]


def test_spot_buys_pay_their_fee_in_what_they_buy(desk: Desk) -> None:
    desk.order("0.22", "100", asset=10_000, tif=IOC)
    balances = {each["coin"]: each for each in desk.ask("spotClearinghouseState", user=USER)["balances"]}
    assert Decimal(balances["PURR"]["total"]) == Decimal(100) * (1 - Decimal("0.0007"))
    assert desk.user.fills[-1]["feeToken"] == "PURR"
    desk.order("0.15", "1000", asset=10_000)
    assert desk.ask("spotClearinghouseState", user=USER)["balances"][0]["hold"] == "150.0"
    assert "insufficient spot balance" in desk.order("0.15", "6000", asset=10_000)["error"]


# --- lists -------------------------------------------------------------------------------------------


def test_lists_lag_and_the_stream_does_not(desk: Desk) -> None:
    desk.exchange.lag_ms = 900
    ear = desk.listen({"type": "orderUpdates", "user": USER}, {"type": "userFills", "user": USER})
    oid = desk.order("60010", cloid=CLOID)["filled"]["oid"]
    assert ear.on("userFills")[1]["fills"][0]["oid"] == oid
    assert desk.ask("orderStatus", user=USER, oid=CLOID) == {"status": "unknownOid"}
    assert desk.ask("userFills", user=USER) == [] and desk.ask("frontendOpenOrders", user=USER) == []
    desk.wait(1)
    assert desk.ask("orderStatus", user=USER, oid=CLOID)["order"]["status"] == "filled"
    assert desk.ask("userFills", user=USER)[0]["cloid"] == CLOID


def test_the_lists_carry_the_odd_markets(desk: Desk) -> None:
    meta, contexts = desk.ask("metaAndAssetCtxs")
    assert [m["name"] for m in meta["universe"] if m.get("isDelisted")] == ["OLD"]
    assert [m["name"] for m in meta["universe"] if m.get("onlyIsolated")] == ["ISO"]
    assert contexts[4]["midPx"] is None and len(contexts) == len(meta["universe"])
    assert desk.ask("l2Book", coin="NOPE") is None
    assert desk.status(desk.send(b'{"type":"dance"}', "/info")) == 422
    assert desk.ask("clearinghouseState", user=AGENT.address)["assetPositions"] == [], "an agent is nobody"


def test_the_minutes_weight_runs_out(desk: Desk) -> None:
    for _ in range(20):
        desk.ask("userRole", user=USER)
    reply = desk.send(b'{"type":"allMids"}', "/info")
    assert desk.status(reply) == 429 and reply.data.endswith(b"null")
    desk.wait(61)
    assert desk.ask("allMids")


def test_the_address_budget_keeps_room_for_cancels(desk: Desk) -> None:
    desk.user.requests = 10_000
    made = actions.place(
        [actions.order_wire(0, is_buy=True, price=Decimal(59_000), size=Decimal("0.01"), tif=GTC)]
    )
    assert desk.act(made)["response"].startswith("Too many cumulative requests sent (10001 > 10000)")
    assert desk.act(actions.cancel([(0, 1)]))["status"] == "ok"


# --- by the clock ------------------------------------------------------------------------------------


def test_longs_pay_funding_every_hour(desk: Desk) -> None:
    desk.order("60010", "0.1", tif=IOC)
    cash = desk.user.cash
    desk.wait(3_600)
    paid = (Decimal("0.1") * 60_005 * Decimal("0.0000125")).quantize(Decimal("1e-6"))
    assert cash - desk.user.cash == paid
    entry = desk.ask("userFunding", user=USER, startTime=0)[0]["delta"]
    assert (Decimal(entry["usdc"]), entry["coin"]) == (-paid, "BTC")
    state = desk.ask("clearinghouseState", user=USER)["assetPositions"][0]["position"]
    assert Decimal(state["cumFunding"]["sinceOpen"]) == paid


def test_a_position_without_margin_is_liquidated(desk: Desk) -> None:
    ear = desk.listen({"type": "userEvents", "user": USER})
    desk.user.cash = Decimal(400)
    desk.order("60010", "0.1", tif=IOC)
    desk.order("50000", "0.001")
    price = desk.ask("clearinghouseState", user=USER)["assetPositions"][0]["position"]["liquidationPx"]
    assert 50_000 < float(price) < 60_000
    under = int(float(price)) - 20
    desk.quote("BTC", under, under + 10)
    desk.wait(1)
    assert not desk.user.positions and not desk.user.live
    fill = desk.user.fills[-1]
    assert fill["liquidation"]["liquidatedUser"] == USER
    assert any("liquidation" in said for said in ear.on("user"))
    assert any(o.status == "liquidatedCanceled" for o in desk.user.orders.values())


def test_deleveraging_and_delisting_fill_without_an_order(desk: Desk) -> None:
    desk.order("60010", "0.1", tif=IOC)
    desk.quote("BTC", 59_900, 59_910)
    desk.exchange.upkeep.deleverage(desk.user, "BTC")
    assert desk.user.fills[-1]["dir"] == "Auto-Deleveraging" and desk.user.fills[-1]["px"] == "60005.0"
    desk.order("59910", "0.1", tif=IOC)
    desk.order("59000", "0.1")
    desk.exchange.upkeep.delist("BTC")
    assert desk.user.fills[-1]["dir"] == "Settlement" and not desk.user.positions
    assert [o.status for o in desk.user.orders.values()].count("delistedCanceled") == 1
    assert desk.order("59000") == {"error": "Trading is halted for this asset."}


def test_the_dead_mans_switch_asks_for_volume_and_then_fires(desk: Desk) -> None:
    at_ms = desk.exchange.now_ms() + 10_000
    refused = desk.act(actions.schedule_cancel(at_ms))
    assert refused["response"].startswith("Cannot set scheduled cancel time until enough volume traded.")
    desk.user.volume = Decimal(1_000_000)
    assert "too early" in desk.act(actions.schedule_cancel(desk.exchange.now_ms() + 1_000))["response"]
    assert desk.act(actions.schedule_cancel(at_ms))["status"] == "ok"
    oid = desk.order("59000")["resting"]["oid"]
    desk.wait(11)
    assert desk.ask("orderStatus", user=USER, oid=oid)["order"]["status"] == "scheduledCancel"
    assert desk.user.firings[1] == 1


# --- the stream --------------------------------------------------------------------------------------


def test_the_stream_acks_then_snapshots_where_the_venue_does(desk: Desk) -> None:
    desk.order("60010")
    ear = desk.listen(
        {"type": "orderUpdates", "user": MASTER.address},
        {"type": "userEvents", "user": USER},
        {"type": "userFills", "user": USER},
        {"type": "trades", "coin": "BTC"},
        {"type": "candle", "coin": "BTC", "interval": "1m"},
        {"type": "l2Book", "coin": "BTC"},
    )
    assert len(ear.on("subscriptionResponse")) == 6
    assert ear.on("orderUpdates") == [] and ear.on("user") == []
    assert ear.on("userFills")[0]["isSnapshot"] is True and len(ear.on("userFills")[0]["fills"]) == 1
    assert ear.on("trades")[0] and ear.on("candle")[0]["s"] == "BTC"
    assert len(ear.on("l2Book")[0]["levels"]) == 2
    desk.order("60010")
    assert "isSnapshot" not in ear.on("userFills")[1]


def test_the_stream_refuses_and_answers(desk: Desk) -> None:
    ear = desk.listen(
        {"type": "bbo", "coin": "BTC"}, {"type": "bbo", "coin": "BTC"}, {"type": "webData2", "user": USER}
    )
    errors = ear.on("error")
    assert errors[0].startswith("Already subscribed: ") and errors[1].startswith("Invalid subscription ")
    desk.session.take(b'{"method":"ping"}')
    assert ear.said[-1] == {"channel": "pong"}
    desk.session.take(b"nonsense")
    assert ear.said[-1]["channel"] == "error"
    request = {"type": "action", "payload": msgspec.json.decode(desk.body(actions.noop()))}
    desk.session.take(msgspec.json.encode({"method": "post", "id": 7, "request": request}))
    assert ear.on("post")[0]["response"]["payload"]["status"] == "ok"


def test_ten_users_and_sixty_silent_seconds_are_the_limit(desk: Desk) -> None:
    ear = desk.listen(*({"type": "userEvents", "user": f"0x{n:040x}"} for n in range(11)))
    assert ear.on("error") == ["Cannot track more than 10 total users."]
    desk.wait(61)
    assert ear.closed == 1000


def test_pushes_can_be_lost_repeated_swapped_damaged_and_silent(desk: Desk) -> None:
    pushes = desk.exchange.pushes
    for nth, strike in enumerate(PushStrike, start=1):
        pushes.add(PushFault(nth=nth, on="userFills", strike=strike, for_ms=5_000))
    desk.exchange.pushes._counts["userFills"] = 0
    ear = desk.listen({"type": "userFills", "user": USER})  # the first: dropped
    assert ear.on("userFills") == []
    for _ in range(4):
        desk.order("60010", "0.001")
    assert [len(ear.on("userFills")), ear.raw.count(b'{"channel":')] == [3, 1], "twice, held, garbage, held"
    before = len(ear.raw)
    desk.order("60010", "0.001")
    assert len(ear.raw) == before
    assert [fault.strike for fault in pushes.struck] == list(PushStrike)


# --- fault programs ------------------------------------------------------------------------------------


def test_apply_then_drop_and_drop_without_apply_differ_only_at_the_exchange(desk: Desk) -> None:
    program = desk.exchange.program
    program.add(Fault(nth=1, on="order", strike=Strike.APPLY_THEN_DROP))
    program.add(Fault(nth=2, on="order", strike=Strike.DROP_WITHOUT_APPLY))
    made = actions.place(
        [actions.order_wire(0, is_buy=True, price=Decimal(59_000), size=Decimal("0.01"), tif=GTC)]
    )
    replies = [desk.send(desk.body(made)) for _ in range(2)]
    assert [(r.data, r.is_cut) for r in replies] == [(b"", True)] * 2
    assert len(desk.user.live) == 1
    assert desk.ask("allMids"), "only orders were meant"
