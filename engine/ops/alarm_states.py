"""The life of an alarm as one table, after ISA-18.2: what stands, what was seen, what must be reset."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Phase(StrEnum):
    """Where an alarm is. The two LATCH phases look the same; they differ in whether a person saw it."""

    NORMAL = "normal"
    UNACK = "unack"
    ACKED = "acked"
    RTN_UN = "rtn_un"
    LATCH_UN = "latch_un"
    LATCH_ACKED = "latch_acked"


class Trigger(StrEnum):
    """What happens to an alarm."""

    RING = "ring"
    """The condition appeared (or came back after its deadband)."""
    RETURN = "return"
    """The condition came back within its deadband: shown, but it does not ring again."""
    CLEAR = "clear"
    CLEAR_LATCHED = "clear_latched"
    ACK = "ack"
    RESET = "reset"


TRANSITIONS: Mapping[tuple[Phase, Trigger], Phase] = {
    (Phase.NORMAL, Trigger.RING): Phase.UNACK,
    (Phase.NORMAL, Trigger.RETURN): Phase.ACKED,  # nothing gets back to normal unseen
    (Phase.UNACK, Trigger.CLEAR): Phase.RTN_UN,
    (Phase.UNACK, Trigger.CLEAR_LATCHED): Phase.LATCH_UN,
    (Phase.UNACK, Trigger.ACK): Phase.ACKED,
    (Phase.ACKED, Trigger.CLEAR): Phase.NORMAL,
    (Phase.ACKED, Trigger.CLEAR_LATCHED): Phase.LATCH_ACKED,
    (Phase.RTN_UN, Trigger.RING): Phase.UNACK,
    (Phase.RTN_UN, Trigger.RETURN): Phase.UNACK,
    (Phase.RTN_UN, Trigger.ACK): Phase.NORMAL,
    (Phase.LATCH_UN, Trigger.RING): Phase.UNACK,
    (Phase.LATCH_UN, Trigger.RETURN): Phase.UNACK,
    (Phase.LATCH_UN, Trigger.ACK): Phase.LATCH_ACKED,
    (Phase.LATCH_UN, Trigger.RESET): Phase.NORMAL,
    (Phase.LATCH_ACKED, Trigger.RING): Phase.UNACK,
    (Phase.LATCH_ACKED, Trigger.RETURN): Phase.ACKED,
    (Phase.LATCH_ACKED, Trigger.RESET): Phase.NORMAL,
}
"""What is not in the table changes nothing: a reset does not touch a condition that still stands."""

SHOWN: Mapping[Phase, str] = {
    Phase.NORMAL: "NORMAL",
    Phase.UNACK: "UNACK",
    Phase.ACKED: "ACKED",
    Phase.RTN_UN: "RTN-UN",
    Phase.LATCH_UN: "LATCH",
    Phase.LATCH_ACKED: "LATCH",
}
"""Phase -> the state word of `AlarmRow`."""

ACTIVE = frozenset({Phase.UNACK, Phase.ACKED})
UNSEEN = frozenset({Phase.UNACK, Phase.RTN_UN, Phase.LATCH_UN})


def after(phase: Phase, trigger: Trigger) -> Phase:
    """Return the phase that follows."""
    return TRANSITIONS.get((phase, trigger), phase)


def phase_of(*, state: str, is_acked: bool) -> Phase:
    """Return the phase of a remembered alarm."""
    if state == "LATCH":
        return Phase.LATCH_ACKED if is_acked else Phase.LATCH_UN
    found = [phase for phase, shown in SHOWN.items() if shown == state]
    assert len(found) == 1, f"no such alarm state: {state}"
    return found[0]
