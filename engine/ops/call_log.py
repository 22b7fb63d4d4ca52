"""Every request to a venue as a line of `outputs/venue_calls` (QL-70); one that is sent elsewhere rings.

The log sits at the innermost wire: what a gate or a dry run kept back was never asked and is no row.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec

from engine.api.venue_calls import ANSWERED, FOLDER, SCHEMA, UNREADABLE, VenueCall
from engine.core import Core
from engine.ops.line_files import MAX_BYTES, LineFiles
from engine.transport import Transport
from safety.text import clean
from seams.clock import NS_PER_MS, Clock, iso_z
from seams.disk import Disk
from seams.http import decode_request, decode_response
from seams.web import SILENCE_S
from seams.wire import Caller, Lost, MayLeave, MessageLink, Unsent, always

REDIRECTED = "venue_redirect"
_WORD = re.compile(r"[A-Za-z0-9_]{1,40}")
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})\b")
HASH_CHARACTERS = 16


class CallLog:
    """The calls of one process of a home, written when it is tended."""

    def __init__(
        self,
        folder: Path,
        disk: Disk,
        of: str,
        ring: Callable[[VenueCall], None] = lambda row: None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """`of`: what no other process of this home is called; `ring`: told of a call that was redirected."""
        self._of, self._ring, self._count = of, ring, 0
        self._files: LineFiles[VenueCall] = LineFiles(folder, disk, max_bytes)

    @classmethod
    def of_engine(cls, core: Core, max_bytes: int = MAX_BYTES) -> CallLog:
        """Return the log of an engine; its alarm tells of a redirect."""

        def ring(row: VenueCall) -> None:
            said = f"{row.request_id} {row.asked}: status {row.status}"
            core.alarm(REDIRECTED, row.venue, "eng", said)

        return cls(core.paths.outputs / FOLDER, core.disk, str(core.epoch), ring, max_bytes)

    def next_id(self) -> str:
        """Return a name that no other request of this home has."""
        self._count += 1
        return f"V-{self._of}-{self._count:06d}"

    def take(self, row: VenueCall) -> None:
        """Keep one row, and ring where the venue's address names another: nothing is followed there."""
        self._files.take(row)
        if 300 <= row.status < 400 and row.status != 304:
            self._ring(row)

    def tend(self) -> None:
        """Write what waits."""
        self._files.write(lambda row: row)


class Logged:
    """Another transport, each of whose requests leaves a row."""

    def __init__(self, inner: Transport, log: CallLog, clock: Clock) -> None:
        self._inner, self._log, self._clock = inner, log, clock

    def caller(self, url: str, venue: str) -> Caller:
        return LoggedCaller(self._inner.caller(url, venue), venue, self._log, self._clock)

    def link(self, url: str, clock: Clock, silence_s: float = SILENCE_S) -> MessageLink:
        return self._inner.link(url, clock, silence_s)


class LoggedCaller:
    """A `Caller` that writes down how each call went, and changes none."""

    def __init__(self, caller: Caller, venue: str, log: CallLog, clock: Clock) -> None:
        self._caller, self._venue, self._log, self._clock = caller, venue, log, clock

    async def call(self, body: bytes, timeout_s: float, may_leave: MayLeave = always) -> bytes:
        """See `Caller.call`."""
        began_ns, at_ns = self._clock.monotonic_ns(), self._clock.now_ns()
        request_id, left_ns = self._log.next_id(), 0
        outcome, said, answer = "given_up", "", b""

        def leave() -> bool:
            nonlocal left_ns
            may = may_leave()
            left_ns = self._clock.monotonic_ns() if may else 0
            return may

        try:
            answer = await self._caller.call(body, timeout_s, leave)
            outcome, said = _told(answer)
        except (Unsent, Lost) as error:
            outcome, said = ("unsent" if isinstance(error, Unsent) else "lost"), clean(str(error), 160)
            raise
        finally:
            now_ns = self._clock.monotonic_ns()
            status = _STATUS.match(answer)
            self._log.take(
                VenueCall(
                    schema=SCHEMA,
                    request_id=request_id,
                    ts=iso_z(at_ns),
                    venue=self._venue,
                    asked=asked(body),
                    wire_sha256=sha256(body).hexdigest()[:HASH_CHARACTERS],
                    outcome=outcome,
                    status=int(status[1]) if status else 0,
                    sent_bytes=len(body) if left_ns else 0,
                    got_bytes=len(answer),
                    waited_ms=_ms((left_ns or now_ns) - began_ns),
                    took_ms=_ms(now_ns - began_ns),
                    said=said,
                )
            )
        return answer

    async def close(self) -> None:
        await self._caller.close()


def _told(answer: bytes) -> tuple[str, str]:
    """Return how a call that was answered ended, and what is to be said of it: venues speak JSON, and who
    asked takes a proxy's page with a good status for no answer."""
    status = _STATUS.match(answer)
    if status is None or status[1] != b"200":
        return ANSWERED, ""  # its status says it
    try:
        found = decode_response(answer, is_at_end=True)
        msgspec.json.decode(b"" if found is None else found.body, type=msgspec.Raw)
    except (ValueError, msgspec.DecodeError):
        return UNREADABLE, "status 200, and no JSON"
    return ANSWERED, ""


def asked(wire: bytes) -> str:
    """Return what a request is, in its own words: method, path, and the type that a JSON body names.

    No query, no field of a form and no other word of the body is told.
    """
    try:
        found = decode_request(wire)
    except ValueError:
        found = None
    if found is None:
        return "unreadable"
    request = found[0]
    return clean(" ".join(filter(None, (request.method, request.path, _type_in(request.body)))), 120)


def _type_in(body: bytes) -> str:
    try:
        said = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return ""
    said = said.get("action", said) if isinstance(said, dict) else {}
    kind = str(said.get("type", "")) if isinstance(said, dict) else ""
    return kind if _WORD.fullmatch(kind) else ""


def _ms(duration_ns: int) -> float:
    return round(duration_ns / NS_PER_MS, 3)
