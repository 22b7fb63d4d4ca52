"""An operator at a console: keys pressed as a hand does, and what is read and sent."""

from __future__ import annotations

from typing import Any

from textual.pilot import Pilot

from console.tui.app import InterlockApp
from console.tui.widgets.frame import MessageLine
from console.tui.widgets.lines import Lines
from seams.clock import FixedClock

SIZE = (120, 40)


async def press(pilot: Pilot[Any], *keys: str, is_engine_heard: bool = True) -> None:
    """Press keys as a hand does: never two within the auto-repeat gap."""
    for key in keys:
        app = pilot.app
        assert isinstance(app, InterlockApp)
        assert isinstance(app.clock, FixedClock)
        app.clock.advance(0.16)
        if is_engine_heard:
            app.desk.note_resync()
        await pilot.press(key)
    await pilot.pause()


def sent(app: InterlockApp, kind: type) -> list[Any]:
    return [body for body, _, _ in app.gateway.sent if isinstance(body, kind)]  # type: ignore[attr-defined]


def said(app: InterlockApp) -> str:
    return app.desktop.query_one(MessageLine).said[0]


def picture(app: InterlockApp) -> str:
    return "\n".join(pane.plain() for pane in app.desktop.query(Lines) if pane.size.height)
