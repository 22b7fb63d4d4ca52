"""The runbook of a corridor session: its steps, ticked by name with what was seen, and kept with the session.

`runbook.json` in the session's folder holds every tick, each with the step's own words; the audit record
holds them too. A step whose words were changed since is not ticked any more.
"""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import msgspec

from engine.api.corridor import RunbookStep, RunbookSteps, RunbookTick, StepTick
from engine.core import Core
from safety.reasons import Refusal
from safety.text import clean
from seams.clock import iso_z
from seams.disk import Disk
from venues.types import Record

FILE = "runbook.json"
GENERAL = "corridor"
MAX_SAID, MAX_NOTE, MAX_TICKS = 2_000, 500, 1_000
STEP = re.compile(r"\d{1,2}\. +(.*)")


class TickFile(Record):
    """`runbook.json`: every tick of one session, oldest first."""

    artifact_type: str
    session_id: str
    ticks: tuple[StepTick, ...]


def steps_of(markdown: str) -> tuple[str, ...]:
    """Return the numbered steps below the heading `Steps`, each on one line; a second list counts on."""
    found: list[str] = []
    is_open = False
    for line in markdown.partition("\n## Steps\n")[2].partition("\n## ")[0].splitlines():
        begun = STEP.fullmatch(line)
        if begun:
            found.append(begun[1].strip())
        elif is_open and line.startswith(" "):
            found[-1] += " " + line.strip()
        is_open = begun is not None or (is_open and (not line or line.startswith(" ")))
    return tuple(clean(each, MAX_SAID) for each in found)


def book_of(venue: str) -> str:
    """Return the runbook of a corridor at this venue."""
    own = f"{GENERAL}-{venue}"
    return own if own in _names() else GENERAL


def runbooks_of(folder: Path, venue: str, disk: Disk) -> tuple[RunbookSteps, ...]:
    """Return the venue's runbook and each other one that was worked by, with their ticks.

    Raises `Refusal` (artifact_altered) where the file is not what was written.
    """
    ticks = _read(folder, disk)
    books = dict.fromkeys([book_of(venue), *(each.book for each in ticks)])
    return tuple(_ticked(book, ticks) for book in books if book in _names())


def tick(core: Core, folder: Path, venue: str, asked: RunbookTick, operator: str, note: str) -> RunbookSteps:
    """Tick one step of a session's runbook. Raises `Refusal`: not_found, operator_required, reason_required,
    artifact_altered; `OSError`."""
    book, by, said = asked.book or book_of(venue), clean(operator, 80), clean(note, MAX_NOTE)
    if not by or not said:
        code = "reason_required" if by else "operator_required"
        raise Refusal(code, "say what was done and seen: a tick is evidence")
    steps = steps_of(_text(book)) if book in _names() else ()
    if not 1 <= asked.step <= len(steps):
        raise Refusal("not_found", f"{clean(book, 60)} has {len(steps)} steps; see interlock runbook ls")
    kept = _read(folder, core.disk)
    if len(kept) >= MAX_TICKS:
        raise Refusal("invalid_request", f"a session keeps {MAX_TICKS} ticks")
    made = StepTick(
        book=book,
        step=asked.step,
        said=steps[asked.step - 1],
        by=by,
        at=iso_z(core.clock.now_ns()),
        note=said,
    )
    found = TickFile(
        artifact_type="interlock.corridor.runbook", session_id=asked.session_id, ticks=(*kept, made)
    )
    core.note("runbook_step", by, f"{asked.session_id} {book} {asked.step}: {said}", step=made.said)
    core.disk.write_atomic(folder / FILE, msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    return _ticked(book, found.ticks)


def _ticked(book: str, ticks: tuple[StepTick, ...]) -> RunbookSteps:
    newest = {(each.step, each.said): each for each in ticks if each.book == book}
    return RunbookSteps(
        book=book,
        steps=tuple(
            RunbookStep(number=number, said=said, tick=newest.get((number, said)))
            for number, said in enumerate(steps_of(_text(book)), start=1)
        ),
    )


def _read(folder: Path, disk: Disk) -> tuple[StepTick, ...]:
    if not disk.exists(folder / FILE):
        return ()
    try:
        return msgspec.json.decode(disk.read(folder / FILE), type=TickFile).ticks
    except msgspec.MsgspecError as error:
        raise Refusal("artifact_altered", f"{FILE}: {error}") from None


def _names() -> frozenset[str]:
    entries = resources.files("runbooks").iterdir()
    return frozenset(each.name.removesuffix(".md") for each in entries if each.name.endswith(".md"))


def _text(book: str) -> str:
    return resources.files("runbooks").joinpath(f"{book}.md").read_text(encoding="utf-8")
