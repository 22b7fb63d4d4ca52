"""A desk in the middle of a working night, on a clock that stands still."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

from console.tui.app import InterlockApp
from console.tui.gateway import Gateway
from console.tui.theme import Look
from engine.api import views as v
from engine.api.commands import Kill, KillArm, KillArmed, KillDone
from engine.api.drills import DrillList
from engine.api.incidents import (
    IncidentList,
    Incidents,
    IncidentShow,
)
from engine.api.lab import RunShow
from seams.clock import FixedClock
from tests.console import research_fixture as research
from tests.console.fixture_evidence import alarms, drills, events, incident_detail, incidents
from tests.console.fixture_gateway import FixtureGateway, reply_with
from tests.console.fixture_runs import run_detail, runs
from tests.console.fixture_status import (
    FEEDS,
    HALT_HOLDS,
    MORE_HOLDS,
    OTHERS,
    PAIR,
    overview,
    reconcile,
    status,
    system,
)
from tests.console.fixture_trading import (
    REVIEWED,
    calm_checks,
    failed_checks,
    limits,
    order,
    orders,
    positions,
    ticket,
    tickets,
)
from tests.console.night import NOW_NS, OPERATOR, ago

__all__ = [
    "FEEDS",
    "HALT_HOLDS",
    "MORE_HOLDS",
    "NOW_NS",
    "OPERATOR",
    "OTHERS",
    "PAIR",
    "REVIEWED",
    "ago",
    "calm_checks",
    "desk_views",
    "failed_checks",
    "gateway",
    "limits",
    "make_app",
    "order",
    "orders",
    "reconcile",
    "status",
    "system",
    "ticket",
    "tickets",
]


def desk_views(**replace: Any) -> list[v.View]:
    """Every view of the night; replace any by name."""
    made: dict[str, v.View] = {
        "status": status(),
        "overview": overview(),
        "positions": positions(),
        "orders": orders(),
        "tickets": tickets(),
        "alarms": alarms(),
        "runs": runs(),
        "events": events(),
        "system": system(),
        "limits": limits(),
        "reconcile": reconcile(),
    }
    return list({**made, **replace}.values())


def gateway(**replace: Any) -> FixtureGateway:
    armed = KillArmed(
        nonce="n1", sessions=1, working_orders=3, positions=4, net_usd=D("-12400"), gross_usd=D("48200")
    )
    done = KillDone(
        kill_id="K-00007",
        level="halt_all",
        latched_at_ns=NOW_NS,
        latch_ms=0.4,
        cancels_sent=3,
        cancels_confirmed=3,
        positions_kept=4,
    )
    return FixtureGateway(
        desk_views(**replace),
        replies={KillArm: reply_with(armed), Kill: reply_with(done)},
        results={
            RunShow: run_detail(),
            IncidentList: Incidents(rows=incidents()),
            IncidentShow: incident_detail,
            DrillList: drills(),
            **research.ANSWERS,
        },
    )


def make_app(given: Gateway | None = None, **options: Any) -> InterlockApp:
    return InterlockApp(
        given or gateway(),
        options.pop("clock", FixedClock(NOW_NS)),
        OPERATOR,
        look=Look(options.pop("is_utf8", True)),
        terminal="xterm-256color",
        **options,
    )
