"""Where a strategy's lane stands, as one table: (state, observation) -> state (QX-41).

The table says what may follow what; `observed` says what a lane's facts amount to in a state. Nothing here
permits an order: levels do (`safety.interlock`). The state is what a person and a program read.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum

from safety.interlock import HoldLevel
from safety.killbyte import KillLevel
from safety.reasons import Refusal
from venues.types import Record


class StrategyState(IntEnum):
    """What a lane may be doing; the numbers are those of the shared state's byte."""

    VOID = 0
    """Its indicators have not yet seen enough bars."""
    VIGIL = 1
    """Flat, and free to enter."""
    ENGAGED = 2
    """Holds a position."""
    HEDGE = 3
    """Exits only: a hold or the kill switch forbids new risk."""
    HALT = 4
    """Nothing but cancels and an operator's flatten."""
    RECOVERY = 5
    """What the account holds is in doubt, or a halt was lifted: entries wait for proof."""


class Observation(StrEnum):
    """What was seen of a lane."""

    WARM = "warm"
    HOLDING = "holding"
    FLAT = "flat"
    RESTRICTED = "restricted"
    RELEASED = "released"
    HALTED = "halted"
    RESUMED = "resumed"
    DOUBTED = "doubted"
    PROVED = "proved"


_S, _O = StrategyState, Observation
TRANSITIONS: Mapping[tuple[StrategyState, Observation], StrategyState] = {
    (_S.VOID, _O.WARM): _S.VIGIL,
    (_S.VOID, _O.DOUBTED): _S.RECOVERY,
    (_S.VOID, _O.HALTED): _S.HALT,
    (_S.VIGIL, _O.HOLDING): _S.ENGAGED,
    (_S.VIGIL, _O.RESTRICTED): _S.HEDGE,
    (_S.VIGIL, _O.DOUBTED): _S.RECOVERY,
    (_S.VIGIL, _O.HALTED): _S.HALT,
    (_S.ENGAGED, _O.FLAT): _S.VIGIL,
    (_S.ENGAGED, _O.RESTRICTED): _S.HEDGE,
    (_S.ENGAGED, _O.DOUBTED): _S.RECOVERY,
    (_S.ENGAGED, _O.HALTED): _S.HALT,
    (_S.HEDGE, _O.RELEASED): _S.VIGIL,
    (_S.HEDGE, _O.DOUBTED): _S.RECOVERY,
    (_S.HEDGE, _O.HALTED): _S.HALT,
    (_S.HALT, _O.RESUMED): _S.RECOVERY,  # never straight back: what happened meanwhile is proved first
    (_S.RECOVERY, _O.PROVED): _S.VOID,  # begun anew, from nothing taken for granted
    (_S.RECOVERY, _O.HALTED): _S.HALT,
}
"""What is not in the table is no transition, and refused."""
MAX_WALK = 6
"""The longest way that one set of facts leads: HALT, RECOVERY, VOID, VIGIL, then ENGAGED or HEDGE."""


class StrategyFacts(Record):
    """What a lane's state follows from. `is_proved`: no order of it is unknown, its account reconciled."""

    is_warm: bool
    is_holding: bool
    is_proved: bool
    hold_level: HoldLevel | None
    kill_level: KillLevel | None


def after(state: StrategyState, observation: Observation) -> StrategyState:
    """Return the state that follows. Raises `Refusal("illegal_transition")` for what is not in the table."""
    found = TRANSITIONS.get((state, observation))
    if found is None:
        raise Refusal("illegal_transition", f"{state.name} does not answer {observation}")
    return found


def observed(state: StrategyState, facts: StrategyFacts) -> Observation | None:
    """Return what the facts amount to in a state; None where they keep it. An unknown level is a halt."""
    level = level_of(facts.hold_level, facts.kill_level)
    is_doubted = not facts.is_proved or level is HoldLevel.HYDRATING
    if state is _S.HALT:
        return None if level is HoldLevel.HALT else _O.RESUMED
    if level is HoldLevel.HALT:
        return _O.HALTED
    if state is _S.RECOVERY:
        return None if is_doubted else _O.PROVED
    if is_doubted:
        return _O.DOUBTED
    if state is _S.VOID:
        return _O.WARM if facts.is_warm or facts.is_holding else None
    if state is _S.HEDGE:
        return _O.RELEASED if level is HoldLevel.CLEAR else None
    if level is not HoldLevel.CLEAR:
        return _O.RESTRICTED
    if state is _S.VIGIL:
        return _O.HOLDING if facts.is_holding else None
    return None if facts.is_holding else _O.FLAT


def walk(state: StrategyState, facts: StrategyFacts) -> StrategyState:
    """Follow the table until the facts keep the state; they always do within `MAX_WALK` steps."""
    for _ in range(MAX_WALK):
        observation = observed(state, facts)
        if observation is None:
            return state
        state = after(state, observation)
    raise AssertionError(f"the strategy's states do not settle: {state.name} under {facts}")


def level_of(hold: HoldLevel | None, kill: KillLevel | None) -> HoldLevel:
    """Return the stricter of the interlock's level and the kill switch's; an unknown one is a halt."""
    if hold is None or kill is None:
        return HoldLevel.HALT
    return max(hold, KILL_HOLDS[kill])


KILL_HOLDS: Mapping[KillLevel, HoldLevel] = {
    KillLevel.CLEAR: HoldLevel.CLEAR,
    KillLevel.CLOSE_ONLY: HoldLevel.CLOSE_ONLY,
    KillLevel.HALT_ALL: HoldLevel.HALT,
}
"""What a kill level is as a hold."""
