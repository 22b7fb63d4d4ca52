"""A simulated disk: survives a crash of the engine, may be full, and may keep half of the last write."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

from engine.sim.faults import Dice, Fault


class SimDisk:
    """A `Disk` in memory. Every operation is one step at which the engine may die."""

    def __init__(self, dice: Dice, crash: Callable[[str], None]) -> None:
        self._dice, self._crash = dice, crash
        self.files: dict[Path, bytearray] = {}
        self._folders: set[Path] = set()
        self.is_full = False
        self.is_dead = False
        self.fulls = 0

    def read(self, path: Path) -> bytes:
        if path not in self.files:
            raise FileNotFoundError(errno.ENOENT, "no such file", str(path))
        return bytes(self.files[path])

    def exists(self, path: Path) -> bool:
        return path in self.files or path in self._folders

    def list(self, folder: Path) -> list[str]:
        depth = len(folder.parts)
        if folder not in self._folders:
            return []
        return sorted({path.parts[depth] for path in self.files if folder in path.parents})

    def make_folder(self, folder: Path) -> None:
        """Folders exist by having files."""

    def write_atomic(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        self._before("write")
        self.files[path] = bytearray(data)
        self._folders.update(path.parents)
        self._crash("disk.written")

    def append(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        self._before("append")
        kept = self.files.setdefault(path, bytearray())
        self._folders.update(path.parents)
        try:
            self._crash("disk.append")
        except BaseException:
            if self._dice.strikes(Fault.TORN_TAIL):
                kept += data[: self._dice.stream("torn").randrange(len(data))]
            raise
        kept += data
        self._crash("disk.appended")

    def remove(self, path: Path) -> None:
        self._before("remove")
        del self.files[path]

    def free_bytes(self, folder: Path) -> int:
        return 0 if self.is_full else 1 << 40

    def _before(self, what: str) -> None:
        self._crash(f"disk.{what}")
        if self.is_full or self._dice.strikes(Fault.DISK_FULL):
            self.fulls += 1
            raise OSError(errno.ENOSPC, "No space left on device")


class DiskOfOne:
    """The disk as one engine incarnation sees it: once that is dead, nothing of it reaches the platter."""

    def __init__(self, disk: SimDisk, is_dead: Callable[[], bool]) -> None:
        self._disk, self._is_dead = disk, is_dead

    def read(self, path: Path) -> bytes:
        return self._living().read(path)

    def exists(self, path: Path) -> bool:
        return self._living().exists(path)

    def list(self, folder: Path) -> list[str]:
        return self._living().list(folder)

    def make_folder(self, folder: Path) -> None:
        self._living().make_folder(folder)

    def write_atomic(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        self._living().write_atomic(path, data, mode)

    def append(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        self._living().append(path, data, mode)

    def remove(self, path: Path) -> None:
        self._living().remove(path)

    def free_bytes(self, folder: Path) -> int:
        return self._living().free_bytes(folder)

    def _living(self) -> SimDisk:
        if self._is_dead():
            raise OSError(errno.EIO, "the process is dead")
        return self._disk
