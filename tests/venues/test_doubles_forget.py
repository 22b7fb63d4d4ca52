"""A week at a loopback venue takes no more memory than a day: its lists are bounded, and what lives stays."""

from __future__ import annotations

from decimal import Decimal

from tests.venues import hyperliquid_desk, kraken_desk
from venues.sandbox.hyperliquid.forgetting import KEPT, forget
from venues.sandbox.hyperliquid.gate import ADMITTED_KEPT
from venues.sandbox.hyperliquid.upkeep import RATES_KEPT
from venues.sandbox.kraken.exchange import LOG_KEPT
from venues.sandbox.kraken.forgetting import Forgetting
from venues.sandbox.kraken.private import TOKENS_KEPT

HOUR_S = 3_601


def test_hyperliquid_keeps_the_newest_of_each_list_and_every_order_that_lives() -> None:
    desk = hyperliquid_desk.Desk()
    desk.order("50000", "0.001")
    (resting,) = desk.user.live
    for _ in range(6):
        desk.order("60010", "0.001", tif=hyperliquid_desk.IOC)
    trading, now_ms = desk.exchange.trading, desk.exchange.now_ms()
    oids = list(desk.user.orders)
    fills = [fill["oid"] for fill in desk.user.fills]
    forget(trading, now_ms, kept=2)
    assert list(desk.user.orders) == oids, "what has ended just now is kept: lists lag"
    assert [fill["oid"] for fill in desk.user.fills] == fills[-2:]
    forget(trading, now_ms + HOUR_S * 1_000, kept=2)
    assert list(desk.user.orders) == [resting, *oids[-2:]] == list(trading.orders)
    assert desk.ask("orderStatus", user=desk.user.address, oid=oids[1]) == {"status": "unknownOid"}
    assert desk.ask("orderStatus", user=desk.user.address, oid=resting)["status"] == "order"


def test_hyperliquid_forgets_a_family_of_orders_only_as_a_whole() -> None:
    desk = hyperliquid_desk.Desk()
    trading = desk.exchange.trading
    for _ in range(3):
        desk.order("50000", "0.001")
    parent, child, other = (desk.user.live[oid] for oid in list(desk.user.live))
    child.parent, parent.children = parent.oid, [child.oid]
    trading.end(other, "canceled")
    parent.become(desk.exchange.now_ms(), "filled")
    del desk.user.live[parent.oid]
    forget(trading, desk.exchange.now_ms() + HOUR_S * 1_000, kept=0)
    assert list(desk.user.orders) == [parent.oid, child.oid]
    trading.end(child, "canceled")
    forget(trading, desk.exchange.now_ms() + HOUR_S * 1_000, kept=0)
    assert not desk.user.orders and not trading.orders


def test_hyperliquid_looks_every_hour_by_itself() -> None:
    desk = hyperliquid_desk.Desk()
    row = {"time": 1, "oid": 0}
    desk.user.fills += [row] * (KEPT + 5)
    desk.user.fundings += [row] * (KEPT + 5)
    desk.exchange.upkeep.rates += [{"coin": "BTC", "time": 1}] * (RATES_KEPT + 5)
    desk.exchange.gate.admitted.extend([(1, "", 1, "")] * (ADMITTED_KEPT + 5))
    desk.wait(HOUR_S)
    assert [len(rows) for rows in (desk.user.fills, desk.user.fundings)] == [KEPT] * 2
    assert len(desk.exchange.upkeep.rates) == RATES_KEPT
    assert len(desk.exchange.gate.admitted) == ADMITTED_KEPT


def test_kraken_keeps_the_newest_orders_with_their_trades_and_every_order_that_lives() -> None:
    desk = kraken_desk.Desk()
    trading = desk.exchange.trading
    desk.exchange.forgetting = Forgetting(desk.clock, trading, kept=2)
    desk.clock.advance(1.0)
    resting = desk.order(price="50000")
    done = [desk.order(ordertype="market") for _ in range(5)]
    assert all(trading.orders[txid].filled for txid in done)
    desk.clock.advance(HOUR_S)
    desk.exchange.advance()
    assert list(trading.orders) == [resting, *done], "what ended since the last look is kept: lists lag"
    desk.clock.advance(HOUR_S)
    desk.exchange.advance()
    assert list(trading.orders) == [resting, *done[-2:]]
    assert {trade.txid for trade in trading.trades} == set(done[-2:])
    later = desk.order(price="50000.1")
    numbers = [order.number for order in trading.orders.values()]
    assert len(set(numbers)) == len(numbers) and trading.orders[later].number == 7
    before = {trade.number for trade in trading.trades}
    fresh = desk.order(ordertype="market")
    assert all(t.number not in before for t in trading.trades if t.txid == fresh)
    shown = desk.ok("ClosedOrders")["closed"]
    assert set(shown) == {*done[-2:], fresh}
    assert all(Decimal(shown[txid]["vol_exec"]) > 0 for txid in done[-2:])


def test_krakens_log_and_tokens_are_bounded_and_the_newest_token_opens_the_stream() -> None:
    desk = kraken_desk.Desk()
    tokens = desk.exchange.private.tokens
    for _ in range(3):
        desk.ok("GetWebSocketsToken")
    first = next(iter(tokens))
    tokens.update({f"old {number}": tokens[first] for number in range(TOKENS_KEPT + 5)})
    newest = desk.ok("GetWebSocketsToken")["token"]
    assert len(tokens) == TOKENS_KEPT and newest in tokens and first not in tokens
    desk.exchange.log.extend([(0, "", b"")] * (LOG_KEPT + 5))
    assert len(desk.exchange.log) == LOG_KEPT


def test_krakens_closed_orders_are_asked_for_without_a_product_of_orders_and_trades() -> None:
    """Before, each order looked through every trade: an answer after a week took minutes."""
    desk, count = kraken_desk.Desk(), 2_000
    trading = desk.exchange.trading
    txid = desk.order(ordertype="market")
    looked = 0

    class Counted(list):  # type: ignore[type-arg]
        def __iter__(self):  # type: ignore[no-untyped-def]
            nonlocal looked
            looked += 1
            return super().__iter__()

    trading.trades = Counted(trading.trades * count)
    trading.orders |= {f"{txid}{number}": trading.orders[txid] for number in range(count)}
    desk.ok("ClosedOrders")
    assert looked <= 2
