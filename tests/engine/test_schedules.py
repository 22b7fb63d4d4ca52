"""A failing job pauses its schedule and rings; only a named operator with a reason resumes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.api.commands import JobBody, RunStart, ScheduleAct, ScheduleAdd
from engine.api.run_views import JobRow
from engine.core import Core
from engine.daemon import Seams, build_core
from engine.jobs import Jobs
from engine.schedules import ALARM, Schedules
from safety.canonical import changed
from safety.killbyte import KillByte
from safety.reasons import Refusal
from seams.clock import FixedClock
from seams.disk import RealDisk
from seams.rng import Rng

RUN = RunStart(strategy="ema_cross", data="demo/BTC-USD/1h")


class FakeJobs(Jobs):
    """Jobs that end as they are told to."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.told: list[JobRow] = []
        self.refusal: Refusal | None = None

    async def start(self, body: JobBody, operator: str) -> str:
        if self.refusal is not None:
            raise self.refusal
        job_id = f"job_{len(self.told):08x}"
        self.told.append(
            JobRow(job_id=job_id, kind="run", what="", operator=operator, state="running", started_ns=1)
        )
        return job_id

    def rows(self) -> tuple[JobRow, ...]:
        return tuple(self.told)

    def end(self, state: str, message: str = "") -> None:
        self.told[-1] = changed(self.told[-1], state=state, message=message)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def core(tmp_path: Path, clock: FixedClock) -> Core:
    return build_core(Seams(clock, None, Rng(1), RealDisk()), tmp_path, {}, KillByte.anonymous())


@pytest.fixture
def jobs(core: Core) -> FakeJobs:
    return FakeJobs(core)


@pytest.fixture
async def schedules(core: Core, jobs: FakeJobs) -> Schedules:
    made = Schedules(core, jobs)
    made.add(ScheduleAdd(name="hourly", every_minutes=60.0, run=RUN), "ada")
    await made.tend()
    return made


def rings(core: Core) -> bool:
    return any(row.code == ALARM for row in core.alarms.rows())


async def test_it_starts_at_once_and_then_as_often_as_asked(
    schedules: Schedules, jobs: FakeJobs, clock: FixedClock
) -> None:
    assert len(jobs.told) == 1 and jobs.told[0].operator == "schedule:hourly"
    await schedules.tend()
    jobs.end("finished")
    for _ in range(3):
        await schedules.tend()
    assert len(jobs.told) == 1, "not before it is due"
    clock.advance(3_601)
    await schedules.tend()
    assert len(jobs.told) == 2 and schedules.rows()[0].runs == 2
    clock.advance(7_200)
    await schedules.tend()
    assert len(jobs.told) == 2, "never two of one schedule at once"


@pytest.mark.parametrize("state", ["failed", "aborted", "gone"])
async def test_a_job_that_did_not_finish_pauses_and_rings_until_a_person_resumes(
    schedules: Schedules, jobs: FakeJobs, core: Core, clock: FixedClock, state: str
) -> None:
    if state == "gone":
        jobs.told.clear()
    else:
        jobs.end(state, "no bars")
    await schedules.tend()
    (row,) = schedules.rows()
    assert row.state == "paused" and rings(core)
    assert ("not known" if state == "gone" else "no bars") in row.why
    clock.advance(86_400)
    await schedules.tend()
    assert len(jobs.told) == (0 if state == "gone" else 1), "nothing starts by itself"
    with pytest.raises(Refusal, match="reason_required"):
        schedules.act(ScheduleAct(name="hourly", act="resume"), "ada", " ")
    schedules.act(ScheduleAct(name="hourly", act="resume"), "ada", "data repaired")
    await schedules.tend()
    assert jobs.told[-1].state == "running" and schedules.rows()[0].state == "active"


async def test_what_cannot_start_pauses_and_a_full_house_waits(
    schedules: Schedules, jobs: FakeJobs, clock: FixedClock
) -> None:
    jobs.end("finished")
    await schedules.tend()
    clock.advance(3_601)
    jobs.refusal = Refusal("session_exists", "4 jobs run already")
    await schedules.tend()
    assert schedules.rows()[0].state == "active"
    jobs.refusal = Refusal("invalid_request", "the job cannot be kept")
    await schedules.tend()
    assert schedules.rows()[0].state == "paused"


async def test_schedules_and_their_pauses_outlive_the_engine(
    schedules: Schedules, jobs: FakeJobs, core: Core
) -> None:
    jobs.end("failed", "x")
    await schedules.tend()
    again = Schedules(core, jobs)
    assert again.rows() == schedules.rows() and again.rows()[0].state == "paused"
    again.act(ScheduleAct(name="hourly", act="remove"), "ada", "")
    assert again.rows() == () == Schedules(core, jobs).rows()


def test_what_is_no_schedule_is_refused(core: Core, jobs: FakeJobs) -> None:
    made = Schedules(core, jobs)
    for name, minutes in (("Bad Name", 5.0), ("", 5.0), ("ok", 0.5), ("ok", float("nan"))):
        with pytest.raises(Refusal, match="invalid_request"):
            made.add(ScheduleAdd(name=name, every_minutes=minutes, run=RUN), "ada")
    made.add(ScheduleAdd(name="ok", every_minutes=5.0, run=RUN), "ada")
    with pytest.raises(Refusal, match="invalid_request"):
        made.add(ScheduleAdd(name="ok", every_minutes=5.0, run=RUN), "ada")
    for act in ("explode", "resume"):
        with pytest.raises(Refusal):
            made.act(ScheduleAct(name="ok", act=act), "ada", "")
    with pytest.raises(Refusal, match="not_found"):
        made.act(ScheduleAct(name="none", act="pause"), "ada", "")
