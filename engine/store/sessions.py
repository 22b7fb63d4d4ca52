"""Sessions: what runs, what ran and how it ended."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import select, update

from engine.store.link import Link
from engine.store.rows import SessionRecord
from engine.store.tables import SESSIONS


class SessionRows:
    """The sessions of this database."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def start(self, session: SessionRecord) -> None:
        """Record a session as running. Raises `StoreConflict` where the id was used."""
        assert session.status == "running" and session.finished_ns == 0
        self._link.add(SESSIONS, session)

    def progress(
        self, session_id: str, *, bars: int, decisions: int, orders: int, fills: int, equity_usd: Decimal
    ) -> None:
        """Write a running session's counts."""
        counts: dict[str, object] = {"bars": bars, "decisions": decisions, "orders": orders, "fills": fills}
        self._change(session_id, {**counts, "equity_usd": equity_usd})

    def finish(
        self,
        session_id: str,
        *,
        status: str,
        status_reason: str,
        finished_ns: int,
        message: str = "",
        decision_sha256: str = "",
    ) -> None:
        """End a session as success, failed or aborted."""
        assert status != "running" and finished_ns > 0
        self._change(
            session_id,
            {
                "status": status,
                "status_reason": status_reason,
                "finished_ns": finished_ns,
                "message": message,
                "decision_sha256": decision_sha256,
            },
        )

    def get(self, session_id: str) -> SessionRecord | None:
        return self._link.row(select(SESSIONS).where(SESSIONS.c.session_id == session_id), SessionRecord)

    def sessions_running(self) -> list[SessionRecord]:
        """Return the sessions recorded as running, oldest first; after a crash these are the orphans."""
        query = select(SESSIONS).where(SESSIONS.c.status == "running")
        return self._link.rows(query.order_by(SESSIONS.c.started_ns, SESSIONS.c.session_id), SessionRecord)

    def _change(self, session_id: str, changes: dict[str, object]) -> None:
        result = self._link.run(update(SESSIONS).where(SESSIONS.c.session_id == session_id).values(changes))
        assert result.rowcount == 1, f"no such session: {session_id}"
