"""The watchdog: a small process of its own that sees whether the engine makes progress, not whether it lives.

Stages after the last completed cycle of the engine's loop: `close_only_after_s` latches close_only, on
the disk and in the shared byte; `cancel_after_s` cancels every order at the venue with a key that can do
nothing else, verifies by asking twice, and pages. It trusts nothing of the engine: it runs on when that
is frozen, killed, or cut off from the venue, and it never loosens anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from safety.beat import BeatPage, BeatState
from safety.canonical import changed
from safety.killbyte import KillLevel
from seams.clock import NS_PER_MS, NS_PER_S, Clock
from venues.contract import VenueError
from venues.types import Record, VenueOrder

LOOK_S = 0.1
CANCEL_AGAIN_S = (0.5, 10.0)
"""The first and the longest pause between two attempts to cancel; there is no last attempt."""
VERIFY_PAUSE_S = 1.0
EMPTY_LOOKS = 2


class Stage(StrEnum):
    """How far the watchdog has gone in the present silence."""

    WAITING = "waiting"
    """No engine has begun, or the last one stopped in order."""
    WATCHING = "watching"
    CLOSE_ONLY = "close_only"
    CANCELLING = "cancelling"
    VERIFIED = "verified"


class Venue(Protocol):
    """What the watchdog's key may do: ask what is open, and cancel all of it."""

    async def cancel_all(self) -> None: ...

    async def open_orders(self) -> Sequence[VenueOrder]: ...


class Page(Record):
    """One message to a person. Times are the host's monotonic clock, in ms after the last progress."""

    kind: str
    text: str
    silent_ms: int
    at_ns: int
    pid: int


class Timing(Record):
    """How one silence went, in ms after the last beat: what a drill measures."""

    last_beat_ns: int
    close_only_ms: float | None = None
    first_cancel_ms: float | None = None
    verified_ms: float | None = None
    cancels_sent: int = 0


@dataclass
class Limits:
    """When to act, in seconds of silence."""

    close_only_after_s: float
    cancel_after_s: float

    def __post_init__(self) -> None:
        assert 0 < self.close_only_after_s <= self.cancel_after_s


Trip = Callable[[KillLevel, str], None]
Pager = Callable[[Page], Awaitable[None]]


@dataclass
class Watchdog:
    """One watch over one engine. `venue` is None where there is nothing to cancel (paper)."""

    clock: Clock
    engine: BeatPage
    own: BeatPage
    limits: Limits
    trip: Trip
    page: Pager
    venue: Venue | None
    pid: int
    stage: Stage = Stage.WAITING
    timings: list[Timing] = field(default_factory=list)
    _seen: int = -1
    _silent_from_ns: int = 0
    _again_ns: int = 0
    _pause_s: float = CANCEL_AGAIN_S[0]
    _empty: int = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Look ten times a second until told to stop."""
        while not stop.is_set():
            await self.look()
            await self.clock.sleep(LOOK_S)
        self.own.write(BeatState.STOPPED, self.clock.monotonic_ns(), self.pid)

    async def look(self) -> None:
        """Look once, and do what the silence asks for. Never raises for what a disk or venue refuses."""
        now_ns = self.clock.monotonic_ns()
        self.own.write(BeatState.RUNNING, now_ns, self.pid)
        beat = self.engine.read()
        if beat is not None and beat.state is not BeatState.RUNNING:
            self.stage, self._seen = Stage.WAITING, beat.count
            return
        if beat is not None and (beat.count != self._seen or beat.at_ns > self._silent_from_ns):
            await self._progress(beat.count, beat.at_ns)
        elif self.stage is Stage.WAITING:
            self.stage, self._silent_from_ns = Stage.WATCHING, now_ns  # half-written from the start
        silent_s = (now_ns - self._silent_from_ns) / NS_PER_S
        if self.stage is Stage.WATCHING and silent_s >= self.limits.close_only_after_s:
            await self._close_only(silent_s)
        if self.stage is Stage.CLOSE_ONLY and silent_s >= self.limits.cancel_after_s:
            self.stage, self._again_ns, self._pause_s, self._empty = Stage.CANCELLING, 0, CANCEL_AGAIN_S[0], 0
        if self.stage is Stage.CANCELLING and now_ns >= self._again_ns:
            await self._cancel(silent_s)

    async def _progress(self, count: int, at_ns: int) -> None:
        """The engine has completed a cycle: the silence is over, what was latched stays latched."""
        if self.stage in (Stage.CLOSE_ONLY, Stage.CANCELLING, Stage.VERIFIED):
            await self._say("engine_back", f"the engine makes progress again after stage {self.stage}")
        self.stage, self._seen, self._silent_from_ns = Stage.WATCHING, count, at_ns

    async def _close_only(self, silent_s: float) -> None:
        said = f"no progress for {silent_s:.1f} s"
        self.timings.append(Timing(last_beat_ns=self._silent_from_ns))
        del self.timings[:-100]
        try:
            self.trip(KillLevel.CLOSE_ONLY, said)
        except OSError as error:  # the byte is set all the same; cancelling does not wait for the disk
            said = f"{said}; the latch file is not written: {error}"
        self.stage = Stage.CLOSE_ONLY
        self._time("close_only_ms")
        await self._say("close_only", f"{said}: close_only latched")

    async def _cancel(self, silent_s: float) -> None:
        """Ask for the cancel of everything, then whether anything is left; again until it is proved."""
        if self.venue is None:
            self.stage = Stage.VERIFIED
            await self._say("no_venue", f"no progress for {silent_s:.1f} s; there is no venue to cancel at")
            return
        is_first = self._pause_s == CANCEL_AGAIN_S[0] and not self._empty
        try:
            if is_first:
                self._time("first_cancel_ms")
            if not self._empty:
                self._count_cancel()
                await self.venue.cancel_all()
            left = await self.venue.open_orders()
        except VenueError as error:
            self._empty = 0
            self._wait(self._pause_s)
            self._pause_s = min(self._pause_s * 2, CANCEL_AGAIN_S[1])
            await self._say("cancel_unconfirmed", f"CANCEL UNCONFIRMED: {error}; trying again")
            return
        self._empty = 0 if left else self._empty + 1
        if self._empty >= EMPTY_LOOKS:
            self.stage = Stage.VERIFIED
            self._time("verified_ms")
            await self._say("cancelled", f"no progress for {silent_s:.1f} s: no order is open any more")
            return
        # What is listed right after the first cancel is mostly a list that lags: it is asked again sooner.
        is_lag = bool(left) and self.timings[-1].cancels_sent == 1
        self._wait(CANCEL_AGAIN_S[0] if is_lag else VERIFY_PAUSE_S)
        if left and is_first:
            names = ", ".join(order.client_order_id for order in left[:5])
            await self._say("cancelling", f"cancel of all asked; still listed: {len(left)} ({names})")

    def _wait(self, seconds: float) -> None:
        self._again_ns = self.clock.monotonic_ns() + round(seconds * NS_PER_S)

    def _silent_ms(self) -> float:
        return (self.clock.monotonic_ns() - self._silent_from_ns) / NS_PER_MS

    def _time(self, name: str) -> None:
        self.timings[-1] = changed(self.timings[-1], **{name: self._silent_ms()})

    def _count_cancel(self) -> None:
        self.timings[-1] = changed(self.timings[-1], cancels_sent=self.timings[-1].cancels_sent + 1)

    async def _say(self, kind: str, text: str) -> None:
        await self.page(
            Page(
                kind=kind,
                text=text,
                silent_ms=round(self._silent_ms()),
                at_ns=self.clock.now_ns(),
                pid=self.pid,
            )
        )
