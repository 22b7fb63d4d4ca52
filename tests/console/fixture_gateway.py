"""A gateway that plays given views, for pictures and behaviour of a console without an engine."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from console.tui.model import Desk, Link
from engine.api.commands import CommandBody, KillDone, QueryBody, Reply
from engine.api.views import View
from seams.net import NoAnswer

T = TypeVar("T")
CONSOLE = "W-1"
"""The name of a console that plays given views."""


class FixtureGateway:
    """A gateway that plays given views and answers from a table (a result, or what makes one of the body);
    it records what was sent."""

    def __init__(
        self,
        views: Sequence[View] = (),
        *,
        replies: dict[type, Reply | Exception] | None = None,
        results: dict[type, object] | None = None,
        link: Link = Link.UP,
        rtt_ms: float = 1.2,
    ) -> None:
        self.views, self.link, self.rtt_ms = list(views), link, rtt_ms
        self.replies = replies or {}
        self.results = results or {}
        self.sent: list[tuple[CommandBody, str, str]] = []
        """(body, reason, request id) of every command, in order."""
        self.asked: list[QueryBody] = []
        self.on_disk: KillDone | None = None
        """What a latch on disk says; None: the disk refuses it."""
        self.latched: list[str] = []
        self.shut_after: list[int] = []
        """How many commands had been sent when the gates were shut, each time."""
        self._count = 0

    async def run(self, desk: Desk) -> None:
        self.fill(desk)
        await asyncio.Event().wait()

    def fill(self, desk: Desk) -> None:
        """Put the views on the desk at once."""
        desk.console = CONSOLE
        desk.set_link(self.link)
        for view in self.views:
            desk.store(view)
        if self.link is Link.UP:
            desk.note_resync()
        desk.note_rtt(self.rtt_ms)

    async def command(
        self, body: CommandBody, *, reason: str = "", timeout_s: float = 2.0, request_id: str = ""
    ) -> Reply:
        self.sent.append((body, reason, request_id))
        answer = self.replies.get(type(body), Reply(request_id=request_id, ok=True))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def shut(self) -> None:
        self.shut_after.append(len(self.sent))
        if self.on_disk is None:
            raise PermissionError("the fixture has no disk")

    async def latch_on_disk(self, level: str) -> KillDone:
        self.latched.append(level)
        if self.on_disk is None:
            raise PermissionError("the fixture has no disk")
        return self.on_disk

    async def query(self, body: QueryBody, result: type[T]) -> T:
        self.asked.append(body)
        found = self.results.get(type(body))
        found = found(body) if callable(found) else found
        if isinstance(found, result):
            return found
        raise NoAnswer("the fixture has no answer to this")

    def new_id(self) -> str:
        self._count += 1
        return f"C-{self._count:05d}"

    async def close(self) -> None:
        return None


def reply_with(result: msgspec.Struct) -> Reply:
    """Build a successful reply that carries a result."""
    return Reply(request_id="", ok=True, result=msgspec.Raw(msgspec.json.encode(result)))
