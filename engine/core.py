"""What every part of the engine shares: the seams, the records and the judges, in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from engine.api.home import HomePaths
from engine.conduct import Conduct
from engine.config.settings import Settings
from engine.feed.markets import FeedMarkets
from engine.limit_book import LimitBook
from engine.ops.alarms import AlarmDesk
from engine.ops.events import EventRing
from engine.policies import PolicyDesk
from engine.risk_memory import RiskMemory
from engine.store.failures import StoreError
from engine.store.store import Store
from engine.trading.flow import EntryFlow
from engine.trading.hooks import Hooks
from engine.trading.traffic import MINUTE_NS
from safety.approval import Moment, TicketBook
from safety.audit import AuditBroken, AuditLog
from safety.interlock import Clearance, HoldLevel, Interlock
from safety.killbyte import KillLevel
from safety.killswitch import KillSwitch
from safety.lease import OperatorLease
from safety.text import clean
from seams.clock import Clock
from seams.disk import Disk
from seams.ids import Ids
from seams.rng import Rng
from venues.types import Environment, Mode

if TYPE_CHECKING:
    from engine.market_watch import MarketWatch
    from engine.ops.call_log import CallLog

STORAGE_FAILURES = (StoreError, AuditBroken, OSError)
"""What a record that cannot be kept raises; whoever meets one calls `Core.halt`."""
MAX_NOTE_CHARACTERS = 2_000
_HOLD_OF = {KillLevel.CLOSE_ONLY: HoldLevel.CLOSE_ONLY, KillLevel.HALT_ALL: HoldLevel.HALT}


@dataclass
class Core:
    """Built once by the daemon (or a test); handed to every part.

    Only `settings` and their fingerprint ever change: a reload that was accepted (`engine.reloading`).
    """

    clock: Clock
    ids: Ids
    rng: Rng
    disk: Disk
    pid: int
    commit: str
    token: Callable[[int], str]
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
    limits: LimitBook
    risk_memory: RiskMemory
    conduct: Conduct
    interlock: Interlock = field(default_factory=Interlock)
    hooks: Hooks = field(default_factory=Hooks)
    tickets: TicketBook = field(default_factory=TicketBook)
    lease: OperatorLease = field(default_factory=OperatorLease)
    feeds: FeedMarkets = field(init=False)
    """The feed processes that are heard."""
    entry_flow: EntryFlow = field(init=False)
    """What the whole desk entered lately; a restart begins with what is on record."""
    market: MarketWatch | None = None
    """What is known of the markets of a real venue; None where there is none."""
    calls: CallLog | None = None
    """The requests to the venue, on their way to a file; None where there is no venue."""
    standing: set[tuple[str, str]] = field(default_factory=set)
    halts: int = 0
    """How often something could not be kept or was not known: no resume that began before may undo it."""

    def __post_init__(self) -> None:
        self.feeds = FeedMarkets(self.clock)
        now_ns = self.clock.now_ns
        self.entry_flow = EntryFlow(now_ns, self.store.risk.entries_since(now_ns() - MINUTE_NS))
        self.policies = PolicyDesk(self.disk, self.paths.policies)

    @property
    def is_money(self) -> bool:
        """Tell whether orders of this engine move money: live, and not on a loopback exchange."""
        return self.mode is Mode.LIVE and self.environment is not Environment.SANDBOX

    @property
    def needs_two_persons(self) -> bool:
        """Tell whether what restores or enlarges risk needs two persons here (C22)."""
        return two_persons(self.settings, self.mode, self.environment)

    def needs_second(self, notional_usd: Decimal) -> bool:
        """Tell whether a ticket of this notional needs a second person."""
        above = Decimal(str(self.settings.supervision.second_person_above_usd))
        return self.needs_two_persons and notional_usd >= above

    def moment(self) -> Moment:
        """Return this instant on both clocks."""
        return Moment(now_ns=self.clock.now_ns(), monotonic_ns=self.clock.monotonic_ns())

    def note(self, kind: str, actor: str, text: str, **facts: object) -> None:
        """Put something on the record: first the audit chain (durable), then the events people see.

        Where the chain cannot be written the engine halts and goes on answering; nothing is raised.
        """
        said = clean(text, MAX_NOTE_CHARACTERS)
        body = msgspec.to_builtins({"actor": clean(actor, 80), "text": said, **facts}, str_keys=True)
        try:
            self.audit.append(kind, body)
        except (AuditBroken, OSError) as error:
            self.halt(error, "audit log")
        self.events.add(kind, actor, text)

    def halt(self, error: Exception, where: str) -> None:
        """A record cannot be kept, or the engine met what it does not know: halt_all, said aloud once.

        Never raises: a latch file that cannot be written leaves the shared byte at halt_all, and the
        main loop tries the file again until it is written.
        """
        said = f"{where}: {type(error).__name__}: {error}"
        self.halts += 1
        if self.kill.record.level is not KillLevel.HALT_ALL:
            try:
                self.kill.trip(KillLevel.HALT_ALL, by="engine", reason=said, source="storage")
            except OSError:
                assert self.kill.level is KillLevel.HALT_ALL
        self.sync_kill_hold()
        code = "audit_broken" if self.audit.is_broken else "database_error"
        if (code, "desk") in self.standing:
            return
        self.standing.add((code, "desk"))
        for each in (code, "kill_latched"):
            self.alarms.raise_alarm(each, "desk", "eng", said, self.clock.now_ns())
        if self.audit.is_broken:
            self.events.add("halted", "eng", said)
        else:
            self.note("halted", "eng", said)

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

    def sync_entries_hold(self) -> None:
        """Hold new risk while the configuration allows no entries; only the configuration clears it."""
        is_off = not self.settings.decision.allows_entries
        if is_off == self.interlock.has("entries_off"):
            return
        said = f"decision.allows_entries is {'false' if is_off else 'true'}"
        if is_off:
            now_ns = self.clock.now_ns()
            self.interlock.raise_hold("entries_off", since_ns=now_ns, source="configuration", evidence=said)
        else:
            self.interlock.clear_hold("entries_off", Clearance(evidence=said))
        self.note("entries_off" if is_off else "entries_on", "eng", said)

    def sync_kill_hold(self) -> None:
        """Let the interlock show what the latch says; only a reset of the latch removes the hold."""
        level = self.kill.level
        record = self.kill.record
        if level is KillLevel.CLEAR:
            if self.interlock.has("kill"):
                clearance = Clearance(operator=record.by, reason=record.reason, evidence="latch reset")
                self.interlock.clear_hold("kill", clearance)
            return
        is_written = record.level is level
        self.interlock.raise_hold(
            "kill",
            since_ns=record.since_ns if is_written else self.clock.now_ns(),
            source=record.source if is_written else "storage",
            evidence=f"{record.by}: {record.reason}" if is_written else "the latch file is not written",
            level=_HOLD_OF[level],
        )


def two_persons(settings: Settings, mode: Mode, environment: Environment) -> bool:
    """Tell whether two persons are needed: as configured, else wherever money moves."""
    wanted = settings.supervision.needs_two_persons
    return mode is Mode.LIVE and environment is not Environment.SANDBOX if wanted is None else wanted
