"""The Tickets room over a doubted order and a deferred ticket: keys, words, pictures."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

from console.tui.app import InterlockApp
from console.tui.widgets.lines import Lines
from console.tui.widgets.live_table import LiveTable
from engine.api.commands import LeaseKeep, OrderAsk, OrderAsked, Reply, TicketDefer
from engine.api.views import OrdersView, TicketsView
from safety.canonical import changed
from tests.console import desk_fixture as desk
from tests.console.fixture_gateway import FixtureGateway, reply_with
from tests.console.hand import picture, press, said, sent
from tests.console.snaps import pictured

SIZE = (120, 40)
ASKED = desk.order(
    0, ticket_id="T-00412", status="unknown", venue_order_id="", acked_ns=0, asked_ns=desk.ago(4),
    heard="venue knows no such order",
)  # fmt: skip
ANSWER = OrderAsked(
    order_id="O-77121", venue="sandbox", asked_ns=desk.ago(1), answered_ns=desk.NOW_NS,
    said="venue says open", status="open", filled=D("0.5"),
)  # fmt: skip


def doubting(**options: Any) -> InterlockApp:
    """A ticket whose order nobody has confirmed, and which was asked about."""
    lost = desk.ticket(state="unknown", decided_by="mara", decided_ns=desk.ago(6))
    rows = (ASKED, *desk.orders().rows[1:])
    given = desk.gateway(tickets=desk.tickets(lost), orders=OrdersView(seq=41, at_ns=desk.NOW_NS, rows=rows))
    given.replies[OrderAsk] = reply_with(ANSWER)
    return desk.make_app(given, **options)


def deferred(**options: Any) -> InterlockApp:
    """The first ticket put back: the other one is the head."""
    first, second, done = desk.tickets().rows
    back = changed(
        first, deferred_until_ns=desk.NOW_NS + 10 * 10**9, deferred_by="ops2", deferred_why="funding first"
    )
    view = TicketsView(seq=41, at_ns=desk.NOW_NS, rows=(second, back, done))
    return desk.make_app(desk.gateway(tickets=view), **options)


def acts(app: InterlockApp) -> list[tuple[object, str]]:
    """What was sent, with its reason; key presses keep the lease besides."""
    gateway = app.gateway
    assert isinstance(gateway, FixtureGateway)
    return [(body, why) for body, why, _ in gateway.sent if not isinstance(body, LeaseKeep)]


async def test_v_asks_about_exactly_this_order_and_shows_what_the_venue_said() -> None:
    app = doubting()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2")
        shown = " ".join(app.desktop.query_one("#detail", Lines).plain().split())
        assert "asked sandbox about O-77121 at 03:14:03Z" in shown and "venue knows no such order" in shown
        await press(pilot, "v")
        assert acts(app) == [(OrderAsk(order_id="O-77121"), "")]
        assert "asked 03:14:06Z: venue says open; it is OPEN, 0.5 filled" in said(app)
        await press(pilot, "4", "v")
        assert [a.order_id for a in sent(app, OrderAsk)] == ["O-77121"] * 2
        await press(pilot, "G", "v")
        assert "nothing to ask" in said(app) and len(sent(app, OrderAsk)) == 2


async def test_a_ticket_that_became_no_order_has_nothing_to_ask_about() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2", "v")
        assert not sent(app, OrderAsk) and "there is nothing to ask" in said(app)


async def test_a_silent_venue_is_said_in_words() -> None:
    app = doubting()
    app.gateway.replies[OrderAsk] = Reply(  # type: ignore[attr-defined]
        request_id="", ok=False, code="venue_unreachable", message="O-77121 at sandbox: silence"
    )
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2", "v")
        assert said(app) == "refused venue_unreachable: O-77121 at sandbox: silence"


async def test_d_defers_with_a_reason_and_the_cursor_goes_on_to_the_next() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2", "D", *"news", "enter")
        assert acts(app) == [(TicketDefer(ticket_id="T-00412"), "news")]
        selected = app.desktop.query_one("#queue", LiveTable).selected
        assert selected is not None and selected.ticket_id == "T-00413"
        await press(pilot, "j", "D")
        assert "nothing to defer" in said(app) and len(sent(app, TicketDefer)) == 1


async def test_a_deferred_ticket_stands_back_with_who_until_when_and_why() -> None:
    app = deferred()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2")
        rows = app.desktop.query_one("#queue", LiveTable).plain().splitlines()
        assert "T-00413" in rows[2] and "T-00412" in rows[3] and "z ! BUY" in rows[3]
        await press(pilot, "j")
        assert "deferred by ops2 until 03:14:17Z: funding first" in picture(app)


STATES = {
    "ticket_asked": (doubting, ("2",)),
    "ticket_answered": (doubting, ("2", "v")),
    "order_asked": (doubting, ("4",)),
    "ticket_deferred": (deferred, ("2", "j")),
    "ticket_defer_asked": (desk.make_app, ("2", "D")),
}


test_state, test_state_without_colour = pictured(STATES)
