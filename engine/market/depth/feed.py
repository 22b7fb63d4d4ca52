"""What a reader of recorded order books returns, and how prices become ticks exactly."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from native.depth import DEPTH_DTYPE, MAX_SIZE, MAX_TICK, DepthFlag, DepthKind
from venues.types import Record

MAX_FILE_BYTES = 8 << 30
MAX_NAMED = 20
CODES: dict[str, str] = {
    "unreadable_file": "the file cannot be read as this format",
    "empty_file": "the file has no message of this format",
    "bad_message": "a message is not of the source's form",
    "price_off_grid": "a price or size has more digits than the source's precision",
    "out_of_order": "a message is older than the one before",
    "no_snapshot": "updates came and never a snapshot to start from",
    "sequence_gap": "messages are missing between two others",
    "checksum_mismatch": "the book is not the one the venue had",
}


class Scale(Record):
    """A tick is `tick_units` times 10**-price_decimals of the quote, a lot 10**-size_decimals of the base."""

    price_decimals: int
    size_decimals: int
    tick_units: int = 1

    def price(self, tick: int) -> float:
        return float(tick * self.tick_units / 10**self.price_decimals)

    def size(self, lot: int) -> float:
        return float(lot / 10**self.size_decimals)


class DepthProblem(Record):
    """Something wrong in message `message` (from 0) of the source; codes are those of `CODES`."""

    code: str
    message: int
    text: str


class BadFeed(Exception):
    """A recording cannot be used; the problem names the message. Exit category `data`."""

    exit_category = "data"

    def __init__(self, problem: DepthProblem) -> None:
        assert problem.code in CODES
        super().__init__(f"{problem.code} at message {problem.message}: {problem.text}")
        self.problem = problem


class DepthFeed(Record):
    """A recording as columns.

    `events` is `DEPTH_DTYPE` (or `ORDER_DTYPE` for L3) in the order of arrival; `exchange_ns` the
    venue's own time of each. `checksums` maps the index of a message's last event to the CRC32 the
    venue sent with it. `skipped` counts messages before the first snapshot or of other channels.
    """

    source: str
    symbol: str
    scale: Scale
    events: NDArray[Any]
    exchange_ns: NDArray[np.int64]
    messages: int
    skipped: int
    gaps: tuple[DepthProblem, ...]
    gap_count: int
    checksums: dict[int, int] = {}

    @property
    def is_by_order(self) -> bool:
        return "order_id" in (self.events.dtype.names or ())


def refuse(code: str, message: int, text: str) -> NoReturn:
    raise BadFeed(DepthProblem(code=code, message=message, text=text[:200]))


def unpacked(data: bytes) -> bytes:
    """Return the bytes of a plain, gzip or zstd file, told apart by their first bytes. Raises `BadFeed`."""
    if not data:
        refuse("empty_file", 0, "the file has no byte")
    try:
        if data[:2] == b"\x1f\x8b":
            return gzip.decompress(data)
        if data[:4] == b"\x28\xb5\x2f\xfd":
            with pa.input_stream(io.BytesIO(data), compression="zstd") as stream:
                return bytes(stream.read(MAX_FILE_BYTES))
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        refuse("unreadable_file", 0, f"decompression failed: {error}")
    return data


def lines_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (number from 0, line) of the lines that are not blank."""
    number = 0
    for line in unpacked(data).split(b"\n"):
        if line.strip():
            yield number, line
            number += 1


def csv_rows(data: bytes) -> Iterator[list[str]]:
    """Yield the rows of a CSV file that are not blank, the header first. Raises `BadFeed`."""
    rows = csv.reader(io.StringIO(unpacked(data).decode("utf-8-sig", "replace"), newline=""))
    try:
        yield from (cells for cells in rows if cells)
    except csv.Error as error:
        refuse("unreadable_file", 0, f"line {rows.line_num}: {error}")


def units(text: str, decimals: int, message: int) -> int:
    """Return a decimal text as whole units of 10**-decimals, exactly. Raises `BadFeed`."""
    whole, _, part = text.partition(".")
    kept = part[:decimals]
    if not (whole.isascii() and whole.isdigit() and (part == "" or part.isdigit())):
        refuse("bad_message", message, f"{text[:40]!r} is not a plain decimal number")
    if part[decimals:].strip("0"):
        refuse("price_off_grid", message, f"{text[:40]!r} has more than {decimals} decimals")
    found = int(whole + kept.ljust(decimals, "0"))
    if found >= MAX_TICK:
        refuse("bad_message", message, f"{text[:40]!r} is too large")
    return found


def decimals_of(text: str) -> int:
    """Return how many digits stand behind the point, without trailing zeros."""
    return len(text.partition(".")[2].rstrip("0"))


class Rows:
    """Events as they are read: texts first, ticks when the scale is known."""

    def __init__(self) -> None:
        self.columns: list[tuple[int, int, str, str, int, int, int]] = []
        self.ends: list[int] = []
        self.depths: dict[int, int] = {}

    def add(
        self, ts_ns: int, exchange_ns: int, kind: int, side: int, price: str, size: str, message: int
    ) -> None:
        self.columns.append((ts_ns, exchange_ns, price, size, kind, side, message))

    def truncate(self, ts_ns: int, exchange_ns: int, side: int, depth: int, message: int) -> None:
        """Keep the best `depth` levels of a side."""
        self.depths[len(self.columns)] = depth
        self.add(ts_ns, exchange_ns, DepthKind.TRUNCATE, side, "0", "0", message)

    def end(self) -> None:
        """The message is complete: its last event is the one added last."""
        if self.columns and (not self.ends or self.ends[-1] != len(self.columns) - 1):
            self.ends.append(len(self.columns) - 1)

    def feed(
        self, source: str, symbol: str, scale: Scale, continuity: Continuity, **counts: Any
    ) -> DepthFeed:
        """Return the recording as columns. Raises `BadFeed` where it has no event."""
        if not self.columns:
            refuse("empty_file", 0, "no message of this format")
        events, exchange_ns = self.build(scale)
        return DepthFeed(
            source=source,
            symbol=symbol,
            scale=scale,
            events=events,
            exchange_ns=exchange_ns,
            gaps=tuple(continuity.named),
            gap_count=continuity.count,
            **counts,
        )

    def scale(self) -> Scale:
        """Return the smallest decimals that hold every price and size of the recording."""
        return Scale(
            price_decimals=max((decimals_of(price) for price in {row[2] for row in self.columns}), default=0),
            size_decimals=max((decimals_of(size) for size in {row[3] for row in self.columns}), default=0),
        )

    def build(self, scale: Scale) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return (events, exchange times). Raises `BadFeed` for what does not fit the scale."""
        ts, exchange, prices, sizes, kinds, sides, messages = zip(*self.columns, strict=True)
        events = np.zeros(len(ts), DEPTH_DTYPE)
        events["ts_ns"], events["kind"], events["side"], events["message"] = ts, kinds, sides, messages
        events["tick"] = _scaled(prices, scale.price_decimals, messages)
        events["lot"] = _scaled(sizes, scale.size_decimals, messages)
        events["lot"][list(self.depths)] = list(self.depths.values())
        events["flags"][self.ends] = int(DepthFlag.LAST)
        if (far := np.flatnonzero(events["lot"] > MAX_SIZE)).size:
            refuse("bad_message", int(messages[far[0]]), "the size is too large for its precision")
        return events, np.array(exchange, dtype=np.int64)


def _scaled(texts: tuple[str, ...], decimals: int, messages: tuple[int, ...]) -> list[int]:
    known: dict[str, int] = {}
    found = []
    for place, text in enumerate(texts):
        value = known.get(text)
        if value is None:
            value = known[text] = units(text, decimals, messages[place])
        found.append(value)
    return found


class OneSymbol:
    """Lets one market of a recording through: the one asked for, or the only one there is."""

    def __init__(self, wanted: str) -> None:
        self.name, self._is_free = wanted, not wanted

    def takes(self, symbol: str, message: int) -> bool:
        """Tell whether the message belongs to it. Raises `BadFeed` at a second market nobody chose."""
        self.name = self.name or symbol
        if symbol != self.name and self._is_free:
            refuse("bad_message", message, f"{symbol} after {self.name}: choose one symbol")
        return symbol == self.name


class Continuity:
    """Collects gaps: names the first ones, counts all."""

    def __init__(self) -> None:
        self.named: list[DepthProblem] = []
        self.count = 0

    def gap(self, message: int, text: str) -> None:
        self.count += 1
        if len(self.named) < MAX_NAMED:
            self.named.append(DepthProblem(code="sequence_gap", message=message, text=text))
