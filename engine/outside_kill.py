"""Kills that do not come over the bus: the file, the byte, another process, the signal, the engine itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

from engine.core import Core
from engine.desk import Desk
from safety.killbyte import KillLevel
from safety.killswitch import REQUEST_FILE
from safety.reasons import Refusal
from seams.watch import FileWatch


class OutsideKill:
    """Sees to it that the desk obeys whatever made the switch stricter."""

    def __init__(self, core: Core, desk: Desk, background: set[asyncio.Task[object]]) -> None:
        """`background` keeps what is carried out beside the main loop from being forgotten."""
        self._core, self._desk, self._background = core, desk, background

    def look(self) -> None:
        """Do what a kill does once the switch is stricter than what the desk has obeyed: it was pulled
        by the command line, a file, the byte, or by the engine itself over a record it cannot keep.

        Called on every turn of the main loop, and at once when the host tells that the file was written.
        """
        kill = self._core.kill
        try:
            kill.poll()
        except OSError as error:  # the byte is set, its latch file still is not: tried again next turn
            self._core.halt(error, "kill latch")
        if kill.level > self._desk.obeyed:
            record = kill.record
            self.obey(kill.level, record.by, record.reason, record.source)

    def by_signal(self) -> None:
        """SIGUSR1: latch now, cancel at once."""
        by, reason = "signal", "SIGUSR1"
        try:
            self._core.kill.trip(KillLevel.HALT_ALL, by=by, reason=reason, source="signal")
        except OSError as error:
            self._core.halt(error, "kill latch")  # the byte is set; the main loop cancels
            return
        self.obey(KillLevel.HALT_ALL, by, reason, "signal")

    def obey(self, level: KillLevel, by: str, reason: str, source: str) -> None:
        """Carry a kill out beside the main loop: a venue that does not answer cancels must not keep the
        next file or byte from being seen."""
        self._desk.obeyed = level
        self._core.sync_kill_hold()  # now: what is published next must show it
        task = asyncio.get_running_loop().create_task(self._carry_out(level, by, reason, source))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _carry_out(self, level: KillLevel, by: str, reason: str, source: str) -> None:
        try:
            await self._desk.kill(level, by, reason, source, cancels=True)
        except Refusal as refusal:
            self._core.events.add("kill", "eng", str(refusal))
        except Exception as error:  # what we do not know how to handle halts
            self._core.halt(error, "kill")


def tell_of_kill_file(folder: Path, outside: OutsideKill) -> FileWatch | None:
    """Let the host tell `outside` that the kill file was written; None where it does not: then the file
    is seen within one turn of the main loop all the same."""
    try:
        return FileWatch(folder / REQUEST_FILE, outside.look)
    except OSError:
        return None
