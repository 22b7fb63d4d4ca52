"""What consoles were shown, as a record: any past instant can be looked at again, without an engine.

A file (`START-EPOCH.past`) is a row of blocks; a block is `ILP2`, its length and its CRC-32, then frames. A
frame is one published view: when, its name, and its bytes, compressed against the view's last bytes (or
alone: a key frame). Files begin with the latest of every view, so that each can be read by itself.
"""

from __future__ import annotations

import re
import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from engine.api.home import HomePaths
from engine.api.views import View
from seams.clock import iso_z
from seams.disk import Disk, RealDisk
from venues.types import Record

MAGIC = b"ILP2"
KEY_EVERY = 64
"""Each so many frames of a view one stands alone: what a look has to unpack stays bounded."""
PIECE, MARGIN = 16_384, 8_192
"""A view is packed in pieces, each against the same stretch of the view before with a margin on both sides:
together deflate's window of 32 KiB."""
_SIZE = struct.Struct(">I")
_BLOCK = struct.Struct(">4sII")
_FRAME = struct.Struct(">qBBI")
_VIEWS: msgspec.json.Decoder[View] = msgspec.json.Decoder(View)
_NAME = re.compile(r"(\d{20})-(\d{1,10})\.past")


class Frame(Record):
    """One view as it was published; `body` is its JSON."""

    at_ns: int
    name: str
    body: bytes


class Span(Record):
    """One file of the record: from when to when, and whether it can be read to its end."""

    file: str
    epoch: int
    from_ns: int
    to_ns: int
    frames: int
    bytes: int
    is_whole: bool


class Moment(Record):
    """The desk as consoles were shown it at `at_ns`; `heard_ns` is when the last view before it came."""

    at_ns: int
    heard_ns: int
    epoch: int
    views: tuple[View, ...]


class NotRecorded(LookupError):
    """Nothing was recorded at or before the instant."""

    code = "not_found"


def file_name(start_ns: int, epoch: int) -> str:
    """Return the name of a file whose first frame is of `start_ns`."""
    return f"{start_ns:020d}-{epoch}.past"


def _packed(body: bytes, last: bytes) -> bytes:
    """Return a view's bytes, made small against those of the view before; `last` empty: alone."""
    pieces = []
    for at in range(0, len(body), PIECE):
        known = _known(last, at)
        press = zlib.compressobj(zdict=known) if known else zlib.compressobj()
        piece = press.compress(body[at : at + PIECE]) + press.flush()
        pieces += [_SIZE.pack(len(piece)), piece]
    return b"".join(pieces)


def _unpacked(packed: bytes, last: bytes) -> bytes:
    """Return what `_packed` was given."""
    pieces, start, at = [], 0, 0
    while start < len(packed):
        known = _known(last, at)
        press = zlib.decompressobj(zdict=known) if known else zlib.decompressobj()
        end = start + _SIZE.size + _SIZE.unpack_from(packed, start)[0]
        pieces.append(press.decompress(packed[start + _SIZE.size : end]) + press.flush())
        start, at = end, at + PIECE
    return b"".join(pieces)


def _known(last: bytes, at: int) -> bytes:
    return last[max(0, at - MARGIN) : at + PIECE + MARGIN]


class Packer:
    """Makes the blocks of one file."""

    def __init__(self) -> None:
        self._last: dict[str, bytes] = {}
        self._since_key: dict[str, int] = {}

    def pack(self, frames: Iterable[Frame]) -> bytes:
        """Return one block with these frames."""
        body = b"".join(self._frame(frame) for frame in frames)
        return _BLOCK.pack(MAGIC, len(body), zlib.crc32(body)) + body

    def _frame(self, frame: Frame) -> bytes:
        count = self._since_key.get(frame.name, KEY_EVERY)
        is_key = count >= KEY_EVERY
        packed = _packed(frame.body, b"" if is_key else self._last[frame.name])
        self._since_key[frame.name] = 1 if is_key else count + 1
        self._last[frame.name] = frame.body
        name = frame.name.encode()
        return _FRAME.pack(frame.at_ns, is_key, len(name), len(packed)) + name + packed


class _Entry(Record):
    """Where a frame's bytes lie, and where the frame before it of the same view is (-1: a key frame)."""

    at_ns: int
    name: str
    start: int
    end: int
    before: int


class Segment:
    """One file, read: its frames are unpacked when they are asked for."""

    def __init__(self, file: str, data: bytes) -> None:
        """Raises `ValueError` for a name that is none of the record's."""
        found = _NAME.fullmatch(file)
        if found is None:
            raise ValueError(f"{file} is no file of the record")
        self.file, self.epoch, self._data = file, int(found[2]), data
        self.start_ns = int(found[1])
        self.is_whole = True
        self._entries: list[_Entry] = list(self._index())
        self._times = [entry.at_ns for entry in self._entries]

    def span(self) -> Span:
        """Return what the file covers."""
        return Span(
            file=self.file,
            epoch=self.epoch,
            from_ns=self.start_ns,
            to_ns=max(self._times, default=self.start_ns),
            frames=len(self._entries),
            bytes=len(self._data),
            is_whole=self.is_whole,
        )

    def times(self) -> list[int]:
        """Return when something was published in this file, ascending, each instant once."""
        return sorted({at_ns for at_ns in self._times if at_ns >= self.start_ns})

    def at(self, at_ns: int) -> dict[str, Frame]:
        """Return the last frame of each view that was published by `at_ns`."""
        newest: dict[str, int] = {}
        for number, entry in enumerate(self._entries):
            if entry.at_ns <= at_ns:
                newest[entry.name] = number
        return {name: self._frame(number) for name, number in newest.items()}

    def _frame(self, number: int) -> Frame:
        """Unpack one frame, from its key frame on."""
        chain = [number]
        while self._entries[chain[-1]].before >= 0:
            chain.append(self._entries[chain[-1]].before)
        body = b""
        for each in reversed(chain):
            entry = self._entries[each]
            body = _unpacked(self._data[entry.start : entry.end], b"" if entry.before < 0 else body)
        return Frame(at_ns=self._entries[number].at_ns, name=self._entries[number].name, body=body)

    def _index(self) -> Iterator[_Entry]:
        """Walk the blocks; what follows one that is torn or damaged is left out."""
        at, last, number = 0, dict[str, int](), 0
        while at < len(self._data):
            start = at + _BLOCK.size
            if start > len(self._data):
                self.is_whole = False
                return
            magic, length, crc = _BLOCK.unpack_from(self._data, at)
            at = start + length
            if magic != MAGIC or at > len(self._data) or zlib.crc32(self._data[start:at]) != crc:
                self.is_whole = False
                return
            while start < at:
                at_ns, is_key, name_size, size = _FRAME.unpack_from(self._data, start)
                named = start + _FRAME.size
                body = named + name_size
                name = self._data[named:body].decode()
                before = -1 if is_key else last[name]
                yield _Entry(at_ns=at_ns, name=name, start=body, end=body + size, before=before)
                last[name], number, start = number, number + 1, body + size


class PastRecord:
    """The record of one home; keeps the file it read last, so that steps in it are quick."""

    def __init__(self, home: Path, disk: Disk | None = None) -> None:
        self._folder, self._disk = HomePaths(home).past, disk or RealDisk()
        self._segment: Segment | None = None
        self._size = -1

    def files(self) -> list[str]:
        """Return the files, oldest first."""
        return [name for name in self._disk.list(self._folder) if _NAME.fullmatch(name)]

    def spans(self) -> tuple[Span, ...]:
        """Return what each file covers, oldest first."""
        return tuple(self._open(name).span() for name in self.files())

    def at(self, at_ns: int) -> Moment:
        """Return what consoles were shown at an instant. Raises `NotRecorded`."""
        segment = self._covering(at_ns)
        frames = segment.at(at_ns)
        if not frames:
            raise NotRecorded(f"nothing is recorded at {iso_z(at_ns)}")
        views = tuple(_VIEWS.decode(frames[name].body) for name in sorted(frames))
        heard_ns = max(frame.at_ns for frame in frames.values())
        return Moment(at_ns=at_ns, heard_ns=heard_ns, epoch=segment.epoch, views=views)

    def after(self, at_ns: int) -> int | None:
        """Return when the next view was published; None at the end of the record."""
        for name in self._from(at_ns):
            times = self._open(name).times()
            index = bisect_right(times, at_ns)
            if index < len(times):
                return times[index]
        return None

    def before(self, at_ns: int) -> int | None:
        """Return when the last view before this instant was published; None at the record's beginning."""
        for name in reversed([name for name in self.files() if _start(name) < at_ns]):
            earlier = [time for time in self._open(name).times() if time < at_ns]
            if earlier:
                return earlier[-1]
        return None

    def _from(self, at_ns: int) -> list[str]:
        """Return the file that covers an instant and all later ones."""
        names = self.files()
        covering = bisect_right([_start(name) for name in names], at_ns)
        return names[max(0, covering - 1) :]

    def _covering(self, at_ns: int) -> Segment:
        names = self.files()
        number = bisect_right([_start(name) for name in names], at_ns)
        if number:
            return self._open(names[number - 1])
        said = f"it begins at {iso_z(_start(names[0]))}" if names else "this home has no record of the past"
        raise NotRecorded(f"nothing is recorded at {iso_z(at_ns)}: {said}")

    def _open(self, name: str) -> Segment:
        """Read a file; one that has grown since is read again."""
        if self._segment is None or self._segment.file != name or name == self.files()[-1]:
            data = self._disk.read(self._folder / name)
            if self._segment is None or self._segment.file != name or len(data) != self._size:
                self._segment, self._size = Segment(name, data), len(data)
        return self._segment


def _start(name: str) -> int:
    return int(name[:20])


def spans(home: Path) -> tuple[Span, ...]:
    """Return what is on record, oldest first."""
    return PastRecord(home).spans()


def shown_at(home: Path, at_ns: int) -> dict[str, object]:
    """Return an instant as plain data: `shown_at`, `epoch`, each view by its name. Raises `NotRecorded`."""
    moment = PastRecord(home).at(at_ns)
    views = {fields["type"]: fields for fields in map(msgspec.to_builtins, moment.views)}
    return {"shown_at": iso_z(moment.heard_ns), "epoch": moment.epoch, "views": views}
