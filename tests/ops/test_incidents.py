"""A halt opens an incident that keeps the moment; what people found is added and never changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.api.incidents import (
    NOTES_FILE,
    incident_detail,
    incident_report,
    incident_view,
    list_incidents,
    show_incident,
)
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


def test_a_halt_found_at_the_start_has_its_incident_or_gets_one(core: Core) -> None:
    book = IncidentBook(core)
    kill(core, KillLevel.CLOSE_ONLY)
    assert not book.look({}), "close_only by a person explains itself"
    kill(core)
    late = IncidentBook(core)  # the engine died between the latch and the look
    assert late.look({}) and not late.look({})
    assert not IncidentBook(core).look({}), "what an earlier engine opened is not opened again"


@pytest.mark.parametrize(
    ("code", "subject", "opener"),
    [("limits", "", "limits"), ("order_storm", "", "order_storm"), ("ambiguity", "account", "ambiguity")],
)
def test_what_asks_for_an_explanation_opens_one_that_holds_nothing(
    core: Core, code: str, subject: str, opener: str
) -> None:
    book = IncidentBook(core)
    core.interlock.raise_hold(code, subject=subject, since_ns=1, source="eng", evidence="it differs")
    name = book.look({})
    assert show_incident(core.paths.home, name).opener == opener and not book.without_note()
    assert not book.look({})


def test_a_dead_man_opens_one_and_an_order_in_doubt_does_not(core: Core) -> None:
    book = IncidentBook(core)
    core.interlock.raise_hold("ambiguity", subject="BTC-PERP", since_ns=1, source="eng", evidence="O-1")
    assert not book.look({})
    core.kill.trip(KillLevel.CLOSE_ONLY, by="watchdog", reason="no progress", source="watchdog")
    core.sync_kill_hold()
    assert show_incident(core.paths.home, book.look({})).opener == "dead_man"


def test_a_halt_holds_until_somebody_says_what_it_was(core: Core) -> None:
    book, name = halted(core)
    assert core.interlock.has("incident", name) and book.without_note() == (name,)
    assert IncidentBook(core).without_note() == (name,), "over a restart too"
    with pytest.raises(Refusal) as refused:
        book.demand_notes("ben", " ", {})
    assert refused.value.code == "incident_note_required"
    book.demand_notes("ben", "the feed had stopped", {})
    assert not core.interlock.has("incident", name)
    (found,) = list_incidents(core.paths.home)
    assert (found.status, found.notes[0].by, found.notes[0].text) == ("noted", "ben", "the feed had stopped")
    book.demand_notes("ben", "", {})
    assert len(show_incident(core.paths.home, name).notes) == 1 and not IncidentBook(core).without_note()


def test_a_resume_right_after_a_halt_does_not_come_before_its_incident(core: Core) -> None:
    book = IncidentBook(core)
    kill(core)
    with pytest.raises(Refusal, match="incident_note_required"):
        book.demand_notes("ben", "", {})
    assert len(list_incidents(core.paths.home)) == 1


def test_a_halt_right_after_a_resume_opens_an_incident_of_its_own(core: Core) -> None:
    """A limit that is still breached pulls again at once: before anybody has looked."""
    book, name = halted(core)
    book.demand_notes("ben", "a drill", {})
    core.kill.reset(operator="ben", reason="over", clean_reconciliation=True, unknown_orders=0)
    core.sync_kill_hold()
    book.note_resume()
    kill(core)
    assert book.look({}) not in ("", name)
    assert len(book.without_note()) == 1


def test_the_timeline_has_what_was_before_and_what_people_did(core: Core) -> None:
    core.note("order", "eng", "O-1 filled")
    book, name = halted(core)
    book.look({})
    core.note("alarm_ack", "ben", "kill_latched desk")
    book.note(name, "ben", "found it | all", closes=True)
    core.note("order", "eng", "long after")
    book.look({})
    detail = incident_detail(core.paths.home, name)
    told = [row.kind for row in detail.timeline]
    wanted = ["order", "incident_opened", "alarm_ack", "incident_close"]
    assert [kind for kind in told if kind in wanted] == wanted
    report = incident_report(detail)
    assert "found it / all" in report and detail.incident.audit_head in report


def test_an_incident_that_cannot_be_read_keeps_no_engine_from_starting(core: Core) -> None:
    _, name = halted(core)
    (core.paths.incidents / name / "incident.json").write_text("{")
    kinds = {row.kind for row in (IncidentBook(core), core.events.page())[1]}
    assert "incident_unreadable" in kinds


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


def test_a_note_torn_by_a_crash_counts_for_nothing(core: Core) -> None:
    _, name = halted(core)
    (core.paths.incidents / name / NOTES_FILE).write_bytes(b'{"at":"2026')
    assert show_incident(core.paths.home, name).status == "open"
