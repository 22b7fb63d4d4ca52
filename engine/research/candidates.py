"""Runs worth keeping in mind: candidates, a shortlist, and the one baseline that others are held against."""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.api.research import CandidateRow, UnknownRun
from engine.research.artifacts import RUN_ID
from engine.research.index import read_row
from engine.research.schemas import Candidate, CandidateStore, json_bytes
from seams.clock import Clock, iso_z
from seams.disk import Disk

FILE = "candidates.json"
MAX_CANDIDATES = 500


class CandidatesDamaged(Exception):
    """candidates.json cannot be read; nothing was changed. `code` is candidates_damaged."""

    code = "candidates_damaged"


class CandidateBook:
    """The store beside the runs, `outputs/candidates.json`; every change replaces it atomically."""

    def __init__(self, runs: Path, disk: Disk, clock: Clock) -> None:
        self._runs, self._disk, self._clock = runs, disk, clock
        self._path = runs.parent / FILE

    def read(self) -> CandidateStore:
        """Return the store, empty where there is none. Raises `CandidatesDamaged`."""
        if not self._disk.exists(self._path):
            return CandidateStore(schema_version="1.0", updated_at="", baseline_run_id=None, candidates=())
        try:
            return msgspec.json.decode(self._disk.read(self._path), type=CandidateStore)
        except (OSError, msgspec.MsgspecError) as error:
            raise CandidatesDamaged(f"{FILE} cannot be read: {error}") from error

    def add(self, run_id: str, note: str) -> CandidateStore:
        """Add a run, or change its note. Raises `UnknownRun`, `ValueError` when the store is full."""
        self._demand(run_id)
        store = self.read()
        old = next((each for each in store.candidates if each.run_id == run_id), None)
        if old is None and len(store.candidates) >= MAX_CANDIDATES:
            raise ValueError(f"there are {MAX_CANDIDATES} candidates; remove some")
        made = Candidate(
            run_id=run_id,
            note=note[:200],
            added_at=old.added_at if old else iso_z(self._clock.now_ns()),
            shortlisted=old.shortlisted if old else False,
        )
        others = tuple(each for each in store.candidates if each.run_id != run_id)
        return self._write(store, (*others, made), store.baseline_run_id)

    def remove(self, run_id: str) -> CandidateStore:
        """Take a run off, whether or not its folder still exists. Raises `UnknownRun` when it is not on."""
        store = self._with(run_id)
        kept = tuple(each for each in store.candidates if each.run_id != run_id)
        return self._write(store, kept, store.baseline_run_id)

    def shortlist(self, run_id: str, is_on: bool) -> CandidateStore:
        """Put a candidate on the shortlist, or take it off. Raises `UnknownRun` when it is no candidate."""
        store = self._with(run_id)
        changed = tuple(
            Candidate(run_id=run_id, note=each.note, added_at=each.added_at, shortlisted=is_on)
            if each.run_id == run_id
            else each
            for each in store.candidates
        )
        return self._write(store, changed, store.baseline_run_id)

    def set_baseline(self, run_id: str | None) -> CandidateStore:
        """Make a run the only baseline, or have none. Raises `UnknownRun`."""
        if run_id is not None:
            self._demand(run_id)
        store = self.read()
        return self._write(store, store.candidates, run_id)

    def rows(self) -> tuple[CandidateRow, ...]:
        """Return the baseline, then candidates, newest first; a run that is gone is shown as missing."""
        store = self.read()
        known = {each.run_id: each for each in store.candidates}
        newest = sorted(store.candidates, key=lambda each: each.added_at, reverse=True)
        order = [each.run_id for each in newest]
        if store.baseline_run_id is not None:
            order = [store.baseline_run_id, *(each for each in order if each != store.baseline_run_id)]
        return tuple(self._row(run_id, known.get(run_id), store.baseline_run_id) for run_id in order)

    def _row(self, run_id: str, found: Candidate | None, baseline: str | None) -> CandidateRow:
        row = read_row(self._runs / run_id, self._disk)
        return CandidateRow(
            run_id=run_id,
            state="missing" if isinstance(row, str) else row.status,
            is_baseline=run_id == baseline,
            shortlisted=bool(found and found.shortlisted),
            note=found.note if found else "",
            added_at=found.added_at if found else "",
            strategy="" if isinstance(row, str) else row.strategy,
            trust="" if isinstance(row, str) else row.trust,
            total_return=None if isinstance(row, str) else row.total_return,
            sharpe_simple=None if isinstance(row, str) else row.sharpe_simple,
            max_drawdown=None if isinstance(row, str) else row.max_drawdown,
        )

    def _demand(self, run_id: str) -> None:
        found = read_row(self._runs / run_id, self._disk) if RUN_ID.fullmatch(run_id) else "not_a_run_id"
        if isinstance(found, str):
            raise UnknownRun(f"no run {run_id[:80]!r}: {found}")

    def _with(self, run_id: str) -> CandidateStore:
        store = self.read()
        if all(each.run_id != run_id for each in store.candidates):
            raise UnknownRun(f"{run_id[:80]!r} is no candidate")
        return store

    def _write(
        self, store: CandidateStore, candidates: tuple[Candidate, ...], baseline: str | None
    ) -> CandidateStore:
        made = CandidateStore(
            schema_version=store.schema_version,
            updated_at=iso_z(self._clock.now_ns()),
            candidates=candidates,
            baseline_run_id=baseline,
        )
        self._disk.make_folder(self._path.parent)
        self._disk.write_atomic(self._path, json_bytes(made))
        return made
