"""`interlock policy` and `limits`: exit codes that scripts may rely on, and every rule in the answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from console.cli.app import run
from safety.rules import RULES

ORDER = {
    "symbol": "BTC-PERP", "side": "buy", "quantity": "0.01", "order_type": "limit", "time_in_force": "gtc",
    "limit_price": "64000", "stop_loss": "63500",
}  # fmt: skip


def check(home: Path, text: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, object]]:
    file = home / "intent.json"
    file.write_text(text)
    code = run(["--home", str(home / "desk"), "policy", "check", "--file", str(file), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_an_order_within_the_policy_is_allowed_and_every_rule_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, made = check(tmp_path, json.dumps(ORDER), capsys)
    assert (code, made["allowed"], made["reasons"]) == (0, True, [])
    checks = made["checks"]
    assert isinstance(checks, list) and [row["name"] for row in checks] == [rule.code for rule in RULES]


def test_an_order_beyond_a_limit_is_refused_with_the_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, made = check(tmp_path, json.dumps({**ORDER, "quantity": "0.5"}), capsys)
    assert (code, made["allowed"], made["reasons"]) == (1, False, ["max_notional_exceeded"])
    checks = made["checks"]
    assert isinstance(checks, list)
    row = next(row for row in checks if row["name"] == "max_notional_exceeded")
    assert (row["after"], row["limit"], row["headroom"]) == ("32000", "25000", "0")
    file = tmp_path / "order.json"
    file.write_text(json.dumps({**ORDER, "quantity": "0.5"}), encoding="utf-8")
    assert run(["--home", str(tmp_path / "desk"), "policy", "check", "--file", str(file)]) == 1
    assert "refused: max_notional_exceeded" in capsys.readouterr().out.splitlines()


def test_an_incomplete_or_wrong_order_is_answered_with_its_correction(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for order, said in (
        ({**ORDER, "stop_loss": ""}, "MISSING_REQUIRED_FIELDS"),
        ({**ORDER, "quantity": 0.5}, "INVALID_FIELDS"),
    ):
        code, made = check(tmp_path, json.dumps(order), capsys)
        feedback = made["feedback"]
        assert code == 2 and isinstance(feedback, dict)
        assert feedback["error_code"] == said and feedback["corrective_action"]


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"side": NaN}', '{"side": "buy", "side": "sell"}', "x" * 70_000]
)
def test_what_is_no_order_is_wrong_usage(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, made = check(tmp_path, text, capsys)
    assert code == 2 and "feedback" not in made


def test_the_rules_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "rules", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rules"]
    assert len(rows) == len(RULES) and all(row["correction"] and row["runbook"] for row in rows)
