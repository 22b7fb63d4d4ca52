"""Refusals that are about our key and no order: with it nothing is placed any more, and nothing cancelled.

The first one holds the venue's account durably: what is left are cancels and the operator's flatten, which
are asked for as ever and tell again that they are refused. The hold names the key; it ends when a named
operator resumes, or when the venue proves another key.
"""

from __future__ import annotations

from engine.core import STORAGE_FAILURES, Core
from engine.latches import KEY_DEAD as KEY_DEAD
from engine.latches import latch, unlatch
from safety.interlock import Clearance, HoldLevel
from safety.text import clean
from venues.contract import Refused
from venues.standing import ABOUT_THE_KEY as ABOUT_THE_KEY
from venues.standing import Standing

PROVING = frozenset({"agent", "user", "api key"})
"""Roles by which a venue says that it takes a key."""


def note_refusal(core: Core, signer: str, venue: str, refusal: Refused, what: str) -> None:
    """Ring and hold where a refusal of `what` says that the venue does not take our key."""
    if refusal.code in ABOUT_THE_KEY:
        note_dead(core, signer, venue, f"{what}: {refusal}")


def note_dead(core: Core, signer: str, venue: str, said: str) -> None:
    """Ring and hold: the venue does not take this key."""
    said = clean(said, 200)
    latch(core, KEY_DEAD, signer, HoldLevel.HALT, said)
    core.alarm(KEY_DEAD, signer, venue, said)


def is_key_dead(core: Core) -> bool:
    """Tell whether a venue's refusal of our key holds."""
    return any(hold.code == KEY_DEAD for hold in core.interlock.holds)


def judge_standing(core: Core, standing: Standing, before: Standing | None = None) -> None:
    """Take what the venue says of our keys: one that has ended is dead, and a proved one replaces a dead one.

    So is one that it refuses, and one that it knew at the look `before` and knows no more: a removed agent
    has no end to pass. A key that was refused is not proved by the venue knowing it still: a person looks at
    that.
    """
    proved = {key.public for key in before.keys if key.role in PROVING} if before is not None else set()
    for key in standing.keys:
        if key.refused:
            said = f"our standing: {key.refused}: the key for {key.name}: {key.said}"
            note_dead(core, standing.signer, standing.venue, said)
            return
        if key.valid_until_ns and key.valid_until_ns <= standing.at_ns:
            note_dead(core, standing.signer, standing.venue, f"the key for {key.name} has ended")
            return
        if key.role not in PROVING and key.public in proved:
            said = f"the venue knows the key for {key.name} no more: {key.public} is {key.role!r}"
            note_dead(core, standing.signer, standing.venue, said)
            return
    if not standing.keys or any(key.role not in PROVING for key in standing.keys):
        return
    family = standing.signer.partition(":")[0] + ":"
    for hold in core.interlock.holds:
        if hold.code == KEY_DEAD and hold.subject.startswith(family) and hold.subject != standing.signer:
            said = f"{standing.venue} takes {standing.signer}"
            try:
                unlatch(core, KEY_DEAD, hold.subject, Clearance(evidence=said))
            except STORAGE_FAILURES as error:
                core.halt(error, KEY_DEAD)
                return
            core.calm(KEY_DEAD, hold.subject)
            core.note("hold_cleared", standing.venue, f"{KEY_DEAD} {hold.subject}: {said}")
