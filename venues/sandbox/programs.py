"""Fault programs of a loopback exchange: what the nth request of a type meets, and what is sent then.

"Apply then drop" and "drop without apply" look the same to a client and are not: only with both can a
test tell a lost answer from a lost order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec

from seams.http import Response, encode_response
from venues.types import Record

ANY = "*"
STATUSES = range(200, 600)
HTML = b"<html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>"


class Strike(StrEnum):
    """What goes wrong with one request; `value` is in seconds, bytes, a status or a text, as said."""

    APPLY_THEN_DROP = "apply_then_drop"
    DROP_WITHOUT_APPLY = "drop_without_apply"
    DELAY_BEFORE = "delay_before"  # value: seconds until it is applied and answered
    DELAY_AFTER = "delay_after"  # applied at once, answered after `value` seconds
    CUT = "cut"  # applied; the connection closes after half of the answer
    STATUS = "status"  # applied; answered with status `value` and a page of HTML
    STATUS_WITHOUT_APPLY = "status_without_apply"
    HTML = "html"  # applied; 200 and a page of HTML
    TRUNCATED = "truncated"  # applied; 200 and half of the JSON, with a fitting length
    NULL = "null"  # applied; 200 and `null`
    EMPTY = "empty"  # applied; 200 and nothing
    REDIRECT = "redirect"  # not applied; 307 to `text`
    DRIP = "drip"  # applied; a byte of the answer every `value` seconds
    SILENCE = "silence"  # applied; nothing comes, nothing closes
    SAY = "say"  # not applied; 200 and the body `text`
    APPLY_THEN_SAY = "apply_then_say"  # applied; 200 and the body `text`
    STATE = "state"  # first the whole venue goes into the state `text`, and says so on its streams (Kraken)


NOT_APPLIED = frozenset({Strike.DROP_WITHOUT_APPLY, Strike.STATUS_WITHOUT_APPLY, Strike.REDIRECT, Strike.SAY})


class Fault(Record):
    """One scripted fault: the `nth` request (1-based, from when it is scripted) whose type is `on`."""

    nth: int
    on: str
    strike: Strike
    value: float = 0.0
    text: str = ""


class BadProgram(ValueError):
    """A fault that this venue's double cannot carry out; the message says which, and why."""

    code = "bad_parameter"


def read_program(text: bytes, program: Program) -> tuple[Fault, ...]:
    """Return the faults of a JSON list, all of which `program` can carry out. Raises `BadProgram`: what
    could not strike must not look like a venue without faults."""
    try:
        found = msgspec.json.decode(text, type=tuple[Fault, ...])
    except msgspec.MsgspecError as error:
        known = ", ".join(each.value for each in Strike)
        raise BadProgram(
            f"the faults are no list of nth, on, strike, value, text: {error}; strikes: {known}"
        ) from error
    for number, fault in enumerate(found, 1):
        if why := _impossible(fault, program.states, program.kinds):
            raise BadProgram(f"fault {number} ({fault.strike.value} on {fault.on!r}): {why}")
    return found


def _impossible(fault: Fault, states: Sequence[str], kinds: Collection[str]) -> str:
    """Return why a fault could never strike as written; empty where it can."""
    if fault.nth < 1:
        return f"nth counts requests from 1, and is {fault.nth}"
    if not fault.on:
        return f"on names the type of request that is met, or {ANY}"
    if kinds and fault.on not in (*kinds, ANY):
        return f"no request of this venue is called so; on is one of {ANY}, {', '.join(sorted(kinds))}"
    if not 0 <= fault.value < float("inf"):
        return f"value is {fault.value}"
    match fault.strike:
        case Strike.STATE if not states:
            return "this venue does not say how far it trades; only kraken has states"
        case Strike.STATE if fault.text not in states:
            return f"there is no state {fault.text!r}; text is one of {', '.join(states)}"
        case Strike.STATUS | Strike.STATUS_WITHOUT_APPLY if int(fault.value) not in STATUSES:
            return f"value is the status, {STATUSES[0]} to {STATUSES[-1]}, and is {fault.value:g}"
        case Strike.REDIRECT if not fault.text:
            return "text is the address that it sends to"
        case Strike.DRIP | Strike.DELAY_BEFORE | Strike.DELAY_AFTER if not fault.value:
            return "value is the time in seconds, and is 0"
    return ""


class Reply(NamedTuple):
    """What goes back: `data` after `pause_s`, whole or a byte every `drip_s`; then cut, if so."""

    data: bytes
    pause_s: float = 0.0
    drip_s: float = 0.0
    is_cut: bool = False
    is_late: bool = False
    """The request itself is to be applied only after the pause."""
    is_silent: bool = False


class Program:
    """The faults that are still to strike, and how many requests of each type have come.

    `states` are those that the venue can be put into; none: it has no word for them. `kinds` are the types
    of request that it answers; none: whatever comes is counted under its own name.
    """

    def __init__(self, states: Sequence[str] = (), kinds: Collection[str] = ()) -> None:
        self.states, self.kinds = states, kinds
        self._waiting: list[Fault] = []
        self._due: list[int] = []
        self.counts: dict[str, int] = {}
        self.struck: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Let a fault wait for its request; counting starts now. Raises `BadProgram`."""
        if why := _impossible(fault, self.states, self.kinds):
            raise BadProgram(f"{fault.strike.value} on {fault.on!r}: {why}")
        self._waiting.append(fault)
        self._due.append(self.counts.get(fault.on, 0) + fault.nth)

    def next(self, kind: str) -> Fault | None:
        """Count one request of this type and return the fault that it meets."""
        for name in (kind, ANY):
            self.counts[name] = self.counts.get(name, 0) + 1
        for index, fault in enumerate(self._waiting):
            if fault.on in (kind, ANY) and self.counts[fault.on] >= self._due[index]:
                del self._waiting[index], self._due[index]
                self.struck.append(fault)
                return fault
        return None


def carried_out(fault: Fault | None, apply: Callable[[], Response]) -> Reply:
    """Apply a request, or not, and return what its client gets to see."""
    if fault is None:
        return Reply(encode_response(apply()))
    assert fault.strike is not Strike.STATE, "a venue with states carries this out by itself"
    if fault.strike is Strike.DELAY_BEFORE:
        return Reply(b"", pause_s=fault.value, is_late=True)
    said = Response(200, {}, b"") if fault.strike in NOT_APPLIED else apply()
    html = {"content-type": "text/html"}
    whole = encode_response(said)
    match fault.strike:
        case Strike.APPLY_THEN_DROP | Strike.DROP_WITHOUT_APPLY:
            return Reply(b"", is_cut=True)
        case Strike.SILENCE:
            return Reply(b"", is_silent=True)
        case Strike.DELAY_AFTER:
            return Reply(whole, pause_s=fault.value)
        case Strike.CUT:
            return Reply(whole[: len(whole) - len(said.body) // 2 - 1], is_cut=True)
        case Strike.STATUS | Strike.STATUS_WITHOUT_APPLY:
            return Reply(encode_response(Response(int(fault.value), html, HTML)))
        case Strike.REDIRECT:
            return Reply(encode_response(Response(307, {"location": fault.text}, b"")))
        case Strike.DRIP:
            return Reply(whole, drip_s=fault.value)
    return Reply(encode_response(_other_body(fault, said, html)))


def _other_body(fault: Fault, said: Response, html: dict[str, str]) -> Response:
    """Return a 200 whose body is not what the exchange meant to say."""
    if fault.strike is Strike.HTML:
        return Response(200, html, HTML)
    bodies = {Strike.NULL: b"null", Strike.EMPTY: b"", Strike.TRUNCATED: said.body[: len(said.body) // 2]}
    return Response(200, said.headers, bodies.get(fault.strike, fault.text.encode()))
