"""Scripted faults: what the nth new order meets."""

from __future__ import annotations

from enum import StrEnum

from venues.types import Record


class FaultKind(StrEnum):
    """What goes wrong with one order.

    RETRYABLE: nothing was sent. REJECT: refused with the fault's code. APPLY_THEN_DROP: it works at the
    venue, the answer is lost (no `Accepted`; fills still come). DROP_WITHOUT_APPLY: the order is lost.
    """

    RETRYABLE = "retryable"
    REJECT = "reject"
    APPLY_THEN_DROP = "apply_then_drop"
    DROP_WITHOUT_APPLY = "drop_without_apply"


class Fault(Record):
    """One scripted fault for the `nth` new order, 1-based; `code` matters for REJECT only."""

    nth: int
    kind: FaultKind
    code: str = "scripted_reject"


class FaultScript:
    """Faults by the number of the order they meet; each is used once."""

    def __init__(self) -> None:
        self._faults: dict[int, Fault] = {}
        self.attempts = 0

    def add(self, fault: Fault) -> None:
        assert fault.nth >= 1 and fault.nth not in self._faults
        self._faults[fault.nth] = fault

    def next(self) -> Fault | None:
        """Count one attempt and return its fault."""
        self.attempts += 1
        return self._faults.pop(self.attempts, None)
