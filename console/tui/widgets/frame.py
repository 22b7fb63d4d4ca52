"""The frame around every room: status line, top alarm, screen names, message line, key line."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.cells import cell_len

from console import actions
from console.tui import text
from console.tui.model import ACTIVE_STATES, Desk, Trust
from console.tui.prompt import Prompt
from console.tui.widgets.lines import Line, Lines, Span
from engine.api.views import AlarmsView, StatusView, TicketsView

SHORT_NAMES = {
    "overview": "Over",
    "tickets": "Tick",
    "positions": "Pos",
    "orders": "Ord",
    "alarms": "Alm",
    "runs": "Run",
    "gates": "Gate",
    "runbooks": "Book",
    "events": "Evt",
    "system": "Sys",
}

GAP: Span = ("  ", "status")


class StatusLine(Lines):
    """Line 1: what mode, is it halted, can the picture be trusted. Drops from the right when narrow."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(id="status")
        self.desk = desk

    def lines(self, width: int, height: int) -> Sequence[Line]:
        desk, status = self.desk, self.desk.latest(StatusView)
        clock = f"{text.hms(desk.now_ns)}Z "
        parts = [self._mode(status), *self._level(status), self._engine(), *self._rest(status)]
        left: list[Span] = []
        room = width - len(clock) - 1
        for spans in parts:
            size = sum(cell_len(t) for t, _ in spans) + 2
            if size > room:
                break
            left += [*spans, GAP]
            room -= size
        return [(*left, (" " * max(0, room + 1), "status"), (clock, "status"))]

    def _mode(self, status: StatusView | None) -> tuple[Span, ...]:
        word = status.mode.upper() if status else "NO ENGINE"
        word = f"*{word}*" if word == "LIVE" else word
        spans: list[Span] = [(f" {word} ", "mode")]
        if self.desk.is_past:
            spans.append((" PAST ", "p3"))
        elif self.desk.is_readonly or self.desk.is_watching:
            spans.append((" READ-ONLY ", "p3"))
        if self.desk.is_frozen:
            spans.append((" FROZEN ", "p3"))
        return tuple(spans)

    def _level(self, status: StatusView | None) -> list[tuple[Span, ...]]:
        if status is None or status.level == "clear":
            return []
        word = {"halt": "HALTED", "close_only": "CLOSE ONLY"}.get(status.level, status.level.upper())
        return [((f" {word} ", "halt"),)]

    def _engine(self) -> tuple[Span, ...]:
        desk, trust = self.desk, self.desk.trust
        silence = text.age(desk.silence_ms)
        said: dict[Trust, Span] = {
            Trust.OK: ("as shown" if desk.is_past else f"ENG ok {desk.rtt_ms or 0:.0f}ms", "status"),
            Trust.SLOW: (f" ENG slow {desk.rtt_ms or 0:.0f}ms? ", "p3"),
            Trust.RESYNC: (" RESYNC ", "p3"),
            Trust.STALE: (f" ENG STALE {silence}? ", "p1"),
            Trust.CONNECTING: (f"ENG connecting {text.age(desk.link_age_ms)}", "status"),
            Trust.DISCONNECTED: (f" ENG LOST {text.age(desk.link_age_ms)} ", "p1"),
        }
        return (said[trust],)

    def _lease(self) -> str:
        """Who acts and for how long: the holder sees it run down, everybody else sees whom to ask."""
        held = self.desk.lease
        if held is None:
            return "LEASE none"
        who = "you" if held.operator == self.desk.operator else held.operator
        where = "" if who != "you" or self.desk.holds_lease else " cli" if not held.console else " elsewhere"
        return f"LEASE {who}{where} {text.left(held.until_ns - self.desk.now_ns)}"

    def _rest(self, status: StatusView | None) -> list[tuple[Span, ...]]:
        if status is None:
            return []
        is_good = status.feed_state == "ok"
        feed = f"MD {status.feed_state} {text.age(status.feed_age_ms)}"
        venues = f"VEN {status.venues_up}/{status.venues_total}"
        unknown = f" UNKNOWN {status.orders_unknown} "
        lease: tuple[Span, ...] = ((self._lease(), "status"),)
        return [
            ((feed, "status"),) if is_good else ((f" {feed}? ", "p2"),),
            *([lease] if self.desk.is_watching else []),
            ((venues, "status" if status.venues_up == status.venues_total else "p2"),),
            *([] if self.desk.is_watching else [lease]),
            *([((unknown, "p2"),)] if status.orders_unknown else []),
            ((f"HOLDS {len(status.holds)}", "status" if not status.holds else "p3"),),
            ((f"{status.account}", "status-dim"),),
            ((f"{status.environment}", "status-dim"),),
            ((f"you {self.desk.operator}", "status-dim"),),
            ((f"sessions {status.sessions_active}", "status-dim"),),
            ((f"engine {status.engine_version} epoch {status.epoch}", "status-dim"),),
        ]


class AlarmLine(Lines):
    """Line 2: a banner when the picture cannot be trusted, else the alarm to look at first."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(id="alarm")
        self.desk = desk

    def lines(self, width: int, height: int) -> Sequence[Line]:
        desk = self.desk
        banner = {
            Trust.STALE: f"STALE for {text.age(desk.silence_ms)}: what you see is old. "
            "Commands are off; ^X KILL works.",
            Trust.DISCONNECTED: f"DISCONNECTED for {text.age(desk.link_age_ms)}. "
            "Commands are off; ^X KILL works. The engine may go on without you.",
        }.get(desk.trust)
        if banner:
            return [((fit_line(f"!! {banner}", width), "p1"),)]
        if desk.latest(StatusView) is None:
            return [((" waiting for the engine", "dim"),)]
        return [self._top(desk.latest(AlarmsView))]

    def _top(self, view: AlarmsView | None) -> Line:
        active = [row for row in view.rows if row.state in ACTIVE_STATES] if view else []
        top = self.desk.top_alarm()
        if top is None:
            return ((" no active alarms", "dim"),)
        counts = "  ".join(
            f"P{p} {n}" for p in (1, 2, 3) if (n := sum(1 for row in active if row.priority == p))
        )
        is_loud = top.state in ("UNACK", "LATCH")
        style = f"p{min(top.priority, 3)}" + ("" if is_loud else "-calm")
        return (
            (f"{'!' if is_loud else ' '}{counts} ", style),
            (f" P{top.priority} {top.state} ", "text"),
            (f"{text.hms(top.since_ns)} ", "dim"),
            (f"{top.source}  {top.message}", "bright" if is_loud else "text"),
            (f"   {top.runbook}" if top.runbook else "", "dim"),
            ("   [a] ack" if is_loud else "", "dim"),
        )


class ScreenNames(Lines):
    """The screens by digit, with what waits in each."""

    def __init__(self, desk: Desk, current: Callable[[], str]) -> None:
        super().__init__(id="names")
        self.desk, self.current = desk, current

    def lines(self, width: int, height: int) -> Sequence[Line]:
        now, badges = self.current(), self._badges()
        spans: list[Span] = []
        is_tight = width < 118
        for digit, name, title in actions.SCREENS:
            badge = f"{':' if is_tight else ' '}{badges[name]}" if badges.get(name) else ""
            label = f" {digit} {SHORT_NAMES[name] if is_tight else title}{badge}"
            spans.append(
                (label if is_tight else f"{label} ", "mode" if name == now else "text" if badge else "dim")
            )
        return [tuple(spans)]

    def _badges(self) -> dict[str, int]:
        status = self.desk.latest(StatusView)
        if status is None:
            return {}
        return {
            "tickets": status.tickets_open,
            "orders": status.orders_working,
            "alarms": status.alarms_unacked,
            "runs": status.sessions_active,
            "gates": len(status.holds),
        }


class MessageLine(Lines):
    """The line above the keys: an open question, or what came of the last command."""

    def __init__(self, prompt: Prompt) -> None:
        super().__init__(id="message")
        self.prompt = prompt
        self.said: Span = ("", "dim")

    def say(self, message: str, style: str = "text") -> None:
        self.said = (message, style)
        self.update()

    def forget(self) -> None:
        """Another screen is shown: what was said belonged to the last one."""
        self.say("", "dim")

    def update(self) -> int:
        rows = len(self._wrapped(self.app.size.width))
        self.set_class(rows == 2, "-two")
        self.set_class(rows > 2, "-three")
        return super().update()

    def lines(self, width: int, height: int) -> Sequence[Line]:
        return self._wrapped(width)

    def _wrapped(self, width: int) -> list[Line]:
        """The question or the message, on a second line where one is too short for it."""
        if self.prompt.is_open:
            room = max(8, width - cell_len(self.prompt.label) - 5)
            asked: Line = (
                (f" {self.prompt.label} ", "bright"),
                (f" {text.fit_end(self.prompt.typed, room)}_ ", "input"),
            )
            note = f"{self.prompt.note}   Esc = leave it".strip()
            if sum(cell_len(words) for words, _ in asked) + cell_len(note) + 2 <= width:
                return [(*asked, (f"  {note}", "dim"))]
            return [asked, *(((f"  {row}", "dim"),) for row in text.wrap(note, width - 3, 2))]
        message, style = self.said
        return [((f" {row}", style),) for row in text.wrap(message, width - 2, 3)]


class KeyLine(Lines):
    """The last line: ^X first, then what is valid here; while a field has the focus, letters are text."""

    def __init__(self, current: Callable[[], str]) -> None:
        super().__init__(id="keys")
        self.current = current

    def lines(self, width: int, height: int) -> Sequence[Line]:
        tail = "^Q detach "
        spans: list[Span] = [("^X KILL", "halt"), (" ", "status")]
        room = width - 8 - len(tail)
        for name, label in self._hints():
            size = len(name) + len(label) + 3
            if size > room:
                continue
            spans += [(f" {name}", "key"), (f" {label} ", "status-dim")]
            room -= size
        return [(*spans, (" " * room, "status"), (tail, "status-dim"))]

    def _hints(self) -> list[tuple[str, str]]:
        hints = sorted((a for a in actions.offered(self.current()) if a.hint), key=lambda a: a.hint)
        named = [(actions.key_name(action.keys[0]), action.label) for action in hints]
        if self.app.focused is None:  # nothing but a form's fields takes it
            return named
        acts = [each for each in named if each[0].startswith("^")]
        return [*acts, ("Tab", "next field"), ("S-Tab", "back"), ("Esc", "leave")]


class TooSmall(Lines):
    """The page of a terminal under 80x24: lines 1 and 2 and ^X go on working."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(id="toosmall")
        self.desk = desk

    def lines(self, width: int, height: int) -> Sequence[Line]:
        size = self.app.size
        tickets = self.desk.latest(TicketsView)
        waiting = f"{len(tickets.rows)} tickets known" if tickets else ""
        return [
            (),
            ((f" needs 80x24, has {size.width}x{size.height}", "bright"),),
            ((" ^X KILL works here", "text"),),
            ((f" {waiting}", "dim"),),
        ]


def fit_line(message: str, width: int) -> str:
    return text.fit(message, width)
