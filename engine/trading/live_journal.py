"""A running session's journal, readable while it grows: HDF5 in SWMR mode, plain rows of fixed length.

    h5py.File("artifacts/live.h5", "r", swmr=True)["decisions"][:]

For watching only: at the session's end the sealed `journal.h5` takes its place, and orders stand in the
database. What a commit wrote survives a crash of the engine (flush, then fsync). HDF5 changes its heads in
place, so a host that loses power in the middle of a commit, or tears a write inside one sector of 512 bytes,
may leave a file on which its reader tries again for ever: after a crash read it in a process of its own, with
a deadline.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.trading.inputs import INPUT_DTYPE, SCHEMA_VERSION, JournalledKernel
from seams.disk import Disk, RealDisk, sync_folder

if TYPE_CHECKING:
    import h5py

LIVE = "live.h5"
CHUNK_ROWS = 1_024
TABLES = ("inputs", "decisions")


class LiveJournal:
    """The writer of one session's `live.h5`. Every object exists before readers may come, as SWMR demands."""

    def __init__(self, path: Path, kernel: JournalledKernel) -> None:
        """Create the file; raises `OSError` where it is there or cannot be written."""
        import h5py  # here, not above: the engine starts without paying for HDF5

        assert kernel.facts is not None, "a session's kernel knows what it was built from"
        self.path, self._kernel = path, kernel
        self._file: h5py.File = h5py.File(path, "x", libver="v110")
        for name, text in (
            ("schema_version", SCHEMA_VERSION),
            ("session_id", kernel.facts.session_id),
            ("kernel_sha256", kernel.facts.kernel_sha256),
        ):
            self._file.attrs[name] = np.bytes_(text.encode())
        for name, dtype in zip(TABLES, (INPUT_DTYPE, kernel.decisions().dtype), strict=True):
            self._file.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(CHUNK_ROWS,))
        self._file.swmr_mode = True
        sync_folder(path.parent)  # or the name may be gone after a power loss, and every commit with it

    def commit(self) -> int:
        """Append what is new, durable when it returns; returns how many rows. Raises `OSError`."""
        tables = zip(TABLES, (self._kernel.inputs, self._kernel.decisions()), strict=True)
        try:
            added = sum(self._append(name, rows) for name, rows in tables)
            if added:
                self._file.flush()
                os.fsync(self._file.id.get_vfd_handle())
        except RuntimeError as error:  # how h5py tells some failures of the file
            raise OSError(str(error)) from error
        return added

    def _append(self, name: str, rows: Any) -> int:
        table = self._file[name]
        before = len(table)
        if len(rows) > before:
            table.resize((len(rows),))
            table[before:] = rows[before:]
        return len(rows) - before

    def close(self) -> None:
        """Close the file; it stays."""
        self._file.close()


def live_journal(disk: Disk, artifacts: Path, kernel: object) -> LiveJournal | None:
    """Return a new live journal; None where there is nothing to journal or no host's disk to tail it on."""
    if not isinstance(kernel, JournalledKernel) or kernel.facts is None or not isinstance(disk, RealDisk):
        return None
    return LiveJournal(artifacts / LIVE, kernel)
