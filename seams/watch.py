"""Word from the host that a file was written: a hint that comes within microseconds, never the truth.

Whoever listens must still look by himself now and then: a host may have no such service, a queue may
overflow, and what is laid in a folder by other means (a hard link) is not told.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
from collections.abc import Callable
from pathlib import Path

IN_CLOSE_WRITE, IN_MOVED_TO, IN_Q_OVERFLOW = 0x0008, 0x0080, 0x4000
"""Closed after writing, and renamed to this name: not its creation, when what it says is not in it yet."""
_EVENT = struct.Struct("iIII")
"""`struct inotify_event`: watch, mask, cookie, length of the name that follows (inotify(7))."""
_READ_BYTES = 65_536


class FileWatch:
    """Calls `changed` on the running loop whenever a file of this name was written; use `close`."""

    def __init__(self, path: Path, changed: Callable[[], None]) -> None:
        """Raises `OSError` where the host does not tell, or the folder is not there."""
        self._name, self._changed = os.fsencode(path.name), changed
        self._loop = asyncio.get_running_loop()
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = _call(libc, "inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            folder = os.fsencode(path.parent)
            _call(libc, "inotify_add_watch", self._descriptor, folder, IN_CLOSE_WRITE | IN_MOVED_TO)
        except OSError:
            os.close(self._descriptor)
            raise
        self._loop.add_reader(self._descriptor, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return
        if any(name == self._name or mask & IN_Q_OVERFLOW for mask, name in _events(data)):
            self._changed()

    def close(self) -> None:
        """Listen no more."""
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)


def _events(data: bytes) -> list[tuple[int, bytes]]:
    """Return (mask, name) of each event; the host pads names with zeroes."""
    found, at = [], 0
    while at < len(data):
        _, mask, _, size = _EVENT.unpack_from(data, at)
        at += _EVENT.size + size
        found.append((mask, data[at - size : at].rstrip(b"\0")))
    return found


def _call(libc: ctypes.CDLL, name: str, *arguments: object) -> int:
    """Call one of the host's functions. Raises `OSError` with its number; ENOSYS where it has none."""
    function = getattr(libc, name, None)
    if function is None:
        raise OSError(38, f"this host has no {name}")
    result = int(function(*arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result
