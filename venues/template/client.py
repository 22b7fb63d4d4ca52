"""Asks the template venue: whole signed requests out, classed answers back. Nothing is sent twice here.

Three things may come of a request, and each has one exception: it never left (`Retryable`), the venue said
no (`Refused`), or nobody knows (`OutcomeUnknown`). Whatever is not proved is the third.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import msgspec

from seams.http import Response, decode_response, encode_request
from seams.wire import Caller, Lost, MayLeave, Unsent, always
from venues.contract import AlreadySeen, OutcomeUnknown, Refused, Retryable
from venues.keyfile import KeyFile
from venues.template.translate import Json, table, text

TIMEOUT_S = 5.0
SEEN = frozenset({"nonce_used"})
"""Refusals that say that these bytes' nonce was used before: by another copy, or by the fence."""


def signature(secret: str, path: str, body: bytes) -> str:
    """Return a request's signature: HMAC-SHA256 over its path and the body's exact bytes."""
    return hmac.new(secret.encode(), path.encode() + body, hashlib.sha256).hexdigest()


class TemplateClient:
    """One account's key at one address."""

    def __init__(self, caller: Caller, authority: str, key: KeyFile) -> None:
        self._caller, self._authority, self._key = caller, authority, key

    def signed(self, path: str, fields: Json) -> bytes:
        """Return a request's exact bytes; no I/O."""
        body = msgspec.json.encode(fields)
        headers = {
            "Content-Type": "application/json",
            "X-Key": self._key.key,
            "X-Sign": signature(self._key.secret, path, body),
        }
        return encode_request("POST", path, self._authority, headers, body)

    def opening(self) -> bytes:
        """Return the message that asks for this account's stream."""
        said = {"key": self._key.key, "sign": signature(self._key.secret, "/stream", b"")}
        return msgspec.json.encode({"listen": said})

    async def send(self, wire: bytes, may_leave: MayLeave = always) -> Any:
        """Send these bytes once; return the answer's content. Raises `VenueError`."""
        try:
            answer = decode_response(await self._caller.call(wire, TIMEOUT_S, may_leave), is_at_end=True)
        except Unsent as error:
            raise Retryable(str(error)) from error
        except (Lost, ValueError) as error:
            raise OutcomeUnknown(str(error)) from error
        assert answer is not None, "at its end an answer is whole or an error"
        return _content(answer)

    async def ask(self, path: str, **fields: Any) -> Any:
        """Ask something that places no order. Raises `VenueError`."""
        return await self.send(self.signed(path, fields))

    async def close(self) -> None:
        await self._caller.close()


def _content(answer: Response) -> Any:
    """Return what an answer proves. Only a whole one with status 200 proves anything."""
    if answer.status != 200:
        raise OutcomeUnknown(f"status {answer.status}")
    try:
        said = table(msgspec.json.decode(answer.body))
        refusal = None if "ok" in said else table(said.get("error"))
        code, words = ("", "") if refusal is None else (text(refusal, "code"), text(refusal, "text"))
    except (msgspec.DecodeError, ValueError) as error:
        raise OutcomeUnknown(f"an answer that cannot be read: {error}") from error
    if refusal is None:
        return said["ok"]
    raise AlreadySeen(words) if code in SEEN else Refused(code, words)
