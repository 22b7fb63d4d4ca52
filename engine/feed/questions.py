"""What a feed process answers on its socket, with no bus and no engine: one JSON object a line.

`{"id": 1, "method": "get_bbo", "params": {"symbol": "BTC-PERP"}}` is answered with
`{"id": 1, "ok": true, "result": ...}`, or `"ok": false` and an `error`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from engine.feed.backfill import closed_until
from engine.feed.board import FeedBoard
from engine.feed.candles import CandleStore, Series, bars_of
from engine.feed.messages import FeedHealth
from engine.market.validation import BadData
from venues.types import Record

IDLE_S = 600.0
MAX_LINE = 65_536
MAX_BARS = 5_000
ANSWER_S = 5.0


class Ask(Record):
    """One question."""

    id: int
    method: str
    params: dict[str, Any] = {}


class Answer(Record):
    """One answer; `error` says why where `ok` is False."""

    id: int
    ok: bool
    result: Any = None
    error: str = ""


class Silent(Exception):
    """Nobody answers on a feed's socket."""


class Desk:
    """The questions that one feed answers."""

    def __init__(
        self, venue: str, board: FeedBoard, store: CandleStore, health: Callable[[], FeedHealth]
    ) -> None:
        self._venue, self._board, self._store = venue, board, store
        self.methods: Mapping[str, Callable[[dict[str, Any]], object]] = {
            "health": lambda given: health(),
            "get_mids": lambda given: self._mids(),
            "get_mid": lambda given: self._mids()[_text(given, "symbol")],
            "get_bbo": lambda given: board.tops[_text(given, "symbol")],
            "get_book": lambda given: board.books[_text(given, "symbol")],
            "get_funding": lambda given: board.funding[_text(given, "symbol")],
            "get_latest_candle_times": self._latest,
            "get_last_closed_candle_times": self._closed,
            "get_candles": self._candles,
            "candles_health": self._candles_health,
            "candles_ready": self._candles_ready,
        }

    def answer(self, line: bytes) -> Answer:
        """Answer one line; what is wrong with it is said, never raised."""
        try:
            asked = msgspec.json.decode(line, type=Ask)
        except msgspec.MsgspecError as error:
            return Answer(id=0, ok=False, error=f"not a question: {error}")
        method = self.methods.get(asked.method)
        if method is None:
            return Answer(
                id=asked.id, ok=False, error=f"no method {asked.method!r}; {', '.join(self.methods)}"
            )
        try:
            return Answer(id=asked.id, ok=True, result=method(asked.params))
        except (KeyError, ValueError, BadData) as error:
            return Answer(id=asked.id, ok=False, error=f"{asked.method}: {error}")

    def _mids(self) -> dict[str, float]:
        return self._board.mids

    def _latest(self, given: dict[str, Any]) -> dict[str, int]:
        interval = _text(given, "interval")
        return {
            symbol: candle.bar.open_ns
            for (each, symbol), candle in self._board.candles.items()
            if each == interval
        }

    def _closed(self, given: dict[str, Any]) -> dict[str, int | None]:
        interval = _text(given, "interval")
        return {
            symbol: self._store.newest_ns(self._series(symbol, interval)) for symbol in self._board.symbols
        }

    def _candles_health(self, given: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Return how each symbol's stored candles stand. Ready are those that end with the last bar which has
        closed, with its grace."""
        interval, now_ns = _text(given, "interval"), self._board.now_ns()
        found = {}
        for symbol in self._board.symbols:
            series = self._series(symbol, interval)
            newest_ns = self._store.newest_ns(series)
            lacks = (
                None
                if newest_ns is None
                else (closed_until(series, now_ns) - newest_ns) // series.step_ns - 1
            )
            found[symbol] = {"newest_open_ns": newest_ns, "bars_missing": lacks, "is_ready": lacks == 0}
        return found

    def _candles_ready(self, given: dict[str, Any]) -> bool:
        found = self._candles_health(given)
        return bool(found) and all(each["is_ready"] for each in found.values())

    def _candles(self, given: dict[str, Any]) -> list[Any]:
        """Return at most `limit` of the newest bars in `start_ns <= t < end_ns`, oldest first."""
        series = self._series(_text(given, "symbol"), _text(given, "interval"))
        start_ns, end_ns = int(given.get("start_ns", 0)), int(given.get("end_ns", 2**63 - 1))
        limit = min(int(given.get("limit", MAX_BARS)), MAX_BARS)
        return list(bars_of(self._store.rows(series, start_ns, end_ns), series)[-limit:])

    def _series(self, symbol: str, interval: str) -> Series:
        if symbol not in self._board.symbols:
            raise KeyError(symbol)
        return Series(venue=self._venue, symbol=symbol, interval=interval)


def _text(given: dict[str, Any], name: str) -> str:
    found = given.get(name)
    if not isinstance(found, str):
        raise ValueError(f"{name} is missing")
    return found


class Socket:
    """The socket on which a venue's feed answers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._server: asyncio.AbstractServer | None = None
        self._talks: set[asyncio.Task[None]] = set()

    async def open(self, run: Path, venue: str) -> None:
        """Answer from now on. Raises `OSError`."""
        with _named(run, venue) as path:
            self._server = await asyncio.start_unix_server(self._connected, path, limit=MAX_LINE)

    async def close(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.get_running_loop().create_task(self._talk(reader, writer), name="feed question")
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, TimeoutError, ValueError):
                while line := await asyncio.wait_for(reader.readline(), IDLE_S):
                    writer.write(msgspec.json.encode(self._desk.answer(line)) + b"\n")
                    await writer.drain()
        finally:
            writer.close()


async def ask(run: Path, venue: str, method: str, **params: object) -> Any:
    """Ask a venue's feed one thing. Raises `Silent` where none answers, `LookupError` for what it has not."""
    try:
        async with asyncio.timeout(ANSWER_S):
            with _named(run, venue) as path:
                reader, writer = await asyncio.open_unix_connection(path, limit=64 * 1024 * 1024)
            writer.write(msgspec.json.encode(Ask(id=1, method=method, params=dict(params))) + b"\n")
            line = await reader.readline()
            writer.close()
        answer = msgspec.json.decode(line, type=Answer)
    except (OSError, TimeoutError, msgspec.MsgspecError) as error:
        raise Silent(f"no feed of {venue} answers: {type(error).__name__}") from error
    if not answer.ok:
        raise LookupError(answer.error)
    return answer.result


@contextmanager
def _named(run: Path, venue: str) -> Iterator[str]:
    """Yield the socket's path in a form that is short enough whatever the home is called (108 bytes)."""
    folder = os.open(run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/feed-{venue}.sock"
    finally:
        os.close(folder)
