"""The book of jobs: each row a file of its own, so that a job outlives the engine that ran it (QX-18)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from engine.api.run_views import JobRow
from safety.canonical import changed
from seams.disk import Disk

JOB_ID = re.compile(r"job_[0-9a-f]{8}")
KEPT_FILES = 500
ENDED = ("finished", "failed", "aborted")
LEFT_BEHIND = "the engine ended while it ran; nothing was published"


class JobBook:
    """Rows under `HOME/outputs/jobs/JOB.json`. What is told is durable before it returns."""

    def __init__(self, folder: Path, disk: Disk, token: Callable[[int], str]) -> None:
        self._folder, self._disk, self._token = folder, disk, token

    def new_id(self) -> str:
        """Return `job_` and eight hexadecimal digits that no kept job has."""
        while True:
            found = f"job_{hashlib.sha256(self._token(16).encode()).hexdigest()[:8]}"
            if not self._disk.exists(self._path(found)):
                return found

    def keep(self, row: JobRow) -> None:
        """Write a row. Raises `OSError`."""
        assert JOB_ID.fullmatch(row.job_id)
        self._disk.make_folder(self._folder)
        self._disk.write_atomic(self._path(row.job_id), msgspec.json.encode(row))

    def reopen(self) -> list[JobRow]:
        """Return the rows of engines before this one, oldest first; what ran then has been aborted.

        The oldest beyond `KEPT_FILES` are removed; a file that cannot be read is left and passed over.
        """
        rows = []
        for name in self._disk.list(self._folder):
            if not JOB_ID.fullmatch(name.removesuffix(".json")):
                continue
            try:
                row = msgspec.json.decode(self._disk.read(self._folder / name), type=JobRow)
            except (OSError, msgspec.MsgspecError):
                continue
            if row.state not in ENDED:
                row = changed(row, state="aborted", message=LEFT_BEHIND, left_s=None)
                self.keep(row)
            rows.append(row)
        rows.sort(key=lambda row: (row.started_ns, row.job_id))
        for row in rows[:-KEPT_FILES]:
            self._disk.remove(self._path(row.job_id))
        return rows[-KEPT_FILES:]

    def _path(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.json"
