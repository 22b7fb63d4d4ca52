"""The console: one Textual app over a `Gateway`. It shows views and sends commands; it decides nothing."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

from textual.app import App
from textual.screen import Screen
from textual.theme import Theme

from console import actions
from console.tui import text
from console.tui.desktop import Desktop
from console.tui.gateway import Gateway
from console.tui.keys import MOVES, REPEAT_GAP_MS, bindings
from console.tui.kill import KillFlow
from console.tui.model import Desk
from console.tui.outbox import Outbox
from console.tui.palette import ActionProvider
from console.tui.past import PastGateway
from console.tui.presence import Presence
from console.tui.prompt import Answer, Kind, Prompt
from console.tui.screens.help import HelpPage
from console.tui.screens.room import Room
from console.tui.theme import INTERLOCK_GREY, Look, terminal_look
from console.tui.widgets.frame import MessageLine
from engine.api.commands import AlarmAck, CommandBody, QueryBody
from engine.api.leased import needs_lease
from seams.clock import NS_PER_MS, Clock

T = TypeVar("T")

TICK_S = 0.25


class InterlockApp(App[int], inherit_bindings=False):
    """The operator's console."""

    TITLE = "Interlock"
    CSS_PATH = [
        "console.tcss",
        *(
            f"screens/{name}.tcss"
            for name in ("overview", "tickets", "lists", "runs", "gates", "runbooks", "system")
        ),
    ]
    COMMANDS = {ActionProvider}
    BINDINGS = bindings()  # type: ignore[assignment]

    def __init__(
        self,
        gateway: Gateway,
        clock: Clock,
        operator: str,
        *,
        is_readonly: bool = False,
        look: Look | None = None,
        terminal: str = "",
    ) -> None:
        self.gateway, self.clock = gateway, clock
        self.past = gateway if isinstance(gateway, PastGateway) else None
        self.desk = Desk(self.past.clock if self.past else clock, operator, is_readonly)
        self.desk.is_past = self.past is not None
        self.flow, self.prompt = KillFlow(), Prompt()
        self.outbox, self.presence = Outbox(gateway, self), Presence(self)
        self.look = look or terminal_look()
        self.terminal = terminal
        self.room_name = "overview"
        self._came_from: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._painted: tuple[object, ...] = ()
        self._last_key: tuple[str, int] = ("", 0)
        self.lag_ms = 0.0
        self._ticked_ns = clock.monotonic_ns()
        super().__init__()
        self.animation_level = "none"
        self._wear(INTERLOCK_GREY)

    def get_default_screen(self) -> Screen[Any]:
        return Desktop(id="desktop")

    @property
    def desktop(self) -> Desktop:
        return cast(Desktop, self.screen_stack[0])

    @property
    def room(self) -> Room | None:
        return self.desktop.room(self.room_name)

    def _wear(self, theme: Theme) -> None:
        """Put the theme on before the style sheets are read: changed later, all of them are read twice."""
        self.register_theme(theme)
        self.set_reactive(App.theme, theme.name)
        self.set_classes(("-dark-mode", f"-theme-{theme.name}"))
        self.stylesheet.set_variables(self.get_css_variables())

    def on_mount(self) -> None:
        self.call_after_refresh(self._attend)
        self.set_interval(TICK_S, self._tick)
        self.call_after_refresh(self.paint)

    def _attend(self) -> None:
        """Look for the engine once the first frame is on the screen.

        What was loaded until now stays until the end: a start that held the collector off never has it
        look at that again.
        """
        if not gc.isenabled():
            gc.freeze()
            gc.enable()
        self.keep(self.gateway.run(self.desk))

    async def on_unmount(self) -> None:
        """Leave: stop listening; what was sent stays sent."""
        for task in list(self._tasks):
            task.cancel()
        await self.gateway.close()

    def furnished(self) -> None:
        """All rooms exist now."""
        self.go(self.room_name)

    def keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task that no screen owns: closing a screen must never cancel a command."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # what time does

    def _tick(self) -> None:
        if not self.screen_stack:  # the screens are gone, the timer is not yet: we are leaving
            return
        now_ns = self.clock.monotonic_ns()
        self.lag_ms = max(0.0, (now_ns - self._ticked_ns) / NS_PER_MS - TICK_S * 1000)
        self._ticked_ns = now_ns
        if self.past is not None:
            self.past.play(self.desk, TICK_S)
        said = self.flow.tick(self.clock.now_ns())
        if said:
            self.say(said, "p3-calm")
        state = (self.desk.version, self.clock.now_ns() // 1_000_000_000, self.desk.trust)
        if state != self._painted:
            self._painted = state
            self.paint()
        elif self.flow.is_open:
            self.desktop.paint_frame()

    def paint(self) -> None:
        """Bring frame and visible room up to date; only differences reach the terminal."""
        if not self.screen_stack:
            return
        self.desktop.paint_frame()
        if self.room is not None and self.room.display:
            self.room.update()

    def paint_soon(self) -> None:
        """Paint once the layout that this change asks for stands."""
        self.call_after_refresh(self.paint)

    # what keys do

    async def action_press(self, key: str) -> None:
        self.presence.key_pressed()
        action = actions.find(key, self.room_name)
        if self.past is not None:
            action = actions.find(key, actions.PAST) or action
        if action is not None:
            await self.perform(action)

    async def perform(self, action: actions.Action) -> None:
        """Do an action here and now."""
        if self._is_repeat(action):
            return
        if action.keys[0].isdigit() or action.id in actions.SIDE_SCREENS:
            self.go(action.id)
            return
        if actions.PAST in action.screens:
            if self.past is not None:
                self.past.act(self.desk, action.id)
                self.say(self.past.said, "p3-calm")
            self.paint()
            return
        general = getattr(self, f"_do_{action.id}", None)
        if action.id in MOVES:
            self._move(action.id)
        elif general is not None:
            general()
        elif self.room is not None and not self.room.act(action.id):
            self.say(f"{action.label}: nothing here to do that to", "dim")
        self.paint()

    def _is_repeat(self, action: actions.Action) -> bool:
        now_ns = self.clock.monotonic_ns()
        before, self._last_key = self._last_key, (action.id, now_ns)
        is_soon = now_ns - before[1] < REPEAT_GAP_MS * NS_PER_MS
        return action.danger >= 2 and action.id != "kill" and before[0] == action.id and is_soon

    async def run_from_palette(self, action: actions.Action) -> None:
        """Go where an action belongs; a consequential one still wants its own key."""
        if action.screens and self.room_name not in action.screens:
            self.go(action.screens[0])
        if action.danger >= 2 and action.id != "kill":
            self.say(f"{action.label}: press {actions.key_name(action.keys[0])} here", "bright")
        else:
            await self.perform(action)

    def go(self, name: str, key: str = "", filter_text: str = "", *, is_back: bool = False) -> None:
        """Show a room, with the cursor on a row or a filter set."""
        self._hide_help()
        if name != self.room_name:
            self.forget()
        if not is_back and name != self.room_name:
            self._came_from = [*self._came_from[-20:], self.room_name]
        self.room_name = name
        room = self.room
        if room is None:
            return
        for other in self.desktop.query(Room):
            other.display = other is room
        room.feed()
        for table in room.query("LiveTable"):
            if filter_text:
                table.set_filter(filter_text.replace(",", " "))  # type: ignore[attr-defined]
            if key:
                table.select(key)  # type: ignore[attr-defined]
        self.call_after_refresh(self.paint)

    def open_runbook(self, name: str) -> None:
        from console.tui.screens.runbooks import Runbooks

        self.go("runbooks")
        room = self.room
        if not (isinstance(room, Runbooks) and room.open_named(name)):
            self.say(f"runbook {name} is not among the installed ones", "p3-calm")

    def _do_kill(self) -> None:
        while len(self.screen_stack) > 1:
            self.pop_screen()
        if self.flow.arm(self.clock.now_ns()):
            self.prompt.close()
            self.keep(self.outbox.ask_counts())

    def _do_detach(self) -> None:
        self.presence.detach()

    def _do_take_lease(self) -> None:
        self.presence.take()

    def _do_palette(self) -> None:
        self.action_command_palette()

    def _do_help(self) -> None:
        page = self.desktop.query_one(HelpPage)
        page.screen_name, page.dash, page.top = self.room_name, self.look.rule, 0
        page.is_past = self.past is not None
        page.display = not page.display
        if self.room is not None:
            self.room.display = not page.display
        self.call_after_refresh(self.paint)

    def _hide_help(self) -> bool:
        page = self.desktop.query_one(HelpPage)
        was_open, page.display = page.display, False
        if was_open and self.room is not None:
            self.room.display = True
        return was_open

    def _do_filter(self) -> None:
        table = self.room.table if self.room else None
        if table is not None:
            self.prompt.ask(
                "Filter /",
                table.set_filter,
                typed=table.filter_text,
                changed=table.set_filter,
                note="Enter = keep",
            )

    def _do_freeze(self) -> None:
        is_held = self.desk.toggle_freeze()
        self.say("FROZEN: lines 1 and 2 stay live; Space releases" if is_held else "live again", "text")

    def _do_open(self) -> None:
        if self.room is not None:
            self.room.open_row()

    def _do_back(self) -> None:
        table = self.room.table if self.room else None
        if self._hide_help() or (self.room is not None and self.room.leave()):
            self.call_after_refresh(self.paint)
        elif table is not None and table.filter_text:
            table.set_filter("")
        elif self._came_from:
            self.go(self._came_from.pop(), is_back=True)

    def _move(self, action: str) -> None:
        step, is_page = MOVES[action]
        if is_page:
            table = self.room.table if self.room else None
            step *= table.page if table else 10
        page = self.desktop.query_one(HelpPage)
        if page.display:
            page.scroll_rows(step)
            return
        scroll = getattr(self.room, "scroll_page", None)
        if scroll is not None and scroll(step):
            return
        table = self.room.table if self.room else None
        if table is not None:
            table.move(step)

    def _do_next_pane(self) -> None:
        if self.room is not None:
            self.room.next_pane(1)

    def _do_previous_pane(self) -> None:
        if self.room is not None:
            self.room.next_pane(-1)

    def _do_sort(self) -> None:
        table = self.room.table if self.room else None
        if table is not None:
            self.say(f"sorted by {table.sort_next()}", "dim")

    def _do_copy(self) -> None:
        copied = self.room.copy_text() if self.room else ""
        if copied:
            self.copy_to_clipboard(text.clean(copied))
            self.say("copied (OSC 52; in tmux: set -g set-clipboard on)", "dim")

    def _do_ack(self) -> None:
        if self.room_name == "alarms" and self.room is not None:
            self.room.act("ack")
            return
        top = self.desk.top_alarm()
        if top is not None and top.state in ("UNACK", "LATCH", "RTN-UN"):
            self.send(AlarmAck(alarm_id=top.alarm_id), f"ack of {top.source}")
        else:
            self.say("no alarm waits for an acknowledgement", "dim")

    # what is asked and sent

    def say(self, message: str, style: str = "text") -> None:
        """Show a line above the keys."""
        if self.desktop.is_composed:
            self.desktop.query_one(MessageLine).say(message, style)

    def forget(self) -> None:
        """Another picture is shown: what was said belonged to the last one."""
        if self.desktop.is_composed:
            self.desktop.query_one(MessageLine).forget()

    def ask(
        self,
        label: str,
        answer: Answer,
        *,
        kind: Kind = Kind.TEXT,
        expected: str = "",
        note: str = "",
        typed: str = "",
    ) -> None:
        """Open a one-line question, unless a command could not be sent anyway."""
        refusal = self.desk.refusal()
        if refusal:
            self.say(f"refused here: {refusal}", "p2-calm")
        else:
            self.prompt.ask(label, answer, kind=kind, expected=expected, note=note, typed=typed)

    def prompt_key(self, key: str, character: str | None) -> None:
        self.prompt.key(key, character)
        self.paint()

    def guard_key(self, key: str, character: str | None) -> None:
        """A key while the guard is up; the last one of a confirmation sends at once."""
        body = self.flow.key(key, character, self.clock.now_ns())
        if body is not None:
            self.flow.request_id = self.flow.request_id or self.gateway.new_id()
            self.keep(self.outbox.stop_everything(body, self.flow.request_id))
        self.paint()

    def send(self, body: CommandBody, what: str, *, reason: str = "") -> bool:
        """Send a command, or say why not (False); its result appears when the engine has answered."""
        refusal = self.desk.refusal(needs_lease(body))
        if refusal:
            self.say(f"not sent, {what}: {refusal}", "p2-calm")
            return False
        self.say(f"sent: {what}, waiting for the engine", "dim")
        self.keep(self.outbox.send(body, what, reason))
        return True

    def ask_engine(self, body: QueryBody, kind: type[T], show: Callable[[T], None], what: str) -> None:
        """Ask the engine for something to look at."""
        self.keep(self.outbox.ask(body, kind, show, what))
