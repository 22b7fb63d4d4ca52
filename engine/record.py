"""The audit log of a home as its settings want it: segments, signed heads, anchors."""

from __future__ import annotations

from pathlib import Path

from engine.api.home import HomePaths
from engine.config.settings import RecordBlock
from engine.core import Core
from safety.audit import AuditBroken, AuditLog, VerifyResult, anchor_log, verify_log
from safety.audit_heads import HeadKey, SignedHead
from seams.clock import Clock
from seams.disk import Disk

MIB = 1 << 20


def open_audit(disk: Disk, clock: Clock, paths: HomePaths, wanted: RecordBlock) -> AuditLog:
    """Open the log for writing. Raises `AuditBroken`, `Refusal` (the key) or `OSError`: do not start."""
    return AuditLog(
        disk,
        clock,
        paths.audit,
        key=HeadKey.load(wanted.audit_key_file),
        anchors=anchor_file(wanted),
        segment_bytes=wanted.audit_segment_mib * MIB,
        head_every_s=wanted.audit_head_every_s,
    )


def verify_audit(disk: Disk, paths: HomePaths, wanted: RecordBlock) -> VerifyResult:
    """Check the log with everything that vouches for it. Raises `Refusal` where the key cannot be used."""
    return verify_log(disk, paths.audit, HeadKey.load(wanted.audit_key_file), anchor_file(wanted))


def anchor_audit(
    disk: Disk, clock: Clock, paths: HomePaths, wanted: RecordBlock, target: Path | None
) -> SignedHead:
    """Verify the log and vouch for its end in `target`, else in the configured second place (if any)."""
    key = HeadKey.load(wanted.audit_key_file)
    return anchor_log(disk, clock, paths.audit, key, target or anchor_file(wanted))


def anchor_file(wanted: RecordBlock) -> Path | None:
    """Return the configured second place."""
    return Path(wanted.audit_anchor_file).expanduser() if wanted.audit_anchor_file else None


def vouch(core: Core) -> None:
    """Sign the log's head when it is due; a disk that refuses halts the engine."""
    try:
        core.audit.vouch_when_due()
    except (AuditBroken, OSError) as error:
        core.halt(error, "audit head")
