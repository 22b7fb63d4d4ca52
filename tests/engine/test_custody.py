"""Custody of an account at a venue that outlives us: hydration, doubt, foreign hands, adjustments."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from engine.trading import ledger as ledger_module
from engine.trading.adjustments import Adjustment
from engine.trading.custody import SETTLING_PASSES, Verdict
from engine.trading.machine import Evidence
from engine.trading.settle import OVERLAP_NS, Lists, settle
from safety.canonical import changed
from safety.interlock import HoldLevel
from safety.killbyte import KillLevel
from safety.reasons import Refusal
from seams.clock import NS_PER_S
from seams.wire import Lost, Unsent
from tests.engine.custody_house import LOTS, House, run
from tests.venues.test_exchange import SPEC
from venues.types import OrderStatus


@pytest.fixture
def house(tmp_path: Path) -> House:
    return asyncio.run(_made(tmp_path))


async def _made(tmp_path: Path) -> House:
    return House(tmp_path)


def test_nothing_is_risked_until_both_sides_agree(house: House) -> None:
    async def work() -> None:
        interlock = house.custody.core.interlock
        assert interlock.level is HoldLevel.HYDRATING
        house.desk.wire.fault = Unsent("no route")
        assert await house.custody.reconcile() is Verdict.HYDRATING and house.custody.is_dirty
        house.desk.wire.fault = None
        await house.clean()
        assert interlock.level is HoldLevel.CLEAR and house.custody.age_ms() == 0

    run(house, work)


def test_a_lost_answer_is_unknown_and_holds_until_the_venue_shows_the_order(house: House) -> None:
    async def work() -> None:
        await house.clean()
        house.desk.wire.fault = Lost("silence")
        house.desk.exchange.listeners.clear()  # the stream is silent too
        order = await house.send()
        assert order.status is OrderStatus.UNKNOWN
        assert house.custody.core.interlock.has("ambiguity", SPEC.symbol)
        await house.custody.reconcile()
        assert order.status is OrderStatus.UNKNOWN, "a silent venue proves nothing"
        house.desk.wire.fault = None
        await house.custody.reconcile()
        assert order.status is OrderStatus.UNKNOWN, "not in its lists yet, and its nonce is used"
        house.clock.advance(3.0)
        await house.custody.reconcile()
        assert order.status is OrderStatus.OPEN
        assert not house.custody.core.interlock.has("ambiguity", SPEC.symbol)

    run(house, work)


def test_the_lag_is_counted_from_the_proof_and_not_from_a_clock_that_was_read_before_it(house: House) -> None:
    async def work() -> None:
        await house.clean()
        orders, venue = house.custody.orders, house.desk.exchange
        read_ns = house.clock.now_ns()
        house.clock.advance(5.0)  # between the venue's clock and the fence a round may wait for long
        house.desk.wire.fault = Lost("silence")
        venue.listeners.clear()
        order = await house.send()  # it arrives just before the fence does
        house.desk.wire.fault = None
        await settle(orders, order, read_ns)
        assert order.status is OrderStatus.UNKNOWN and order.admitted_ns >= read_ns + 5 * NS_PER_S
        await settle(orders, order, house.clock.now_ns())
        assert order.status is OrderStatus.UNKNOWN, "no list can show it yet"
        house.clock.advance(3.0)
        await settle(orders, order, house.clock.now_ns())
        assert order.status is OrderStatus.OPEN

    run(house, work)


def test_an_order_that_was_doubted_after_its_last_fill_is_ended_by_the_venues_word(house: House) -> None:
    async def work() -> None:
        await house.clean()
        order = await house.send()
        house.clock.advance(1.0)
        house.desk.quote(100.0)
        await asyncio.sleep(0)
        assert order.status is OrderStatus.FILLED
        house.custody.orders.take(order, Evidence.ALIVE, "a clock that jumped made a list look younger")
        assert order.status is OrderStatus.UNKNOWN
        house.clock.advance(3.0)
        await house.custody.reconcile()
        assert order.status is OrderStatus.FILLED and order.filled == LOTS
        assert not house.custody.core.interlock.has("ambiguity", SPEC.symbol)

    run(house, work)


def test_an_order_that_never_arrived_is_dead_only_once_its_nonce_is_burnt(house: House) -> None:
    async def work() -> None:
        await house.clean()
        house.desk.exchange.listeners.clear()
        real, lost = house.desk.wire.call, []

        async def swallow(body: bytes, timeout_s: float, may_leave: object = None) -> bytes:
            lost.append(body)
            raise Lost("silence")

        house.desk.wire.call = swallow  # type: ignore[method-assign]
        order = await house.send()
        house.desk.wire.call = real  # type: ignore[method-assign]
        assert order.status is OrderStatus.UNKNOWN
        await house.custody.reconcile()
        assert order.status is OrderStatus.REJECTED and order.reason == "never_reached_venue"
        answer = await house.desk.exchange.handle(lost[0])
        assert b"nonce_used" in answer and not house.desk.exchange.venue.journal

    run(house, work)


def test_a_pass_asks_for_no_list_twice_to_end_a_doubt(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by the simulator on Hyperliquid (seed 60000098): each pass used the request budget up just before
    the second copy of a list it had, and the order stayed UNKNOWN for as long as passes came."""

    async def work() -> None:
        await house.clean()
        link, real, asked = house.desk.link, house.desk.wire.call, []

        async def swallow(body: bytes, timeout_s: float, may_leave: object = None) -> bytes:
            raise Lost("silence")

        house.desk.wire.call = swallow  # type: ignore[method-assign]
        order = await house.send()
        house.desk.wire.call = real  # type: ignore[method-assign]
        assert order.status is OrderStatus.UNKNOWN
        order.admitted_ns = house.clock.now_ns()  # its nonce is known as used

        def counted(name: str, ask: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
            async def count(*words: object) -> object:
                asked.append(name)
                return await ask(*words)

            return count

        house.clock.advance(30.0)
        for name in ("fills_since", "open_orders"):
            monkeypatch.setattr(link, name, counted(name, getattr(link, name)))
        await house.custody.reconcile()
        assert sorted(asked) == ["fills_since", "open_orders"]
        assert order.status is OrderStatus.REJECTED and "in no list" in order.reason

    run(house, work)


def test_lists_that_do_not_reach_back_prove_nothing(house: House) -> None:
    async def work() -> None:
        await house.clean()
        order = await house.send()
        assert Lists((), (), order.created_ns - OVERLAP_NS).lack(order)
        assert not Lists((), (), order.created_ns - OVERLAP_NS + 1).lack(order)
        assert not Lists((order.order_id,), (), 0).lack(order)
        assert not Lists((), (order.order_id,), 0).lack(order)

    run(house, work)


def test_an_engine_that_died_on_the_way_asks_before_anything_else(house: House) -> None:
    async def work() -> None:
        await house.clean()
        house.desk.exchange.listeners.clear()
        sent = await house.send()
        nonce = house.custody.orders.nonces.last
        house.restart()
        order = house.custody.orders.orders[sent.order_id]
        assert order.signed == sent.signed and order.status is OrderStatus.UNKNOWN
        assert house.custody.core.interlock.has("ambiguity", SPEC.symbol)
        house.clock.advance(1.0)
        house.desk.quote(100.0)  # it fills at the venue; nobody here hears it
        house.clock.advance(3.0)
        await house.clean()
        assert order.status is OrderStatus.FILLED
        assert house.custody.ledger.holding(SPEC.symbol).quantity == LOTS
        assert house.custody.orders.nonces.last == nonce, "nothing was signed anew to find out"
        house.restart()
        assert house.custody.ledger.holding(SPEC.symbol).quantity == LOTS
        await house.clean()

    run(house, work)


def test_a_fill_is_booked_once_however_often_it_is_told(house: House) -> None:
    async def work() -> None:
        await house.clean()
        order = await house.send()
        house.desk.quote(100.0)
        fills = [e for e in house.desk.exchange.venue.all_fills() if e.client_order_id == order.order_id]
        for _ in range(3):
            house.custody.orders.on_event(fills[0])
        house.clock.advance(3.0)
        await house.clean()
        assert order.filled == LOTS and order.status is OrderStatus.FILLED
        assert len(house.custody.core.store.orders.fills_of(order.order_id)) == 1

    run(house, work)


def test_a_hand_trade_is_ambiguous_until_a_named_operator_books_it(house: House) -> None:
    async def work() -> None:
        await house.clean()
        await house.desk.link.submit(house.desk.signed("by-hand", 7))
        house.desk.quote(100.0)
        house.clock.advance(3.0)
        assert await house.custody.reconcile() is Verdict.AMBIGUOUS
        core = house.custody.core
        assert core.interlock.has("ambiguity", "account")
        kinds = {each.kind for each in house.custody.differences}
        assert {"foreign", "position"} <= kinds
        fill = house.desk.exchange.venue.all_fills()[0]
        booking = Adjustment(
            symbol=SPEC.symbol,
            quantity=LOTS,
            price=fill.price,
            cash_usd=-fill.fee,
            operator="",
            reason="my hand",
            at_ns=house.clock.now_ns(),
            settles=("by-hand", fill.fill_id),
        )
        with pytest.raises(Refusal, match="operator_required"):
            house.custody.adjust(booking)
        with pytest.raises(Refusal, match="reason_required"):
            house.custody.adjust(changed(booking, operator="ada", reason=" "))
        house.custody.adjust(changed(booking, operator="ada"))
        await house.clean()
        assert not core.interlock.has("ambiguity", "account")
        house.restart()
        assert house.custody.ledger.holding(SPEC.symbol).quantity == LOTS

    run(house, work)


def test_a_cancel_that_did_not_leave_is_not_shown_as_pending(house: House) -> None:
    async def work() -> None:
        await house.clean()
        order = await house.send()
        house.desk.wire.fault = Unsent("no route")
        await house.custody.orders.cancel(order.order_id)
        assert order.pending == "none" and order.is_alive
        house.desk.wire.fault = None
        await house.custody.orders.cancel(order.order_id)
        assert order.status is OrderStatus.CANCELLED

    run(house, work)


def test_a_pass_that_does_not_end_keeps_no_cancel_of_a_kill_from_leaving(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by the simulator on Kraken (seed 51000245): an order adopted under halt_all worked on for 14 s,
    until a slow pass had ended."""

    async def work() -> None:
        await house.clean()
        order = await house.send()
        monkeypatch.setattr(house.custody, "reconcile", asyncio.Event().wait)
        house.custody.is_dirty = True
        tending = asyncio.create_task(house.custody.run())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        house.custody.core.kill.trip(KillLevel.HALT_ALL, by="ada", reason="test", source="command")
        for _ in range(100):
            await asyncio.sleep(0)
        tending.cancel()
        assert order.status is OrderStatus.CANCELLED

    run(house, work)


def test_a_fill_of_ours_that_is_not_listed_yet_is_nothing_to_adopt(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by the simulator on Kraken (seed 100): the operator adopted what was our own order's fill, and
    when the venue listed it at last it was booked a second time."""

    async def work() -> None:
        await house.clean()
        house.desk.exchange.listeners.clear()
        order = await house.send()
        house.desk.quote(100.0)
        with monkeypatch.context() as lagging:
            lagging.setattr(house.desk.link, "fills_since", _nothing)
            for _ in range(3 * SETTLING_PASSES):
                house.clock.advance(1.0)
                assert await house.custody.reconcile() is not Verdict.AMBIGUOUS
            assert order.is_alive and order.told > order.filled == 0
            house.clock.advance(3600.0)
            for _ in range(SETTLING_PASSES):
                verdict = await house.custody.reconcile()
            assert verdict is Verdict.AMBIGUOUS, "not for ever: then a person looks"
        assert await house.custody.reconcile() is Verdict.CLEAN and order.status is OrderStatus.FILLED

    run(house, work)


def test_what_an_unproved_order_of_ours_would_explain_is_nothing_to_adopt(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by the simulator on Kraken (seed 70000826): neither the answer nor any list told of the order,
    and the operator adopted its fill four seconds after it; listed at last, it was booked twice."""

    async def work() -> None:
        await house.clean()
        house.desk.exchange.listeners.clear()
        house.desk.wire.fault = Lost("silence")
        order = await house.send()
        house.desk.wire.fault = None
        house.desk.quote(100.0)
        with monkeypatch.context() as lagging:
            lagging.setattr(house.desk.link, "fills_since", _nothing)
            lagging.setattr(house.desk.link, "query", _unheard)
            for _ in range(3 * SETTLING_PASSES):
                house.clock.advance(0.1)  # within the lag that the venue's lists may have
                assert await house.custody.reconcile() is not Verdict.AMBIGUOUS
            assert order.is_alive and order.told == order.filled == 0
        house.clock.advance(3.0)
        assert await house.custody.reconcile() is Verdict.CLEAN and order.status is OrderStatus.FILLED

    run(house, work)


async def _nothing(since_ns: int) -> tuple[()]:
    return ()


async def _unheard(order_id: str) -> None:
    return None


def test_a_fill_that_memory_has_forgotten_is_told_from_a_new_one_by_the_record(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "MAX_SEEN_FILLS", 1)

    async def work() -> None:
        await house.clean()
        for name in ("D-1", "D-2", "D-3"):
            await house.send(name)
            house.desk.quote(100.0)
        await house.clean()
        (held,) = house.custody.ledger.open_holdings()
        assert held.quantity == 3 * LOTS and len(house.custody.ledger.booked) == 1
        await house.custody.reconcile()
        assert house.custody.ledger.holding(SPEC.symbol).quantity == 3 * LOTS, "listed again, booked once"
        assert house.custody.verdict is Verdict.CLEAN and not house.custody.foreign

    run(house, work)
