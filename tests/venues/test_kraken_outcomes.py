"""What an answer of no known form is called: unknown, and in words that show it."""

from __future__ import annotations

import pytest

from venues.kraken.outcomes import Proof, envelope_outcome


@pytest.mark.parametrize(
    ("envelope", "shown"),
    [(None, "null"), (True, "true"), ([], "[]"), ({"error": "busy"}, '{"error": "busy"}')],
)
def test_an_answer_that_is_no_envelope_is_unknown_and_shown_as_it_came(envelope: object, shown: str) -> None:
    outcome = envelope_outcome(envelope)
    assert (outcome.proof, outcome.code) == (Proof.UNKNOWN, "unreadable")
    assert outcome.said == f"no answer of the venue's form: {shown}"
