"""The corridor sessions of a desk as a gate counts them: what was sent for real, how it ended, how large."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path

from engine.api.corridor import Artifact, SessionState, Step
from engine.corridor.folder import CorridorFolder
from engine.corridor.status import ENDED, state_of
from engine.corridor.steps import newest
from safety.reasons import Refusal
from seams.disk import Disk
from venues.types import Environment, Record

UNPROVED = frozenset({"reconciliation_required", "cancel_pending", "submitted"})
"""Statuses of a session that nobody has looked at to its end."""


class SentSession(Record):
    """One corridor session. `problem` is why its record cannot be trusted; empty where it can.

    `evidence` is the hash of its newest artifact: what a close-out note is bound to. `notional_usd` is None
    where its order does not say.
    """

    session_id: str
    opened_at: str
    environment: str
    state: SessionState | None
    reviewer: str
    notional_usd: Decimal | None
    is_sent: bool
    is_reconciled: bool
    evidence: str
    problem: str = ""

    @property
    def is_real(self) -> bool:
        """Tell whether its order was sent with real money: test money and a loopback exchange are none."""
        return self.is_sent and self.environment == Environment.MAINNET

    @property
    def is_over(self) -> bool:
        return self.state is not None and self.state.status in ENDED

    @property
    def is_unproved(self) -> bool:
        return self.state is None or self.state.status in UNPROVED


class SentSessions:
    """Reads a session when it has another artifact than before, and one more in turn at every look: an old
    record that somebody touches is found within as many looks as there are sessions."""

    def __init__(self, root: Path, disk: Disk) -> None:
        self._root, self._disk = root, disk
        self._found: dict[str, tuple[list[str], SentSession]] = {}
        self._turn = 0

    def look(self) -> tuple[SentSession, ...]:
        """Return every session, oldest first."""
        names = sorted(self._disk.list(self._root)) if self._disk.exists(self._root) else []
        self._turn += 1
        again = names[self._turn % len(names)] if names else ""
        self._found = dict(self._each(names, again))
        sessions = [session for _, session in self._found.values()]
        return tuple(sorted(sessions, key=lambda found: (found.opened_at, found.session_id)))

    def _each(self, names: list[str], again: str) -> Iterator[tuple[str, tuple[list[str], SentSession]]]:
        for name in names:
            files = self._disk.list(self._root / name / "history")
            known = self._found.get(name)
            if known is not None and name != again and known[0] == files:
                yield name, known
            elif (session := read_session(self._root, name, self._disk)) is not None:
                yield name, (files, session)


def read_session(root: Path, name: str, disk: Disk) -> SentSession | None:
    """Return one session; None where nothing of that name is one."""
    try:
        folder = CorridorFolder(root, name, disk)
        artifacts, hashes = folder.artifacts(), folder.hashes()
    except Refusal as refusal:
        if refusal.code == "not_found":
            return None
        return SentSession(session_id=name, opened_at="", environment="", state=None, reviewer="",
                           notional_usd=None, is_sent=True, is_reconciled=False, evidence="",
                           problem=refusal.code)  # fmt: skip
    if not artifacts:
        return None
    approved, reconciled = newest(artifacts, Step.APPROVE), newest(artifacts, Step.RECONCILE)
    return SentSession(
        session_id=name,
        opened_at=artifacts[0].at,
        environment=artifacts[0].environment,
        state=state_of(name, artifacts),
        reviewer="" if approved is None or not approved.ok else approved.by,
        notional_usd=_notional(artifacts),
        is_sent=newest(artifacts, Step.SUBMIT) is not None,
        is_reconciled=reconciled is not None and reconciled.ok,
        evidence=hashes[artifacts[-1].number],
    )


def _notional(artifacts: tuple[Artifact, ...]) -> Decimal | None:
    first = newest(artifacts, Step.PREFLIGHT)
    try:
        return None if first is None else Decimal(str(first.body["intent"]["notional_usd"]))
    except (KeyError, TypeError, InvalidOperation):
        return None
