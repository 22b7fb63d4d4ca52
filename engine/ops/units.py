"""What the service manager says of our units, and the end of the engine's log: the first look (OC-65)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from engine.api.launch import tail
from engine.core import Core
from safety.text import clean
from seams.children import end_group
from seams.clock import NS_PER_S
from venues.types import Record

UNITS = ("interlock-engine.service", "interlock-watchdog.service", "interlock-monitor.service")
PROPERTIES = ("Id", "LoadState", "ActiveState", "SubState", "NRestarts")
MANAGER = Path("/run/systemd/system")
EVERY_NS = 15 * NS_PER_S
DEADLINE_S = 5.0
LOG_LINES, LOG_BYTES, LINE_CHARACTERS = 8, 8_192, 160


class UnitState(Record):
    """One unit: `state` such as `active (running)`, `not installed`, or why it is not known."""

    unit: str
    state: str
    restarts: int


class Units:
    """Asks the service manager now and then, beside the main loop; without one it says so."""

    def __init__(
        self, core: Core, manager: Path = MANAGER, command: tuple[str, ...] = ("systemctl",)
    ) -> None:
        self._core, self._manager, self._command = core, manager, command
        self._asked_ns: int | None = None
        self._task: asyncio.Task[None] | None = None
        self.states: tuple[UnitState, ...] = ()

    def tend(self) -> None:
        """Ask where it is time; never waits."""
        now_ns = self._core.clock.monotonic_ns()
        if self._asked_ns is not None and now_ns - self._asked_ns < EVERY_NS:
            return
        if self._task is not None and not self._task.done():
            return
        self._asked_ns = now_ns
        if not self._manager.is_dir():
            self.states = (UnitState(unit="service manager", state="none on this host", restarts=0),)
            return
        self._task = asyncio.get_running_loop().create_task(self._ask(), name="units")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def log_tail(self) -> tuple[str, ...]:
        """Return the last lines of the engine's log, clean and bounded; none where it cannot be read."""
        path = self._core.paths.log
        try:
            lines = tail(path, LOG_LINES, max(0, path.stat().st_size - LOG_BYTES))
        except OSError:
            return ()
        return tuple(clean(line, LINE_CHARACTERS) for line in lines)

    async def _ask(self) -> None:
        """One question for all units; what fails is said in place of their states."""
        process = None
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                "show",
                f"--property={','.join(PROPERTIES)}",
                *UNITS,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
            said, _ = await asyncio.wait_for(process.communicate(), DEADLINE_S)
        except (OSError, TimeoutError) as error:
            self.states = (UnitState(unit="service manager", state=type(error).__name__, restarts=0),)
            return
        finally:
            if process is not None and process.returncode is None:
                await end_group(process)
        self.states = states_of(said.decode(errors="replace"))


def states_of(text: str) -> tuple[UnitState, ...]:
    """Read the answer of `systemctl show`: one block of NAME=VALUE lines for each unit."""
    blocks = (dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
              for block in text.split("\n\n"))  # fmt: skip
    return tuple(_state(block) for block in blocks if block.get("Id"))


def _state(block: Mapping[str, str]) -> UnitState:
    is_there = block.get("LoadState") == "loaded"
    words = f"{block.get('ActiveState', '?')} ({block.get('SubState', '?')})" if is_there else "not installed"
    restarts = block.get("NRestarts", "0")
    return UnitState(
        unit=clean(block["Id"], 60),
        state=clean(words, 60),
        restarts=int(restarts) if restarts.isdigit() else 0,
    )
