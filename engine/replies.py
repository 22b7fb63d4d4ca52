"""The one form in which the engine answers: a result, or a reason code with its correction."""

from __future__ import annotations

import msgspec

from engine.api import commands as c
from engine.core import Core
from safety.reasons import REASONS, Refusal
from venues.types import Record


def answer(
    core: Core, request_id: str, refusal: Refusal | None, result: Record | msgspec.Raw | None = None
) -> bytes:
    """Return the bytes of a `Reply`; `result` may be JSON already."""
    reason = None if refusal is None else REASONS.get(refusal.code)
    return c.encode(
        c.Reply(
            request_id=request_id,
            ok=refusal is None,
            code="ok" if refusal is None else refusal.code,
            message="" if refusal is None else _message(refusal),
            correction="" if reason is None else reason.correction,
            epoch=core.epoch,
            at_ns=core.clock.now_ns(),
            result=result if isinstance(result, msgspec.Raw) else msgspec.Raw(_json(result)),
        )
    )


def _json(result: Record | None) -> bytes:
    return b"null" if result is None else msgspec.json.encode(result)


def _message(refusal: Refusal) -> str:
    reason = REASONS.get(refusal.code)
    title = refusal.code if reason is None else reason.title
    return f"{title}: {refusal.detail}" if refusal.detail else title
