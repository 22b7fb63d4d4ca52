"""The holds of one account at its venue: raised with what stands in the way, cleared by what ended it."""

from __future__ import annotations

from engine.core import Core
from safety.interlock import Clearance, HoldLevel

ACCOUNT = "account"
"""The subject of the holds that concern the whole account."""


class AccountHolds:
    """Raises and clears holds in the name of a venue, on the audit record where one ends."""

    def __init__(self, core: Core, source: str) -> None:
        self._core, self._source = core, source

    def put(self, code: str, level: HoldLevel, evidence: str, subject: str = "") -> None:
        """Hold, or go on holding with newer evidence."""
        interlock = self._core.interlock
        interlock.raise_hold(
            code,
            subject=subject,
            since_ns=self._core.clock.now_ns(),
            source=self._source,
            evidence=evidence,
            level=level,
        )
        interlock.restate(code, subject, evidence)

    def clear(self, code: str, subject: str, evidence: str) -> None:
        """End a hold where it stands, and say by what."""
        if self._core.interlock.has(code, subject):
            self._core.interlock.clear_hold(code, Clearance(evidence=evidence), subject)
            self._core.note("hold_cleared", self._source, f"{code} {subject}: {evidence}")
