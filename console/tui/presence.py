"""The operator at this console: the lease that key presses keep, taking it, and leaving with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.tui import text
from console.tui.kill import Stage
from console.tui.prompt import Kind
from engine.api.commands import LeaseGive, LeaseKeep, LeaseTake
from engine.api.views import StatusView
from seams.clock import NS_PER_S

if TYPE_CHECKING:
    from console.tui.app import InterlockApp

KEEP_EVERY_NS = 5 * NS_PER_S
"""The lease lasts a minute; a key in every fifth second is enough to keep it."""


class Presence:
    """Keeps, takes and gives up the operator lease for one console."""

    def __init__(self, app: InterlockApp) -> None:
        self.app = app
        self._kept_ns = 0

    def key_pressed(self) -> None:
        """A key was pressed: where this console holds the lease, say so to the engine now and then."""
        app = self.app
        now_ns = app.clock.monotonic_ns()
        if app.desk.holds_lease and not app.desk.refusal() and now_ns - self._kept_ns >= KEEP_EVERY_NS:
            self._kept_ns = now_ns
            app.keep(app.outbox.whisper(LeaseKeep()))

    def take(self) -> None:
        """Take the lease: at once where it is free or mine, with a reason from another person."""
        app = self.app
        held = app.desk.lease
        if app.desk.holds_lease:
            app.say("you hold the operator lease here", "dim")
        elif held is None or held.operator == app.desk.operator:
            app.send(LeaseTake(), "operator lease")
        else:
            left = text.left(held.until_ns - app.desk.now_ns)
            app.ask(
                f"Take the lease from {held.operator}. Why?",
                lambda why: app.send(LeaseTake(), "operator lease", reason=why.strip()),
                note=f"{held.operator} has it for {left}; what they review is rejected",
            )

    def detach(self) -> None:
        """Leave the console; ask first where it holds the lease."""
        app = self.app
        if app.flow.stage in (Stage.ARMED, Stage.SENT):
            app.say("^Q is locked while the guard is up: Esc first", "p3-calm")
        elif app.desk.holds_lease and not app.desk.refusal():
            status = app.desk.latest(StatusView)
            waiting = f"; {status.tickets_open} tickets wait" if status and status.tickets_open else ""
            app.prompt.ask(
                "You hold the operator lease. Give it up and leave?",
                lambda _: app.keep(self._leave()),
                kind=Kind.YES,
                note=f"y = yes{waiting}; what you review is rejected",
            )
            app.paint()
        else:
            app.exit(0)

    async def _leave(self) -> None:
        await self.app.outbox.whisper(LeaseGive())
        self.app.exit(0)
