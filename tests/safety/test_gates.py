"""When a person's tick or note counts: for its candidate and its evidence, and not for ever."""

from __future__ import annotations

import msgspec
import pytest

from safety.canonical import changed
from safety.gates import MAX_AGE_NS, Candidate, CloseOut, Tick, note_problem, tick_problem

CANDIDATE = Candidate(
    strategy="cross",
    config_id="c1",
    strategy_sha256="5" * 64,
    kernel_sha256="k" * 64,
    settings_sha256="s" * 64,
)
TICK = Tick(
    strategy="cross", item="risk_limits", candidate=CANDIDATE.hash, operator="ann", principal="", note="read",
    at_ns=1_000, seq=7, sha256="a" * 64,
)  # fmt: skip
NOTE = CloseOut(
    session_id="PS-1",
    evidence="e" * 64,
    operator="ann",
    principal="",
    note="calm",
    at_ns=1,
    seq=8,
    sha256="b" * 64,
)
GONE = changed(TICK, is_withdrawn=True)


@pytest.mark.parametrize(
    ("ticks", "age_ns", "problem"),
    [
        ((), 0, "unticked"),
        ((TICK,), 0, ""),
        ((TICK,), MAX_AGE_NS, ""),
        ((TICK,), MAX_AGE_NS + 1, "stale"),
        ((TICK,), -1, "stale"),
        ((TICK, GONE), 0, "unticked"),
        ((TICK, GONE, TICK), 0, ""),
        ((changed(TICK, item="venue_key"),), 0, "unticked"),
        ((changed(TICK, candidate="f" * 64),), 0, "other_candidate"),
        ((changed(TICK, candidate="f" * 64), TICK), 0, ""),
        ((TICK, changed(TICK, candidate="f" * 64)), 0, ""),
        ((TICK, changed(GONE, candidate="f" * 64)), 0, "unticked"),
        ((TICK, changed(TICK, at_ns=-MAX_AGE_NS)), 0, "stale"),
    ],
)
def test_a_tick_counts_for_its_candidate_until_it_is_withdrawn_or_stale(
    ticks: tuple[Tick, ...], age_ns: int, problem: str
) -> None:
    assert tick_problem("risk_limits", CANDIDATE.hash, ticks, TICK.at_ns + age_ns) == problem


def test_no_tick_counts_where_there_is_no_candidate() -> None:
    assert (
        tick_problem("risk_limits", "", (TICK, changed(TICK, candidate="")), TICK.at_ns) == "other_candidate"
    )


@pytest.mark.parametrize("field", Candidate.__struct_fields__)
def test_every_field_of_a_candidate_makes_another_one(field: str) -> None:
    other = msgspec.structs.replace(CANDIDATE, **{field: "other"})  # type: ignore[type-var]
    assert other.hash != CANDIDATE.hash
    assert tick_problem("risk_limits", other.hash, (TICK,), TICK.at_ns) == "other_candidate"


def test_a_note_counts_for_the_evidence_it_was_written_on() -> None:
    notes = {"PS-1": NOTE}
    assert note_problem("PS-1", "e" * 64, notes) == ""
    assert note_problem("PS-1", "f" * 64, notes) == "other_evidence"
    assert note_problem("PS-1", "", {"PS-1": changed(NOTE, evidence="")}) == "other_evidence"
    assert note_problem("PS-2", "e" * 64, notes) == "missing"
