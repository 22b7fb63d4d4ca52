"""The audit log from outside: checked and anchored with no engine."""

from __future__ import annotations

from pathlib import Path

from engine.api.home import HomePaths
from seams.clock import SystemClock
from seams.disk import RealDisk
from venues.types import Record


class Anchored(Record):
    """A head that vouches for the log up to `seq`; `file` is where it was added, empty where nowhere."""

    seq: int
    hash: str
    at_ns: int
    key_id: str
    signature: str
    file: str


def audit_verify(home: Path, environ: dict[str, str]) -> Record:
    """Check the chain, its head, its signed heads and its anchors.

    Raises `ConfigError`, or `Refusal` where the configured key cannot be used.
    """
    from engine.config import load_settings
    from engine.record import verify_audit

    return verify_audit(RealDisk(), HomePaths(home), load_settings(home, environ).settings.record)


def audit_anchor(home: Path, environ: dict[str, str], target: Path | None) -> Anchored:
    """Verify the log and add its head to `target` or to the configured second place.

    Raises `AuditBroken` where the log does not verify or is behind that place, `OSError` where it cannot
    be written, and what `audit_verify` raises.
    """
    from engine.config import load_settings
    from engine.record import anchor_audit, anchor_file

    wanted = load_settings(home, environ).settings.record
    head = anchor_audit(RealDisk(), SystemClock(), HomePaths(home), wanted, target)
    place = target or anchor_file(wanted)
    return Anchored(
        seq=head.seq,
        hash=head.hash,
        at_ns=head.at_ns,
        key_id=head.key_id,
        signature=head.signature,
        file="" if place is None else str(place),
    )


def decision_drift(home: Path) -> Record:
    """Compare this week's decisions with those of the four weeks before. Raises `OSError`, `ValueError`."""
    from engine.ops.decision_drift import decision_drift as compare

    return compare(RealDisk(), HomePaths(home).audit, SystemClock().now_ns())
