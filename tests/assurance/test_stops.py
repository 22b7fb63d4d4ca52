"""The table of stop conditions is what the interlock, the code and the tests have."""

from __future__ import annotations

import importlib

import pytest

from safety.interlock import HOLDS
from tests.assurance.assessment import ROOT
from tests.assurance.stops import STOPS, Stop, to_markdown
from tests.assurance.test_controls import _tests_of


def test_every_hold_has_a_condition_that_raises_it() -> None:
    assert {row.hold for row in STOPS if row.hold} == set(HOLDS)


@pytest.mark.parametrize("stop", STOPS, ids=lambda row: row.condition)
def test_what_raises_it_can_be_imported_and_its_tests_are_there(stop: Stop) -> None:
    module, _, name = stop.where.partition(":")
    found: object = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    assert stop.tests
    for test in stop.tests:
        path, _, function = test.partition("::")
        assert function in _tests_of(path), test


def test_the_document_is_the_generated_one() -> None:
    written = (ROOT / "docs" / "stop-conditions.md").read_text(encoding="utf-8")
    assert written == to_markdown(), "python -m tests.assurance.stops > docs/stop-conditions.md"
