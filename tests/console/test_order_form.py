"""An order by hand at the console: judged while it is typed, sent only as it was judged."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from decimal import Decimal as D
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from console.tui.app import InterlockApp
from console.tui.kill import Stage
from console.tui.screens.order_fields import BLANK, FIELDS, completed, order_of
from console.tui.screens.order_form import OrderForm
from console.tui.widgets.frame import KeyLine
from console.tui.widgets.lines import Lines
from engine.api.commands import LeaseKeep, OrderJudge, OrderJudged, TicketSubmit
from engine.api.corridor import SubmitOpen
from engine.api.order_judgement import FieldSaid
from safety.canonical import changed
from safety.intent import REQUIRED_FIELDS
from safety.order_form import OPTIONAL_FIELDS, WORDS, corrections
from safety.reasons import REASONS
from tests.console import desk_fixture as desk
from tests.console.fixture_gateway import FixtureGateway
from tests.console.hand import press, said, sent
from tests.console.snaps import Compare, Step, steps

SIZE = (120, 40)
SIZES = ((80, 24), (120, 40), (160, 50))
TYPED = {
    "symbol": "ETH-PERP", "side": "buy", "quantity": "1.2", "limit_price": "3100", "stop_loss": "3010",
    "note": "hedge of the spot leg",
}  # fmt: skip
TOO_LARGE = FieldSaid(
    field="quantity",
    code="max_symbol_exposure_exceeded",
    said=REASONS["max_symbol_exposure_exceeded"].correction,
)
HELD = FieldSaid(field="", code="hold_blocks_entry", said=REASONS["hold_blocks_entry"].correction)


def judge(asked: OrderJudge) -> OrderJudged:
    """Answer as an engine does: the form first, then the rules; 9 coins are too many."""
    found = tuple(FieldSaid(field=n, code="", said=t) for n, t in corrections(asked.order).items())
    fails = str(asked.order.get("quantity", "")) == "9"
    verdict = OrderJudged(
        at_ns=desk.NOW_NS, goes="ticket", venue="sandbox", account="paper-1", session_id="S-00007",
        can_submit=not found and not fails, worst="" if found else "fail" if fails else "warn",
        notional_usd=None if found else D("3720"), mark_price=None if found else D("3101.2"),
        checks=() if found else desk.failed_checks() if fails else desk.ticket().checks,
        said=found or ((TOO_LARGE, HELD) if fails else ()),
    )  # fmt: skip
    return verdict


def corridor(asked: OrderJudge) -> OrderJudged:
    return changed(judge(asked), goes="corridor", venue="kraken", account="main", session_id="")


def form_app(answer: Callable[[OrderJudge], OrderJudged] = judge, **options: Any) -> InterlockApp:
    given = desk.gateway()
    given.results[OrderJudge] = answer
    return desk.make_app(given, **options)


def room(app: InterlockApp) -> OrderForm:
    found = app.desktop.room("order_form")
    assert isinstance(found, OrderForm)
    return found


def fill(**changes: str) -> Callable[[InterlockApp], None]:
    def run(app: InterlockApp) -> None:
        for name, value in {**TYPED, **changes}.items():
            room(app).query_one(f"#field-{name}", Input).value = value

    return run


async def rested(pilot: Pilot[Any], app: InterlockApp) -> None:
    """Wait until the typing has rested and the answer is there."""
    for _ in range(200):
        await asyncio.sleep(0.02)
        if room(app).verdict is not None:
            break
    await pilot.pause()


def pane(app: InterlockApp, name: str) -> str:
    return " ".join(app.desktop.query_one(f"#{name}", Lines).plain().split())


def acts(app: InterlockApp) -> list[tuple[object, str]]:
    gateway = app.gateway
    assert isinstance(gateway, FixtureGateway)
    return [(body, why) for body, why, _ in gateway.sent if not isinstance(body, LeaseKeep)]


async def test_the_key_line_names_no_key_that_a_field_would_take_as_text() -> None:
    app = form_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "2", "N")
        await pilot.pause(0.3)
        app.paint()
        keys = app.desktop.query_one(KeyLine).plain()
        assert {"^X KILL", "^S send", "Tab next field", "Esc leave"} <= set(re.split(r"  +", keys.strip()))
        assert "a ack" not in keys and "filter" not in keys and "help" not in keys
        await press(pilot, "escape")
        assert "a ack" in app.desktop.query_one(KeyLine).plain()


async def test_letters_are_text_and_the_draft_survives_esc_and_the_kill() -> None:
    app = form_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2", "N", *"eth-perp", "tab", "b", "enter", *"1.2")
        assert room(app).draft["quantity"] == "1.2" and room(app).draft["side"] == "buy"
        await press(pilot, "escape")
        assert app.room_name == "tickets"
        await press(pilot, "N")
        assert room(app).draft["symbol"] == "ETH-PERP"
        await press(pilot, "enter", "1", "ctrl+x", *"ki")
        assert app.flow.stage is Stage.ARMED and app.flow.typed == "KI", "the guard comes before a field"
        await press(pilot, "escape")
        assert room(app).draft["symbol"] == "ETH-PERP"
        assert not acts(app) or all(type(body).__name__ == "KillArm" for body, _ in acts(app))


async def test_the_verdict_follows_the_typing_and_stands_under_its_field() -> None:
    app = form_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "N")
        await rested(pilot, app)
        assert "VERDICT not finished" in pane(app, "verdict") and "needs symbol, side" in pane(app, "verdict")
        fill(quantity="9")(app)
        await rested(pilot, app)
        assert "VERDICT REFUSED" in pane(app, "verdict")
        assert "Reduce the position or cancel its resting orders. (max_" in pane(app, "said-quantity")
        assert "(hold_blocks_entry)" in pane(app, "verdict")
        fill(stop_loss="3200")(app)
        await rested(pilot, app)
        fill(stop_loss="3200", time_in_force="soon")(app)
        await rested(pilot, app)
        assert "below the limit price for a buy" in pane(app, "said-stop_loss")
        assert pane(app, "said-time_in_force").startswith("say ")
        fill(time_in_force="gtc")(app)
        await rested(pilot, app)
        assert "VERDICT WARN" in pane(app, "verdict") and "symbol exposure 12715 16435 18000 WARN" in pane(
            app, "verdict"
        )


async def test_typing_asks_once_it_rests_and_an_older_answer_is_not_shown() -> None:
    app = form_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "N", *"ETH-PERP")
        await rested(pilot, app)
        gateway = app.gateway
        assert isinstance(gateway, FixtureGateway)
        asked = [b.order.get("symbol", "") for b in gateway.asked if isinstance(b, OrderJudge)]
        assert asked[-1] == "ETH-PERP" and len(asked) < len("ETH-PERP") + 2
        fill()(app)
        assert room(app).verdict is None, "what was not judged is not shown as judged"
        await press(pilot, "ctrl+s")
        assert "it is being judged" in said(app)


async def test_a_letter_does_not_overtake_a_backspace() -> None:
    app = form_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "N")
        field = room(app).query_one("#field-limit_price", Input)
        field.focus()
        await pilot.pause()
        keys = [*"65000", *["backspace"] * 5, *"63900", "left", "left", "1"]
        for key in keys:  # all at once, as a slow line delivers them
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        for _ in range(100):
            await asyncio.sleep(0.02)
            if len(field.value) == 6 and "1" in field.value:
                break
        assert field.value == "639100"


async def test_a_refused_order_is_not_sent() -> None:
    app = form_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "N")
        fill(quantity="9")(app)
        await rested(pilot, app)
        await press(pilot, "ctrl+s")
        assert said(app) == "not sent: max_symbol_exposure_exceeded, hold_blocks_entry"
        assert not app.prompt.is_open and not acts(app)


@pytest.mark.parametrize(("answer", "kind"), [(judge, TicketSubmit), (corridor, SubmitOpen)])
async def test_what_was_judged_is_sent_after_a_yes(answer: Any, kind: type) -> None:
    app = form_app(answer)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "N")
        fill()(app)
        await rested(pilot, app)
        await press(pilot, "ctrl+s", "n")
        assert not acts(app), "any other key is no"
        await press(pilot, "enter", "ctrl+s", "y")
        ((body, why),) = acts(app)
        form = {**{n: v for n, v in TYPED.items() if n != "note"}, "order_type": "limit",
                "time_in_force": "gtc", "reduce_only": False}  # fmt: skip
        if kind is TicketSubmit:
            assert body == TicketSubmit(order=form, session_id="S-00007") and why == TYPED["note"]
        else:
            assert body == SubmitOpen(form=form, note=TYPED["note"])
        assert app.room_name == ("tickets" if kind is TicketSubmit else "corridor")
        await press(pilot, "N", "ctrl+r")
        assert room(app).draft == BLANK and len(sent(app, kind)) == 1


async def test_a_readonly_console_writes_a_draft_and_sends_nothing() -> None:
    app = form_app(is_readonly=True)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "N")
        fill()(app)
        await rested(pilot, app)
        await press(pilot, "ctrl+s", "y")
        assert not acts(app) and "READ-ONLY" in said(app)


@pytest.mark.parametrize("answer", [judge, corridor])
async def test_what_could_not_be_sent_stays_in_the_form_and_says_why(answer: Any) -> None:
    """It went on to the next screen, and what was said of it was forgotten on the way."""
    given = desk.gateway(status=desk.status(lease=desk.OTHERS))
    given.results[OrderJudge] = answer
    app = desk.make_app(given)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "N")
        fill()(app)
        await rested(pilot, app)
        await press(pilot, "ctrl+s", "y")
        assert not sent(app, TicketSubmit) and not sent(app, SubmitOpen)
        assert app.room_name == "order_form" and "ops2 has the lease" in said(app)


def test_the_form_has_every_mandatory_field_and_its_words() -> None:
    names = {field.name for field in FIELDS}
    assert set(REQUIRED_FIELDS) <= names and names <= {*REQUIRED_FIELDS, *OPTIONAL_FIELDS, "note"}
    for field in FIELDS:
        if field.name in WORDS:
            assert set(field.words) == set(WORDS[field.name])
    tif = next(field for field in FIELDS if field.name == "time_in_force")
    assert [completed(tif, typed) for typed in ("g", "IO", "post", "x", "")] == [
        "gtc", "ioc", "post_only", "x", "",
    ]  # fmt: skip
    assert order_of({**BLANK, "reduce_only": "y", "symbol": " btc-perp "}) == {
        "symbol": "BTC-PERP", "order_type": "limit", "time_in_force": "gtc", "reduce_only": True,
    }  # fmt: skip


def filled(**changes: str) -> Step:
    """Open the form, fill it, and wait for its verdict."""

    async def run(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, InterlockApp)
        await steps("N")(pilot)
        await rested(pilot, app)
        if changes:
            fill(**{name: value for name, value in changes.items() if name != "all"})(app)
            await rested(pilot, app)
        room(app).query_one("#field-quantity", Input).focus()
        room(app).query_one("#field-quantity", Input).cursor_blink = False
        app.paint()
        await pilot.pause(0.05)

    return run


async def asked_to_send(pilot: Pilot[Any]) -> None:
    await filled(all="")(pilot)
    await pilot.press("ctrl+s")
    await pilot.pause()


STATES: dict[str, Step] = {
    "form_empty": filled(),
    "form_warn": filled(all=""),
    "form_refused": filled(quantity="9"),
    "form_wrong": filled(stop_loss="3200", time_in_force="soon"),
    "form_asked": asked_to_send,
}


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("state", STATES)
def test_state(snap_compare: Compare, state: str, size: tuple[int, int]) -> None:
    assert snap_compare(form_app(), terminal_size=size, run_before=STATES[state])


@pytest.mark.parametrize("state", STATES)
def test_state_without_colour(snap_compare: Compare, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(form_app(is_utf8=False), terminal_size=(80, 24), run_before=STATES[state])
