"""The table of controls is what the code has, and the assessment says what its tests said."""

from __future__ import annotations

import ast
import importlib
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest

from engine.config.settings import Settings
from safety.alarm_codes import ALARMS
from safety.intent import ExecutionIntent, ExecutionPolicy
from safety.reasons import REASONS
from safety.rules import RULES
from tests.assurance.assessment import ROOT, _outcomes, assess, to_markdown
from tests.assurance.controls import CONTROLS, Control, State

each = pytest.mark.parametrize("control", CONTROLS, ids=lambda row: f"C{row.number}")
ALSO_EXPLAINED = {"config_mutated", "verify_stale"}
"""Blockers of a promotion: they are said in `interlock gates`."""


@cache
def _tests_of(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return frozenset(node.name for node in tree.body if isinstance(node, kinds))


def test_the_thirty_five_stand_once_and_in_order() -> None:
    assert [row.number for row in CONTROLS] == list(range(1, 36))


@each
def test_what_carries_a_control_out_can_be_imported(control: Control) -> None:
    assert control.where
    for place in control.where:
        module, _, name = place.partition(":")
        found: object = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)


@each
def test_its_settings_exist_and_are_on_by_default(control: Control) -> None:
    for key in control.settings:
        block, _, name = key.partition(".")
        value = getattr(getattr(Settings(), block), name)
        assert value or key == "risk.blocked_symbols", f"{key} is {value!r}"


@each
def test_its_codes_are_explained(control: Control) -> None:
    assert set(control.codes) <= {*REASONS, *ALARMS} | ALSO_EXPLAINED


@each
def test_its_tests_are_there(control: Control) -> None:
    assert control.tests
    for name in control.tests:
        path, _, function = name.partition("::")
        assert function in _tests_of(path), name


@each
def test_what_lacks_is_said_and_nothing_lacks_where_it_is_present(control: Control) -> None:
    assert bool(control.lacks) is (control.state is not State.PRESENT)


def test_the_document_is_the_generated_one() -> None:
    written = (ROOT / "docs" / "controls.md").read_text(encoding="utf-8")
    assert written == to_markdown(), "python -m tests.assurance > docs/controls.md"


def test_every_control_of_a_rule_is_in_its_row() -> None:
    """A rule that says it carries out a control names its code there, and the other way round."""
    rows = {f"C{row.number}": row for row in CONTROLS}
    for rule in RULES:
        for word in rule.controls.replace(",", " ").split():
            if word in rows and rule.code not in rows[word].codes:
                said = {code for code in rows[word].codes if code in {each.code for each in RULES}}
                assert said, f"{rule.code} says {word}, whose row names no rule"


def test_the_assessment_says_of_each_control_what_its_tests_said() -> None:
    everything = {name: True for row in CONTROLS for name in row.tests}
    whole = assess(everything, {})
    present = [row for row in CONTROLS if row.state is State.PRESENT]
    assert whole["shown"] == len(present) < len(CONTROLS) or len(present) == len(CONTROLS)
    broken = CONTROLS[0].tests[0]
    users = [row for row in present if broken in row.tests]
    assert assess({**everything, broken: False}, {})["shown"] == len(present) - len(users)
    del everything[broken]
    assert assess(everything, {})["shown"] == len(present) - len(users), "a test that did not run is no proof"


def test_one_failed_or_skipped_case_fails_the_whole_test() -> None:
    text = """<testsuites><testsuite>
      <testcase classname="tests.a.test_b" name="test_c[1]"/>
      <testcase classname="tests.a.test_b" name="test_c[2]"><skipped/></testcase>
      <testcase classname="tests.a.test_b" name="test_d"/>
      <testcase classname="tests.a.test_b" name="test_e"><failure/></testcase>
    </testsuite></testsuites>"""
    assert _outcomes(ElementTree.fromstring(text)) == {
        "tests/a/test_b.py::test_c": False,
        "tests/a/test_b.py::test_d": True,
        "tests/a/test_b.py::test_e": False,
    }


OFF_BY_DEFAULT = {"allows_override": "one ticket, two persons, an alarm: safety.override"}
"""Settings that let a refusal be passed over at all -> within which bounds."""


def test_no_switch_skips_a_rule() -> None:
    """No setting, field or rule offers to bypass; the one exception there is, is off unless configured."""
    words = ("bypass", "skip_check", "skip_rule", "override", "force_allow", "disable_rule")
    settings = {name: value for _, block in Settings() for name, value in block}
    for name, value in settings.items():
        if any(word in name for word in words):
            assert name in OFF_BY_DEFAULT and value is False, name
    fields = {*ExecutionPolicy.__struct_fields__, *ExecutionIntent.__struct_fields__}
    assert not [name for name in fields if any(word in name for word in words)]
    for path in sorted(Path(ROOT, "safety").glob("rule*.py")):
        assert not [word for word in words if word in path.read_text(encoding="utf-8")], path.name
