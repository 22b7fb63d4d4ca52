"""What may be asked of an engine without changing it. A query needs no epoch."""

from __future__ import annotations

from engine.api.arming import ArmShow
from engine.api.corridor import SubmitList, SubmitShow
from engine.api.drills import DrillList
from engine.api.incidents import IncidentList, IncidentShow
from engine.api.lab import LabQuery
from engine.api.order_judgement import OrderJudge
from engine.api.reconcile import FillsCompared
from engine.api.risk import RiskShow
from engine.api.venues import VenueShow
from venues.types import Record

SCHEMA_VERSION = 1


class Snapshot(Record, tag="snapshot"):
    """Ask for the latest of the named views (all when empty)."""

    views: tuple[str, ...] = ()


class Health(Record, tag="health"):
    """Ask for the health of each part, each with its age."""


class TicketShow(Record, tag="ticket_show"):
    ticket_id: str


class SessionShow(Record, tag="session_show"):
    session_id: str


class PortfolioShow(Record, tag="portfolio_show"):
    """Ask what a running session's account is worth and holds."""

    session_id: str


class ShadowShow(Record, tag="shadow_show"):
    """Ask how often a session's twin agreed, and where it did not."""

    session_id: str


class EventsPage(Record, tag="events_page"):
    """Ask for events older than `before_seq`, newest first."""

    before_seq: int = 0
    limit: int = 100


class AlarmSinks(Record, tag="alarm_sinks"):
    """Ask what each alarm sink delivered, and what it could not."""


class ScheduleList(Record, tag="schedule_list"):
    """Ask for the schedules."""


QueryBody = (
    ScheduleList
    | AlarmSinks
    | IncidentList
    | DrillList
    | IncidentShow
    | SubmitList
    | SubmitShow
    | RiskShow
    | ArmShow
    | VenueShow
    | Snapshot
    | Health
    | TicketShow
    | SessionShow
    | ShadowShow
    | PortfolioShow
    | EventsPage
    | FillsCompared
    | OrderJudge
    | LabQuery
)


class Query(Record):
    """The envelope of every query."""

    schema_version: int = SCHEMA_VERSION
    request_id: str
    body: QueryBody
