"""Queries: what observers and operators may ask. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast, get_args

import msgspec

from engine.api import commands as c
from engine.api import subjects
from engine.api import views as v
from engine.api.arming import ArmShow
from engine.api.corridor import SubmitList, Submits, SubmitShow
from engine.api.drills import Drills
from engine.api.incidents import (
    MAX_LISTED,
    IncidentList,
    Incidents,
    IncidentShow,
    incident_detail,
    list_incidents,
)
from engine.api.lab import LabQuery
from engine.api.order_judgement import OrderJudge
from engine.api.reconcile import FillsCompared
from engine.api.research import list_sessions
from engine.api.risk import RiskShow
from engine.api.run_views import RunsView, SessionRow
from engine.api.venues import VenueShow
from engine.arming import ArmingDesk, unarmed
from engine.core import Core
from engine.corridor.desk import CorridorDesk
from engine.desk import Desk
from engine.drop_copy import compare_fills
from engine.dry_judging import judge_order
from engine.jobs import Jobs
from engine.lab import Lab
from engine.portfolio_state import portfolio_state
from engine.replies import answer
from engine.research.index import RunScan
from engine.research.reading import run_row
from engine.risk_desk import risk_state
from engine.ticket_views import TicketSight, ticket_row
from engine.venue_desk import VenueDesk
from safety.reasons import Refusal
from safety.text import clean
from seams.net import Net
from venues.types import Record

SHOWN_RUNS, SHOWN_SESSIONS = 500, 200
NO_CORRIDOR = "this engine has no account in custody: mode live opens the corridor"


class Questions:
    """Everything that can be asked of this engine."""

    def __init__(self, core: Core, desk: Desk, jobs: Jobs, snapshot: Callable[[], dict[str, v.View]]) -> None:
        self.core, self.desk, self.jobs, self.snapshot = core, desk, jobs, snapshot
        self.lab = Lab(core)
        self.drills: Callable[[], Drills] = lambda: Drills(at_ns=core.clock.now_ns(), rows=())
        self.sinks: Callable[[], v.SinksView] = lambda: v.SinksView(at_ns=core.clock.now_ns(), rows=())
        self.schedules: Callable[[], tuple[c.ScheduleRow, ...]] = tuple
        self.corridor: CorridorDesk | None = None
        self.arming: ArmingDesk | None = None
        self.venue: VenueDesk | None = None
        self._scan = RunScan(core.paths.runs, core.disk)

    async def listen(self, net: Net) -> None:
        """Answer queries on this bus."""
        await net.subscribe(subjects.QUERY, self.on_query)

    async def close(self) -> None:
        await self.lab.close()

    async def on_query(self, _: str, body: bytes) -> bytes:
        """Answer a query; one that cannot be answered is told why."""
        try:
            query = msgspec.json.decode(body, type=c.Query)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return answer(self.core, "", Refusal("invalid_request", clean(str(error))))
        try:
            if isinstance(query.body, get_args(LabQuery)):
                found = await self.lab.ask(cast(LabQuery, query.body))
                return answer(self.core, query.request_id, None, found)
            if isinstance(query.body, FillsCompared):
                compared = await compare_fills(self.desk, query.body.since_ns)
                return answer(self.core, query.request_id, None, compared)
            if isinstance(query.body, OrderJudge):
                judged = await judge_order(self.core, self.desk, self.corridor, query.body)
                return answer(self.core, query.request_id, None, judged)
            if isinstance(query.body, VenueShow):
                return answer(self.core, query.request_id, None, await self._venue(query.body))
            return answer(self.core, query.request_id, None, self._ask(query.body))
        except Refusal as refusal:
            return answer(self.core, query.request_id, refusal)
        except LookupError as error:
            return answer(self.core, query.request_id, Refusal("not_found", clean(str(error))))
        except Exception as error:  # a view that cannot be built: say so, go on
            said = f"{type(error).__name__}: {error}"
            return answer(self.core, query.request_id, Refusal("invalid_request", clean(said)))

    async def _venue(self, body: VenueShow) -> Record:
        if self.venue is None:
            raise Refusal("mode_not_live", NO_CORRIDOR)
        return await self.venue.view(is_fresh=body.is_fresh)

    def _ask(self, body: c.QueryBody) -> Record:
        latest = self.snapshot()
        if isinstance(body, c.Snapshot):
            names = body.views or v.VIEW_NAMES
            return v.Views(views=tuple(latest[name] for name in names if name in latest))
        if isinstance(body, c.AlarmSinks):
            return self.sinks()
        if isinstance(body, c.ScheduleList):
            return c.Schedules(rows=self.schedules())
        if isinstance(body, c.DrillList):
            return self.drills()
        if isinstance(body, IncidentList):
            return Incidents(rows=list_incidents(self.core.paths.home)[:MAX_LISTED])
        if isinstance(body, IncidentShow):
            return incident_detail(self.core.paths.home, body.incident_id)
        if isinstance(body, ArmShow):
            return unarmed(self.core) if self.arming is None else self.arming.view()
        if isinstance(body, SubmitList):
            return (
                Submits(rows=(), problem=NO_CORRIDOR) if self.corridor is None else self.corridor.sessions()
            )
        if isinstance(body, SubmitShow):
            if self.corridor is None:
                raise Refusal("mode_not_live", NO_CORRIDOR)
            return self.corridor.show(body.session_id)
        if isinstance(body, RiskShow):
            return risk_state(self.core, self.desk.custody)
        if isinstance(body, c.Health):
            status = cast(v.StatusView, latest["status"])
            ok = all(part.state in ("ok", "off", "slow") for part in status.health)
            return v.HealthReport(ok=ok, level=status.level, parts=status.health)
        if isinstance(body, c.TicketShow):
            sight = TicketSight.of(self.core, self.desk.sessions)
            return ticket_row(self.core.tickets.get(body.ticket_id), sight)
        if isinstance(body, c.SessionShow):
            for row in (*self.desk.rows(), *self._older_sessions()):
                if row.session_id == body.session_id:
                    return row
            raise Refusal("unknown_session", clean(body.session_id, 80))
        if isinstance(body, c.PortfolioShow):
            return portfolio_state(self.desk.session(body.session_id), self.core.clock.now_ns())
        if isinstance(body, c.ShadowShow):
            return self.desk.shadow(body.session_id)
        assert isinstance(body, c.EventsPage)
        rows = self.core.events.page(body.before_seq, body.limit)
        return v.EventsView(seq=0, at_ns=self.core.clock.now_ns(), rows=rows)

    def runs_view(self, seq: int) -> RunsView:
        """Return runs, sessions and jobs, each its own list, newest first."""
        live = self.desk.rows()
        known = {row.session_id for row in live}
        older = tuple(row for row in self._older_sessions() if row.session_id not in known)
        finished = tuple(run_row(row) for row in self._scan.rows()[:SHOWN_RUNS])
        return RunsView(
            seq=seq,
            at_ns=self.core.clock.now_ns(),
            runs=finished,
            sessions=(*live, *older)[:SHOWN_SESSIONS],
            jobs=self.jobs.rows(),
        )

    def _older_sessions(self) -> tuple[SessionRow, ...]:
        return list_sessions(self.core.paths.home, self.core.disk, self.core.clock)
