"""How each part of the engine is, each with the age of the last sign of progress."""

from __future__ import annotations

from contextlib import suppress

from engine.api import views as v
from engine.core import Core
from engine.desk import Desk
from engine.store.failures import StoreError
from engine.venue_desk import VenueDesk
from safety.approval_measures import measure_rows, measures
from safety.killbyte import KillLevel
from seams.clock import NS_PER_MS, iso_z

DISK_LOW_BYTES = 512 * 1024 * 1024
LOOP_SLOW_MS = 250
JOURNAL_SLOW_MS = 5_000


class Health:
    """Samples of the plumbing; `beat` is called by the main loop and carries its lag."""

    def __init__(self, core: Core, desk: Desk) -> None:
        self.core, self.desk = core, desk
        self.loop_lag_ms = 0.0
        self.is_bus_up = True
        self.diagnostics: tuple[tuple[str, str, str], ...] = ()
        """Facts from outside the engine, such as unit states and the log's end; set by whoever looks."""
        self.venue: VenueDesk | None = None
        self.bus_restarts = 0
        self._beat_ns = core.clock.monotonic_ns()
        self.bus_ns = self._store_ns = self._beat_ns
        """When a view last went out, and when the database last answered (monotonic)."""
        self._free_bytes = 0
        self._sampled_ns = 0

    def beat(self, lag_ms: float) -> None:
        """Note one turn of the main loop and how late it came, in ms."""
        self.loop_lag_ms = lag_ms
        self._beat_ns = self.core.clock.monotonic_ns()

    def sample_disk(self) -> None:
        """Look at the free space about once a second; low space is an alarm."""
        now_ns = self.core.clock.monotonic_ns()
        self.core.feeds.look(self.core.note)
        self._free_bytes = self.core.disk.free_bytes(self.core.paths.home)
        self._sampled_ns = now_ns
        self._probe_store()
        if self._free_bytes < DISK_LOW_BYTES:
            self.core.alarm("disk_low", "home", "eng", f"{self._free_bytes // 2**20} MiB free")
        else:
            self.core.calm("disk_low", "home")

    def parts(self) -> tuple[v.PartHealth, ...]:
        """Return every part, worst facts not hidden."""
        core = self.core
        beat_ms = self._age_ms(self._beat_ns)
        loop = "slow" if self.loop_lag_ms > LOOP_SLOW_MS else "ok"
        failure = core.store.link.last_failure
        is_latched = core.kill.level is not KillLevel.CLEAR
        bus, database = "ok" if self.is_bus_up else "lost", "failed" if failure else "ok"
        audit = "failed" if core.audit.is_broken else "ok"
        return (
            _part("engine", loop, beat_ms, f"loop lag {self.loop_lag_ms:.0f} ms"),
            _part("bus", bus, self._age_ms(self.bus_ns), f"{self.bus_restarts} restarts"),
            _part("database", database, self._age_ms(self._store_ns), failure or "WAL, synchronous FULL"),
            _part("audit", audit, self._audit_age_ms(), f"{core.audit.seq} records"),
            self._journal(),
            _part("interlock", "ok", beat_ms, "kill latched" if is_latched else "latch clear"),
            self._feed(),
            *self._feeds(),
            *(() if self.venue is None else self.venue.parts()),
            _part(
                "disk",
                self._disk_state(),
                self._age_ms(self._sampled_ns),
                f"{self._free_bytes // 2**20} MiB free",
            ),
        )

    def _probe_store(self) -> None:
        """Ask the database something small: it answers or its age grows."""
        with suppress(StoreError):
            self.core.store.facts.get("health")
            self._store_ns = self.core.clock.monotonic_ns()

    def _journal(self) -> v.PartHealth:
        """The sessions' records: how long ago the one that is furthest behind was written."""
        written = [entry.updated_ns for entry in self.desk.running.values() if entry.updated_ns]
        if not written:
            return _part("journal", "off", 0, "no session")
        age_ms = max(0, self.core.clock.now_ns() - min(written)) // NS_PER_MS
        state = "slow" if age_ms > JOURNAL_SLOW_MS else "ok"
        return _part("journal", state, age_ms, f"{len(written)} sessions, written each second")

    def _audit_age_ms(self) -> int:
        return max(0, self.core.clock.now_ns() - self.core.audit.last_ns) // NS_PER_MS

    def _disk_state(self) -> str:
        return "failed" if self._sampled_ns and self._free_bytes < DISK_LOW_BYTES else "ok"

    def _feed(self) -> v.PartHealth:
        sessions = self.desk.sessions
        if not sessions:
            return _part("feed", "off", 0, "no session")
        stale = [
            s
            for session in sessions
            if not session.plan.uses_market_time
            for s in session.hub.stale_symbols()
        ]
        oldest = max((age.age_ms or 0 for session in sessions for age in session.hub.ages()), default=0)
        return _part("feed", "stale" if stale else "ok", oldest, ", ".join(stale) or "all symbols fresh")

    def _feeds(self) -> tuple[v.PartHealth, ...]:
        """The feed processes that were heard; their own account is `interlock feed status`."""
        found = []
        for fed in self.core.feeds.heard():
            said = f"{fed.events} events, {fed.holes} holes"
            detail = f"stale: {', '.join(fed.stale)}" if fed.state == "stale" else said
            detail = "own streams are used" if fed.state == "lost" else detail
            found.append(_part(f"feed {fed.venue}", fed.state, fed.age_ms, detail))
        return tuple(found)

    def system_view(self, seq: int) -> v.SystemView:
        """Return the facts of screen 0 that the engine knows."""
        core = self.core
        counts = [session.counts for session in self.desk.sessions]
        facts = (
            ("engine", "version", core.engine_version),
            ("engine", "epoch", str(core.epoch)),
            ("engine", "mode", f"{core.mode} / {core.environment}"),
            ("engine", "loop lag", f"{self.loop_lag_ms:.1f} ms"),
            ("engine", "clock", iso_z(core.clock.now_ns())[:19] + "Z"),
            ("kernel", "sha256", core.kernel_sha256),
            ("kernel", "configuration", core.config_fingerprint),
            ("audit", "records", str(core.audit.seq)),
            ("audit", "head", core.audit.head),
            ("desk", "sessions", str(len(self.desk.sessions))),
            ("desk", "bars", str(sum(c.bars for c in counts))),
            ("desk", "orders", str(sum(c.orders for c in counts))),
            ("desk", "fills", str(sum(c.fills for c in counts))),
            ("safety", "latch", core.kill.record.level.name.lower()),
            ("safety", "latch epoch", str(core.kill.epoch)),
            *(("approvals", name, value) for name, value in measure_rows(measures(core.tickets.all()))),
            ("disk", "free", f"{self._free_bytes // 2**20} MiB"),
            *self.diagnostics,
        )
        return v.SystemView(seq=seq, at_ns=core.clock.now_ns(), health=self.parts(), facts=facts)

    def _age_ms(self, since_ns: int) -> int:
        return (self.core.clock.monotonic_ns() - since_ns) // NS_PER_MS


def _part(part: str, state: str, age_ms: int, detail: str) -> v.PartHealth:
    return v.PartHealth(part=part, state=state, age_ms=age_ms, detail=detail)
