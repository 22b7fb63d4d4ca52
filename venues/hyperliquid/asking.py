"""Questions to Hyperliquid that need no signature, and the one way in which any request leaves."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec

from seams.http import Response, decode_response, encode_request
from seams.wire import Caller, Lost, MayLeave, Unsent, always
from venues.contract import Busy, OutcomeUnknown, Refused, Retryable
from venues.hyperliquid.budget import Budget, weight_of_answer

TIMEOUT_S = 5.0
READ_TIMEOUT_S, READ_ASKS = 2.5, 2
"""What only asks is asked again once: a question that is lost costs nothing but the wait and its weight."""
HEADERS = {"Content-Type": "application/json"}


class Asker:
    """One address, and what it may still be asked. What acts is never sent twice."""

    def __init__(self, caller: Caller, authority: str, budget: Budget) -> None:
        self._caller, self._authority, self.budget = caller, authority, budget

    async def ask(self, kind: str, **given: Any) -> Any:
        """Ask `/info`; return its JSON. Raises `Retryable`, `Refused` or `OutcomeUnknown`."""
        wire = self.request("/info", msgspec.json.encode({"type": kind, **given}))
        for _ in range(READ_ASKS - 1):
            with suppress(OutcomeUnknown):
                return await self._ask(kind, wire)
        return await self._ask(kind, wire)

    async def _ask(self, kind: str, wire: bytes) -> Any:
        self.budget.ask(kind)
        response = await self.call(wire, always, READ_TIMEOUT_S)
        if response.status == 429:
            said = f"the venue answers 429: its request budget is used up; {kind} waits"
            raise Busy(said, self.budget.rest_s)
        if response.status != 200:
            code = "malformed" if response.status in (400, 415, 422) else ""
            said = f"{kind}: status {response.status}"
            raise Refused(code, said) if code else OutcomeUnknown(said)
        try:
            said = msgspec.json.decode(response.body)
        except msgspec.DecodeError as error:
            raise OutcomeUnknown(f"{kind}: an answer that is no JSON") from error
        self.budget.answered(weight_of_answer(kind, said))
        return said

    def request(self, path: str, body: bytes) -> bytes:
        """Return one whole request; no I/O."""
        return encode_request("POST", path, self._authority, HEADERS, body)

    async def call(self, wire: bytes, may_leave: MayLeave, timeout_s: float = TIMEOUT_S) -> Response:
        """Send one request and return its whole answer. Raises `Retryable` or `OutcomeUnknown`."""
        try:
            answer = decode_response(await self._caller.call(wire, timeout_s, may_leave), is_at_end=True)
        except Unsent as error:
            raise Retryable(str(error)) from error
        except Lost as error:
            raise OutcomeUnknown(str(error)) from error
        except ValueError as error:
            raise OutcomeUnknown(f"no whole answer: {error}") from error
        assert answer is not None, "at its end an answer is whole or an error"
        if answer.status == 429:  # to an action too: what was used up keeps the questions back
            self.budget.overrun()
        return answer

    async def close(self) -> None:
        await self._caller.close()
