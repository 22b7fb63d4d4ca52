"""Results as they come in: one line each, appended and synced; what a crash tore off is made again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from engine.research.sweep.trials import Result
from seams.disk import Disk
from venues.types import Record

FILE = "trials.jsonl"
SWEEP_ID = re.compile(r"[0-9a-f]{16}")


class SweepDamaged(Exception):
    """A store that cannot be gone on with; `code` is sweep_damaged."""

    code = "sweep_damaged"


class StoreHead(Record):
    """The first line: which sweep this is. Equal fingerprints mean equal trials and equal results."""

    sweep_id: str
    fingerprint: str
    created_at: str
    trials: int
    request: dict[str, object]


class TrialStore:
    """The results of one sweep under `folder`, by trial number."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self.folder, self._disk = folder, disk
        self.head: StoreHead | None = None
        self.results: dict[int, Result] = {}

    @property
    def path(self) -> Path:
        return self.folder / FILE

    @property
    def exists(self) -> bool:
        return self._disk.exists(self.path)

    def create(self, head: StoreHead) -> None:
        """Begin anew. Raises `OSError`."""
        self._disk.make_folder(self.folder)
        self._disk.write_atomic(self.path, msgspec.json.encode(head) + b"\n")
        self.head, self.results = head, {}

    def load(self) -> None:
        """Read what is there; a last line that a crash tore is dropped from the file too.

        Raises `SweepDamaged` for anything else that does not read, and `OSError`.
        """
        text = self._disk.read(self.path)
        whole, _, torn = text.rpartition(b"\n")
        lines = whole.split(b"\n")
        try:
            self.head = msgspec.json.decode(lines[0], type=StoreHead)
            found = [msgspec.json.decode(line, type=Result) for line in lines[1:]]
        except msgspec.MsgspecError as error:
            raise SweepDamaged(f"{self.path.parent.name}/{FILE} does not read: {error}") from error
        if torn:
            self._disk.write_atomic(self.path, whole + b"\n")
        self.results = {}
        for result in found:
            self._take(result)

    def add(self, results: Sequence[Result]) -> int:
        """Keep results durably; one that is there already is not written again. Return how many were new.

        Raises `SweepDamaged` when a trial comes back with another result, and `OSError`.
        """
        new = [result for result in results if self._take(result)]
        if new:
            self._disk.append(self.path, b"".join(msgspec.json.encode(result) + b"\n" for result in new))
        return len(new)

    def remove(self) -> None:
        """Forget the store: its sweep is published."""
        self._disk.remove(self.path)

    def _take(self, result: Result) -> bool:
        known = self.results.get(result.number)
        if known is None:
            self.results[result.number] = result
            return True
        if known != result:
            raise SweepDamaged(f"trial {result.number} has two different results")
        return False
