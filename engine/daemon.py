"""The engine process: the composition root. Builds everything, owns shutdown.

Start order: lock, latch, settings, store, audit, recovery of what a dead engine left, bus, endpoint.
Whatever cannot be read stops the start with a reason code and leaves the engine unable to add risk.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from engine.api.endpoint import Credential, Endpoint
from engine.api.home import HomePaths
from engine.api.nats import NatsNet
from engine.api.views import View
from engine.assembly import ENGINE_VERSION
from engine.assembly import Seams as Seams
from engine.assembly import build_core as build_core
from engine.breaker import DrawdownBreaker
from engine.bus import ManagedBus, follow_parent
from engine.clock_watch import ClockWatch
from engine.config import load_settings
from engine.config.reload import Reloader
from engine.core import Core
from engine.corridor.desk import CorridorDesk
from engine.crash_loop import note_end, note_start
from engine.desk import Desk
from engine.failures import reason_code
from engine.foundry import Foundry
from engine.handlers import Handlers
from engine.health import Health
from engine.jobs import Jobs
from engine.keeping import arming_desk, custody_of, parts_of, venue_desk
from engine.key_lock import demand_apart, hold_own
from engine.keys import drill_key, watch_keys
from engine.limits import watch_limits
from engine.lock import EngineLock
from engine.outlets import Outlets
from engine.outside_kill import OutsideKill, tell_of_kill_file
from engine.publisher import FAST_S, Publisher
from engine.questions import Questions
from engine.record import vouch
from engine.recovery import recover
from engine.reloading import Reloading
from engine.replay_gate import ReplayGate
from engine.stall_watch import StallWatch
from engine.trading.live_journal import end_process
from engine.unforeseen import halt_on_unforeseen
from engine.watching import WatchdogWatch
from safety.arming import Arming
from safety.beat import BEAT_FILE, WATCHDOG_BEAT_FILE, BeatPage, BeatState
from safety.hardening import close_memory
from safety.killbyte import KillLevel
from safety.text import clean
from seams.clock import NS_PER_MS, SystemClock
from seams.disk import RealDisk
from seams.net import Net
from seams.rng import Rng
from venues.contract import VenueAdapter
from venues.evidence import CorridorVenue

SLOW_S = 1.0
MAX_SAID = 600


class Engine:
    """One engine over one `Core` and one bus connection; runs the same on virtual time."""

    def __init__(
        self,
        core: Core,
        venue: VenueAdapter | None = None,
        account: str = "",
        views_every: int = 1,
        evidence: CorridorVenue | None = None,
        arming: Arming | None = None,
    ) -> None:
        """`venue` and `account`: the account held in custody; None in sim and paper. Views are built on
        every `views_every`th turn of the main loop. `evidence`: what the corridor asks of the venue.
        `arming`: of a real venue, which is closed without it."""
        self._views_every, self._turns = views_every, 0
        self.core = core
        self.custody = None if venue is None else custody_of(core, venue, account)
        self.desk = Desk(core, self.custody)
        self.breaker = DrawdownBreaker(core, self.desk)
        self.clocks, self.stalls = ClockWatch(core, self.custody), StallWatch(core)
        self.jobs = Jobs(core)
        self.health = Health(core, self.desk)
        self.publisher = Publisher(core, self.desk, self.health)
        self.replay_gate = ReplayGate(core, self.desk, lambda: self.publisher.promotion)
        self.foundry = Foundry(core, self.jobs)
        self.handlers = Handlers(core, self.desk, self.jobs, self.foundry)
        self.outside = OutsideKill(core, self.desk, self.handlers.background)
        self.venue = venue_desk(core, self.custody)
        self.arming = self.handlers.arming = arming_desk(core, self.custody, arming)
        self.publisher.pairs = self.handlers.pairs.rows
        self.handlers.gates = self.publisher.gates
        if self.arming is not None:
            self.publisher.arming = self.arming.shown
        self.questions = Questions(core, self.desk, self.jobs, self._snapshot)
        self.questions.arming, self.questions.venue, self.health.venue = self.arming, self.venue, self.venue
        self.questions.schedules = self.handlers.schedules.rows
        self.beat = BeatPage.anonymous()
        """Raised after each whole turn of the main loop: what the watchdog reads."""
        self.watchdog: WatchdogWatch | None = None
        self.net: Net | None = None
        self.reloading: Reloading | None = None
        self.outlets: Outlets | None = None
        if self.custody is not None and evidence is not None:
            self.handlers.corridor = CorridorDesk(core, self.custody, evidence)
            self.questions.corridor = self.handlers.corridor

    def recover(self) -> list[str]:
        """End what a dead engine left behind; return the interrupted sessions' ids."""
        note_start(self.core)
        lost = recover(self.core)
        if self.custody is not None:
            self.custody.load()
            self.core.risk_memory.keep(self.custody.ledger)
            self.custody.on_value = lambda: watch_limits(self.core, self.desk.sessions)
        # What the start took over is obeyed; a kill that comes while we start is the main loop's to obey.
        record = self.core.kill.record
        self.desk.obeyed = record.level
        if record.level is not KillLevel.CLEAR:
            self.core.alarm("kill_latched", "desk", record.source, f"still latched: {record.reason}")
            if record.source == "latch_unreadable":
                self.core.alarm("latch_unreadable", "desk", "eng", record.reason)
        return lost

    async def serve(self, net: Net, on_ready: Callable[[], None] = lambda: None) -> None:
        """Answer on the bus and turn the main loop until a stop is asked for.

        `on_ready` is called once the engine answers: nobody may find it before.
        """
        self.net = net
        self.health.sample_disk()
        self.publisher.rebuild(self.questions)
        for part in (self.handlers, self.questions, self.foundry, self.core.feeds):
            await part.listen(net)
        if self.outlets is not None:
            self.questions.sinks = self.outlets.sinks.view
            self.handlers.incidents = self.outlets.incidents
            self.handlers.drills = self.outlets.drills
            self.questions.drills = self.outlets.drills.view
            self.handlers.shown = lambda: self.publisher.latest
            self.publisher.incidents = self.outlets.incidents.without_note
            self.publisher.on_shown = self.outlets.past.shown
            self.outlets.start()
        on_ready()
        tending = None
        if self.custody is not None:
            if self.arming is None or self.arming.may_start():
                self.custody.venue.start()
            tending = asyncio.get_running_loop().create_task(self.custody.run(), name="custody")
        await self._turn()
        if tending is not None:
            tending.cancel()
            await asyncio.gather(tending, return_exceptions=True)

    async def _turn(self) -> None:
        slow_ns = 0
        while not self.handlers.stop_requested.is_set():
            began_ns = self.core.clock.monotonic_ns()
            is_slow = began_ns - slow_ns >= SLOW_S * 1e9
            slow_ns = began_ns if is_slow else slow_ns
            is_whole = True
            for step in (self._look_outside, *((self._tend,) if is_slow else ()), self._publish):
                try:
                    await step()
                except Exception as error:  # what we do not know how to handle halts; it never ends us
                    is_whole = False
                    self.core.halt(error, "main loop")
            if is_whole and (self.custody is None or self.custody.is_in_touch()):
                self.beat.write(BeatState.RUNNING, self.core.clock.monotonic_ns(), self.core.pid)
            await self.core.clock.sleep(FAST_S)
            turn_ms = (self.core.clock.monotonic_ns() - began_ns) / NS_PER_MS
            self.health.beat(max(0.0, turn_ms - FAST_S * 1000))

    async def close(self) -> None:
        """End sessions and jobs with their evidence, then the store."""
        for step in (self.breaker.close, self.desk.close, self.jobs.close, self.questions.close):
            try:
                await step()
            except Exception as error:  # one part that cannot end in order must not keep the next from it
                self.core.halt(error, "shutdown")
        if self.venue is not None:
            await self.venue.close()
        if self.custody is not None:
            await self.custody.venue.close()
        self.beat.write(BeatState.STOPPED, self.core.clock.monotonic_ns(), self.core.pid)
        self.core.note("engine_stop", "eng", "stopped")
        note_end(self.core)
        if self.outlets is not None:
            await self.outlets.close()
        self.core.store.close()

    async def _tend(self) -> None:
        self.health.sample_disk()
        await self.desk.tend()
        self.breaker.look()
        self.clocks.look()
        self.stalls.look(self.desk.sessions)
        self.replay_gate.look()
        await self.handlers.schedules.tend()
        self.handlers.tend()
        if self.venue is not None:
            self.venue.tend()
        if self.reloading is not None:
            self.reloading.look()
        if self.watchdog is not None:
            self.watchdog.look()
        self.core.risk_memory.save()
        if self.outlets is not None:
            self.outlets.tend()
            watch_keys(self.core)
        vouch(self.core)

    async def _look_outside(self) -> None:
        self.outside.look()

    async def _publish(self) -> None:
        self._turns += 1
        if self._turns % self._views_every:
            return
        self.publisher.rebuild(self.questions)
        if self.net is not None:
            await self.publisher.publish(self.net)
            await self.foundry.publish()

    def _snapshot(self) -> dict[str, View]:
        self.publisher.rebuild(self.questions)
        return self.publisher.latest


async def run_engine(home: Path, environ: dict[str, str]) -> int:
    """Run the daemon until it is told to stop."""
    clock = SystemClock()
    disk = RealDisk()
    seams = Seams(clock, None, Rng(clock.now_ns()), disk)
    paths = HomePaths(home)
    disk.make_folder(paths.run)
    lock, key = EngineLock(paths.lock), None
    lock.acquire()
    try:
        core = build_core(seams, home, environ)
        parts = parts_of(core)
        if parts.venue is not None:
            demand_apart(core.settings)
        key = hold_own(parts.venue, core.settings, environ)
        engine = Engine(core, parts.venue, parts.account, evidence=parts.evidence, arming=parts.arming)
        if engine.arming is not None:
            engine.arming.origins = lambda: load_settings(home, environ).origins
            engine.arming.drill_key = lambda: drill_key(home, environ)
        engine.beat = BeatPage.shared(paths.safety / BEAT_FILE)
        engine.watchdog = WatchdogWatch(core, BeatPage.shared(paths.safety / WATCHDOG_BEAT_FILE))
        engine.outlets = Outlets(core, engine.health, engine.publisher.latest)
        engine.reloading = Reloading(core, Reloader(home, environ, {}, disk))
        engine.recover()
        await _serve_on_bus(engine, paths)
    finally:
        paths.endpoint.unlink(missing_ok=True)
        if key is not None:
            key.release()
        lock.release()
    return 0


async def _serve_on_bus(engine: Engine, paths: HomePaths) -> None:
    core = engine.core

    def bus_changed(is_up: bool) -> None:
        engine.health.is_bus_up = is_up
        if is_up:
            core.calm("bus_lost", "nats")
        else:
            core.alarm("bus_lost", "nats", "eng", "consoles are cut off; sessions and holds go on")

    bus = ManagedBus(paths.run, core.clock, on_down=lambda: None, on_up=lambda: None)
    url = await bus.start()
    credential: Credential = bus.credential
    net = await NatsNet.connect(url, credential.user, credential.password, "engine", bus_changed)
    watcher = asyncio.create_task(bus.watch(), name="bus")
    loop = asyncio.get_running_loop()
    halt_on_unforeseen(core, loop)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, engine.handlers.stop_requested.set)
    loop.add_signal_handler(signal.SIGUSR1, engine.outside.by_signal)
    told = tell_of_kill_file(paths.safety, engine.outside)
    endpoint = Endpoint(
        url=url,
        pid=os.getpid(),
        epoch=core.epoch,
        engine_version=ENGINE_VERSION,
        started_at_ns=core.clock.now_ns(),
    )

    def announce() -> None:
        core.disk.write_atomic(paths.endpoint, msgspec.json.encode(endpoint))
        sys.stdout.write(f"engine ready: epoch {core.epoch}, pid {os.getpid()}\n")
        sys.stdout.flush()

    try:
        await engine.serve(net, announce)
    finally:
        if told is not None:
            told.close()
        await engine.close()
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
        await net.close()
        await bus.stop()


def main() -> int:
    """Start the engine of one home. Exit 0 after an orderly stop, 2 when it cannot start."""
    parser = argparse.ArgumentParser(prog="engine.daemon", description="The Interlock engine daemon.")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--follow-parent", action="store_true", help="stop in order when the parent ends")
    arguments = parser.parse_args()
    home = arguments.home.resolve()
    if arguments.follow_parent:
        follow_parent(signal.SIGTERM)
    os.umask(0o077)
    close_memory()
    try:
        return asyncio.run(run_engine(home, dict(os.environ)))
    except Exception as error:
        code = reason_code(error)
        words = str(error).removeprefix(f"{code}: ") or type(error).__name__
        said = clean(f"{code}: {words}", MAX_SAID)
        book = "see: interlock runbook show engine-will-not-start"
        sys.stderr.write(f"engine will not start: {said}\n{book}\n")
        if os.environ.get("INTERLOCK_TRACEBACK"):
            raise
        return 2


if __name__ == "__main__":
    end_process(main())
