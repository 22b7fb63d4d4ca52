"""What people must have looked at before a strategy meets real money, and when their word counts.

Pure: ticks, notes and times are passed in. A tick is bound to the hash of one candidate, a note to the hash
of one session's evidence: of anything else neither says a word. Both run out with time (I25).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from safety.canonical import digest
from seams.clock import NS_PER_S
from venues.types import Record

MAX_AGE_DAYS = 30
"""How long a tick or a drill counts (QL-116)."""
MAX_AGE_NS = MAX_AGE_DAYS * 86_400 * NS_PER_S

CHECKLIST: Mapping[str, str] = {
    "paper_rationale": "the paper results are understood: why it earns, and when it loses",
    "risk_limits": "micro caps, loss limit and drawdown limit were read and fit this account",
    "allow_lists": "venues, strategies and symbols that are allowed are only those that are meant",
    "venue_key": "the venue's key trades this account only, and cannot withdraw",
    "stop_control": "whoever is on duty has killed, flattened and resumed on the rehearsal desk",
    "alert_receipt": "a test alarm was received by a person who is awake while it trades",
    "account_clean": "the account holds nothing of another hand, and agrees with the venue",
    "way_back": "who may demote or roll back is named, and both were tried",
}
"""Item -> what its tick says. What a machine can judge is not here: that is computed (QL-90)."""


class Candidate(Record):
    """What would be promoted. Another byte of code or configuration is another candidate (I25)."""

    strategy: str
    config_id: str
    strategy_sha256: str
    kernel_sha256: str
    settings_sha256: str

    @property
    def hash(self) -> str:
        return digest(self)


class Tick(Record):
    """A named person's word on one item. `seq` and `sha256` are those of its audit record.

    With `is_withdrawn` it takes every word on the item before it back.
    """

    strategy: str
    item: str
    candidate: str
    operator: str
    principal: str
    note: str
    at_ns: int
    seq: int
    sha256: str
    is_withdrawn: bool = False


class CloseOut(Record):
    """A named person's note on a session that is over. `evidence` is the hash of what the session left."""

    session_id: str
    evidence: str
    operator: str
    principal: str
    note: str
    at_ns: int
    seq: int
    sha256: str


def tick_problem(item: str, candidate: str, ticks: Sequence[Tick], now_ns: int) -> str:
    """Return why an item does not count for a candidate: unticked, other_candidate or stale; else nothing.

    `ticks` are those of the candidate's strategy, oldest first. One dated in the future counts as stale.
    """
    standing: list[Tick] = []
    for tick in ticks:
        if tick.item == item:
            standing = [] if tick.is_withdrawn else [*standing, tick]
    said = next((tick for tick in reversed(standing) if candidate and tick.candidate == candidate), None)
    if said is None:
        return "other_candidate" if standing else "unticked"
    return "" if 0 <= now_ns - said.at_ns <= MAX_AGE_NS else "stale"


def note_problem(session_id: str, evidence: str, notes: Mapping[str, CloseOut]) -> str:
    """Return why a session's close-out note does not count: missing, other_evidence; empty where it does."""
    found = notes.get(session_id)
    if found is None:
        return "missing"
    return "" if evidence and found.evidence == evidence else "other_evidence"
