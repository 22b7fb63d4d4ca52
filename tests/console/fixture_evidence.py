"""What happened that night: alarms, events, incidents, drills."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.api import views as v
from engine.api.drills import DrillFigure, DrillRow, DrillRun, Drills
from engine.api.incidents import (
    Incident,
    IncidentDetail,
    IncidentNote,
    IncidentShow,
)
from tests.console.night import NOW_NS, OPERATOR, ago


def alarms() -> v.AlarmsView:
    table = (
        (
            1,
            "UNACK",
            9,
            "venue.sandbox",
            "order-reject rate 42% (limit 5%)",
            14,
            "",
            True,
            "REJECT_STORM",
            "rejected-orders.md#order-rejected",
        ),
        (
            2,
            "UNACK",
            26,
            "risk.rate",
            "order-rate limiter engaged",
            1,
            "",
            False,
            "ORDER_RATE",
            "rejected-orders.md#order-rejected",
        ),
        (
            2,
            "RTN-UN",
            177,
            "md.XRP-PERP",
            "quote stale 9.8 s (cleared)",
            3,
            "",
            False,
            "FEED_STALE",
            "stale-feed.md#feed-stale",
        ),
        (
            2,
            "ACKED",
            967,
            "run.mean-reversion",
            "paper drifts from backtest by 2.1 sigma",
            1,
            OPERATOR,
            False,
            "DRIFT",
            "",
        ),
        (3, "ACKED", 7_900, "host.disk", "disk 81% full (limit 80%)", 1, "ops2", False, "DISK", ""),
        (
            3,
            "SHELVED",
            9_000,
            "md.kraken",
            "reconnects > 3/h (maintenance)",
            9,
            OPERATOR,
            False,
            "RECONNECTS",
            "",
        ),
    )
    rows = tuple(
        v.AlarmRow(
            alarm_id=f"A-{i}",
            code=r[8],
            priority=r[0],
            state=r[1],
            since_ns=ago(r[2]),
            source=r[3],
            subject="session S-00007",
            message=r[4],
            count=r[5],
            acked_by=r[6],
            is_first_out=r[7],
            runbook=r[9],
            consequence="strategies quote one side only; inventory risk grows",
            respond_within="1 min",
            first_action="look at the reject reason on screen 4, then check margin",
        )
        for i, r in enumerate(table)
    )
    return v.AlarmsView(seq=41, at_ns=NOW_NS, rate_10min=4, suppressed=4, rows=rows)


def events() -> v.EventsView:
    table = (
        (9, "venue", "sandbox", 'reject O-77118 "[51008] insufficient margin"'),
        (26, "risk", "eng", "order-rate limiter engaged (soft)"),
        (125, "ticket", OPERATOR, "approved T-00409 -> filled 1.2 ETH-PERP 3,104.8"),
        (203, "ticket", "ops2", 'rejected T-00405 "thin book"'),
        (340, "session", "eng", "S-00007 bar 9,600: equity 102,301.40"),
        (511, "alarm", OPERATOR, "acknowledged drift of mean-reversion"),
        (900, "feed", "eng", "XRP-PERP quotes resumed after 9.8 s"),
    )
    rows = tuple(
        v.EventRow(seq=900 - i, at_ns=ago(s), kind=kind, actor=actor, text=said)
        for i, (s, kind, actor, said) in enumerate(table)
    )
    return v.EventsView(seq=41, at_ns=NOW_NS, rows=rows)


def incidents() -> tuple[Incident, ...]:
    """One that nobody explained, one noted, one closed."""
    base = Incident(
        incident_id="I-20261121T030755Z-412",
        opened_at="2026-11-21T03:07:55.020Z",
        opened_ns=ago(372),
        epoch=7,
        level="halt",
        kill_level="halt_all",
        cause="kill",
        by="mara",
        reason="quotes looked frozen on two venues",
        audit_from=1,
        audit_to=412,
        audit_head="9c1e" * 16,
        views=("status", "positions"),
    )
    noted = IncidentNote(at="2026-11-20T10:02:00.000Z", by="ops2", kind="note", text="its lists lagged")
    closed = IncidentNote(at="2026-11-20T11:30:00.000Z", by="mara", kind="close", text="lag bound is 4 s now")
    changes: tuple[dict[str, Any], ...] = (
        {},
        {
            "incident_id": "I-20261120T095810Z-377",
            "opened_ns": ago(62_000),
            "opener": "ambiguity",
            "cause": "ambiguity",
            "by": "sandbox-exchange",
            "reason": "position BTC-PERP: ours 0.4, venue 0.5",
            "status": "closed",
            "notes": (noted, closed),
        },
        {
            "incident_id": "I-20261119T181201Z-290",
            "opened_ns": ago(119_000),
            "opener": "dead_man",
            "by": "watchdog",
            "reason": "no progress for 5.0 s",
            "status": "noted",
            "notes": (noted,),
        },
    )
    return tuple(msgspec.structs.replace(base, **each) for each in changes)  # type: ignore[type-var]


def drills() -> Drills:
    """One that counts, one that missed a goal, one never made; the second is under way again."""

    def figures(*rows: tuple[str, float, float]) -> tuple[DrillFigure, ...]:
        return tuple(
            DrillFigure(name=name, value=value, at_most=most, is_met=0 <= value <= most)
            for name, value, most in rows
        )

    base = DrillRow(
        kind="kill",
        problem="failed",
        began_ns=ago(7_200),
        days_left=0.0,
        operator="mara",
        reason="monthly",
        is_signed=True,
        said="",
        figures=figures(
            ("blocked_ms", 31.2, 50),
            ("first_cancel_ms", 142.0, 100),
            ("verified_ms", 480.0, 5_000),
            ("orders_after_block", 0, 0),
        ),
        file="20261121T011407_000Z_kill.json",
    )
    dead: dict[str, Any] = {
        "kind": "dead-man",
        "problem": "",
        "days_left": 27.9,
        "figures": figures(("close_only_ms", 4_970, 6_000), ("verified_ms", 10_170, 15_000)),
    }
    never: dict[str, Any] = {"kind": "flatten", "problem": "absent", "began_ns": 0, "figures": (), "file": ""}
    run = DrillRun(
        kind="kill",
        operator="mara",
        began_ns=ago(42),
        said="a session trades; waiting for its orders",
        exit_code=-1,
    )
    rows = (base, *(msgspec.structs.replace(base, **each) for each in (dead, never)))  # type: ignore[type-var]
    return Drills(at_ns=NOW_NS, rows=rows, run=run)


def incident_detail(asked: IncidentShow) -> IncidentDetail:
    told = (
        (412, "venue", "sandbox", 'reject O-77118 "[51008] insufficient margin"'),
        (380, "alarm", "eng", "order_rejected BTC-PERP: insufficient margin"),
        (372, "kill", "mara", "halt_all latched: quotes looked frozen on two venues"),
        (371, "incident_opened", "eng", "I-20261121T030755Z-412: halt kill"),
        (371, "cancelled", "eng", "O-77121 cancelled"),
        (300, "alarm_ack", "ops2", "kill_latched desk"),
    )
    rows = tuple(
        v.EventRow(seq=n, at_ns=ago(seconds), kind=kind, actor=actor, text=said)
        for n, (seconds, kind, actor, said) in enumerate(told)
    )
    incident = next(row for row in incidents() if row.incident_id == asked.incident_id)
    return IncidentDetail(incident=incident, timeline=rows)
