"""What holds for every command: help with an example, `--json`, exit codes, clean text."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from console.cli import exit_codes, origin, output
from console.cli.app import NOUNS, noun_of
from console.cli.reference import commands
from safety.reasons import REASONS

from .conftest import Shell
from .fake_engine import FakeEngine

WORDS = [words for words, _ in commands()]
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("words", WORDS)
def test_every_command_teaches_by_an_example_and_speaks_json(words: str, shell: Shell) -> None:
    answer = shell(*words.split(), "--help")
    assert answer.code == 0
    assert "Example: interlock " in answer.out
    assert "--json" in answer.out


@pytest.mark.parametrize("noun", NOUNS)
def test_every_noun_has_help(noun: str, shell: Shell) -> None:
    assert shell(noun, "-h").code == 0


def test_every_action_of_the_console_has_a_command() -> None:
    actions = pytest.importorskip("console.actions").ACTIONS
    known = {f"interlock {words}" for words, _ in commands(with_aliases=True)}
    assert {action.cli for action in actions if action.cli} <= known


def test_every_example_names_a_command_that_exists() -> None:
    for words, command in commands():
        text = " ".join(command.help.split())
        example = text.partition("Example: interlock ")[2]
        assert example.startswith(words), f"{words}: {example}"


def test_every_mapped_reason_code_is_known() -> None:
    unknown = set(exit_codes.BY_REASON) - exit_codes.OWN_REASONS - set(REASONS)
    assert unknown == set()
    assert set(exit_codes.MEANING) == set(exit_codes.ExitCode)
    assert exit_codes.exit_code("kill_switch_active") is exit_codes.ExitCode.REFUSED


@pytest.mark.parametrize(
    ("code", "status"),
    [("checks_failed", 1), ("invalid_config", 2), ("not_permitted", 5), ("ticket_hash_mismatch", 6)],
)
def test_a_refusal_exits_with_the_code_of_its_reason(
    code: str, status: int, shell: Shell, engine: FakeEngine
) -> None:
    engine.refusal = code
    answer = shell("orders", "cancel", "O-1", "--json")
    assert answer.code == status
    assert answer.body == {
        "schema_version": 1, "ok": False, "code": code, "message": "no", "correction": "do otherwise",
    }  # fmt: skip


def test_no_engine_is_three_and_silence_is_four(shell: Shell, engine: FakeEngine) -> None:
    engine.is_silent = True
    assert shell("orders", "cancel", "O-1").code == 4
    engine.is_down = True
    answer = shell("status")
    assert answer.code == 3
    assert answer.out == "" and "interlock engine start" in answer.err


def test_a_home_without_an_engine_is_unreachable(shell: Shell) -> None:
    answer = shell("positions", "--json")
    assert answer.code == 3
    assert answer.body["code"] == "engine_unreachable"


def test_wrong_usage_is_two_and_json_errors_go_to_stdout(shell: Shell) -> None:
    answer = shell("tickets", "approve", "T-1", "--json")
    assert answer.code == 2 and answer.body["code"] == "usage"
    assert "--hash" in str(answer.body["message"])
    assert shell("no-such-noun").code == 2
    assert shell("run", "start", "--strategy", "x", "--data", "y", "--set", "fast").code == 2


@pytest.mark.parametrize(
    "words",
    ["status", "health", "positions", "orders ls", "alarms ls", "tickets ls", "tickets show T-1",
     "gates", "events",
     "paper list", "paper show P-1", "paper health", "status --capabilities", "runbook ls"],
)  # fmt: skip
def test_json_is_one_ascii_object_with_a_schema_version(words: str, shell: Shell, engine: FakeEngine) -> None:
    answer = shell(*words.split(), "--json")
    assert answer.code == 0
    assert answer.body["ok"] is True and answer.body["schema_version"] == 1
    assert answer.out.isascii() and "\x1b" not in answer.out and answer.out.count("\n") == 1


def test_text_from_outside_cannot_steer_the_terminal(shell: Shell, engine: FakeEngine) -> None:
    answer = shell("tickets", "show", "T-1")
    assert "\x1b" not in answer.out and "\u202e" not in answer.out
    assert output.cell("a\x1b[2Jb\n\u2066c") == "a[2Jb c"


def test_health_that_is_not_well_fails(shell: Shell, engine: FakeEngine) -> None:
    engine.healthy = False
    assert shell("health").code == 1


def test_watch_prints_json_lines_and_stops(shell: Shell, engine: FakeEngine) -> None:
    answer = shell("watch", "--jsonl", "--view", "status", "--seconds", "0.05")
    assert answer.code == 0
    assert json.loads(answer.out.splitlines()[0])["view"] == "status"


def test_version_equals_metadata_and_the_version_file(shell: Shell) -> None:
    written = (ROOT / "VERSION").read_text().strip()
    assert shell("--version").out == f"interlock {written}\n"
    assert shell("--version", "--json").body["version"] == written
    if any(metadata.distributions(name="interlock")):
        assert metadata.version("interlock") == written


def test_check_is_json_and_its_status_is_its_exit_code(shell: Shell) -> None:
    answer = shell("--check")
    wanted = {"status", "project_root", "interpreter", "venv_active", "interlock_import", "python_version",
              "version", "errors"}  # fmt: skip
    assert wanted == set(json.loads(answer.out))
    assert answer.code == (2 if answer.body["errors"] else 0)
    assert (answer.body["status"] == "error") is bool(answer.body["errors"])


def test_check_reports_a_broken_installation_and_exits_with_two(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.cli.installation.OURS", ("native.no_such_part",))
    answer = shell("--check")
    assert answer.code == 2 and "native.no_such_part" in str(answer.body["errors"])


def test_a_package_from_elsewhere_is_refused(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = {**origin.roots(), "safety": Path("/elsewhere")}
    monkeypatch.setattr(origin, "roots", lambda: elsewhere)
    answer = shell("status", "--json")
    assert answer.code == 2 and answer.body["code"] == "foreign_package"


def test_only_the_needed_noun_is_loaded() -> None:
    assert noun_of(["--home", "kill", "tickets", "ls"]) == "tickets"
    assert noun_of(["--json"]) is None
    heavy = "textual numpy h5py pyarrow sqlalchemy rich"
    code = (
        "import sys; sys.argv = ['interlock', 'kill', '--help']\n"
        "import interlock\n"
        "try: interlock.main()\n"
        "except SystemExit: pass\n"
        f"print('heavy:', [name for name in '{heavy}'.split() if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.endswith("heavy: []\n")
