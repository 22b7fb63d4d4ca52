"""A running session's journal, readable while it grows: HDF5 in SWMR mode, plain rows of fixed length.

    h5py.File("artifacts/live.h5", "r", swmr=True)["decisions"][:]

For watching only: at the session's end the sealed `journal.h5` takes its place, and orders stand in the
database. What a commit wrote survives a crash of the engine (flush, then fsync). HDF5 changes its heads in
place, so a host that loses power in the middle of a commit, or tears a write inside one sector of 512 bytes,
may leave a file on which its reader tries again for ever: after a crash read it in a process of its own, with
a deadline.

What HDF5 could not write it tries again when an object is closed, and where that fails too it frees what it
goes on to use: at once or at the process's end it crashes (known of the library; seen with 2.0.0). So a
journal whose disk failed is never touched again, not even by Python's collection, and a process that holds
one ends without HDF5's own farewell (`end_process`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from engine.trading.inputs import INPUT_DTYPE, SCHEMA_VERSION, JournalledKernel
from seams.disk import Disk, RealDisk, sync_folder

if TYPE_CHECKING:
    import h5py

LIVE = "live.h5"
CHUNK_ROWS = 1_024
TABLES = ("inputs", "decisions")
_OPEN: list[LiveJournal] = []
"""Those that HDF5 has not closed well: what is in here is never collected."""


class LiveJournal:
    """The writer of one session's `live.h5`. Every object exists before readers may come, as SWMR demands."""

    def __init__(self, path: Path, kernel: JournalledKernel) -> None:
        """Create the file; raises `OSError` where it is there or cannot be written."""
        import h5py  # here, not above: the engine starts without paying for HDF5

        assert kernel.facts is not None, "a session's kernel knows what it was built from"
        self.path, self._kernel = path, kernel
        self._failure = ""
        self._file: h5py.File = h5py.File(path, "x", libver="v110")
        _OPEN.append(self)
        self._tables: dict[str, h5py.Dataset] = {}
        """Held, as closing one writes."""
        self._carefully(self._lay_out)
        sync_folder(path.parent)  # or the name may be gone after a power loss, and every commit with it

    def commit(self) -> int:
        """Append what is new, durable when it returns; returns how many rows.

        Raises `OSError`, and from then on always: the rows that were committed before stay readable.
        """
        return self._carefully(self._append_new)

    def _carefully(self, work: Callable[[], int]) -> int:
        """Do what writes; after its first failure nothing more is asked of HDF5."""
        if self._failure:
            raise OSError(f"{LIVE} failed before: {self._failure}")
        try:
            return work()
        except (OSError, RuntimeError) as error:  # RuntimeError: how h5py tells some failures of the file
            self._failure = str(error)
            raise OSError(self._failure) from error

    def _lay_out(self) -> int:
        assert self._kernel.facts is not None
        facts = self._kernel.facts
        texts = {
            "schema_version": SCHEMA_VERSION,
            "session_id": facts.session_id,
            "kernel_sha256": facts.kernel_sha256,
        }
        for name, text in texts.items():
            self._file.attrs[name] = np.bytes_(text.encode())
        for name, dtype in zip(TABLES, (INPUT_DTYPE, self._kernel.decisions().dtype), strict=True):
            self._tables[name] = self._file.create_dataset(
                name, (0,), dtype, maxshape=(None,), chunks=(CHUNK_ROWS,)
            )
        self._file.swmr_mode = True
        return 0

    def _append_new(self) -> int:
        tables = zip(TABLES, (self._kernel.inputs, self._kernel.decisions()), strict=True)
        added = sum(self._append(name, rows) for name, rows in tables)
        if added:
            self._file.flush()
            os.fsync(self._file.id.get_vfd_handle())
        return added

    def _append(self, name: str, rows: Any) -> int:
        table = self._tables[name]
        before = len(table)
        if len(rows) > before:
            table.resize((len(rows),))
            table[before:] = rows[before:]
        return len(rows) - before

    def close(self) -> None:
        """Close the file; it stays. Raises `OSError` where its disk takes no more; no row is lost."""
        self._carefully(self._end)

    def _end(self) -> int:
        handle = self._file.id.get_vfd_handle()
        os.pwrite(handle, os.pread(handle, 1, 0), 0)  # the place that a close writes: a byte as it was
        self._file.flush()
        self._tables.clear()
        self._file.close()
        _OPEN.remove(self)
        return 0


def end_process(code: int) -> NoReturn:
    """End this process with this exit status, past HDF5's own farewell where a journal was left open."""
    if _OPEN:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    raise SystemExit(code)


def live_journal(disk: Disk, artifacts: Path, kernel: object) -> LiveJournal | None:
    """Return a new live journal; None where there is nothing to journal or no host's disk to tail it on."""
    if not isinstance(kernel, JournalledKernel) or kernel.facts is None or not isinstance(disk, RealDisk):
        return None
    return LiveJournal(artifacts / LIVE, kernel)
