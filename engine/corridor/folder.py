"""A corridor session's folder: artifacts are added, never changed, and read only while their chain holds.

`history/NNNNN-STEP.json` is the record; `FILE.json` beside it is a copy of each step's newest artifact for
people and tools.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from engine.api.corridor import ARTIFACT_VERSION, Artifact, Step
from engine.corridor.steps import STEPS, newest
from safety.canonical import sha256_hex
from safety.reasons import Refusal
from safety.text import clean
from seams.clock import Clock, iso_z
from seams.disk import Disk
from venues.types import Record

SESSION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
FIRST = "0" * 64


class CorridorFolder:
    """The artifacts of one session."""

    def __init__(self, root: Path, session_id: str, disk: Disk) -> None:
        if not SESSION_ID.fullmatch(session_id):
            raise Refusal(
                "not_found", f"no corridor session {clean(session_id, 80)}; see interlock submit ls"
            )
        self.session_id, self.path, self._disk = session_id, root / session_id, disk
        self._history = self.path / "history"

    @property
    def exists(self) -> bool:
        return self._disk.exists(self._history)

    def artifacts(self) -> tuple[Artifact, ...]:
        """Return every artifact, oldest first. Raises `Refusal`: not_found, artifact_altered; `OSError`."""
        if not self.exists:
            raise Refusal("not_found", f"no corridor session {self.session_id}; see interlock submit ls")
        return tuple(artifact for artifact, _ in self._read())

    def add(
        self,
        step: Step,
        *,
        by: str,
        venue: str,
        environment: str,
        ok: bool,
        state: str,
        reasons: tuple[str, ...],
        body: dict[str, Any],
        clock: Clock,
    ) -> Artifact:
        """Write one artifact, durable when this returns. Raises `Refusal` (artifact_altered), `OSError`."""
        self._disk.make_folder(self._history)
        kept = self._read()
        rule = STEPS[step]
        below = None if rule.after is None else newest(tuple(each for each, _ in kept), rule.after)
        hashes = {each.number: sha256 for each, sha256 in kept}
        now_ns = clock.now_ns()
        artifact = Artifact(
            artifact_type=f"interlock.corridor.{rule.file}",
            version=ARTIFACT_VERSION,
            session_id=self.session_id,
            number=len(kept) + 1,
            step=step.value,
            at=iso_z(now_ns),
            at_ns=now_ns,
            by=clean(by, 80),
            venue=venue,
            environment=environment,
            ok=ok,
            state=state,
            reasons=reasons,
            stands_on={} if below is None else {STEPS[Step(below.step)].file: hashes[below.number]},
            previous_sha256=kept[-1][1] if kept else FIRST,
            body=body,
        )
        data = _pretty(artifact)
        self._disk.write_atomic(self._history / f"{artifact.number:05d}-{step}.json", data)
        self._disk.write_atomic(self.path / f"{rule.file}.json", data)
        return artifact

    def put(self, name: str, record: Record) -> None:
        """Write something derived (session_status.json). Raises `OSError`."""
        self._disk.write_atomic(self.path / name, _pretty(record))

    def names(self) -> list[str]:
        """Return the names of the artifacts' files, oldest first."""
        return sorted(name for name in self._disk.list(self._history) if name.endswith(".json"))

    def hashes(self) -> dict[int, str]:
        """Return number -> hash of every artifact. Raises `Refusal` (artifact_altered), `OSError`."""
        return {artifact.number: sha256 for artifact, sha256 in self._read()}

    def _read(self) -> list[tuple[Artifact, str]]:
        found: list[tuple[Artifact, str]] = []
        previous = FIRST
        for number, name in enumerate(self.names(), start=1):
            data = self._disk.read(self._history / name)
            try:
                artifact = msgspec.json.decode(data, type=Artifact)
            except msgspec.MsgspecError as error:
                raise Refusal("artifact_altered", f"{name}: {error}") from None
            is_whole = _pretty(artifact) == data and artifact.previous_sha256 == previous
            if not is_whole or (artifact.number, artifact.session_id) != (number, self.session_id):
                raise Refusal("artifact_altered", name)
            previous = sha256_hex(data)
            found.append((artifact, previous))
        return found


def _pretty(record: Record) -> bytes:
    return msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"
