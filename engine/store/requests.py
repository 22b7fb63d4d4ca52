"""Answered requests, so that a repeated command is answered again and not executed again."""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from engine.store.link import Link
from engine.store.tables import REQUESTS


class RequestRows:
    """Replies by request id."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def remember_reply(self, request_id: str, reply: bytes, *, operator: str, kind: str, at_ns: int) -> None:
        """Keep the reply (JSON bytes) to a request. Raises `StoreConflict` where one is kept already."""
        values: dict[str, object] = {"request_id": request_id, "reply": reply, "at_ns": at_ns}
        self._link.run(insert(REQUESTS).values({**values, "operator": operator, "kind": kind}))

    def recall_reply(self, request_id: str) -> bytes | None:
        """Return the reply kept for a request, or None where it was never answered."""
        found = self._link.value(select(REQUESTS.c.reply).where(REQUESTS.c.request_id == request_id))
        return found if isinstance(found, bytes) else None

    def forget_replies(self, before_ns: int) -> int:
        """Drop replies older than `before_ns` and return how many; commands expire long before."""
        return self._link.run(delete(REQUESTS).where(REQUESTS.c.at_ns < before_ns)).rowcount
