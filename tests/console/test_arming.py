"""Arming on the Gates screen: what fails is shown, and its two steps are a reason and the phrase."""

from __future__ import annotations

from console.tui.app import InterlockApp
from console.tui.screens.gates import Gates
from console.tui.widgets.lines import Lines
from engine.api.arming import ArmAsk, ArmCondition, ArmConfirm, ArmingView, Disarm

from . import desk_fixture as desk
from .hand import SIZE, press, said, sent

CONDITIONS = (
    ArmCondition(code="no_seal", ok=False, said="no seal exists", correction="stay on testnet"),
    ArmCondition(code="audit_broken", ok=True, said="every act is on the record"),
)
PHRASE = "ARM HYPERLIQUID TESTNET 100 USD"


def view(state: str, **changes: object) -> ArmingView:
    given: dict[str, object] = {
        "state": state,
        "mode": "live",
        "environment": "testnet",
        "venue": "hyperliquid",
        "account": "0xacc",
        "needs_two": True,
        "conditions": CONDITIONS,
    }
    return ArmingView(**(given | changes))  # type: ignore[arg-type]


def app_with(arming: ArmingView | None) -> InterlockApp:
    return desk.make_app(desk.gateway(status=desk.status(arming=arming, holds=())))


async def test_what_fails_is_shown_and_the_first_step_wants_a_reason() -> None:
    app = app_with(view("disarmed"))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "7")
        pane = app.screen.query_one(Gates).query_one("#detail", Lines)
        text = "\n".join("".join(part for part, _ in line) for line in pane.lines(100, 20))
        assert "DISARMED" in text and "no_seal" in text and "audit_broken" not in text
        await press(pilot, "M", *"no", "enter")
        assert not sent(app, ArmAsk) and "in words" in said(app)
        await press(pilot, "M", *"first orders", "enter")
        assert sent(app, ArmAsk) == [ArmAsk()]


async def test_the_second_step_types_the_phrase_and_sends_the_hash_that_was_seen() -> None:
    app = app_with(
        view("asked", hash="ab" * 32, phrase=PHRASE, asked_by="ann", until_ns=desk.NOW_NS + 10**11)
    )
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "7", "M", *"arm x", "enter")
        assert not sent(app, ArmConfirm), "a wrong letter starts again"
        await press(pilot, *["space" if c == " " else c for c in PHRASE.lower()], "enter")
        assert sent(app, ArmConfirm) == [ArmConfirm(hash="ab" * 32, phrase=PHRASE)]


async def test_what_is_armed_is_ended_by_a_word_and_sim_has_nothing_to_arm() -> None:
    app = app_with(view("armed", armed_by="ann+bob", until_ns=desk.NOW_NS + 10**12))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "7", "M", *"off", "enter")
        assert sent(app, Disarm) == [Disarm()]
    app = app_with(None)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "7", "M")
        assert "nothing to arm" in said(app)
