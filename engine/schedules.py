"""Research that starts by itself, again and again, until one run of it fails (QL-97).

A run that fails, or whose end is not known, pauses its schedule and rings. Nothing starts it again but a
named operator with a reason: what failed once unattended is looked at before it is repeated.
"""

from __future__ import annotations

import re

import msgspec

from engine.api import commands as c
from engine.core import Core
from engine.jobs import Jobs
from safety.canonical import changed
from safety.reasons import Refusal
from safety.text import clean
from seams.clock import NS_PER_S

ALARM = "schedule_paused"
PREFIX = "schedule:"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
MAX_SCHEDULES = 50
WORKING = ("running", "cancelling")


class Schedules:
    """The schedules of a desk, durable; `tend` is called about once a second and never waits."""

    def __init__(self, core: Core, jobs: Jobs) -> None:
        self._core, self._jobs = core, jobs
        kept = core.store.facts.under(PREFIX)
        rows = (msgspec.json.decode(text, type=c.ScheduleRow) for text in kept.values())
        self._rows = {row.name: row for row in rows}

    def rows(self) -> tuple[c.ScheduleRow, ...]:
        """Return every schedule, by name."""
        return tuple(self._rows[name] for name in sorted(self._rows))

    def add(self, wanted: c.ScheduleAdd, operator: str) -> c.ScheduleRow:
        """Begin a schedule; its first run starts at once. Raises `Refusal`."""
        if not NAME.fullmatch(wanted.name):
            raise Refusal(
                "invalid_request", "a schedule's name: small letters, digits and dashes, at most 40"
            )
        if wanted.name in self._rows or len(self._rows) >= MAX_SCHEDULES:
            raise Refusal("invalid_request", f"{wanted.name} exists, or there are {MAX_SCHEDULES} already")
        if not 1.0 <= wanted.every_minutes <= 525_600.0:
            raise Refusal("invalid_request", "every_minutes is from one minute to one year")
        row = c.ScheduleRow(
            name=wanted.name,
            every_minutes=wanted.every_minutes,
            run=wanted.run,
            operator=operator,
            state="active",
            next_ns=self._core.clock.now_ns(),
        )
        self._keep(row)
        self._core.note("schedule_added", operator, f"{row.name}: every {row.every_minutes:g} min")
        return row

    def act(self, wanted: c.ScheduleAct, operator: str, reason: str) -> c.ScheduleRow | None:
        """Pause, resume or remove a schedule; a resume needs a reason. Raises `Refusal`."""
        row = self._rows.get(wanted.name)
        if row is None:
            raise Refusal("not_found", f"no schedule {clean(wanted.name, 80)}")
        if wanted.act == "remove":
            del self._rows[row.name]
            self._core.store.facts.remove(PREFIX + row.name)
            self._core.calm(ALARM, row.name)
        elif wanted.act == "pause":
            row = self._keep(changed(row, state="paused", why=f"paused by {operator}"))
        elif wanted.act == "resume":
            if not clean(reason):
                raise Refusal("reason_required", "say why it is safe to run it again")
            row = self._keep(changed(row, state="active", why="", next_ns=self._core.clock.now_ns()))
            self._core.calm(ALARM, row.name)
        else:
            raise Refusal("invalid_request", "act is pause, resume or remove")
        self._core.note(f"schedule_{wanted.act}", operator, f"{wanted.name}: {reason or 'no reason given'}")
        return self._rows.get(wanted.name)

    async def tend(self) -> None:
        """See how running ones ended, and start what is due."""
        for row in self.rows():
            if row.job_id:
                self._follow(row)
            elif row.state == "active" and self._core.clock.now_ns() >= row.next_ns:
                await self._start(row)

    async def _start(self, row: c.ScheduleRow) -> None:
        try:
            job_id = await self._jobs.start(row.run, f"schedule:{row.name}")
        except Refusal as refusal:
            if refusal.code != "session_exists":  # all places are taken: it waits for one
                self._pause(row, f"could not start: {refusal}")
            return
        next_ns = self._core.clock.now_ns() + round(row.every_minutes * 60 * NS_PER_S)
        self._keep(changed(row, job_id=job_id, next_ns=next_ns, runs=row.runs + 1))

    def _follow(self, row: c.ScheduleRow) -> None:
        """Take note of how its job ended; only a whole success lets it go on."""
        job = next((each for each in self._jobs.rows() if each.job_id == row.job_id), None)
        if job is not None and job.state in WORKING:
            return
        ended = changed(row, job_id="", last_job_id=row.job_id)
        if job is not None and job.state == "finished":
            self._keep(ended)
        else:
            said = "its end is not known" if job is None else f"{job.state}: {job.message}"
            self._pause(ended, f"{row.job_id} {said}")

    def _pause(self, row: c.ScheduleRow, why: str) -> None:
        self._keep(changed(row, state="paused", why=clean(why, 300)))
        self._core.alarm(ALARM, row.name, "eng", why)

    def _keep(self, row: c.ScheduleRow) -> c.ScheduleRow:
        """Write a schedule down. Raises `StoreError`."""
        text = msgspec.json.encode(row).decode()
        self._core.store.facts.set(PREFIX + row.name, text, self._core.clock.now_ns())
        self._rows[row.name] = row
        return row
