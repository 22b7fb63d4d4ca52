"""The shared parts of one engine, built over one home folder in the order in which each needs the last."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from engine.api.home import HomePaths
from engine.conduct import Conduct
from engine.config import load_settings
from engine.config.settings import config_fingerprint
from engine.core import Core, two_persons
from engine.limit_book import LimitBook
from engine.limits import note_limits, restore_latches
from engine.ops.alarms import AlarmDesk
from engine.ops.events import EventRing
from engine.record import open_audit
from engine.research.identity import git_commit
from engine.risk_memory import RiskMemory
from engine.store.store import Store, database_path
from native.identity import kernel_sha256
from safety.alarm_codes import ALARMS
from safety.killbyte import KillByte
from safety.killswitch import KillSwitch
from safety.lease import OperatorLease
from seams.clock import NS_PER_S, Clock
from seams.disk import Disk
from seams.ids import EpochIds, Ids
from seams.rng import Rng, secret_token
from venues.types import Environment, Mode

ENGINE_VERSION = "0.1.0"


@dataclass(frozen=True)
class Seams:
    """What the outside world is made of, for one engine."""

    clock: Clock
    ids: Ids | None
    """None: short names that count within the engine's epoch."""
    rng: Rng
    disk: Disk
    pid: int = field(default_factory=os.getpid)
    commit: str = field(default_factory=git_commit)
    token: Callable[[int], str] = secret_token
    """Makes an unguessable text from so many bytes."""


def build_core(seams: Seams, home: Path, environ: dict[str, str], kill_byte: KillByte | None = None) -> Core:
    """Build the shared parts over one home folder.

    Raises `ConfigError`, `StoreError`, `AuditBroken` or `OSError`: the engine must not start then.
    """
    paths = HomePaths(home)
    for folder in (paths.run, paths.safety, paths.audit.parent, paths.database, paths.sessions, paths.runs):
        seams.disk.make_folder(folder)
    kill = KillSwitch(seams.disk, seams.clock, paths.safety, kill_byte)
    kill.apply_environment(environ)
    settings = load_settings(home, environ).settings
    mode, environment = Mode(settings.engine.mode), Environment(settings.engine.environment)
    store = Store.open(database_path(paths.database, mode), mode, seams.clock, environment)
    alarms = AlarmDesk(ALARMS, store)
    alarms.reload(seams.clock.now_ns())
    epoch = store.next_epoch()
    limits = LimitBook(store.risk, seams.clock, settings.risk, store.facts)
    if two_persons(settings, mode, environment):
        limits.may_raise = lambda change: False  # until the desk of pairs says who signed
    noted = limits.take(settings.risk)
    settings = settings.model_copy(update={"risk": limits.risk})
    core = Core(
        clock=seams.clock,
        ids=seams.ids or EpochIds(epoch),
        rng=seams.rng,
        disk=seams.disk,
        pid=seams.pid,
        commit=seams.commit,
        token=seams.token,
        paths=paths,
        settings=settings,
        config_fingerprint=config_fingerprint(settings),
        store=store,
        kill=kill,
        audit=open_audit(seams.disk, seams.clock, paths, settings.record),
        mode=mode,
        environment=environment,
        epoch=epoch,
        engine_version=ENGINE_VERSION,
        kernel_sha256=kernel_sha256(),
        alarms=alarms,
        events=EventRing(seams.clock),
        limits=limits,
        risk_memory=RiskMemory(store.risk, seams.clock),
        conduct=Conduct(store.risk, store.facts, settings.risk),
        lease=OperatorLease(round(settings.supervision.operator_lease_s * NS_PER_S)),
    )
    core.note("engine_start", "eng", f"epoch {core.epoch}, {mode} / {environment}")
    core.sync_kill_hold()
    core.sync_entries_hold()
    note_limits(core, noted)
    restore_latches(core)
    return core
