"""The run's journal: one HDF5 file that answers what happened, readable from plain Python.

    h5py.File("journal.h5")["equity"][:]                      # the equity curve, one value per bar

Datasets: `ts_ns` int64 (bars,), `equity` float64 (bars,), `trades` and `decisions` structured arrays of
the kernel, `excursions` float64 (trades, 2): adverse and favourable, in account
currency. Attributes name what produced them: kernel sha256, configuration fingerprint, data hash. Equal
content gives equal bytes: no times, no compression that depends on memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

SCHEMA_VERSION = "1.0"
CHUNK_ROWS = 1 << 16
DATASETS = ("ts_ns", "equity", "trades", "decisions", "excursions")
UNPACKED = ("equity",)
"""Random digits: packing them takes most of the time and saves little. Never lzf: its hash table starts as
whatever lies in memory, and equal runs must leave equal bytes."""


class JournalDamaged(Exception):
    """A journal that cannot be read back as it was written; `code` is journal_damaged."""

    code = "journal_damaged"


def write_journal(
    path: Path,
    *,
    ts_ns: NDArray[np.int64],
    equity: NDArray[np.float64],
    trades: NDArray[Any],
    decisions: NDArray[Any],
    excursions: NDArray[np.float64],
    identity: Mapping[str, str],
) -> str:
    """Write a journal whole or not at all and return its sha256 (hex).

    Temporary file, fsync, re-open and check, rename. Raises `OSError` or `JournalDamaged`.
    """
    assert len(ts_ns) == len(equity) and excursions.shape == (len(trades), 2)
    temporary = path.with_name(f".{path.name}.tmp")
    columns: dict[str, NDArray[Any]] = {
        "ts_ns": ts_ns,
        "equity": equity,
        "trades": trades,
        "decisions": decisions,
        "excursions": excursions,
    }
    image = io.BytesIO()  # a full disk must fail us, not HDF5: that crashes over what it cannot write
    with h5py.File(image, "w", libver="v110", track_order=True) as file:
        file.attrs["schema_version"] = SCHEMA_VERSION
        for name, value in sorted(identity.items()):
            file.attrs[name] = value
        for name in DATASETS:
            _put(file, name, columns[name])
    try:
        temporary.write_bytes(image.getbuffer())
        digest = _sync_and_hash(temporary)
        _check(temporary, columns, identity)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    return digest


def read_equity(path: Path) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return times (ns) and equity per bar. Raises `JournalDamaged`."""
    try:
        with h5py.File(path, "r") as file:
            return file["ts_ns"][:], file["equity"][:]
    except (OSError, KeyError) as error:
        raise JournalDamaged(f"{path.name}: {type(error).__name__}") from error


def read_table(path: Path, name: str) -> NDArray[Any]:
    """Return `trades`, `decisions` or `excursions`. Raises `JournalDamaged`."""
    assert name in DATASETS
    try:
        with h5py.File(path, "r") as file:
            table: NDArray[Any] = file[name][:]
            return table
    except (OSError, KeyError) as error:
        raise JournalDamaged(f"{path.name}: {type(error).__name__}") from error


def read_rows(path: Path, name: str, start: int, count: int) -> tuple[int, NDArray[Any]]:
    """Return how many rows a table has, and `count` of them from `start` on. Raises `JournalDamaged`."""
    assert name in DATASETS
    try:
        with h5py.File(path, "r") as file:
            table = file[name]
            return len(table), table[start : start + count]
    except (OSError, KeyError) as error:
        raise JournalDamaged(f"{path.name}: {type(error).__name__}") from error


def _put(file: h5py.File, name: str, values: NDArray[Any]) -> None:
    if len(values) == 0:
        file.create_dataset(name, data=values)
        return
    chunk = (min(CHUNK_ROWS, len(values)), *values.shape[1:])
    packed = {} if name in UNPACKED else {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    file.create_dataset(name, data=values, chunks=chunk, fletcher32=True, track_times=False, **packed)


def _sync_and_hash(path: Path) -> str:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(path: Path, columns: Mapping[str, NDArray[Any]], identity: Mapping[str, str]) -> None:
    """Read back the ends and the lengths; HDF5's checksums cover each chunk read."""
    with h5py.File(path, "r") as file:
        for name, values in columns.items():
            stored = file[name]
            if stored.shape != values.shape or stored.dtype != values.dtype:
                raise JournalDamaged(f"{name}: shape or type differs after writing")
            if len(values) and (
                stored[0].tobytes() != values[0].tobytes() or stored[-1].tobytes() != values[-1].tobytes()
            ):
                raise JournalDamaged(f"{name}: first or last row differs after writing")
        if any(file.attrs[name] != value for name, value in identity.items()):
            raise JournalDamaged("attributes differ after writing")
