"""Codes in the kernel's records: what was done, why, and which gate said no."""

from __future__ import annotations

from enum import IntEnum, IntFlag


class Action(IntEnum):
    """What a decision record says."""

    OPEN = 1
    CLOSE = 2
    EXIT_IN_BAR = 3
    BLOCKED = 4
    DROPPED = 5
    WITHDRAWN = 6
    REJECTED = 7
    LIQUIDATED = 8


class Reason(IntEnum):
    """Why; the lower-case name is the reason code in intents, fills and trades."""

    NONE = 0
    SIGNAL_LONG = 1
    SIGNAL_SHORT = 2
    SIGNAL_FLAT = 3
    STOP = 4
    TRAILING_STOP = 5
    TARGET = 6
    DATA_REFUSED = 7
    EXTERNAL = 8
    PARTIAL_TARGET = 9
    TIME_EXIT = 10
    LIQUIDATION = 11
    END_OF_DATA = 12

    @property
    def code(self) -> str:
        return self.name.lower()


class Gate(IntFlag):
    """Gates for entries. All are evaluated and recorded, none ever blocks an exit."""

    WARMUP = 1
    OUTSTANDING = 2
    DATA = 4
    SIZE = 8
    PAUSED = 16
    ENVELOPE = 32
    REGIME = 64
    COOLDOWN = 128
    CAPACITY = 256
    MARGIN = 512
    GAP = 1024
    LIQUIDATED = 2048
    EXPOSURE = 4096
    HEAT = 8192
    INTERLOCK = 16384


CONTROLLED_GATES = (
    Gate.WARMUP | Gate.PAUSED | Gate.ENVELOPE | Gate.REGIME | Gate.COOLDOWN | Gate.CAPACITY | Gate.INTERLOCK
)
"""Gates the engine may set from outside with `Kernel.set_gate`."""
