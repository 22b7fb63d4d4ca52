"""The console on a past instant: the same panels, fed from the record, with nothing that could act.

Only the kill leaves it: it goes to the engine of the present, for a stop must work in every mode.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from console.tui.gateway import latch_on_disk
from console.tui.model import Desk, Link
from console.tui.widgets.lines import Line, Lines
from engine.api import direct_kill
from engine.api.client import EngineClient
from engine.api.commands import CommandBody, Kill, KillArm, KillDone, QueryBody, Reply
from engine.api.past import NotRecorded, PastRecord
from engine.api.past_answers import past_answer
from engine.api.views import StatusView
from seams.clock import NS_PER_S, Clock, SystemClock, iso_z
from seams.ids import Ids, SortableIds
from seams.net import NetDown, NoAnswer

T = TypeVar("T")
SPEEDS = (0, 1, 10, 60)
"""Seconds of the past in one of ours; 0 stands still."""
READ_ONLY = "read-only: ^X alone acts, on the present"
KEYS = "[ ] 1 s  { } 1 min  , . change  p play"
STEPS_S = {"past_back": -1, "past_on": 1, "past_back_far": -60, "past_on_far": 60}


class PastClock:
    """The clock of the panels: it stands on the instant that is shown."""

    def __init__(self, at_ns: int) -> None:
        self.at_ns = at_ns

    def now_ns(self) -> int:
        return self.at_ns

    def monotonic_ns(self) -> int:
        return self.at_ns

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class PastGateway:
    """A gateway to what was: it fills the desk from the record of `home`."""

    def __init__(self, home: Path, at_ns: int, operator: str, what: str = "", ids: Ids | None = None) -> None:
        """`what` names the reason to look: an incident, a session."""
        self.clock = PastClock(at_ns)
        self.what, self.said, self.speed = what, "", 0
        self._home, self._operator = home, operator
        self._record = PastRecord(home)
        self._ids: Ids = ids or SortableIds(SystemClock())
        self._present: EngineClient | None = None
        self._kernel = ""
        """Of the engine of then: a drill counts only for the kernel it was made with."""

    async def run(self, desk: Desk) -> None:
        """Show the instant, then wait."""
        self.show(desk, self.clock.at_ns)
        await asyncio.Event().wait()

    def show(self, desk: Desk, at_ns: int) -> bool:
        """Put the desk as it was at an instant; False, and the desk unchanged, where nothing is recorded."""
        try:
            moment = self._record.at(at_ns)
        except (NotRecorded, OSError) as error:
            self.said, self.speed = str(error), 0
            return False
        self.said = ""
        self.clock.at_ns = moment.heard_ns  # a desk that heard nothing for long was stale then, and is now
        desk.forget_views()
        desk.set_link(Link.UP)
        for view in moment.views:
            desk.store(view)
            self._kernel = view.kernel_sha256 if isinstance(view, StatusView) else self._kernel
        desk.note_resync()
        self.clock.at_ns = at_ns
        return True

    def act(self, desk: Desk, action_id: str) -> None:
        """Do one of the keys of the past."""
        at_ns = self.clock.at_ns
        if action_id == "past_play":
            self.speed = SPEEDS[(SPEEDS.index(self.speed) + 1) % len(SPEEDS)]
        elif action_id in STEPS_S:
            self.show(desk, at_ns + STEPS_S[action_id] * NS_PER_S)
        else:
            found = self._record.after(at_ns) if action_id == "past_next" else self._record.before(at_ns)
            if found is None:
                end = "end" if action_id == "past_next" else "beginning"
                self.said, self.speed = f"this is the {end} of the record", 0
            else:
                self.show(desk, found)

    def play(self, desk: Desk, seconds: float) -> None:
        """Go on by so much of our time where it is playing; it stops at the end of the record."""
        if not self.speed:
            return
        at_ns = self.clock.at_ns + round(seconds * self.speed * NS_PER_S)
        if self._record.after(self.clock.at_ns) is None:
            self.said, self.speed = "this is the end of the record", 0
        else:
            self.show(desk, at_ns)

    async def command(
        self, body: CommandBody, *, reason: str = "", timeout_s: float = 2.0, request_id: str = ""
    ) -> Reply:
        """Send a kill to the engine of the present; nothing else leaves. Raises `NetDown` or `NoAnswer`."""
        if not isinstance(body, Kill | KillArm):
            raise NetDown("the past cannot be changed; leave with ^Q and open the console")
        if self._present is None:
            clock: Clock = SystemClock()
            self._present = await EngineClient.connect(self._home, clock, self._ids, self._operator)
        return await self._present.command(body, reason=reason, timeout_s=timeout_s, request_id=request_id)

    def shut(self) -> None:
        """Shut the gates of the present. Raises `OSError`."""
        direct_kill.shut(self._home)

    async def latch_on_disk(self, level: str) -> KillDone:
        """Stop the engine of the present although it does not answer. Raises `OSError`."""
        return await latch_on_disk(self._home, self._operator, level)

    async def query(self, body: QueryBody, result: type[T]) -> T:
        """Answer from the record, as of the instant shown. Raises `NoAnswer` where it does not tell."""
        at_ns = self.clock.at_ns
        try:
            found = past_answer(self._home, dict(os.environ), body, at_ns, self._kernel)
        except (NotRecorded, OSError, msgspec.MsgspecError) as error:
            raise NoAnswer(str(error)) from error
        assert isinstance(found, result)
        return found

    def new_id(self) -> str:
        return self._ids.new("C")

    async def close(self) -> None:
        present, self._present = self._present, None
        if present is not None:
            await present.close()


class PastLine(Lines):
    """The banner: which instant is shown, by which keys it moves, and that nothing here acts."""

    def __init__(self, past: PastGateway | None) -> None:
        super().__init__(id="past")
        self.past = past

    def lines(self, width: int, height: int) -> Sequence[Line]:
        past = self.past
        if past is None:
            return ()
        shown = f" PAST {iso_z(past.clock.at_ns)}  {f'{past.speed}x' if past.speed else 'paused'}"
        for ways in ((READ_ONLY, "read-only"), (KEYS, "[] {} , . p move it"), (past.what,)):
            fits = [way for way in ways if len(shown) + len(way) + 3 < width]
            shown = f"{shown}  {fits[0]}" if fits else shown
        return [((shown, "p3"), (" " * max(0, width - len(shown)), "p3"))]
