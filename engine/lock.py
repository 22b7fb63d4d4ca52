"""One engine for one home: a lock that the kernel gives back when the process dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class AlreadyRunning(Exception):
    """Another process holds this lock; `pid` is its process id, or 0 where it could not be read."""

    code = "already_running"

    def __init__(self, pid: int, what: str) -> None:
        holder = f"process {pid}" if pid else "another process"
        super().__init__(f"{what} already runs for this home ({holder})")
        self.pid = pid


class EngineLock:
    """An exclusive `flock` on a file, whose text is the holder's process id; `what` it is the lock of.

    The file is never removed: removing a lock file lets two holders have one each.
    """

    def __init__(self, path: Path, what: str = "an engine") -> None:
        self._path, self._what = path, what
        self._descriptor = -1

    @property
    def is_held(self) -> bool:
        return self._descriptor >= 0

    def acquire(self) -> None:
        """Take the lock or raise `AlreadyRunning` at once; it never waits."""
        assert not self.is_held
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = _pid_in(descriptor)
            os.close(descriptor)
            raise AlreadyRunning(pid, self._what) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self.is_held:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1


def holder(path: Path) -> int:
    """Return the process id of the engine that holds this lock now, 0 where none does.

    A holder whose id cannot be read counts as -1.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return 0
    except BlockingIOError:
        return _pid_in(descriptor) or -1
    finally:
        os.close(descriptor)


def _pid_in(descriptor: int) -> int:
    written = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
    return int(written) if written.isdigit() else 0
