"""A run's folder: written whole or not at all.

The files go into a hidden sibling folder, each is synced, then one rename makes the folder appear. What a
crash leaves behind is hidden, never listed, and removed by the next run. (Renaming folders and HDF5 need
real files, so this module and `engine.journal` use the host's file system directly.)
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.api.endpoint import is_alive
from engine.research.schemas import Artifact
from native.codes import Reason
from seams.clock import NS_PER_S
from venues.types import Record

RUN_ID = re.compile(r"\d{8}_\d{6}_[a-z]{1,16}_[0-9a-f]{7}(?:_\d{1,3})?")
STAGING_PREFIX = ".staging-"
GENERATION_PREFIX = ".gen-"
MAX_COLLISIONS = 999
TRADE_COLUMNS = (
    "entry_at,exit_at,entry_bar,exit_bar,side,quantity,entry_price,exit_price,fees_usd,funding_usd,pnl_usd,"
    "reason"
)

Fill = bytes | Callable[[Path], object]
"""A file's content, or a function that writes it at a path."""


def config_hash(config: Record) -> str:
    """Return the sha1 (hex) of the configuration as sorted JSON."""
    return hashlib.sha1(msgspec.json.encode(config, order="sorted"), usedforsecurity=False).hexdigest()


def make_run_id(now_ns: int, mode: str, config: Record, runs: Path) -> str:
    """Return `YYYYMMDD_HHMMSS_<mode>_<7 hex>` (UTC); a taken name gets a counted suffix."""
    stamp = np.datetime64(now_ns // NS_PER_S, "s").item().strftime("%Y%m%d_%H%M%S")
    name = f"{stamp}_{mode}_{config_hash(config)[:7]}"
    for suffix in range(1, MAX_COLLISIONS + 1):
        run_id = name if suffix == 1 else f"{name}_{suffix}"
        if not (runs / run_id).exists():
            assert RUN_ID.fullmatch(run_id), run_id
            return run_id
    raise FileExistsError(f"{MAX_COLLISIONS} runs named {name}")


class Staging:
    """A hidden folder that becomes `final` by `publish`, or disappears by `discard`."""

    def __init__(self, final: Path) -> None:
        self.final = final
        self.folder = final.with_name(f"{STAGING_PREFIX}{final.name}-{os.getpid()}")
        final.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.mkdir(mode=0o700)

    def put(self, name: str, content: Fill) -> Artifact:
        """Write and sync one file. Raises `OSError`."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True, mode=0o700)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            content(path)
        with path.open("rb") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Artifact(file_name=name, size_bytes=path.stat().st_size, sha256=digest)

    def publish(self) -> Path:
        """Make the folder appear under its name, durably. Raises `OSError` when the name is taken."""
        (self.folder / "artifacts").mkdir(exist_ok=True, mode=0o700)
        _sync_folder(self.folder)
        os.rename(self.folder, self.final)
        _sync_folder(self.final.parent)
        return self.final

    def discard(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def write_folder(
    final: Path, files: Mapping[str, Fill], last: Callable[[tuple[Artifact, ...]], Mapping[str, bytes]]
) -> Path:
    """Write `files`, then what `last` makes of their list (the reports), and publish.

    Whatever is raised leaves no trace under `final`.
    """
    staging = Staging(final)
    try:
        written = tuple(staging.put(name, content) for name, content in files.items())
        for name, content in last(written).items():
            staging.put(name, content)
        return staging.publish()
    except BaseException:
        staging.discard()
        raise


def replace_folder(link: Path, name: str, files: Mapping[str, Fill]) -> Path:
    """Make `link` mean a new folder with `files`, all at once, and remove the one it meant before.

    `link` is a symbolic link to a hidden sibling `.gen-<link>-<name>`; one rename moves it, so that every
    reader sees the files of one generation only, also after a crash. One writer at a time.
    Raises `OSError`; then `link` means what it meant before.
    """
    generation = link.with_name(f"{GENERATION_PREFIX}{link.name}-{name}")
    if link.is_symlink() and os.readlink(link) == generation.name:
        return link
    shutil.rmtree(generation, ignore_errors=True)  # published by a process that died before it was named
    write_folder(generation, files, lambda _: {})
    pointer = link.with_name(f"{STAGING_PREFIX}{link.name}-link")
    pointer.unlink(missing_ok=True)
    os.symlink(generation.name, pointer)
    os.replace(pointer, link)
    _sync_folder(link.parent)
    for old in sorted(link.parent.glob(f"{GENERATION_PREFIX}{link.name}-*")):
        if old.name != generation.name:
            shutil.rmtree(old, ignore_errors=True)
    return link


def sweep_staging(runs: Path) -> int:
    """Remove staging folders of processes that are gone; return how many."""
    removed = 0
    for folder in sorted(runs.glob(f"{STAGING_PREFIX}*")):
        pid = folder.name.rpartition("-")[2]
        if pid.isdigit() and not is_alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed


def trades_csv(trades: NDArray[Any], symbols: Sequence[str] = ()) -> bytes:
    """Return trades.csv: times ISO-8601 UTC, quantity in base units, money in account currency.

    Funding is above 0 where it was paid; fees and funding are in the profit. `symbols` by lane (those of a
    portfolio) make a first column.
    """
    codes = {int(reason): reason.code for reason in Reason}
    columns = (
        _times(trades["entry_ts_ns"]),
        _times(trades["exit_ts_ns"]),
        trades["entry_bar"].tolist(),
        trades["exit_bar"].tolist(),
        ["long" if side > 0 else "short" for side in trades["side"].tolist()],
        (trades["units"] * 1e-6).tolist(),
        trades["entry_fill"].tolist(),
        trades["exit_fill"].tolist(),
        trades["fees"].tolist(),
        (0.0 - trades["funding"]).tolist(),
        trades["pnl"].tolist(),
        [codes.get(reason, str(reason)) for reason in trades["reason"].tolist()],
    )
    line = "%sZ,%sZ,%d,%d,%s,%.6f,%.6f,%.6f,%.6f,%.6f,%.6f,%s"
    rows = [line % row for row in zip(*columns, strict=True)]
    head = TRADE_COLUMNS
    if symbols:
        head = f"symbol,{head}"
        rows = [f"{symbols[lane]},{row}" for lane, row in zip(trades["lane"].tolist(), rows, strict=True)]
    return "\n".join([head, *rows, ""]).encode()


def _times(ns: NDArray[np.int64]) -> list[str]:
    texts: list[str] = np.datetime_as_string(ns.astype("datetime64[ns]"), unit="ms").tolist()
    return texts


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
