"""A person's question about one order: its answer is evidence, and asking does nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from engine.api import commands as c
from engine.api.commands import Command, OrderAsk, OrderAsked
from engine.asking import ask_order
from engine.desk import Desk
from engine.trading.working import ManagedOrder
from safety.reasons import Refusal
from seams.clock import NS_PER_S
from seams.wire import Lost
from tests.engine.custody_house import House
from tests.engine.supervised import Supervised
from venues.contract import Busy
from venues.types import OrderStatus


async def ask(house: House, order_id: str) -> OrderAsked:
    desk = cast(Desk, SimpleNamespace(core=house.custody.core, books=lambda: [house.custody.orders]))
    command = Command(
        request_id="R-1", operator="ada", epoch=1, expires_at_ns=0, body=OrderAsk(order_id=order_id)
    )
    found = await ask_order(desk, command)
    assert isinstance(found, OrderAsked)
    return found


def lived(tmp_path: Path, work: Callable[[House], Awaitable[None]]) -> None:
    async def inside() -> None:
        house = House(tmp_path)
        await house.clean()
        house.desk.exchange.listeners.clear()  # the stream is silent
        await work(house)

    asyncio.run(inside())


async def doubted(house: House, *, arrives: bool) -> tuple[ManagedOrder, list[bytes]]:
    """Send an order that is not answered; return it, with the bytes that never arrived."""
    real, lost = house.desk.wire.call, list[bytes]()

    async def swallow(body: bytes, timeout_s: float, may_leave: Any = None) -> bytes:
        lost.append(body)
        raise Lost("silence")

    if arrives:
        house.desk.wire.fault = Lost("silence")
    else:
        house.desk.wire.call = swallow  # type: ignore[method-assign]
    order = await house.send()
    house.desk.wire.fault, house.desk.wire.call = None, real  # type: ignore[method-assign]
    assert order.status is OrderStatus.UNKNOWN
    return order, lost


def test_the_venues_answer_ends_the_doubt(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        order, _ = await doubted(house, arrives=True)
        house.clock.advance(3.0)  # its lists show it now
        asked = await ask(house, order.order_id)
        assert (asked.said, asked.status, asked.venue) == ("venue says open", "open", order.venue)
        assert asked.asked_ns == order.asked_ns and order.heard == asked.said
        assert house.custody.core.events.page(0, 1)[0].text.startswith(f"{order.order_id} at ")

    lived(tmp_path, work)


def test_an_order_that_the_venue_does_not_know_stays_in_doubt_and_nothing_is_sent_or_burnt(
    tmp_path: Path,
) -> None:
    async def work(house: House) -> None:
        order, lost = await doubted(house, arrives=False)
        sends, bytes_before = house.custody.orders.sends, order.signed
        asked = await ask(house, order.order_id)
        assert (asked.said, asked.status) == ("venue knows no such order", "unknown")
        assert (house.custody.orders.sends, order.signed) == (sends, bytes_before)
        assert order.admitted_ns == 0
        late = await house.desk.exchange.handle(lost[0])
        assert b"nonce_used" not in late, "its nonce was not burnt: only the engine's own settling does that"

    lived(tmp_path, work)


def test_a_silent_venue_changes_nothing_and_is_said_so(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        order, _ = await doubted(house, arrives=True)
        house.clock.advance(3.0)
        house.desk.wire.fault = Lost("silence")
        with pytest.raises(Refusal) as refused:
            await ask(house, order.order_id)
        assert refused.value.code == "venue_unreachable"
        assert order.status is OrderStatus.UNKNOWN and order.heard.startswith("no answer")

    lived(tmp_path, work)


def test_a_question_that_our_own_budget_keeps_back_is_no_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def kept(*_: object) -> None:
        raise Busy("the venue's request budget is kept: 1101 of 1200 used", 23)

    async def work(house: House) -> None:
        order, _ = await doubted(house, arrives=True)
        house.clock.advance(3.0)
        monkeypatch.setattr(house.custody.venue, "query", kept)
        with pytest.raises(Refusal, match=r"^venue_busy: .* try again in 23 s: ") as refused:
            await ask(house, order.order_id)
        assert refused.value.code == "venue_busy" and order.status is OrderStatus.UNKNOWN

    lived(tmp_path, work)


def test_what_is_no_order_of_ours_is_not_asked_about(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        with pytest.raises(Refusal) as refused:
            await ask(house, "O-none")
        assert refused.value.code == "unknown_order"

    lived(tmp_path, work)


async def test_both_acts_are_on_the_record_with_who_and_why(tmp_path: Path) -> None:
    desk = Supervised(tmp_path)
    try:
        ticket = await desk.open()
        reply = await desk.ask(c.TicketDefer(ticket_id=ticket.id, seconds=5), "bob", reason="print at noon")
        assert reply.ok, reply
        now = desk.core.tickets.get(ticket.id)
        assert now.deferred_by == "bob" and now.expires_ns == ticket.expires_ns
        assert 4 * NS_PER_S < now.deferred_until_ns - desk.clock.now_ns() <= 5 * NS_PER_S
        assert await desk.code(c.OrderAsk(order_id="O-none"), "bob") == "unknown_order"
        acts = [(each["act"], each["operator"], each["subject"], each["reason"]) for each in desk.decisions()]
        assert ("TicketDefer", "bob", ticket.id, "print at noon") in acts
        assert ("OrderAsk", "bob", "O-none", "") in acts
        kept = desk.core.store.tickets.ticket(ticket.id)
        assert kept is not None and '"deferred_by":"bob"' in kept.payload
    finally:
        await desk.close()
