"""The engine's end of its reader process: asked one question at a time, started anew when it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys

import msgspec

from engine.api.lab import LabFailure, LabQuery
from engine.core import Core
from safety.reasons import Refusal
from safety.text import clean

ANSWER_S = 20.0
LARGEST_ANSWER = 8 * 2**20
MAX_WAITING = 32


class Lab:
    """Answers `LabQuery` without touching an evidence file on the engine's loop."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._reader: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def ask(self, query: LabQuery) -> msgspec.Raw:
        """Return the answer as JSON.

        Raises `Refusal`: not_found, invalid_request, reader_busy or reader_failed.
        """
        if self._waiting >= MAX_WAITING:
            raise Refusal("reader_busy", f"{MAX_WAITING} questions wait already")
        self._waiting += 1
        try:
            async with self._turn:
                line = await self._exchange(msgspec.json.encode(query) + b"\n")
        finally:
            self._waiting -= 1
        if line[:1] == b"+":
            return msgspec.Raw(line[1:])
        failure = msgspec.json.decode(line[1:], type=LabFailure)
        raise Refusal(failure.code, clean(failure.message))

    async def close(self) -> None:
        """End the reader."""
        reader, self._reader = self._reader, None
        if reader is not None and reader.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                reader.kill()
            await reader.wait()

    async def _exchange(self, line: bytes) -> bytes:
        """Send one question and read its answer; a reader that died or hangs is replaced, once."""
        for is_last in (False, True):
            reader = await self._running()
            assert reader.stdin is not None and reader.stdout is not None
            try:
                reader.stdin.write(line)
                await reader.stdin.drain()
                answer = await asyncio.wait_for(reader.stdout.readline(), ANSWER_S)
                if answer.endswith(b"\n"):
                    return answer[:-1]
            except (TimeoutError, ConnectionError, ValueError) as error:
                await self.close()
                if is_last or isinstance(error, TimeoutError):
                    raise Refusal("reader_failed", type(error).__name__) from error
                continue
            except BaseException:
                await self.close()  # its answer would be taken for the next question's
                raise
            await self.close()
        raise Refusal("reader_failed", "it ended twice without an answer")

    async def _running(self) -> asyncio.subprocess.Process:
        if self._reader is None or self._reader.returncode is not None:
            self._reader = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "engine.reader",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=LARGEST_ANSWER,
                env={**os.environ, "INTERLOCK_HOME": str(self._core.paths.home)},
            )
        return self._reader
