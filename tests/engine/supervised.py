"""A desk whose entries wait for people: an engine in this process, and who sends it commands."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from engine.api import commands as c
from engine.api.commands import PaperStart, Reply
from engine.api.ticket_views import TicketRow
from engine.daemon import Engine, Seams, build_core
from safety.approval import Ticket, TicketState
from safety.canonical import canonical, changed
from safety.killbyte import KillByte
from safety.principals import OperatorKey
from seams.clock import NS_PER_S, SystemClock
from seams.disk import RealDisk
from seams.rng import Rng

START = PaperStart(
    strategies=("ema_cross",),
    symbols=("BTC-PERP",),
    scenario="bull",
    speed=40.0,
    seed=3,
    is_supervised=True,
)
CALM = {"INTERLOCK_RISK__PRICE_COLLAR": "0.9", "INTERLOCK_RISK__WARN_FRACTION": "1"}
"""A market that runs forty times its pace leaves a collar of one percent within a look."""


class Shifted(SystemClock):
    """The host's clock, with a step that a test gives it on both clocks at once."""

    def __init__(self) -> None:
        self.step_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.step_ns

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + self.step_ns


class Supervised:
    """One engine, its clock, and commands in anybody's name."""

    def __init__(self, home: Path, **environ: str) -> None:
        self.clock = Shifted()
        seams = Seams(self.clock, None, Rng(1), RealDisk())
        words = {f"INTERLOCK_{name}": value for name, value in environ.items()}
        self.core = build_core(seams, home, {**CALM, **words}, KillByte.anonymous())
        self.engine = Engine(self.core)
        self._count = 0

    async def ask(
        self,
        body: c.CommandBody,
        operator: str = "ada",
        *,
        console: str = "",
        reason: str = "",
        key: OperatorKey | None = None,
        **changes: Any,
    ) -> Reply:
        """Send one command the way the bus would, and return its reply."""
        self._count += 1
        command = c.Command(
            request_id=f"R-{self._count}",
            operator=operator,
            reason=reason,
            epoch=self.core.epoch,
            expires_at_ns=self.clock.now_ns() + 2 * NS_PER_S,
            body=body,
            console=console,
        )
        command = changed(command, **changes)
        if key is not None:
            command = changed(command, signature=key.sign(canonical(command)))
        return msgspec.json.decode(await self.engine.handlers.on_command("", c.encode(command)), type=Reply)

    async def code(self, body: c.CommandBody, operator: str = "ada", **words: Any) -> str:
        return (await self.ask(body, operator, **words)).code

    async def open(self, start: PaperStart = START) -> Ticket:
        """Start a session and return its first ticket."""
        assert (await self.ask(start)).ok
        return await self.next_ticket()

    async def next_ticket(self, besides: tuple[str, ...] = ()) -> Ticket:
        for _ in range(1_000):
            waiting = [t for t in self.core.tickets.open() if t.id not in besides]
            if waiting:
                return waiting[0]
            await asyncio.sleep(0.02)
        raise AssertionError("the strategy never wanted to trade")

    async def reviewed(self, ticket: Ticket, operator: str = "ada", **words: Any) -> TicketRow:
        """Open a ticket and wait out the grace after its new version."""
        reply = await self.ask(c.TicketSelect(ticket_id=ticket.id), operator, **words)
        assert reply.ok, reply
        self.clock.step_ns += NS_PER_S // 2
        return msgspec.json.decode(reply.result, type=TicketRow)

    def state(self, ticket: Ticket) -> TicketState:
        return self.core.tickets.get(ticket.id).state

    def decisions(self) -> list[dict[str, Any]]:
        """Return the decision records of people's acts, oldest first."""
        lines = self.core.paths.audit.read_bytes().splitlines()
        bodies = [msgspec.json.decode(line) for line in lines]
        return [each["body"] for each in bodies if each["kind"] == "decision" and "act" in each["body"]]

    async def close(self) -> None:
        await self.engine.close()


def approval(row: TicketRow, **changes: Any) -> c.TicketApprove:
    """Approve what a row shows, with its size."""
    made = c.TicketApprove(ticket_id=row.ticket_id, ticket_hash=row.ticket_hash, typed_size=row.quantity)
    return changed(made, **changes)
