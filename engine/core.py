"""What every part of the engine shares: the seams, the records and the judges, in one frozen place."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from engine.api.home import HomePaths
from engine.config.settings import Settings
from engine.ops.alarms import AlarmDesk
from engine.ops.events import EventRing
from engine.store.store import Store
from safety.approval import Moment, TicketBook
from safety.audit import AuditLog
from safety.interlock import Clearance, HoldLevel, Interlock
from safety.killbyte import KillLevel
from safety.killswitch import KillSwitch
from seams.clock import Clock
from seams.disk import Disk
from seams.ids import Ids
from seams.rng import Rng
from venues.types import Environment, Mode

_HOLD_OF = {KillLevel.CLOSE_ONLY: HoldLevel.CLOSE_ONLY, KillLevel.HALT_ALL: HoldLevel.HALT}


@dataclass(frozen=True)
class Core:
    """Built once by the daemon (or a test); handed to every part."""

    clock: Clock
    ids: Ids
    rng: Rng
    disk: Disk
    paths: HomePaths
    settings: Settings
    config_fingerprint: str
    store: Store
    kill: KillSwitch
    audit: AuditLog
    mode: Mode
    environment: Environment
    epoch: int
    engine_version: str
    kernel_sha256: str
    alarms: AlarmDesk
    events: EventRing
    interlock: Interlock = field(default_factory=Interlock)
    tickets: TicketBook = field(default_factory=TicketBook)
    standing: set[tuple[str, str]] = field(default_factory=set)

    def moment(self) -> Moment:
        """Return this instant on both clocks."""
        return Moment(now_ns=self.clock.now_ns(), monotonic_ns=self.clock.monotonic_ns())

    def note(self, kind: str, actor: str, text: str, **facts: object) -> None:
        """Put something on the record: first the audit chain (durable), then the events people see."""
        body = msgspec.to_builtins({"actor": actor, "text": text, **facts}, str_keys=True)
        self.audit.append(kind, body)
        self.events.add(kind, actor, text)

    def alarm(self, code: str, subject: str, source: str, message: str) -> None:
        """Raise (or repeat) an alarm; the first time it is also an event."""
        self.alarms.raise_alarm(code, subject, source, message, self.clock.now_ns())
        if (code, subject) not in self.standing:
            self.standing.add((code, subject))
            self.note("alarm", source, f"{code} {subject}: {message}", code=code)

    def calm(self, code: str, subject: str) -> None:
        """Say that an alarm's condition is gone."""
        self.standing.discard((code, subject))
        self.alarms.clear(code, subject, self.clock.now_ns())

    def sync_kill_hold(self) -> None:
        """Let the interlock show what the latch says; only a reset of the latch removes the hold."""
        level = self.kill.level
        record = self.kill.record
        if level is KillLevel.CLEAR:
            if self.interlock.has("kill"):
                clearance = Clearance(operator=record.by, reason=record.reason, evidence="latch reset")
                self.interlock.clear_hold("kill", clearance)
            return
        self.interlock.raise_hold(
            "kill",
            since_ns=record.since_ns,
            source=record.source,
            evidence=f"{record.by}: {record.reason}",
            level=_HOLD_OF[level],
        )
