"""Every screen and every state that matters, as a picture, on a clock that stands still.

Update after looking at each change: `pytest tests/console/test_snapshots.py --snapshot-update`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from console.actions import SCREENS
from console.tui.app import InterlockApp
from console.tui.model import Link
from console.tui.screens import runbooks
from console.tui.screens.research.launch_page import LaunchPage
from console.tui.screens.runbooks import Book
from engine.api.commands import Kill, KillArm
from safety.canonical import changed
from seams.clock import FixedClock
from seams.net import NetDown, NoAnswer
from tests.console import desk_fixture as desk
from tests.console.fixture_gateway import FixtureGateway
from tests.console.snaps import Compare, Step, steps

SIZES = ((80, 24), (120, 40), (200, 60))
STORM = """# Rejected orders

1. Look at the reason on **screen 4**.
2. Check margin.

```
interlock orders list
```
"""
BOOKS = (
    Book("rejected-orders", "Rejected orders", STORM),
    Book("stale-feed", "Stale feed", "# Stale feed\n\nWait for the hold to clear.\n"),
)


@pytest.fixture(autouse=True)
def fixed_books(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runbooks, "read_books", lambda: BOOKS)


def answered(*keys: str) -> Step:
    """Press keys; then paint until a room that asks twice, for a list and for its first row, shows both
    answers, however busy the host is."""

    async def run(pilot: Pilot[Any]) -> None:
        await steps(*keys)(pilot)
        for _ in range(4):
            pilot.app.paint()  # type: ignore[attr-defined]
            await pilot.pause(0.05)

    return run


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("digit", [digit for digit, _, _ in SCREENS])
def test_screen(snap_compare: Compare, digit: str, size: tuple[int, int]) -> None:
    assert snap_compare(desk.make_app(), terminal_size=size, run_before=steps(digit))


@pytest.mark.parametrize("digit", [digit for digit, _, _ in SCREENS])
def test_screen_without_colour(snap_compare: Compare, digit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = desk.make_app(is_utf8=False)
    assert snap_compare(app, terminal_size=(80, 24), run_before=steps(digit))


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
def test_the_feeds_on_system(snap_compare: Compare, size: tuple[int, int]) -> None:
    given = desk.gateway(system=changed(desk.system(), health=desk.FEEDS))
    assert snap_compare(desk.make_app(given), terminal_size=size, run_before=steps("0"))


def test_the_limits_without_colour(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = desk.make_app(is_utf8=False)
    assert snap_compare(app, terminal_size=(80, 24), run_before=steps("l"))


SIDE = ("i", "x")


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("key", SIDE)
def test_side_screen(snap_compare: Compare, key: str, size: tuple[int, int]) -> None:
    assert snap_compare(desk.make_app(), terminal_size=size, run_before=answered(key))


@pytest.mark.parametrize("key", SIDE)
def test_side_screen_without_colour(snap_compare: Compare, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = desk.make_app(is_utf8=False)
    assert snap_compare(app, terminal_size=(80, 24), run_before=answered(key))


def test_the_differences_without_colour(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    holds = desk.gateway(status=desk.status(level="halt", holds=desk.MORE_HOLDS))
    app = desk.make_app(holds, is_utf8=False)
    assert snap_compare(app, terminal_size=(80, 24), run_before=steps("d", "enter"))


def wait(seconds: float) -> Callable[[InterlockApp], None]:
    def advance(app: InterlockApp) -> None:
        assert isinstance(app.clock, FixedClock)
        app.clock.advance(seconds)

    return advance


def lose(app: InterlockApp) -> None:
    app.desk.set_link(Link.DOWN)


def unanswered() -> InterlockApp:
    given = desk.gateway()
    given.replies = {KillArm: NetDown("gone"), Kill: NoAnswer("no answer within 2 s")}
    return desk.make_app(given)


def shown_unconfirmed(app: InterlockApp) -> None:
    app.flow.tick(app.clock.now_ns())
    app.flow.unanswered("No answer: none of the sends was answered.", app.clock.now_ns())


REVIEWING = desk.ticket(state="reviewing", reviewer=desk.OPERATOR)
HALTED = {
    "level": "halt", "kill_level": "halt_all", "kill_id": "K-00007", "killed_by": "mara",
    "killed_at_ns": desk.ago(372), "holds": desk.HALT_HOLDS, "mode": "live",
}  # fmt: skip


def halted() -> InterlockApp:
    return desk.make_app(desk.gateway(status=desk.status(**HALTED)))


def held() -> InterlockApp:
    """Four holds at once, one of them for what record and venue do not agree on."""
    return desk.make_app(desk.gateway(status=desk.status(**{**HALTED, "holds": desk.MORE_HOLDS})))


def reviewing() -> InterlockApp:
    return desk.make_app(desk.gateway(tickets=desk.tickets(REVIEWING)))


def fill_launch(app: InterlockApp) -> None:
    """Fill the launch form for a sweep, with a window, costs and funding."""
    page = app.desktop.query_one(LaunchPage)
    page.form |= {
        "kind": "sweep", "data": "kraken/BTC-PERP/15m", "grid": "fast=5:50:5 slow=20,50,100",
        "start": "2026-01-02", "end": "2026-02-01", "fee_bps": "4.5", "slippage_bps": "0", "funding": "data",
    }  # fmt: skip
    page.feed()


def shown(**changes: Any) -> Callable[[], InterlockApp]:
    """A desk whose first ticket is so."""
    return lambda: desk.make_app(desk.gateway(tickets=desk.tickets(desk.ticket(**changes))))


def paired() -> InterlockApp:
    return desk.make_app(desk.gateway(status=desk.status(**HALTED, pairs=(desk.PAIR,))))


def watching() -> InterlockApp:
    return desk.make_app(desk.gateway(status=desk.status(lease=desk.OTHERS)))


COSIGNING = {
    "state": "cosigning", "reviewer": "ops2", "first_approver": "ops2", "needs_second": True,
    "worst": "fail", "overridden": ("max_symbol_exposure_exceeded",), "override_reason": "hedge of spot",
}  # fmt: skip
ALTERED = ("price_collar_exceeded", "max_exposure_exceeded", "market_data_stale")
STATES: dict[str, tuple[Callable[[], InterlockApp], Step]] = {
    "no_engine": (lambda: desk.make_app(FixtureGateway((), link=Link.CONNECTING)), steps()),
    "ticket_in_review_with_warn": (reviewing, steps("2")),
    "ticket_size_asked": (reviewing, steps("2", "A", "1")),
    "ticket_reject_asked": (reviewing, steps("2", "R")),
    "ticket_reject_all_asked": (desk.make_app, steps("2", "X")),
    "ticket_altered": (
        shown(state="reviewing", reviewer=desk.OPERATOR, version=4, altered=ALTERED, worst="ok"),
        steps("2"),
    ),
    "ticket_cosigning": (shown(**COSIGNING), steps("2")),
    "ticket_cosign_asked": (shown(**COSIGNING), steps("2", "A")),
    "ticket_unknown": (shown(state="unknown", decided_by="mara", decided_ns=desk.ago(4)), steps("2")),
    "ticket_failed": (
        shown(state="reviewing", reviewer=desk.OPERATOR, worst="fail", checks=desk.failed_checks()),
        steps("2", "A"),
    ),
    "pair_overview": (paired, steps()),
    "pair_gates": (paired, steps("7")),
    "pair_sign_asked": (paired, steps("7", "A", "S", "I")),
    "lease_elsewhere": (watching, steps("2", "A")),
    "lease_take_asked": (watching, steps("T")),
    "leave_asked": (desk.make_app, steps("ctrl+q")),
    "kill_armed": (desk.make_app, steps("ctrl+x", "k", "i")),
    "kill_armed_flatten": (desk.make_app, steps("ctrl+x", "tab", "tab")),
    "kill_halted": (desk.make_app, steps("ctrl+x", "k", "i", "l", "l", "enter")),
    "kill_unconfirmed": (unanswered, steps("ctrl+x", "k", after=shown_unconfirmed)),
    "stale": (desk.make_app, steps(after=wait(4.2))),
    "disconnected": (desk.make_app, steps(after=lose)),
    "frozen": (desk.make_app, steps("4", "space")),
    "readonly": (lambda: desk.make_app(is_readonly=True), steps("2", "A")),
    "gates_halted": (halted, steps("7")),
    "resume_reason": (halted, steps("7", "u", "o", "k")),
    "resume_word": (halted, steps("7", "u", "s", "a", "f", "e", "enter", "r", "e")),
    "limits": (desk.make_app, steps("l", "j", "j")),
    "limits_held": (lambda: desk.make_app(desk.gateway(status=desk.status(**HALTED))), steps("l")),
    "holds": (held, steps("1")),
    "differences": (held, steps("d")),
    "difference_selected": (held, steps("d", "enter")),
    "difference_reason": (held, steps("d", "enter", "A", "m", "i", "n", "e")),
    "filtered": (desk.make_app, steps("4", "slash", "e", "t", "h")),
    "help": (desk.make_app, steps("2", "question_mark")),
    "runbook_open": (desk.make_app, steps("5", "r")),
    "run_detail": (desk.make_app, steps("6", "tab", "tab", "enter")),
    "run_trades": (desk.make_app, steps("6", "tab", "tab", "enter", "tab")),
    "run_decisions": (desk.make_app, steps("6", "tab", "tab", "enter", "tab", "tab")),
    "compare": (desk.make_app, steps("6", "tab", "tab", "m", "j", "m", "j", "m", "C")),
    "sweep": (desk.make_app, steps("6", "tab", "tab", "j", "j", "j", "enter")),
    "walk_forward": (desk.make_app, steps("6", "W")),
    "stored_data": (desk.make_app, steps("6", "D", "j")),
    "launch": (desk.make_app, steps("6", "L", "enter")),
    "launch_sweep": (desk.make_app, steps("6", "L", after=fill_launch)),
    "order_cancel_asked": (desk.make_app, steps("4", "c")),
}


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("state", STATES)
def test_state(snap_compare: Compare, state: str, size: tuple[int, int]) -> None:
    make, run = STATES[state]
    assert snap_compare(make(), terminal_size=size, run_before=run)


@pytest.mark.parametrize(
    "state", [name for name in STATES if name.startswith(("ticket_", "lease_", "pair_"))]
)
def test_ticket_state_without_colour(
    snap_compare: Compare, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    made, run = STATES[state]
    app = made()
    app.look = desk.make_app(is_utf8=False).look
    assert snap_compare(app, terminal_size=(80, 24), run_before=run)


@pytest.mark.parametrize("size", [(60, 15), (100, 20)], ids=lambda s: f"{s[0]}x{s[1]}")
def test_too_small(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(desk.make_app(), terminal_size=size, run_before=steps("ctrl+x", "k"))
