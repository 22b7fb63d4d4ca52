"""Steps of a runbook are ticked by name with what was seen, and stay with the corridor session (QL-117)."""

from __future__ import annotations

import io
import json
import tarfile
from importlib import resources
from pathlib import Path

import msgspec
import pytest

from console.cli import link
from console.cli.app import run
from engine.api import submits
from engine.api.corridor import RunbookSteps, RunbookTick
from engine.corridor import runbook
from engine.corridor.pack import pack
from engine.corridor.runbook import FILE, book_of, steps_of
from safety.reasons import Refusal
from tests.corridor.test_corridor import Hall
from tests.corridor.test_corridor import hall as hall

TEXT = """# A book

## Steps

1. Look here,
   and there:

       a command

2. Decide.

### And then

What stands here belongs to no step.

    neither does this

1. Once more.

## Verify

1. Not a step.
"""


def test_steps_are_read_whole_and_end_at_the_next_heading() -> None:
    assert steps_of(TEXT) == ("Look here, and there: a command", "Decide.", "Once more.")
    assert steps_of("# No steps\n") == ()


def test_every_shipped_runbook_has_steps_that_can_be_ticked() -> None:
    books = [each for each in resources.files("runbooks").iterdir() if each.name.endswith(".md")]
    assert len(books) > 20
    for book in books:
        assert len(steps_of(book.read_text(encoding="utf-8"))) >= 3, book.name


def test_a_session_is_worked_by_its_venues_runbook() -> None:
    assert [book_of(venue) for venue in ("kraken", "hyperliquid", "sandbox")] == [
        "corridor-kraken",
        "corridor-hyperliquid",
        "corridor",
    ]


async def test_a_tick_stands_with_the_session_over_a_restart_and_on_the_record(hall: Hall) -> None:
    session_id = await hall.opened()
    made = hall.desk.tick(RunbookTick(session_id=session_id, step=1), "ann", "opened, nothing refused")
    assert made.book == "corridor" and made.steps[0].tick is not None
    assert (made.steps[0].tick.by, made.steps[0].tick.note) == ("ann", "opened, nothing refused")
    assert made.next is not None and made.next.number == 2
    hall.desk.tick(RunbookTick(session_id=session_id, step=2, book="ambiguous-order"), "bob", "asked twice")
    await hall.restart()
    own, other = hall.desk.show(session_id).runbooks
    assert own == made and (other.book, other.next and other.next.number) == ("ambiguous-order", 1)
    core = hall.house.custody.core
    bodies = [json.loads(line)["body"] for line in core.disk.read(core.paths.audit).splitlines()]
    texts = [str(each.get("text")) for each in bodies if each.get("text")]
    assert any(f"{session_id} corridor 1: opened, nothing refused" in each for each in texts)
    pack(hall.root, hall.root, session_id, "", core.disk)
    archive = core.disk.read(hall.root / session_id / "evidence.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert f"runbook/{FILE}" in tar.getnames()


async def test_a_second_tick_of_a_step_is_kept_and_the_newest_is_shown(hall: Hall) -> None:
    session_id = await hall.opened()
    for note in ("looked", "looked again"):
        hall.desk.tick(RunbookTick(session_id=session_id, step=3), "ann", note)
    step = hall.desk.show(session_id).runbooks[0].steps[2]
    assert step.tick is not None and step.tick.note == "looked again"
    kept = json.loads(hall.house.disk.read(hall.root / session_id / FILE))["ticks"]
    assert [each["note"] for each in kept] == ["looked", "looked again"]


@pytest.mark.parametrize(
    ("step", "book", "operator", "note", "code"),
    [
        (0, "", "ann", "seen", "not_found"),
        (99, "", "ann", "seen", "not_found"),
        (1, "no-such-book", "ann", "seen", "not_found"),
        (1, "../README", "ann", "seen", "not_found"),
        (1, "", "", "seen", "operator_required"),
        (1, "", "ann", " ", "reason_required"),
    ],
)
async def test_what_is_no_evidence_is_no_tick(
    hall: Hall, step: int, book: str, operator: str, note: str, code: str
) -> None:
    session_id = await hall.opened()
    with pytest.raises(Refusal) as refused:
        hall.desk.tick(RunbookTick(session_id=session_id, step=step, book=book), operator, note)
    assert refused.value.code == code and not hall.house.disk.exists(hall.root / session_id / FILE)


async def test_a_session_that_is_not_there_takes_no_tick(hall: Hall) -> None:
    for session_id in ("X-none", "../../etc"):
        with pytest.raises(Refusal, match="not_found"):
            hall.desk.tick(RunbookTick(session_id=session_id, step=1), "ann", "seen")


async def test_a_step_whose_words_changed_is_open_again(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    session_id = await hall.opened()
    hall.desk.tick(RunbookTick(session_id=session_id, step=1), "ann", "seen")
    monkeypatch.setattr(runbook, "_text", lambda book: TEXT)
    (book,) = hall.desk.show(session_id).runbooks
    assert [each.tick for each in book.steps] == [None] * 3


async def test_a_file_that_is_not_what_was_written_is_told(hall: Hall) -> None:
    session_id = await hall.opened()
    hall.desk.tick(RunbookTick(session_id=session_id, step=1), "ann", "seen")
    hall.house.disk.write_atomic(hall.root / session_id / FILE, b"{}")
    with pytest.raises(Refusal, match="artifact_altered"):
        hall.desk.show(session_id)
    with pytest.raises(Refusal, match="artifact_altered"):
        hall.desk.tick(RunbookTick(session_id=session_id, step=2), "ann", "seen")


async def test_the_command_ticks_and_shows(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    session_id = await hall.opened()
    sent: list[tuple[RunbookTick, str, str]] = []

    def act(body: RunbookTick, kind: type[RunbookSteps], *, operator: str, reason: str) -> RunbookSteps:
        sent.append((body, operator, reason))
        return hall.desk.tick(body, operator, reason)

    monkeypatch.setattr(link, "act", act)
    assert run(("runbook", "tick", session_id, "2", "--operator", "ann")) == 2 and not sent
    assert "what was done and seen" in capsys.readouterr().err
    words = ("runbook", "tick", session_id, "2", "--operator", "ann", "--reason", "the key cannot withdraw")
    assert run(words) == 0
    said = capsys.readouterr().out
    assert "corridor: 1 of 8" in said and "the key cannot withdraw" in said
    assert sent == [(RunbookTick(session_id=session_id, step=2), "ann", "the key cannot withdraw")]
    monkeypatch.setenv("INTERLOCK_HOME", str(hall.house.custody.core.paths.home))
    monkeypatch.setattr(submits, "RealDisk", lambda: hall.house.disk)
    assert run(("runbook", "steps", session_id, "--json")) == 0
    shown = json.loads(capsys.readouterr().out)["runbooks"]
    assert msgspec.convert(shown, tuple[RunbookSteps, ...]) == hall.desk.show(session_id).runbooks
