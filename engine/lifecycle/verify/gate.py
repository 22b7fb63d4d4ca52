"""The gate that a verification opens: only for these very bytes, this kernel, and an answer of equal.

Promotion reads it for every strategy; sealing asks it (`demand_verified`) before anything is signed (QX-25).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from engine.lifecycle.verify.report import REPORT_VERSION, VerifyReport, latest_path
from safety.reasons import Refusal
from seams.disk import Disk

SOURCE, RECORD, LIBRARY = "strategy.py", "record.json", "strategy.so"


class Kept(msgspec.Struct, frozen=True):
    """What the gate reads of a build's record, the forge's or the foundry's."""

    artifact_sha256: str
    build_sha256: str
    artifact: str = LIBRARY


def read_latest(home: Path, disk: Disk, strategy: str) -> VerifyReport:
    """Return a strategy's latest report. Raises `Refusal`: verify_missing, verify_unreadable."""
    try:
        return msgspec.json.decode(disk.read(latest_path(home, strategy)), type=VerifyReport)
    except (FileNotFoundError, ValueError) as error:
        is_absent = not isinstance(error, msgspec.MsgspecError)
        raise Refusal("verify_missing" if is_absent else "verify_unreadable", strategy[:80]) from error
    except OSError as error:
        raise Refusal("verify_unreadable", f"{strategy[:80]}: {error.strerror}") from error


def demand_verified(
    home: Path, disk: Disk, strategy: str, *, kernel_sha256: str, source_sha256: str = ""
) -> VerifyReport:
    """Return the report that lets a strategy pass.

    `source_sha256`: of the source that is to pass; empty where the report's own is meant. Raises `Refusal`:
    verify_missing, verify_unreadable, verify_stale or verify_diverged.
    """
    report = read_latest(home, disk, strategy)
    if not report.is_equivalent or report.divergence is not None:
        raise Refusal("verify_diverged", report.path)
    if report.strategy != strategy or report.report_version != REPORT_VERSION:
        raise Refusal("verify_stale", "the report is another strategy's, or of an older form")
    if report.kernel_sha256 != kernel_sha256:
        raise Refusal("verify_stale", "the kernel is another than the report's")
    if source_sha256 not in ("", report.source_sha256):
        raise Refusal("verify_stale", "the source is another than the report's")
    _demand_same_bytes(report, home, disk)
    return report


def _demand_same_bytes(report: VerifyReport, home: Path, disk: Disk) -> None:
    """The build's folder must hold what was verified: report, record, source and artifact."""
    folder = Path(report.path).parent
    if not folder.resolve().is_relative_to(home.resolve()):
        raise Refusal("verify_stale", "the report is of a build outside this home")
    try:
        kept = msgspec.json.decode(disk.read(folder / RECORD), type=Kept)
        beside = msgspec.json.decode(disk.read(Path(report.path)), type=VerifyReport)
        source, artifact = disk.read(folder / SOURCE), disk.read(folder / Path(kept.artifact).name)
    except (OSError, msgspec.MsgspecError) as error:
        raise Refusal("verify_stale", f"what was verified is gone: {type(error).__name__}") from error
    found = (beside, kept.build_sha256, kept.artifact_sha256, _sha256(artifact), _sha256(source))
    wanted = (
        report, report.build_sha256, report.artifact_sha256, report.artifact_sha256, report.source_sha256,
    )  # fmt: skip
    if found != wanted:
        raise Refusal("verify_stale", f"{folder.name} holds other bytes than were verified")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
