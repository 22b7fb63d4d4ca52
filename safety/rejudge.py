"""Judge a journalled snapshot again: the verdict must be the one on the record (I29)."""

from __future__ import annotations

import msgspec

from safety.facts import AccountFacts, Preflight
from safety.intent import ExecutionIntent, ExecutionPolicy
from safety.preflight import preflight
from safety.reasons import Refusal
from venues.types import Instrument


def rejudge(*, intent: str, facts: str, policy: str, instrument: str) -> Preflight:
    """Return the verdict on four texts of canonical JSON.

    Raises `Refusal("journal_damaged")` where one does not read, such as a record of another version.
    """
    try:
        return preflight(
            msgspec.json.decode(intent, type=ExecutionIntent),
            msgspec.json.decode(facts, type=AccountFacts),
            msgspec.json.decode(policy, type=ExecutionPolicy),
            msgspec.json.decode(instrument, type=Instrument | None),
        )
    except msgspec.MsgspecError as error:
        raise Refusal("journal_damaged", f"a judgement does not read: {error}") from error
