"""The watchdog put together from a home's configuration, and the engine's end of it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import msgspec

from engine.api.home import HomePaths
from engine.config import load_settings
from engine.config.settings import Settings
from engine.core import Core
from engine.keeping import transport_without_engine
from engine.key_lock import demand_apart
from engine.lock import EngineLock
from engine.ops.sinks import PASSED_ON
from engine.ops.watchdog import Limits, Page, Venue, Watchdog
from engine.venue import OPENERS, load_key
from safety.beat import BEAT_FILE, WATCHDOG_BEAT_FILE, BeatPage, BeatState
from safety.interlock import Clearance, HoldLevel
from safety.killbyte import KillByte, KillLevel
from safety.killswitch import BYTE_FILE, trip_on_disk
from safety.reasons import Refusal
from seams.children import end_group
from seams.clock import NS_PER_S, Clock, SystemClock
from seams.disk import Disk, RealDisk
from venues.types import Environment, Mode

PAGES_FILE = "watchdog.pages.jsonl"
COMMAND_S = 10.0
MAX_COMMANDS = 8
"""So many pages may be on their way at once; of more, only the file knows."""


class Pages:
    """Where the watchdog's messages go: a file, and a command that gets each as JSON on its input."""

    def __init__(self, path: Path, command: Sequence[str]) -> None:
        self._path, self._command = path, tuple(command)
        self._running: set[asyncio.Task[None]] = set()
        self.failures = 0

    async def send(self, page: Page) -> None:
        """Deliver one message by every way there is; a way that fails is counted.

        The command runs beside the watchdog: one that hangs must not hold up the cancels.
        """
        body = msgspec.json.encode(page)
        try:
            RealDisk().append(self._path, body + b"\n")
        except OSError:
            self.failures += 1  # a full disk must not keep the command from being run
        if self._command and len(self._running) < MAX_COMMANDS:
            task = asyncio.get_running_loop().create_task(self._tell(body), name="page")
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        elif self._command:
            self.failures += 1

    async def _tell(self, body: bytes) -> None:
        try:
            await asyncio.wait_for(self._run(body), COMMAND_S)
        except (OSError, TimeoutError):
            self.failures += 1

    async def _run(self, body: bytes) -> None:
        environ = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.PIPE, env=environ, start_new_session=True
        )
        try:
            await process.communicate(body)
        finally:
            if process.returncode is None:
                await end_group(process)
        if process.returncode:
            raise OSError(f"the alarm command ended with {process.returncode}")


def venue_of(settings: Settings, clock: Clock, disk: Disk, safety: Path) -> Venue | None:
    """Return the watchdog's own link to the venue; None in paper. Raises `Refusal`."""
    if Mode(settings.engine.mode) is not Mode.LIVE:
        return None
    if not settings.watchdog.key_file:
        raise Refusal("invalid_config", "in mode live the watchdog needs its own watchdog.key_file")
    key = load_key("watchdog.key_file", settings.watchdog.key_file)
    demand_apart(settings)
    wires = transport_without_engine(settings, disk, safety)
    environment = Environment(settings.engine.environment)
    return OPENERS[key.venue](settings.execution.venue_url, key, clock, environment, wires)


def build(home: Path, environ: dict[str, str]) -> Watchdog:
    """Put the watchdog of a home together. Raises `Refusal`, `ConfigError` or `OSError`."""
    clock, disk, paths = SystemClock(), RealDisk(), HomePaths(home)
    settings = load_settings(home, environ).settings
    disk.make_folder(paths.safety)
    byte = KillByte.shared(paths.safety / BYTE_FILE)

    def trip(level: KillLevel, reason: str) -> None:
        trip_on_disk(
            disk, clock, paths.safety, byte, level=level, by="watchdog", reason=reason, source="watchdog"
        )

    return Watchdog(
        clock=clock,
        engine=BeatPage.shared(paths.safety / BEAT_FILE),
        own=BeatPage.shared(paths.safety / WATCHDOG_BEAT_FILE),
        limits=Limits(settings.watchdog.close_only_after_s, settings.watchdog.cancel_after_s),
        trip=trip,
        page=Pages(paths.safety / PAGES_FILE, settings.watchdog.alarm_command).send,
        venue=venue_of(settings, clock, disk, paths.safety),
        pid=os.getpid(),
    )


async def run_watchdog(home: Path, environ: dict[str, str]) -> None:
    """Watch the engine of a home until SIGTERM. Raises `AlreadyRunning` where one watches already."""
    lock = EngineLock(HomePaths(home).safety / "watchdog.lock", "a watchdog")
    lock.acquire()
    try:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await build(home, environ).run(stop)
    finally:
        lock.release()


class WatchdogWatch:
    """The engine's side: where a watchdog is required, no beat of it means close_only."""

    def __init__(self, core: Core, page: BeatPage) -> None:
        self._core, self._page = core, page

    @property
    def is_required(self) -> bool:
        """As configured; unless it is configured, with real money only."""
        wanted = self._core.settings.watchdog.is_required
        is_real = self._core.mode is Mode.LIVE and self._core.environment is not Environment.SANDBOX
        return is_real if wanted is None else wanted

    def look(self) -> None:
        """Raise or clear the hold; call about once a second."""
        core, beat = self._core, self._page.read()
        bound_ns = round(core.settings.watchdog.close_only_after_s * NS_PER_S)
        is_running = beat is not None and beat.state is BeatState.RUNNING
        is_there = is_running and beat is not None and core.clock.monotonic_ns() - beat.at_ns <= bound_ns
        if is_there or not self.is_required:
            if core.interlock.has("watchdog"):
                core.interlock.clear_hold("watchdog", Clearance(evidence="the watchdog beats again"))
                core.note("hold_cleared", "watchdog", "the watchdog beats again")
                core.calm("watchdog_lost", "desk")
            return
        if not core.interlock.has("watchdog"):
            said = "no watchdog beats; start one with `interlock watchdog run`"
            core.alarm("watchdog_lost", "desk", "eng", said)
            core.interlock.raise_hold(
                "watchdog",
                since_ns=core.clock.now_ns(),
                source="eng",
                evidence=said,
                level=HoldLevel.CLOSE_ONLY,
            )
