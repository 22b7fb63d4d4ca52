"""The record of what consoles were shown: taken in as it is published, packed and written by a thread.

It is never in the way of a kill: the loop only keeps a reference to bytes that it has just sent, and nothing
is synced while a file grows (two writers' fsyncs wait for each other). A record that cannot be kept is an
alarm; the engine goes on, for nothing is decided from it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from engine.api.past import Frame, Packer, file_name
from engine.core import Core
from seams.clock import NS_PER_S
from seams.disk import append_lazily, file_size, sync_file

FLUSH_NS = 2 * NS_PER_S
FILE_NS = 600 * NS_PER_S
MAX_FILE_BYTES = 8 * 1024 * 1024
MAX_WAITING_BYTES = 16 * 1024 * 1024
MIB = 1024 * 1024
ALARM = "past_not_recorded"


class PastRecorder:
    """Keeps the record of one engine under `folder`, at most `max_mib` of all engines together; 0: none."""

    def __init__(self, core: Core, folder: Path, max_mib: int) -> None:
        self._core, self._folder, self._max_bytes = core, folder, max_mib * MIB
        self._waiting: list[Frame] = []
        self._waiting_bytes = 0
        self._latest: dict[str, Frame] = {}
        self._is_broken = False
        """Frames are missing: the next file begins with the latest of every view."""
        self._packer: Packer | None = None
        self._path = folder
        self._began_ns = self._size = 0
        self._flushed_ns = core.clock.monotonic_ns()
        self._task: asyncio.Task[None] | None = None
        self.lost = 0
        """Frames that never reached the disk."""

    def shown(self, name: str, body: bytes) -> None:
        """Take one view that was just sent to the consoles. Bounded: what nobody writes away is dropped."""
        if not self._max_bytes:
            return
        if self._waiting_bytes + len(body) > MAX_WAITING_BYTES:
            self._drop("the disk does not keep up")
        self._waiting.append(Frame(at_ns=self._core.clock.now_ns(), name=name, body=body))
        self._waiting_bytes += len(body)

    def tend(self) -> None:
        """Begin to write what waits, unless a write is under way; call about once a second."""
        now_ns = self._core.clock.monotonic_ns()
        is_busy = self._task is not None and not self._task.done()
        if is_busy or not self._waiting or now_ns - self._flushed_ns < FLUSH_NS:
            return
        self._flushed_ns = now_ns
        self._task = asyncio.get_running_loop().create_task(self.flush(), name="past")

    async def flush(self) -> None:
        """Write what waits; a disk that refuses is an alarm, and the next file begins afresh."""
        frames, self._waiting, self._waiting_bytes = self._waiting, [], 0
        if not frames:
            return
        try:
            await asyncio.to_thread(self._write, frames)
        except OSError as error:
            self._is_broken = True
            self._core.alarm(ALARM, "desk", "eng", f"{type(error).__name__}: {error}")
            self.lost += len(frames)
        else:
            self._core.calm(ALARM, "desk")

    async def close(self) -> None:
        """Write the last of it."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        await self.flush()

    def _drop(self, why: str) -> None:
        self.lost += len(self._waiting)
        self._latest.update((frame.name, frame) for frame in self._waiting)
        self._waiting, self._waiting_bytes, self._is_broken = [], 0, True
        self._core.alarm(ALARM, "desk", "eng", f"{why}: {self.lost} views lost")

    def _write(self, frames: list[Frame]) -> None:
        """Append one block, in a new file where the last is full. Raises `OSError`; runs in a thread."""
        now_ns = frames[0].at_ns
        is_full = self._size >= MAX_FILE_BYTES or now_ns - self._began_ns >= FILE_NS
        first = [self._latest[name] for name in sorted(self._latest)]
        self._latest.update((frame.name, frame) for frame in frames)
        if self._packer is None or is_full or self._is_broken:
            if self._packer is not None and not self._is_broken:
                sync_file(self._path)
            self._make_room()
            self._packer, self._began_ns, self._size = Packer(), now_ns, 0
            self._path, self._is_broken = self._folder / file_name(now_ns, self._core.epoch), False
            frames = [*first, *frames]
        block = self._packer.pack(frames)
        append_lazily(self._path, block)
        self._size += len(block)

    def _make_room(self) -> None:
        """Remove the oldest files until a full one fits."""
        disk = self._core.disk
        disk.make_folder(self._folder)
        names = [name for name in disk.list(self._folder) if name.endswith(".past")]
        sizes = {name: file_size(self._folder / name) for name in names}
        for name in sorted(names):
            if sum(sizes.values()) + MAX_FILE_BYTES <= self._max_bytes:
                return
            disk.remove(self._folder / name)
            del sizes[name]
