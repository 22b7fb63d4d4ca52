"""Every code is explained, and every pointer into the runbooks arrives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from safety_builders import fields_of, policy

from engine.trading.key_trouble import ABOUT_THE_KEY
from runbooks import list_runbooks
from safety import interlock
from safety.alarm_codes import ALARMS
from safety.reasons import REASONS, SAME, Refusal, anchor, explain, to_markdown
from safety.rules import RULES, Rule
from safety.rules import to_markdown as policy_markdown

DOCS = Path(__file__).parents[2] / "docs"
RUNBOOKS = DOCS.parent / "runbooks"
HEADING = re.compile(r"^### (\S+)$", re.MULTILINE)


@pytest.mark.parametrize(
    "pointer", sorted(row.runbook for table in (REASONS, ALARMS) for row in table.values())
)
def test_every_code_points_at_a_heading_that_exists(pointer: str) -> None:
    book, _, heading = pointer.partition("#")
    assert heading in HEADING.findall((RUNBOOKS / book).read_text())


@pytest.mark.parametrize("name", list_runbooks())
def test_a_runbook_has_its_parts_and_no_heading_without_a_code(name: str) -> None:
    text = (RUNBOOKS / name).read_text()
    parts = ["Situation", "First look", "Steps", "Verify", "If it does not work", "Codes"]
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == parts
    known = {anchor(code) for code in (*REASONS, *ALARMS)}
    headings = HEADING.findall(text)
    assert set(headings) <= known and len(headings) == len(set(headings))


def test_the_reference_document_is_the_generated_one() -> None:
    assert (DOCS / "reason-codes.md").read_text() == to_markdown(), (
        "python -m safety.reasons > docs/reason-codes.md"
    )


def test_the_policy_document_is_the_generated_one() -> None:
    assert (DOCS / "policy.md").read_text() == policy_markdown(), "python -m safety.rules > docs/policy.md"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_every_rule_says_its_control_its_bounds_and_its_correction(rule: Rule) -> None:
    assert rule.controls and rule.says and REASONS[rule.code].correction
    assert set(rule.bounds) <= set(fields_of(policy()))


def test_every_control_of_the_list_that_judges_an_order_has_a_rule() -> None:
    named = {word for rule in RULES for word in rule.controls.replace(",", " ").split()}
    assert {f"C{number}" for number in range(1, 21)} <= named


def test_every_rule_has_one_reason() -> None:
    codes = [rule.code for rule in RULES]
    assert len(codes) == len(set(codes)) and set(codes) <= set(REASONS)


@pytest.mark.parametrize("source", sorted(Path(interlock.__file__).parent.glob("*.py")), ids=lambda p: p.name)
def test_every_refusal_in_this_room_names_a_known_code(source: Path) -> None:
    used = re.findall(r'Refusal\(\s*"(\w+)"', source.read_text())
    assert set(used) <= set(REASONS)


def test_every_refusal_of_engine_and_adapters_names_a_known_code() -> None:
    """A code without a row is no refusal at all: it ends the command with a traceback."""
    root = Path(interlock.__file__).parents[1]
    sources = [
        p for room in ("engine", "venues") for p in (root / room).rglob("*.py") if "sandbox" not in p.parts
    ]
    used = {code: p.name for p in sources for code in re.findall(r'Refusal\(\s*"(\w+)"', p.read_text())}
    assert len(used) > 50 and not used.keys() - set(REASONS), used


def test_an_unexplained_code_cannot_be_raised_and_a_foreign_one_is_shown_as_the_venues() -> None:
    with pytest.raises(AssertionError):
        Refusal("made_up")
    assert explain("51008").code == "venue_rejected"


def test_alarms_are_ranked_and_say_what_to_do() -> None:
    for alarm in ALARMS.values():
        assert alarm.priority in (1, 2, 3) and alarm.on_delay_s >= 0 and alarm.deadband_s >= 0
        assert all((alarm.title, alarm.consequence, alarm.respond_within, alarm.first_action))


def test_a_venues_refusal_of_a_key_is_not_explained_by_size_price_or_margin() -> None:
    for code in ABOUT_THE_KEY - {"not_permitted"}:
        assert explain(code).code == "key_dead", code
    assert explain("insufficient_funds").code == "insufficient_available_balance"
    assert explain("market_closed").runbook.startswith("venue-maintenance.md")
    assert explain("no_such_code").code == "venue_rejected"
    assert set(SAME.values()) <= set(REASONS) and not set(SAME) & set(REASONS)
