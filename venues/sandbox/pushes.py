"""Fault programs for what a loopback exchange pushes: lost, repeated, swapped, damaged, or silence."""

from __future__ import annotations

from enum import StrEnum

from venues.types import Record

ANY = "*"
GARBAGE = b'{"channel":'


class PushStrike(StrEnum):
    """What goes wrong with one pushed message; `for_ms` counts for SILENCE only."""

    DROP = "drop"
    DUPLICATE = "duplicate"
    SWAP = "swap"  # it comes after the next one
    GARBAGE = "garbage"
    SILENCE = "silence"  # nothing at all is pushed for a while; the connection stays open


class PushFault(Record):
    """One scripted fault: the `nth` message (1-based, from when it is scripted) of channel `on`."""

    nth: int
    on: str
    strike: PushStrike
    for_ms: int = 0


class PushProgram:
    """The faults still to strike, over all connections of an exchange."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, PushFault]] = []
        self._counts: dict[str, int] = {}
        self._held: list[bytes] = []
        self._silent_until_ms = 0
        self.struck: list[PushFault] = []

    def add(self, fault: PushFault) -> None:
        """Let a fault wait for its message; counting starts now."""
        assert fault.nth >= 1
        self._waiting.append((self._counts.get(fault.on, 0) + fault.nth, fault))

    def carried(self, channel: str, frame: bytes, now_ms: int) -> list[bytes]:
        """Return what really goes out for one message."""
        for name in (channel, ANY):
            self._counts[name] = self._counts.get(name, 0) + 1
        fault = self._next(channel)
        if fault is not None and fault.strike is PushStrike.SILENCE:
            self._silent_until_ms = now_ms + fault.for_ms
        if now_ms < self._silent_until_ms:
            return []
        held, self._held = self._held, []
        strike = None if fault is None else fault.strike
        if strike is PushStrike.DROP:
            return held
        if strike is PushStrike.SWAP:
            self._held = [frame]
            return held
        if strike is PushStrike.GARBAGE:
            frame = GARBAGE
        return [frame, *([frame] if strike is PushStrike.DUPLICATE else []), *held]

    def _next(self, channel: str) -> PushFault | None:
        for index, (due, fault) in enumerate(self._waiting):
            if fault.on in (channel, ANY) and self._counts[fault.on] >= due:
                del self._waiting[index]
                self.struck.append(fault)
                return fault
        return None
