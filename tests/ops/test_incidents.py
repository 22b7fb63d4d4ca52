"""A halt opens an incident that keeps the moment; what people found is added and never changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.api.incidents import NOTES_FILE, incident_view, list_incidents, show_incident
from engine.api.views import EventsView
from engine.core import Core
from engine.ops.incidents import IncidentBook
from safety.audit import verify_log
from safety.killbyte import KillLevel
from safety.reasons import Refusal
from tests.ops.cores import make_core


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    made = make_core(tmp_path / "home")
    yield made
    made.store.close()


def kill(core: Core, level: KillLevel = KillLevel.HALT_ALL) -> None:
    core.kill.trip(level, by="ada", reason="it looked wrong", source="console")
    core.sync_kill_hold()


def halted(core: Core) -> tuple[IncidentBook, str]:
    book = IncidentBook(core)
    assert not book.look({})
    kill(core)
    views = {"events": EventsView(seq=7, at_ns=1, rows=core.events.page())}
    return book, book.look(views)


def test_a_halt_opens_one_incident_with_the_views_and_the_audit_range(core: Core) -> None:
    book, name = halted(core)
    assert name and not book.look({}), "a halt that goes on is one incident"
    found = show_incident(core.paths.home, name)
    assert (found.status, found.by, found.reason, found.kill_level) == (
        "open",
        "ada",
        "it looked wrong",
        "halt_all",
    )
    assert found.audit_from <= found.audit_to < core.audit.seq
    assert found.audit_head in core.paths.audit.read_text()
    view = incident_view(core.paths.home, name, "events")
    assert view["seq"] == 7 and view["rows"]
    with pytest.raises(LookupError, match="no view"):
        incident_view(core.paths.home, name, "orders")


def test_close_only_opens_none_and_a_halt_found_at_the_start_is_not_a_new_one(core: Core) -> None:
    book = IncidentBook(core)
    kill(core, KillLevel.CLOSE_ONLY)
    assert not book.look({})
    kill(core)
    assert not IncidentBook(core).look({}) and book.look({})


def test_notes_are_added_by_name_and_a_closed_incident_stays_closed(core: Core) -> None:
    book, name = halted(core)
    assert book.note(name, "ada", "the feed\x1b[31m died", closes=False).status == "noted"
    closed = book.note(name, "ben", "mended", closes=True)
    assert closed.status == "closed" and [(n.by, n.text) for n in closed.notes] == [
        ("ada", "the feed[31m died"),
        ("ben", "mended"),
    ]
    for incident_id, text, code in (
        (name, "more", "incident_closed"),
        (name, "  ", "reason_required"),
        ("I-20260101T000000Z-1", "x", "not_found"),
        ("../../etc", "x", "not_found"),
    ):
        with pytest.raises(Refusal) as refused:
            book.note(incident_id, "ada", text, closes=False)
        assert refused.value.code == code
    assert verify_log(core.disk, core.paths.audit).ok


def test_a_resume_leaves_no_incident_without_a_note(core: Core) -> None:
    book, name = halted(core)
    book.resumed("ben", "looked at everything")
    (found,) = list_incidents(core.paths.home)
    assert found.status == "noted" and found.notes[0].text == "resumed: looked at everything"
    book.resumed("ben", "again")
    assert len(show_incident(core.paths.home, name).notes) == 1


def test_a_note_torn_by_a_crash_counts_for_nothing(core: Core) -> None:
    _, name = halted(core)
    (core.paths.incidents / name / NOTES_FILE).write_bytes(b'{"at":"2026')
    assert show_incident(core.paths.home, name).status == "open"
