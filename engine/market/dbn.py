"""Databento's DBN container, versions 1 to 3: which instruments a file has, and its records as columns.

Metadata (little endian): 100 bytes fixed, the length of a schema, then the symbols asked for, found in part
and not found, then for each symbol the instrument ids it stood for and when. Texts have a fixed length: 22
bytes in version 1, stated in the later ones. A record begins with its length in words of four bytes and its
type; records of other types may stand between those that are wanted.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAGIC = b"DBN"
VERSIONS = (1, 2, 3)
NO_PRICE = (1 << 63) - 1
PRICE_DECIMALS = 9
FIXED_BYTES, TEXT_BYTES_AT, TEXT_BYTES_V1 = 104, 45, 22
MAX_SYMBOLS = 1 << 20

HEADER_FIELDS = [
    ("length", "u1"), ("rtype", "u1"), ("publisher_id", "<u2"), ("instrument_id", "<u4"), ("ts_event", "<u8"),
]  # fmt: skip
TRADE_FIELDS = [
    *HEADER_FIELDS, ("price", "<i8"), ("size", "<u4"), ("action", "u1"), ("side", "u1"), ("flags", "u1"),
    ("depth", "u1"), ("ts_recv", "<u8"), ("ts_in_delta", "<i4"), ("sequence", "<u4"),
]  # fmt: skip
MBO_FIELDS = [
    *HEADER_FIELDS, ("order_id", "<u8"), ("price", "<i8"), ("size", "<u4"), ("flags", "u1"),
    ("channel_id", "u1"), ("action", "u1"), ("side", "u1"), ("ts_recv", "<u8"), ("ts_in_delta", "<i4"),
    ("sequence", "<u4"),
]  # fmt: skip
BAR_FIELDS = [
    *HEADER_FIELDS, ("open", "<i8"), ("high", "<i8"), ("low", "<i8"), ("close", "<i8"), ("volume", "<u8"),
]  # fmt: skip
RTYPE_TRADE, RTYPE_MBO = 0x00, 0xA0
RTYPES_BAR = {0x20: "1s", 0x21: "1m", 0x22: "1h", 0x23: "1d", 0x24: "1d"}


class BadDbn(ValueError):
    """The bytes are not such a file; `record` counts from 0."""

    def __init__(self, record: int, text: str, *, is_empty: bool = False) -> None:
        super().__init__(text)
        self.record, self.text, self.is_empty = record, text, is_empty


class Container(NamedTuple):
    """A file taken apart: `symbols` by instrument id as the metadata names them, `body` the records."""

    asked: tuple[str, ...]
    symbols: dict[int, str]
    body: bytes

    def symbol_of(self, instrument_id: int) -> str:
        """Return the symbol of an instrument: as mapped, as the only one asked for, or its number."""
        alone = self.asked[0] if len(self.asked) == 1 else str(instrument_id)
        return self.symbols.get(instrument_id, alone)


def open_container(content: bytes) -> Container:
    """Read the metadata of an unpacked file. Raises `BadDbn`."""
    if content[:3] != MAGIC or len(content) < 8 or content[3] not in VERSIONS:
        raise BadDbn(0, "it does not begin as a DBN file of version 1 to 3")
    (length,) = struct.unpack_from("<I", content, 4)
    metadata, body = content[8 : 8 + length], content[8 + length :]
    if len(metadata) < length or length < FIXED_BYTES:
        raise BadDbn(0, "the metadata is cut short")
    try:
        asked, symbols = _symbols(metadata, content[3])
    except (struct.error, ValueError) as error:
        raise BadDbn(0, f"the metadata's symbols: {error}") from error
    return Container(asked, symbols, body)


def _symbols(metadata: bytes, version: int) -> tuple[tuple[str, ...], dict[int, str]]:
    """Return the symbols asked for, and what each instrument id is."""
    size = TEXT_BYTES_V1 if version == 1 else struct.unpack_from("<H", metadata, TEXT_BYTES_AT)[0]
    (schema_bytes,) = struct.unpack_from("<I", metadata, FIXED_BYTES - 4)
    texts = _Texts(metadata, FIXED_BYTES + schema_bytes, size)
    asked, _, _ = (tuple(texts.text() for _ in range(texts.count())) for _ in range(3))
    symbols: dict[int, str] = {}
    for _ in range(texts.count()):
        raw = texts.text()
        for _ in range(texts.count()):
            texts.at += 8  # the first day it holds and the day after the last
            number = texts.text()
            if number.isdigit():
                symbols[int(number)] = raw
    return asked, symbols


class _Texts:
    """Reads counts and texts of one length, one after the other. Raises ValueError past the end."""

    def __init__(self, data: bytes, at: int, size: int) -> None:
        self.data, self.at, self.size = data, at, size

    def count(self) -> int:
        (found,) = struct.unpack_from("<I", self.data, self.at)
        self.at += 4
        if found > MAX_SYMBOLS:
            raise ValueError(f"{found} entries")
        return int(found)

    def text(self) -> str:
        found = self.data[self.at : self.at + self.size]
        if not self.size or len(found) < self.size:
            raise ValueError("a text is cut short")
        self.at += self.size
        return found.split(b"\0", 1)[0].decode("ascii", "replace")


def records_of(
    body: bytes, rtypes: Sequence[int], fields: Sequence[tuple[str, str]]
) -> tuple[NDArray[Any], int]:
    """Return the records of some types as columns (`fields`), and how many others there were.

    Raises `BadDbn` for a record that is cut short and where there is none of them.
    """
    if not body:
        raise BadDbn(0, "no record after the metadata", is_empty=True)
    wanted = np.dtype(list(fields))
    size = body[0] * 4
    if size >= wanted.itemsize and len(body) % size == 0:
        table = np.frombuffer(body, np.dtype([*fields, ("rest", f"V{size - wanted.itemsize}")]))
        if (table["length"] == body[0]).all() and np.isin(table["rtype"], list(rtypes)).all():
            return table, 0
    at, others = 0, 0
    places: list[int] = []
    while at < len(body):
        size = body[at] * 4
        if size < 16 or at + size > len(body):
            raise BadDbn(len(places) + others, f"the record's length is {size} bytes")
        if body[at + 1] in rtypes and size >= wanted.itemsize:
            places.append(at)
        else:
            others += 1
        at += size
    if not places:
        kinds = ", ".join(f"{rtype:#04x}" for rtype in rtypes)
        raise BadDbn(0, f"no record of type {kinds} among {others}", is_empty=True)
    return np.frombuffer(b"".join(body[at : at + wanted.itemsize] for at in places), wanted), others
