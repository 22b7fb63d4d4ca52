"""Disk: the few file operations the house allows, each with a stated durability.

`write_atomic` is all-or-nothing and durable when it returns; `append` is durable when it returns.
Both raise `OSError` untouched: the caller decides what an unwritable disk means (never "carry on").
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol


class Disk(Protocol):
    """Where bytes are kept."""

    def read(self, path: Path) -> bytes:
        """Return the whole file; raises `FileNotFoundError` or another `OSError`."""
        ...

    def exists(self, path: Path) -> bool: ...

    def list(self, folder: Path) -> list[str]:
        """Return the names in a folder, sorted; empty where the folder is missing."""
        ...

    def make_folder(self, folder: Path) -> None: ...

    def write_atomic(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        """Replace a file durably: temporary file, fsync, rename, fsync of the folder."""
        ...

    def append(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        """Append and fsync."""
        ...

    def remove(self, path: Path) -> None: ...

    def free_bytes(self, folder: Path) -> int: ...


class RealDisk:
    """The host's file system."""

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def exists(self, path: Path) -> bool:
        return path.exists()

    def list(self, folder: Path) -> list[str]:
        return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []

    def make_folder(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write_atomic(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)
        except BaseException:
            os.unlink(temporary)
            raise
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
        sync_folder(path.parent)

    def append(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        is_new = not path.exists()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, mode)
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            sync_folder(path.parent)

    def remove(self, path: Path) -> None:
        path.unlink()
        sync_folder(path.parent)

    def free_bytes(self, folder: Path) -> int:
        stats = os.statvfs(folder)
        return stats.f_bavail * stats.f_frsize


class MemoryDisk:
    """A disk in memory whose next writes can be made to fail."""

    def __init__(self) -> None:
        self.files: dict[Path, bytes] = {}
        self.fail_after_writes: int | None = None

    def read(self, path: Path) -> bytes:
        if path not in self.files:
            raise FileNotFoundError(path)
        return self.files[path]

    def exists(self, path: Path) -> bool:
        return path in self.files or any(path in other.parents for other in self.files)

    def list(self, folder: Path) -> list[str]:
        depth = len(folder.parts)
        return sorted({path.parts[depth] for path in self.files if folder in path.parents})

    def make_folder(self, folder: Path) -> None:
        return None

    def write_atomic(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        self._spend()
        self.files[path] = data

    def append(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        self._spend()
        self.files[path] = self.files.get(path, b"") + data

    def remove(self, path: Path) -> None:
        del self.files[path]

    def free_bytes(self, folder: Path) -> int:
        return 0 if self.fail_after_writes == 0 else 1 << 40

    def _spend(self) -> None:
        if self.fail_after_writes is None:
            return
        if self.fail_after_writes == 0:
            raise OSError(28, "No space left on device")
        self.fail_after_writes -= 1


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def append_lazily(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Append without fsync: what survives the process, and a power loss only once the host has written it.

    For records that nothing is decided from; two writers' fsyncs would wait for each other.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, mode)
    try:
        _write_all(descriptor, data)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Make a file and its name durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(path.parent)


def file_size(path: Path) -> int:
    """Return a file's size in bytes. Raises `FileNotFoundError` or another `OSError`."""
    return path.stat().st_size


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: what was created, renamed or removed in it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
