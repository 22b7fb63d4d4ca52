"""Time: UTC nanoseconds for facts, a monotonic count for durations, a bounded sleep."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


class Clock(Protocol):
    """Where the engine's time comes from; every wait goes through `sleep`."""

    def now_ns(self) -> int:
        """Return UTC time in nanoseconds since the epoch."""
        ...

    def monotonic_ns(self) -> int:
        """Return a count that never goes backwards, in nanoseconds; only differences mean anything."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let other tasks run for `seconds`."""
        ...


class SystemClock:
    """The host's clocks."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class FixedClock:
    """A clock that stands still until told to move: unit tests and snapshots."""

    def __init__(self, now_ns: int = 1_790_000_000 * NS_PER_S) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        return self._now_ns

    def monotonic_ns(self) -> int:
        return self._now_ns

    def advance(self, seconds: float) -> None:
        """Move forward by `seconds`; never backwards."""
        assert seconds >= 0
        self._now_ns += round(seconds * NS_PER_S)

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await asyncio.sleep(0)


def utc_ns(text: str) -> int:
    """Read a date or an ISO-8601 time as UTC nanoseconds; one without a zone is UTC. Raises `ValueError`."""
    read = datetime.fromisoformat(text)
    whole = (read if read.tzinfo else read.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return (whole.days * 86_400 + whole.seconds) * NS_PER_S + whole.microseconds * 1_000


def iso_z(ns: int) -> str:
    """Write a UTC nanosecond time as ISO-8601 with milliseconds and `Z`."""
    return f"{_second(ns // NS_PER_S)}.{ns % NS_PER_S // NS_PER_MS:03d}Z"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    """Write a whole second; the records of one second share it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
