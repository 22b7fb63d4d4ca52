"""Questions to Kraken that need no key, and the one way in which any request leaves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import ParamSpec, TypeVar

from seams.http import decode_response
from seams.wire import Caller, Lost, MayLeave, Unsent, always
from venues.contract import OutcomeUnknown, Refused, Retryable
from venues.kraken.outcomes import Outcome, Proof, read
from venues.kraken.signing import public_request

TIMEOUT_S = 5.0
P = ParamSpec("P")
T = TypeVar("T")


class Asker:
    """One address. Nothing here sends anything twice."""

    def __init__(self, caller: Caller, authority: str) -> None:
        self._caller, self._authority = caller, authority

    async def public(self, method: str, **fields: str) -> object:
        """Ask what anybody may. Raises `Retryable`, `Refused` or `OutcomeUnknown`."""
        return result_of(await self.call(public_request(self._authority, method, fields), always))

    async def call(self, wire: bytes, may_leave: MayLeave) -> Outcome:
        """Send one request and class its answer. Raises `Retryable` or `OutcomeUnknown`."""
        try:
            answer = decode_response(await self._caller.call(wire, TIMEOUT_S, may_leave), is_at_end=True)
        except Unsent as error:
            raise Retryable(str(error)) from error
        except Lost as error:
            raise OutcomeUnknown(str(error)) from error
        except ValueError as error:
            raise OutcomeUnknown(f"no whole answer: {error}") from error
        assert answer is not None, "at its end an answer is whole or an error"
        return read(answer)._replace(answer=answer)

    async def close(self) -> None:
        await self._caller.close()


def result_of(outcome: Outcome) -> object:
    """Return what a question was answered. Raises `Refused` or `OutcomeUnknown`."""
    if outcome.proof is Proof.DONE:
        return outcome.result
    if outcome.proof in (Proof.REFUSED, Proof.NONCE_USED):
        raise Refused(outcome.code, outcome.said)
    raise OutcomeUnknown(f"{outcome.code}: {outcome.said}")


def readable(question: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[None, None, T]]:
    """Let a question whose answer cannot be read raise `OutcomeUnknown`: it says nothing."""

    @wraps(question)
    async def asked(*given: P.args, **named: P.kwargs) -> T:
        try:
            return await question(*given, **named)
        except (ValueError, KeyError, TypeError, ArithmeticError) as error:
            raise OutcomeUnknown(f"an answer that cannot be read: {error}") from error

    return asked
