"""The past console's rooms that ask: incidents and drills as of the instant, and what is not on record."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from console.tui.app import InterlockApp
from console.tui.past import PastGateway
from console.tui.widgets.lines import Lines
from engine.api.commands import ScheduleList, Schedules
from engine.api.drills import DrillList, Drills
from engine.api.home import HomePaths
from engine.api.incidents import (
    INCIDENT_FILE,
    NOTES_FILE,
    TIMELINE_FILE,
    Incident,
    IncidentDetail,
    IncidentList,
    IncidentNote,
    Incidents,
    IncidentShow,
)
from engine.api.past import Frame, Packer, file_name
from engine.api.views import EventRow
from engine.ops.drill_evidence import Drill, Goal, keep, seal
from safety.canonical import changed
from seams.clock import NS_PER_S, iso_z
from seams.disk import RealDisk
from seams.net import NoAnswer
from tests.console import desk_fixture as desk
from tests.console.snaps import Compare, Step

OPENED_NS = desk.ago(300)
INCIDENT = Incident(
    incident_id="I-20261121T030907Z-412", opened_at=iso_z(OPENED_NS), opened_ns=OPENED_NS, epoch=7,
    level="halt", kill_level="halt_all", cause="kill", by="mara", reason="quotes looked frozen",
    audit_from=380, audit_to=412, audit_head="5d" * 32, views=(),
)  # fmt: skip
NOTE = IncidentNote(at=iso_z(desk.ago(120)), by="ops2", kind="note", text="the venue confirmed an outage")
CLOSE = IncidentNote(at=iso_z(desk.ago(30)), by="mara", kind="close", text="feed moved to the second link")
KERNEL = desk.status().kernel_sha256
DRILL = Drill(
    kind="kill", scope="rehearsal", ok=True, problem="", operator="ops2", reason="monthly",
    began_ns=desk.ago(200), goals=(Goal(name="kill_ms", value=12.0, at_most=250.0, is_met=True),), facts={},
    engine_version="0.1.0", commit="0" * 40, kernel_sha256=KERNEL,
)  # fmt: skip


def record(home: Path, at_ns: int = desk.NOW_NS) -> PastGateway:
    """A record of the fixture's desk from ten minutes ago, with an incident and a drill in its files."""
    start_ns = desk.ago(600)
    frames = [
        Frame(at_ns=start_ns, name=str(number), body=msgspec.json.encode(view))
        for number, view in enumerate(desk.desk_views())
    ]
    paths, disk = HomePaths(home), RealDisk()
    paths.past.mkdir(parents=True)
    (paths.past / file_name(start_ns, 7)).write_bytes(Packer().pack(frames))
    folder = paths.incidents / INCIDENT.incident_id
    folder.mkdir(parents=True)
    (folder / INCIDENT_FILE).write_bytes(msgspec.json.encode(INCIDENT))
    (folder / NOTES_FILE).write_bytes(b"".join(msgspec.json.encode(n) + b"\n" for n in (NOTE, CLOSE)))
    rows = (
        EventRow(seq=1, at_ns=desk.ago(301), kind="kill", actor="mara", text="halt_all latched"),
        EventRow(seq=2, at_ns=desk.ago(100), kind="alarm_ack", actor="ops2", text="kill_latched desk"),
    )
    (folder / TIMELINE_FILE).write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    keep(paths.outputs, disk, seal(DRILL, None))
    keep(paths.outputs, disk, seal(changed(DRILL, kind="flatten", began_ns=desk.ago(-60)), None))
    made = PastGateway(home, at_ns, desk.OPERATOR, INCIDENT.incident_id)
    return made


async def told(home: Path, at_ns: int, body: Any, kind: type) -> Any:
    gateway = record(home) if not HomePaths(home).past.exists() else PastGateway(home, at_ns, "mara")
    gateway.clock.at_ns = at_ns
    gateway._kernel = KERNEL
    return await gateway.query(body, kind)


@pytest.mark.parametrize(
    ("before_s", "status", "notes", "rows"), [(300, "open", 0, 1), (100, "noted", 1, 2), (0, "closed", 2, 2)]
)
async def test_an_incident_is_shown_with_what_was_known_of_it_then(
    tmp_path: Path, before_s: int, status: str, notes: int, rows: int
) -> None:
    at_ns = desk.ago(before_s)
    (found,) = (await told(tmp_path, at_ns, IncidentList(), Incidents)).rows
    assert (found.status, len(found.notes)) == (status, notes)
    detail = await told(tmp_path, at_ns, IncidentShow(incident_id=found.incident_id), IncidentDetail)
    assert (detail.incident, len(detail.timeline)) == (found, rows)


async def test_what_was_not_there_yet_or_leaves_no_record_is_said_so(tmp_path: Path) -> None:
    before_ns = desk.ago(301)
    assert (await told(tmp_path, before_ns, IncidentList(), Incidents)).rows == ()
    with pytest.raises(NoAnswer, match=r"not on record: I-.* was opened at"):
        await told(tmp_path, before_ns, IncidentShow(incident_id=INCIDENT.incident_id), IncidentDetail)
    with pytest.raises(NoAnswer, match="not on record: no incident I-none"):
        await told(tmp_path, desk.NOW_NS, IncidentShow(incident_id="I-none"), IncidentDetail)
    with pytest.raises(NoAnswer, match="not on record"):
        await told(tmp_path, desk.NOW_NS, ScheduleList(), Schedules)


async def test_drills_count_as_they_counted_then(tmp_path: Path) -> None:
    def problems(found: Drills) -> dict[str, str]:
        return {row.kind: row.problem for row in found.rows}

    absent = {"kill": "absent", "dead-man": "absent", "flatten": "absent"}
    assert problems(await told(tmp_path, desk.ago(201), DrillList(), Drills)) == absent
    then = await told(tmp_path, desk.NOW_NS, DrillList(), Drills)
    assert problems(then) == {**absent, "kill": ""}, "the one of tomorrow is not known yet"
    assert then.rows[0].days_left == 30.0 and then.at_ns == desk.NOW_NS
    later = await told(tmp_path, desk.NOW_NS + 31 * 86_400 * NS_PER_S, DrillList(), Drills)
    assert problems(later) == {"kill": "stale", "dead-man": "absent", "flatten": "stale"}


async def shown(pilot: Pilot[Any], app: InterlockApp, pane: str, words: str) -> str:
    """Wait for words in a pane; return what it says."""
    for _ in range(100):
        await asyncio.sleep(0.02)
        app.paint()
        said = " ".join(app.desktop.query_one(pane, Lines).plain().split())
        if words in said:
            return said
    raise AssertionError(said)


async def test_the_rooms_follow_the_instant(tmp_path: Path) -> None:
    gateway = record(tmp_path, desk.ago(119))
    app = desk.make_app(gateway, is_readonly=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause(0.2)
        await pilot.press("i")
        await shown(pilot, app, "#room-incidents #facts", "the venue confirmed an outage")
        await pilot.press("[", "[")
        said = await shown(pilot, app, "#room-incidents #facts", "nobody has said what it was")
        assert "NOT EXPLAINED" in said
        await pilot.press("x")
        await shown(pilot, app, "#room-drill #live", "BLOCKED by 2")
        await pilot.press("{", "{")
        await shown(pilot, app, "#room-drill #live", "BLOCKED by 3")


def opened(key: str, pane: str, words: str) -> Step:
    async def run(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, InterlockApp)
        await pilot.pause(0.2)
        await pilot.press(key)
        await shown(pilot, app, pane, words)
        await pilot.pause()

    return run


ROOMS = {
    "incidents": opened("i", "#room-incidents #facts", "noted"),
    "drills": opened("x", "#room-drill #live", "BLOCKED by 2"),
    "corridor": opened("o", "#message", "not on record"),
}


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 50)], ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("name", ROOMS)
def test_a_room_of_the_past(snap_compare: Compare, name: str, size: tuple[int, int], tmp_path: Path) -> None:
    app = desk.make_app(record(tmp_path, desk.ago(60)), is_readonly=True)
    assert snap_compare(app, terminal_size=size, run_before=ROOMS[name])


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_of_the_past_without_colour(
    snap_compare: Compare, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = desk.make_app(record(tmp_path, desk.ago(60)), is_readonly=True, is_utf8=False)
    assert snap_compare(app, terminal_size=(80, 24), run_before=ROOMS[name])
