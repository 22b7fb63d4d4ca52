"""May a supervised pass leave its evidence: by credentials' sources, and never by their values."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from console.cli.app import run
from engine.api.submits import evidence_readiness
from engine.api.submits_views import EvidenceReadiness
from safety.reasons import Refusal

WHOLE = {"venue": "hyperliquid", "account": "0xacc", "key": "0xsigner", "secret": "s3cr3t-canary"}


def judged(
    home: Path, fields: dict[str, str] | None, corridor: str = "auto", mode: int = 0o600
) -> EvidenceReadiness:
    environ = {}
    if fields is not None:
        path = home / "key.json"
        path.write_bytes(msgspec.json.encode(fields))
        path.chmod(mode)
        environ = {"INTERLOCK_EXECUTION__VENUE_KEY_FILE": str(path)}
    return evidence_readiness(home, environ, corridor)


def test_a_whole_key_file_is_ready_and_its_values_are_nowhere_in_the_artifact(tmp_path: Path) -> None:
    made = judged(tmp_path, WHOLE)
    assert (made.resolved_corridor, made.ready_for_evidence_pass) == ("hyperliquid", True)
    written = (tmp_path / "outputs" / "broker_evidence_readiness.json").read_bytes()
    assert msgspec.json.decode(written, type=EvidenceReadiness) == made
    assert not any(value.encode() in written for value in (WHOLE["secret"], WHOLE["key"], WHOLE["account"]))


def test_without_a_key_everything_that_blocks_is_named(tmp_path: Path) -> None:
    made = judged(tmp_path, None)
    assert made.resolved_corridor == "" and not made.ready_for_evidence_pass
    assert set(made.blocking_reasons) == {
        "no_ready_broker_corridor",
        "missing_hyperliquid_private_key",
        "missing_hyperliquid_execution_account_id",
        "missing_hyperliquid_signer_id",
        "missing_kraken_api_key",
        "missing_kraken_api_secret",
    }


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("secret", "missing_hyperliquid_private_key"),
        ("account", "missing_hyperliquid_execution_account_id"),
        ("key", "missing_hyperliquid_signer_id"),
    ],
)
def test_each_missing_credential_has_its_own_reason(tmp_path: Path, field: str, reason: str) -> None:
    made = judged(tmp_path, {**WHOLE, field: ""}, "hyperliquid")
    assert made.blocking_reasons == ("no_ready_broker_corridor", reason)


def test_auto_takes_the_corridor_whose_key_is_there_and_a_named_one_stays(tmp_path: Path) -> None:
    kraken = {"venue": "kraken", "account": "", "key": "K", "secret": "s"}
    assert judged(tmp_path, kraken).resolved_corridor == "kraken"
    other = judged(tmp_path, kraken, "hyperliquid")
    assert other.resolved_corridor == "hyperliquid" and not other.ready_for_evidence_pass


def test_a_key_that_others_can_read_is_no_key(tmp_path: Path) -> None:
    made = judged(tmp_path, WHOLE, mode=0o644)
    assert made.credential_problem == "secret_exposed" and not made.ready_for_evidence_pass


def test_a_corridor_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="invalid_request"):
        judged(tmp_path, None, "bitget")


def test_the_command_line_says_why_it_is_blocked_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path))
    assert run(("evidence", "readiness")) == 1
    said = capsys.readouterr().out
    assert "why: execution.venue_key_file is not set" in said and "to do: name that venue's key file" in said
    key = tmp_path / "key.json"
    key.write_bytes(msgspec.json.encode(WHOLE))
    key.chmod(0o600)
    monkeypatch.setenv("INTERLOCK_EXECUTION__VENUE_KEY_FILE", str(key))
    assert run(("evidence", "readiness", "--corridor", "kraken")) == 1
    assert "why: the key file is of another venue" in capsys.readouterr().out
    assert run(("evidence", "readiness")) == 0
    assert "ready: hyperliquid" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("evidence", "pack", "X-9-9999"), "interlock submit ls"),
        (("submit", "show", "X-9-9999"), "interlock submit ls"),
        (("dry-run", "show", "D-1"), "interlock dry-run list"),
        (("incidents", "show", "I-20260101T000000Z-1"), "no incident"),
    ],
)
def test_what_is_not_there_is_said_with_where_to_look(
    words: tuple[str, ...],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path))
    assert run(words) == 1
    said = capsys.readouterr().err
    assert words[-1] in said and told in said
