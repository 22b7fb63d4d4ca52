"""Holds that outlive a restart: durable before the event that raised them ends (I27)."""

from __future__ import annotations

from engine.core import STORAGE_FAILURES, Core
from engine.store.rows import LatchedRecord
from safety.interlock import Clearance, HoldLevel

KEY_DEAD = "key_dead"


def latch(core: Core, code: str, subject: str, level: HoldLevel, evidence: str) -> bool:
    """Raise a hold and make it durable; tell whether it is new or stricter.

    Where the disk refuses, the hold stands and the engine halts.
    """
    standing = {(hold.code, hold.subject): hold.level for hold in core.interlock.holds}
    if standing.get((code, subject), HoldLevel.CLEAR) >= level:
        return False
    hold = core.interlock.raise_hold(
        code, subject=subject, since_ns=core.clock.now_ns(), source="eng", evidence=evidence, level=level
    )
    try:
        core.store.risk.latch(
            LatchedRecord(
                code=code,
                subject=subject,
                level=int(hold.level),
                since_ns=hold.since_ns,
                source=hold.source,
                evidence=evidence,
            )
        )
    except STORAGE_FAILURES as error:
        core.halt(error, f"{code} {subject}")
    return True


def unlatch(core: Core, code: str, subject: str, clearance: Clearance) -> None:
    """Clear a hold, on record too. Raises `Refusal` where its rule is not met, `StoreFailed` where it cannot
    be written: it stands again after a restart then."""
    core.interlock.clear_hold(code, clearance, subject)
    core.store.risk.unlatch(code, subject)
