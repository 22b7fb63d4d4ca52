"""Generated documents equal what the code says; commands in prose exist."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.cli import capabilities
from console.cli.reference import commands, to_markdown, with_status

ROOT = Path(__file__).resolve().parents[2]
PROSE = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "runbooks").glob("*.md"),
    ]
)
KNOWN = dict(commands(with_aliases=True))
GLOBALS = {"--home", "--version", "--check", "--json", "--help"}


def _spoken(text: str) -> Iterator[str]:
    """Yield the `interlock ...` command lines in code spans and code blocks."""
    for line in text.splitlines():
        match = re.match(r"^(?: {4}|\$ )?(interlock( .*)?)$", line)
        if match:
            yield match[1]
        yield from re.findall(r"`(interlock[^`]*)`", line)


def _problem(line: str) -> str:
    """Say what is wrong with a command line, or nothing."""
    words = shlex.split(line.split("#")[0])[1:]
    while words and words[0].startswith("--"):
        if words.pop(0) == "--home":
            words.pop(0)
    if not words:
        return ""
    name = next((" ".join(words[:count]) for count in (3, 2, 1) if " ".join(words[:count]) in KNOWN), "")
    if not name:
        is_room = len(words) == 1 and any(known.startswith(f"{words[0]} ") for known in KNOWN)
        return "" if is_room else f"no such command: {line}"
    options = {name for parameter in KNOWN[name].params for name in parameter.opts} | GLOBALS
    unknown = [word for word in words if word.startswith("--") and word.partition("=")[0] not in options]
    return f"{line}: no option {', '.join(unknown)}" if unknown else ""


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_commands_in_prose_exist(path: Path) -> None:
    problems = [problem for line in _spoken(path.read_text(encoding="utf-8")) if (problem := _problem(line))]
    assert problems == []


def test_the_command_reference_is_generated() -> None:
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == to_markdown(), "run `make docs`"


def test_the_readme_shows_what_the_code_can_do() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme == with_status(readme), "run `make docs`"
    assert len(capabilities.rows()) == len({row["where"] for row in capabilities.rows()})


def test_the_readme_says_who_it_is_not_for_and_has_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "who it is not for" in readme and "promises no\nprofit" in readme
    assert re.findall(r"^make \w+", readme, re.MULTILINE) == ["make demo", "make test"]


def test_every_dependency_has_a_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[=<>!~ ]", line)[0] for line in wanted}
    table = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([\w.-]+)` \| (.+) \|$", table, re.MULTILINE))
    assert set(rows) == names
    assert all(len(reason) > 15 for reason in rows.values())


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_links_between_documents_hold(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8"))
    missing = [name for name in targets if "://" not in name and not (path.parent / name).exists()]
    assert missing == []


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_documents_name_no_machine_and_no_registry(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(work|root|home|Users)/|://[^\s)]*(pypi|index|simple)", text)


def test_decisions_are_short_and_numbered() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [path.name[:3] for path in records] == [f"{number:03d}" for number in range(1, len(records) + 1)]
    for path in records:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 30, path.name
        assert all(f"**{part}.**" in text for part in ("Context", "Choice", "Consequences")), path.name


def test_what_is_out_of_scope_is_said_and_is_no_dependency() -> None:
    said = (ROOT / "docs" / "adapters.md").read_text().partition("## Out of scope")[2]
    assert all(name in said for name in ("Bitget", "Binance", "Alpaca", "Interactive Brokers", "CCXT"))
    locked = (ROOT / "requirements.lock").read_text().lower().splitlines()
    assert len(locked) > 100 and not [line for line in locked if line.startswith("ccxt")]
