"""The loopback Kraken over REST: it refuses in the venue's words, matches, counts and remembers."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from seams.http import Request, decode_response
from tests.venues.kraken_desk import SECRET, Desk
from venues.sandbox.kraken.keys import LOCKOUT_AFTER, signature
from venues.sandbox.kraken.listing import PAIRS
from venues.sandbox.programs import Fault, Strike


@pytest.fixture
def desk() -> Desk:
    return Desk()


def later(desk: Desk, seconds: float) -> str:
    """Return a deadline so many seconds ahead of the desk's clock."""
    at = datetime.fromtimestamp(desk.clock.now_ns() / 1e9 + seconds, UTC)
    return at.isoformat().replace("+00:00", "Z")


# --- keys, signatures, nonces --------------------------------------------------------------------------


def test_only_the_secret_signs_and_only_for_these_bytes_and_this_path(desk: Desk) -> None:
    good = desk.signed("Balance")
    for bad in (
        good._replace(body=good.body + b"&asset=ZUSD"),
        good._replace(target="/0/private/CancelAll"),
        good._replace(
            headers={**good.headers, "api-sign": signature(SECRET[4:] + "AAAA", good.path, "1", good.body)}
        ),
    ):
        answer = decode_response(desk.exchange.answer(bad).data, is_at_end=True)
        assert answer is not None and answer.body == b'{"error":["EAPI:Invalid signature"]}'
    assert desk.private("Balance", key="NOBODY")["error"] == ["EAPI:Invalid key"]


def test_a_nonce_rises_and_is_used_once(desk: Desk) -> None:
    assert desk.private("Balance", nonce=500)["error"] == []
    for nonce in (500, 499, 0):
        assert desk.private("Balance", nonce=nonce)["error"] == ["EAPI:Invalid nonce"]
    assert desk.private("Balance", nonce=501)["error"] == []
    assert desk.private("Balance", nonce=2**64)["error"] == ["EAPI:Invalid nonce"]


def test_a_nonce_inside_the_keys_window_is_taken_once(desk: Desk) -> None:
    ask = lambda nonce: desk.private("Balance", key="WINDOW", nonce=nonce)["error"]  # noqa: E731
    assert [ask(1_000), ask(901), ask(901), ask(900), ask(950)] == [
        [], [], ["EAPI:Invalid nonce"], ["EAPI:Invalid nonce"], []
    ]  # fmt: skip


def test_whoever_keeps_failing_is_locked_out_for_a_while(desk: Desk) -> None:
    for _ in range(LOCKOUT_AFTER):
        desk.private("Balance", nonce=0)
    assert desk.error("Balance") == "EGeneral:Temporary lockout"
    desk.clock.advance(15 * 60 + 1)
    assert desk.private("Balance")["error"] == []


def test_a_key_does_what_it_may(desk: Desk) -> None:
    refused = desk.private("AddOrder", key="READ", pair="XBTUSD", type="buy", ordertype="market", volume="1")
    assert refused["error"] == ["EGeneral:Permission denied"]
    assert desk.private("CancelAll", key="READ")["error"] == ["EGeneral:Permission denied"]
    info = desk.ok("GetApiKeyInfo")
    assert "withdraw-funds" not in info["permissions"] and int(info["nonce"]) == desk.nonce


def test_one_account_never_sees_anothers_orders(desk: Desk) -> None:
    txid = desk.order(price="59000")
    assert desk.private("OpenOrders", key="H")["result"] == {"open": {}}
    assert desk.private("CancelOrder", key="H", txid=txid)["error"] == ["EOrder:Unknown order"]


# --- orders --------------------------------------------------------------------------------------------

LIMIT = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "59000", "volume": "0.01"}
REFUSALS = [
    ({"pair": "DOGEUSD"}, "EQuery:Unknown asset pair"),
    ({"type": "hold"}, "EGeneral:Invalid arguments:type"),
    ({"ordertype": "guess"}, "EGeneral:Invalid arguments:ordertype"),
    ({"price": "59000.05"}, "EOrder:Tick size check failed"),
    ({"price": "-1"}, "EGeneral:Invalid arguments:price"),
    ({"price": "NaN"}, "EGeneral:Invalid arguments:price"),
    ({"volume": "0.00001"}, "EOrder:Order minimum not met"),
    ({"volume": "0.000000001"}, "EGeneral:Invalid arguments:volume"),
    ({"volume": "0.00005", "price": "1000"}, "EOrder:Cost minimum not met"),
    ({"volume": "10"}, "EOrder:Insufficient funds"),
    ({"type": "sell", "price": "61000"}, "EOrder:Insufficient funds"),
    ({"price": "60000.1", "oflags": "post"}, "EOrder:Post only order"),
    ({"leverage": "5"}, "EOrder:Cannot open position"),
    ({"reduce_only": "true"}, "EOrder:Reduce only:No position exists"),
    ({"userref": "7", "cl_ord_id": "mine"}, "EGeneral:Invalid arguments"),
    ({"cl_ord_id": "nineteen-characters"}, "EGeneral:Invalid arguments:cl_ord_id"),
    ({"userref": "2147483648"}, "EGeneral:Invalid arguments:userref"),
    ({"timeinforce": "GTD"}, "EGeneral:Invalid arguments:expiretm"),
    ({"timeinforce": "IOC", "oflags": "post"}, "EGeneral:Invalid arguments:oflags"),
    ({"oflags": "fcib,fciq"}, "EGeneral:Invalid arguments:oflags"),
    ({"deadline": "yesterday"}, "EGeneral:Invalid arguments:deadline"),
]


@pytest.mark.parametrize(("change", "error"), REFUSALS)
def test_an_order_is_refused_in_the_venues_words_and_leaves_no_trace(
    desk: Desk, change: dict[str, str], error: str
) -> None:
    assert desk.error("AddOrder", **LIMIT | change) == error
    assert desk.ok("OpenOrders") == {"open": {}} and desk.ok("ClosedOrders")["count"] == 0


def test_validate_judges_and_places_nothing(desk: Desk) -> None:
    said = desk.ok("AddOrder", **LIMIT, validate="true")
    assert said == {"descr": {"order": "buy 0.01000000 XBTUSD @ limit 59000.0"}}
    assert desk.ok("OpenOrders") == {"open": {}}
    assert desk.error("AddOrder", **LIMIT | {"volume": "10"}, validate="true") == "EOrder:Insufficient funds"
    # A Python client's False arrives as the text "False" and counts as set (venues.md, must-know 14).
    assert "txid" not in desk.ok("AddOrder", **LIMIT, validate="False")


def test_a_limit_order_holds_its_worth_rests_and_is_cancelled(desk: Desk) -> None:
    txid = desk.order(price="59000", cl_ord_id="O-1-0001")
    (held,) = [desk.ok("BalanceEx")["ZUSD"]["hold_trade"]]
    assert Decimal(held) == Decimal("592.36")  # cost and the highest fee
    (found,) = desk.ok("OpenOrders", cl_ord_id="O-1-0001")["open"].values()
    assert (found["status"], found["cl_ord_id"], found["vol_exec"]) == ("open", "O-1-0001", "0.00000000")
    assert desk.ok("CancelOrder", cl_ord_id="O-1-0001") == {"count": 1}
    assert desk.error("CancelOrder", txid=txid) == "EOrder:Unknown order"
    assert desk.ok("OpenOrders") == {"open": {}}
    closed = desk.ok("ClosedOrders", cl_ord_id="O-1-0001")["closed"][txid]
    assert (closed["status"], closed["reason"]) == ("canceled", "User requested")
    assert Decimal(desk.ok("BalanceEx")["ZUSD"]["hold_trade"]) == 0


def test_a_crossing_order_walks_the_book_and_the_books_add_up(desk: Desk) -> None:
    txid = desk.order(ordertype="limit", price="60001", volume="1")
    order = desk.ok("QueryOrders", txid=txid, trades="true")[txid]
    assert order["status"] == "closed" and len(order["trades"]) > 1
    trades = desk.ok("QueryTrades", txid=",".join(order["trades"])).values()
    assert sum(Decimal(t["vol"]) for t in trades) == 1 and not any(t["maker"] for t in trades)
    paid = sum(Decimal(t["cost"]) + Decimal(t["fee"]) for t in trades)
    balance = desk.ok("Balance")
    assert Decimal(balance["XXBT"]) == 1
    assert abs(Decimal(balance["ZUSD"]) - (100_000 - paid)) < Decimal("0.0002")
    assert Decimal(trades_fee := order["fee"]) > 0 and Decimal(trades_fee) == sum(
        Decimal(t["fee"]) for t in trades
    )


def test_a_resting_order_fills_as_maker_in_parts_when_the_street_comes(desk: Desk) -> None:
    txid = desk.order(price="59990", volume="1.5")
    seen = set()
    for step in range(40):
        desk.quote(59_995.0 - step)
        seen.add(desk.ok("QueryOrders", txid=txid)[txid]["vol_exec"])
        desk.clock.advance(10)
    order = desk.ok("QueryOrders", txid=txid, trades="true")[txid]
    assert order["status"] == "closed" and len(seen) > 2
    trades = desk.ok("TradesHistory")["trades"].values()
    assert all(t["maker"] and t["price"] == "59990.0" for t in trades)
    assert Decimal(desk.ok("Balance")["XXBT"]) == Decimal("1.5")


def test_ioc_keeps_what_it_got_and_fok_gets_all_or_nothing(desk: Desk) -> None:
    ioc = desk.order(price="60000.1", volume="1", timeinforce="IOC")
    closed = desk.ok("ClosedOrders")["closed"][ioc]
    assert (
        closed["status"] == "canceled" and 0 < Decimal(closed["vol_exec"]) < 1 and closed["misc"] == "partial"
    )
    fok = desk.order(price="60000.1", volume="1.2", timeinforce="FOK")
    assert Decimal(desk.ok("ClosedOrders")["closed"][fok]["vol_exec"]) == 0


def test_an_order_never_meets_one_of_its_own(desk: Desk) -> None:
    desk.order(price="60000.05"[:-1], volume="0.01")  # 60000.0 joins the bid
    sell = desk.private("AddOrder", key="H", **LIMIT | {"type": "buy", "price": "60000"})
    assert sell["error"] == []
    own = desk.private("AddOrder", key="H", **LIMIT | {"type": "sell", "price": "59000", "volume": "2"})[
        "result"
    ]
    closed = desk.private("ClosedOrders", key="H")["result"]["closed"][own["txid"][0]]
    assert closed["reason"] == "Self trade prevention" and 0 < Decimal(closed["vol_exec"]) < 2


def test_a_client_id_is_unique_among_open_orders_alone(desk: Desk) -> None:
    txid = desk.order(price="59000", cl_ord_id="same")
    assert desk.error("AddOrder", **LIMIT, cl_ord_id="same") == "EOrder:cl_ord_id already in use"
    desk.ok("CancelOrder", txid=txid)
    assert desk.order(price="59000", cl_ord_id="same") != txid  # no protection against a double send


def test_a_deadline_is_a_fence(desk: Desk) -> None:
    in_five = later(desk, 5)
    desk.order(price="59000", deadline=in_five)
    desk.clock.advance(5)
    assert desk.error("AddOrder", **LIMIT, deadline=in_five) == "EService:Deadline elapsed"
    assert desk.error("AddOrder", **LIMIT, deadline=later(desk, 61)) == "EGeneral:Invalid arguments:deadline"


def test_identical_bytes_act_once(desk: Desk) -> None:
    request = desk.signed("AddOrder", **LIMIT)
    desk.exchange.answer(request)
    again = decode_response(desk.exchange.answer(request).data, is_at_end=True)
    assert again is not None and b"EAPI:Invalid nonce" in again.body
    assert len(desk.ok("OpenOrders")["open"]) == 1


def test_an_amendment_keeps_the_order_and_an_edit_makes_another(desk: Desk) -> None:
    txid = desk.order(price="59000", cl_ord_id="a")
    assert desk.ok("AmendOrder", txid=txid, order_qty="0.02", limit_price="59100")["amend_id"]
    order = desk.ok("QueryOrders", txid=txid)[txid]
    assert (order["vol"], order["descr"]["price"], order["misc"]) == ("0.02000000", "59100.0", "amended")
    assert (
        desk.error("AmendOrder", txid=txid, limit_price="60000.1", post_only="true")
        == "EOrder:Post only order"
    )
    assert desk.error("AmendOrder", txid=txid, order_qty="50") == "EOrder:Insufficient funds"
    edited = desk.ok("EditOrder", txid=txid, pair="XBTUSD", price="59200")
    assert edited["originaltxid"] == txid != edited["txid"]
    assert set(desk.ok("OpenOrders")["open"]) == {edited["txid"]}
    assert "cl_ord_id" not in desk.ok("QueryOrders", txid=edited["txid"])[edited["txid"]]
    assert desk.error("AmendOrder", txid=txid, order_qty="0.03") == "EOrder:Unknown order"


def test_a_stop_waits_for_its_trigger_and_then_sells(desk: Desk) -> None:
    said = desk.private(
        "AddOrder", key="H", pair="XBTUSD", type="sell", ordertype="stop-loss", price="59500", volume="0.5"
    )["result"]
    (txid,) = said["txid"]
    assert said["descr"]["order"] == "sell 0.50000000 XBTUSD @ stop loss 59500.0"
    desk.quote(59_800.0)
    assert txid in desk.private("OpenOrders", key="H")["result"]["open"]
    for bid in (59_480.0, 59_470.0, 59_460.0, 59_450.0):
        desk.quote(bid)
    done = desk.private("ClosedOrders", key="H")["result"]["closed"][txid]
    assert done["vol_exec"] == "0.50000000" and "stopped" in done["misc"]


def test_an_order_expires_at_its_time(desk: Desk) -> None:
    txid = desk.order(price="59000", timeinforce="GTD", expiretm="+10")
    desk.clock.advance(11)
    assert desk.ok("ClosedOrders")["closed"][txid]["status"] == "expired"


# --- switches of the venue -------------------------------------------------------------------------------


def test_the_dead_mans_timer_fires_once_and_stays_disarmed(desk: Desk) -> None:
    first = desk.order(price="59000")
    assert desk.ok("CancelAllOrdersAfter", timeout="60")["triggerTime"] > "2026"
    desk.clock.advance(59)
    assert first in desk.ok("OpenOrders")["open"]
    desk.ok("CancelAllOrdersAfter", timeout="60")  # renewed
    desk.clock.advance(61)
    assert desk.ok("OpenOrders") == {"open": {}}
    second = desk.order(price="59000")
    desk.clock.advance(3_600)
    assert second in desk.ok("OpenOrders")["open"]
    assert desk.ok("CancelAllOrdersAfter", timeout="0")["triggerTime"] == "0"
    assert desk.error("CancelAllOrdersAfter", timeout="86400") == "EGeneral:Invalid arguments:timeout"


def test_each_system_state_allows_what_it_says(desk: Desk) -> None:
    txid = desk.order(price="59000")
    trading = desk.exchange.trading
    trading.set_system("cancel_only")
    assert desk.public("SystemStatus")["result"]["status"] == "cancel_only"
    assert desk.error("AddOrder", **LIMIT) == "EService:Market in cancel_only mode"
    trading.set_system("post_only")
    assert desk.error("AddOrder", **LIMIT) == "EService:Market in post_only mode"
    desk.order(price="59001", oflags="post")
    trading.set_system("maintenance")
    for name, fields in (("AddOrder", LIMIT), ("CancelOrder", {"txid": txid})):
        assert desk.error(name, **fields) == "EService:Unavailable"
    trading.set_system("online")
    trading.pair_status["XXBTZUSD"] = "limit_only"
    market = {k: v for k, v in LIMIT.items() if k != "price"} | {"ordertype": "market"}
    assert desk.error("AddOrder", **market) == "EService:Market in limit_only mode"
    assert desk.ok("CancelAll") == {"count": 2}


def test_a_cancel_may_stay_pending(desk: Desk) -> None:
    desk.exchange.trading.cancel_pause_ns = 2 * 10**9
    txid = desk.order(price="59000")
    assert desk.ok("CancelOrder", txid=txid) == {"count": 1, "pending": True}
    assert desk.ok("QueryOrders", txid=txid)[txid]["status"] == "open"
    desk.clock.advance(3)
    assert desk.ok("QueryOrders", txid=txid)[txid]["status"] == "canceled"


def test_lists_lag_behind_and_balances_do_not() -> None:
    desk = Desk(lag_ns=2 * 10**9)
    txid = desk.order(price="60001", volume="0.1")
    assert desk.ok("OpenOrders") == {"open": {}} and desk.ok("TradesHistory")["count"] == 0
    assert desk.error("QueryOrders", txid=txid) == "EOrder:Invalid order"
    assert Decimal(desk.ok("Balance")["XXBT"]) == Decimal("0.1")
    desk.clock.advance(3)
    assert desk.ok("ClosedOrders")["closed"][txid]["vol_exec"] == "0.10000000"


def test_lists_come_in_pages_of_fifty(desk: Desk) -> None:
    for _ in range(60):
        desk.ok("CancelOrder", txid=desk.order(price="59000"))
        desk.clock.advance(30)
    first, second = desk.ok("ClosedOrders"), desk.ok("ClosedOrders", ofs="50")
    assert (len(first["closed"]), len(second["closed"]), first["count"]) == (50, 10, 60)
    assert not set(first["closed"]) & set(second["closed"])


def test_budgets_are_counted_and_decay(desk: Desk) -> None:
    for _ in range(20):
        desk.ok("Balance")
    assert desk.error("Balance") == "EAPI:Rate limit exceeded"
    assert desk.error("ClosedOrders") == "EAPI:Rate limit exceeded"
    desk.order(price="59000")  # orders are not counted there
    desk.clock.advance(4)
    desk.ok("ClosedOrders")


def test_fast_cancels_use_the_engines_budget_up(desk: Desk) -> None:
    done = 0
    while "result" in (said := desk.private("AddOrder", **LIMIT)):
        desk.ok("CancelOrder", txid=said["result"]["txid"][0])
        done += 1
    assert said["error"] == ["EOrder:Rate limit exceeded"]
    assert 15 <= done <= 25  # 1 + 8 points each against 180
    desk.clock.advance(60)
    desk.order(price="59000")


# --- public -----------------------------------------------------------------------------------------------


def test_public_answers_have_the_venues_shape(desk: Desk) -> None:
    desk.order(price="60001", volume="0.5")
    assert desk.public("Nothing")["error"] == ["EGeneral:Unknown method"]
    assert desk.public("Depth", pair="NOPE")["error"] == ["EQuery:Unknown asset pair"]
    assert set(desk.public("AssetPairs")["result"]) == set(PAIRS)
    pair = desk.public("AssetPairs", pair="XBTUSD")["result"]["XXBTZUSD"]
    assert (pair["tick_size"], pair["ordermin"], pair["costmin"]) == ("0.1", "0.00005", "0.5")
    depth = desk.public("Depth", pair="XBT/USD", count="10")["result"]["XXBTZUSD"]
    asks, bids = [[Decimal(row[0]) for row in depth[side]] for side in ("asks", "bids")]
    assert asks == sorted(asks) and bids == sorted(bids, reverse=True) and bids[0] < asks[0]
    (rows, last) = desk.public("OHLC", pair="XBTUSD", interval="1")["result"].values()
    assert rows[-1][4] == desk.public("Ticker", pair="XBTUSD")["result"]["XXBTZUSD"]["c"][0] and last == 0
    assert desk.public("OHLC", pair="XBTUSD", interval="7")["error"] == [
        "EGeneral:Invalid arguments:interval"
    ]


def test_a_candle_without_trades_repeats_the_close(desk: Desk) -> None:
    desk.order(price="60001", volume="0.01")
    desk.clock.advance(180)
    desk.order(price="60001", volume="0.01")
    (rows, last) = desk.public("OHLC", pair="XBTUSD", interval="1")["result"].values()
    assert [row[0] for row in rows] == [rows[0][0] + 60 * i for i in range(4)] and last == rows[2][0]
    assert rows[1][1] == rows[1][4] == rows[0][4] and rows[1][7] == 0


# --- faults ----------------------------------------------------------------------------------------------


def test_faults_strike_the_nth_request_of_their_type(desk: Desk) -> None:
    desk.exchange.script(Fault(nth=2, on="AddOrder", strike=Strike.APPLY_THEN_DROP))
    desk.exchange.script(Fault(nth=3, on="AddOrder", strike=Strike.DROP_WITHOUT_APPLY))
    replies = []
    for _ in range(4):
        desk.ok("Balance")
        replies.append(desk.exchange.answer(desk.signed("AddOrder", **LIMIT)))
    assert [bool(reply.data) for reply in replies] == [True, False, False, True]
    assert len(desk.ok("OpenOrders")["open"]) == 3  # the second is there, the third is not


def test_the_same_seed_gives_the_same_exchange() -> None:
    def life() -> object:
        desk = Desk(seed=7)
        for bid in (60_010.0, 59_990.0, 60_030.0):
            desk.quote(bid)
            desk.order(price="60100", volume="0.1")
        return desk.ok("TradesHistory"), desk.public("Depth", pair="XBTUSD")

    assert life() == life()


def test_what_is_not_there_is_not_found(desk: Desk) -> None:
    answer = decode_response(
        desk.exchange.answer(Request("GET", "/1/public/Time", {}, b"")).data, is_at_end=True
    )
    assert answer is not None and answer.status == 404
