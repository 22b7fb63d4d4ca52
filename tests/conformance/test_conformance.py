"""Every case on every adapter."""

from __future__ import annotations

import pytest

from tests.conformance.cases import GROUPS
from tests.conformance.rigs import RIGS
from tests.conformance.suite import CASES, DENIALS, Need, run

LEAST_CASES = 90


@pytest.mark.parametrize("venue", RIGS)
@pytest.mark.parametrize("name", CASES)
def test_an_adapter_conforms(venue: str, name: str) -> None:
    run(CASES[name], RIGS[venue])


def test_the_suite_is_whole() -> None:
    assert len(CASES) >= LEAST_CASES
    assert {found.group for found in CASES.values()} == set(GROUPS)
    assert set(DENIALS) == set(Need), "whatever may be lacking can be shown to be refused"
