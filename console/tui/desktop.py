"""The one Textual screen: the fixed frame, the rooms inside it, and the single path of every key.

Only the fields of an order by hand can take focus, and lose it to a guard or a question; so a key has one way
to go: the guard bar if it is up, else the open question, else a field, else the action table. (^X and ^Q come
before all of these, from the app.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen

from console.actions import SCREEN_KEYS
from console.tui.model import CAN_COMMAND
from console.tui.past import PastLine
from console.tui.screens.help import HelpPage
from console.tui.screens.overview import Overview
from console.tui.screens.room import Room
from console.tui.widgets.frame import AlarmLine, KeyLine, MessageLine, ScreenNames, StatusLine, TooSmall
from console.tui.widgets.guard_bar import GuardBar
from console.tui.widgets.hold_line import HoldLines
from console.tui.widgets.lines import Lines
from engine.api.views import StatusView

if TYPE_CHECKING:
    from console.tui.app import InterlockApp

SMALLEST = (80, 24)


class Desktop(Screen[None], inherit_bindings=False):
    """Status, alarm, screen names, guard bar, room, message, keys."""

    AUTO_FOCUS = ""
    """Nothing: `None` would mean the app's own, which gives the first field of a hidden form every key that
    is pressed after the palette has closed."""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-normal"), (160, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-medium"), (45, "-tall")]

    @property
    def console_app(self) -> InterlockApp:
        return cast("InterlockApp", self.app)

    def compose(self) -> ComposeResult:
        app = self.console_app
        yield PastLine(app.past)
        yield StatusLine(app.desk)
        yield AlarmLine(app.desk)
        yield HoldLines(app.desk)
        yield GuardBar(app.flow, app.clock)
        yield ScreenNames(app.desk, lambda: app.room_name)
        yield Container(Overview(), HelpPage(), id="body")
        yield TooSmall(app.desk)
        yield MessageLine(app.prompt)
        yield KeyLine(lambda: app.room_name)

    def on_mount(self) -> None:
        self.query_one("#help").display = False
        self.query_one("#guard").display = False
        self.query_one("#past").display = self.console_app.past is not None
        self.call_after_refresh(self._furnish)

    async def _furnish(self) -> None:
        """Mount the other rooms, hidden, once the first frame is on the screen."""
        from console.tui.rooms import other_rooms

        rooms = other_rooms()
        for room in rooms:
            room.display = False
        await self.query_one("#body").mount_all(rooms)
        self.console_app.furnished()

    def on_resize(self, event: events.Resize) -> None:
        width, height = event.size
        self.set_class(width < SMALLEST[0] or height < SMALLEST[1], "-toosmall")
        self.call_after_refresh(self.console_app.paint)

    def room(self, name: str) -> Room | None:
        """Return a room, or None before it is furnished with its panes."""
        found = self.query(f"#room-{name}")
        return cast(Room, found.first()) if found and found.first().children else None

    @property
    def is_composed(self) -> bool:
        """False before the frame is composed and once the console is being left: answers may still arrive."""
        return bool(self.query("#keys"))

    def paint_frame(self) -> None:
        """Bring everything around the room up to date."""
        if not self.is_composed:
            return
        if self.focused is not None and (self.console_app.flow.is_open or self.console_app.prompt.is_open):
            self.set_focus(None)  # the guard and a question come before any field
        guard = self.query_one("#guard", GuardBar)
        desk = self.console_app.desk
        guard.operator = desk.operator
        guard.status = desk.latest(StatusView) if desk.trust in CAN_COMMAND else None
        guard.display = self.console_app.flow.is_open
        for name in (
            "#past",
            "#status",
            "#alarm",
            "#guard",
            "#names",
            "#toosmall",
            "#message",
            "#keys",
            "#help",
        ):
            pane = self.query_one(name, Lines)
            if pane.display:
                pane.update()
        self.query_one("#holds-line", Lines).update()

    def on_key(self, event: events.Key) -> None:
        app = self.console_app
        app.presence.key_pressed()
        if app.flow.is_open:
            app.guard_key(event.key, event.character)
            self._leave_guard(event.key)
        elif app.prompt.is_open:
            app.prompt_key(event.key, event.character)
        else:
            return
        event.stop()
        event.prevent_default()

    def _leave_guard(self, key: str) -> None:
        """What the engine answered has been read: a key of a screen leads on to it."""
        if not self.console_app.flow.is_open and key in SCREEN_KEYS:
            self.console_app.go(SCREEN_KEYS[key])

    def on_paste(self, event: events.Paste) -> None:
        app = self.console_app
        if app.flow.is_open:
            app.flow.paste()
        elif app.prompt.is_open:
            app.prompt.paste(event.text)
        app.paint()
        event.stop()
