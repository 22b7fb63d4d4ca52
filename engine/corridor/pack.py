"""The evidence pack of one corridor session: every artifact in one archive, with a manifest of hashes.

The same session gives the same bytes: names are sorted and times are those of the artifacts.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import msgspec

from engine.api.corridor import Artifact, PackItem, PackManifest, Step
from engine.corridor.folder import CorridorFolder
from engine.corridor.reading import ALERTS_FILE, HEALTH_FILE
from engine.corridor.runbook import FILE as TICKS
from engine.corridor.status import ENDED, order_state, state_of
from engine.corridor.steps import STEPS, newest
from safety.canonical import sha256_hex
from safety.reasons import Refusal
from seams.clock import iso_z
from seams.disk import Disk

MANIFEST = "manifest.json"
NEEDED: tuple[tuple[str, Step], ...] = (
    ("first preflight", Step.PREFLIGHT),
    ("signed or validated order", Step.PREPARE),
    ("named approver", Step.APPROVE),
    ("gate", Step.GATE),
    ("submit response", Step.SUBMIT),
)
"""What a supervised pass must show (QL-88), besides a proved end, health, alerts and the paper rationale."""


def pack(submits: Path, sessions: Path, session_id: str, paper_session: str, disk: Disk) -> PackManifest:
    """Write `evidence.tar.gz` and `manifest.json` into the session's folder; return the manifest.

    `paper_session` is the paper session that speaks for the trade; empty: none is given, which is missing.
    Raises `Refusal`: not_found, artifact_altered; `OSError`.
    """
    folder = CorridorFolder(submits, session_id, disk)
    artifacts = folder.artifacts()
    if not artifacts:
        raise Refusal("not_found", f"no corridor session {session_id}; see interlock submit ls")
    files = {f"artifacts/{name}": disk.read(folder.path / "history" / name) for name in folder.names()}
    for name in (HEALTH_FILE, ALERTS_FILE):
        if disk.exists(submits / name):
            files[f"desk/{name}"] = disk.read(submits / name)
    if disk.exists(folder.path / TICKS):
        files[f"runbook/{TICKS}"] = disk.read(folder.path / TICKS)
    files |= _paper(sessions, paper_session, disk)
    found = PackManifest(
        artifact_type="interlock.corridor.evidence_pack",
        session_id=session_id,
        made_from=iso_z(artifacts[-1].at_ns),
        status=state_of(session_id, artifacts).status,
        paper_session=paper_session,
        items=tuple(PackItem(name=name, sha256=sha256_hex(data)) for name, data in sorted(files.items())),
        missing=_missing(artifacts, files, paper_session),
    )
    manifest = msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"
    archive = _archive({**files, MANIFEST: manifest}, artifacts[-1].at_ns // 10**9)
    disk.write_atomic(folder.path / "evidence.tar.gz", archive)
    disk.write_atomic(folder.path / MANIFEST, manifest)
    return found


def _missing(artifacts: tuple[Artifact, ...], files: dict[str, bytes], paper_session: str) -> tuple[str, ...]:
    found = []
    for said, step in NEEDED:
        artifact = newest(artifacts, step)
        if artifact is None or not (artifact.ok or step is Step.SUBMIT):
            found.append(f"{said} ({STEPS[step].file}.json)")
    if order_state(artifacts) not in ENDED:
        found.append("a proved end of the order (order_status.json or reconciliation.json)")
    if newest(artifacts, Step.RECONCILE) is None:
        found.append("a reconciliation (reconciliation.json)")
    found += [name for name in (HEALTH_FILE, ALERTS_FILE) if f"desk/{name}" not in files]
    if not any(name.startswith("paper/") for name in files):
        found.append(f"the paper session's folder {paper_session}" if paper_session else "a paper session")
    return tuple(found)


def _paper(sessions: Path, paper_session: str, disk: Disk) -> dict[str, bytes]:
    """Return the files of the paper session's folder itself; what lies deeper is in its own manifest."""
    folder = sessions / paper_session
    if not paper_session or Path(paper_session).name != paper_session or not disk.exists(folder):
        return {}
    names = [name for name in disk.list(folder) if name.endswith((".json", ".csv", ".md"))]
    return {f"paper/{name}": disk.read(folder / name) for name in names}


def _archive(files: dict[str, bytes], at_s: int) -> bytes:
    raw = io.BytesIO()
    with tarfile.TarFile(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(data), at_s, 0o600
            tar.addfile(member, io.BytesIO(data))
    return gzip.compress(raw.getvalue(), mtime=0)
