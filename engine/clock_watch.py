"""The clock-drift hold: raised by a clock that is off or behind the record, cleared by good samples in a row.

Each order is judged by the same two facts; the hold says so before there is an order, and rings (C16, I34).
"""

from __future__ import annotations

from engine.core import Core
from engine.trading.custody import Custody
from safety.interlock import GOOD_SAMPLES_NEEDED, Clearance
from seams.clock import NS_PER_MS

HOLD = "clock_drift"
VENUE, HOST = "venue", "host"


class ClockWatch:
    """Looks once a second at the offset from the venue and at the newest record."""

    def __init__(self, core: Core, custody: Custody | None) -> None:
        self._core, self._custody = core, custody
        self._good: dict[str, int] = {}

    def look(self) -> None:
        core, bound_ms = self._core, self._core.settings.risk.clock_drift_ms
        offset_ms = None if self._custody is None else self._custody.offset_ms()
        if offset_ms is not None:  # before it was measured, every order is refused for want of it
            said = f"{offset_ms:+.0f} ms from the venue's clock, bound {bound_ms}"
            self._judge(VENUE, abs(offset_ms) <= bound_ms, said)  # NaN compares false
        behind_ms = (core.audit.last_ns - core.clock.now_ns()) / NS_PER_MS
        self._judge(HOST, behind_ms <= 0, f"{behind_ms:.0f} ms behind the newest record")

    def _judge(self, subject: str, is_good: bool, said: str) -> None:
        core = self._core
        if not is_good:
            self._good[subject] = 0
            core.interlock.raise_hold(
                HOLD, subject=subject, since_ns=core.clock.now_ns(), source="eng", evidence=said
            )
            core.alarm(HOLD, subject, "eng", said)
        elif core.interlock.has(HOLD, subject):
            self._good[subject] = self._good.get(subject, 0) + 1
            if self._good[subject] >= GOOD_SAMPLES_NEEDED:
                clearance = Clearance(good_samples=self._good[subject], evidence=said)
                core.interlock.clear_hold(HOLD, clearance, subject)
                core.calm(HOLD, subject)
                core.note("clock_good", "eng", f"{subject}: {said}")
