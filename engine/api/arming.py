"""Arming, as people ask for it and see it: two steps before real money moves."""

from __future__ import annotations

from venues.types import Record


class ArmAsk(Record, tag="arm_ask"):
    """The first step: the venue may be looked at. Refused with everything that stands against it."""


class ArmConfirm(Record, tag="arm_confirm"):
    """The second step: the typed phrase, and the hash of the first. Where two persons are needed, another
    person with a key of their own."""

    hash: str
    phrase: str


class Disarm(Record, tag="disarm"):
    """No new risk from now on; anyone may."""


class ArmShow(Record, tag="arm_show"):
    """Ask how arming stands, with every condition."""


class ArmCondition(Record):
    """One condition: its code, whether it holds, what was seen, and what to do."""

    code: str
    ok: bool
    said: str
    correction: str = ""


class ArmingView(Record):
    """How arming stands. `state` is not_needed, disarmed, asked, armed or tended; `until_ns` is when that
    ends. `phrase` is what the second step types, `hash` what it is bound to; both empty before the first."""

    state: str
    mode: str
    environment: str
    venue: str
    account: str
    needs_two: bool
    conditions: tuple[ArmCondition, ...] = ()
    hash: str = ""
    phrase: str = ""
    asked_by: str = ""
    armed_by: str = ""
    reason: str = ""
    until_ns: int = 0

    @property
    def failing(self) -> tuple[ArmCondition, ...]:
        return tuple(each for each in self.conditions if not each.ok)


ArmBody = ArmAsk | ArmConfirm | Disarm
