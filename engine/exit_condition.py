"""What must be true before anything leaves the micro stage: four named results, each with what it saw.

QL-115. Only sessions with real money count. A file that is missing or old, a note that nobody wrote, a key
that cannot be read: each is a blocker and not a formality (QL-06).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from engine.api.gates import ExitResult
from engine.api.views import OrdersView
from engine.arming_rules import MICRO_MOST
from engine.core import Core
from engine.corridor.reading import ALERTS_FILE as SUBMIT_ALERTS
from engine.corridor.reading import HEALTH_FILE as SUBMIT_HEALTH
from engine.corridor.real_sessions import SentSession
from engine.keys import key_ages
from engine.ops.snapshots import ALERTS_FILE, HEALTH_FILE, REFRESH_NS
from engine.promotion import CLEAN_SESSIONS
from safety.gates import CloseOut, note_problem
from safety.killbyte import KillLevel
from seams.clock import NS_PER_S, utc_ns
from venues.types import Environment, OrderStatus

NAMES = ("bounded_sessions", "operator_review", "alert_artifacts", "no_open_blocker")
OLDEST_NS = 3 * REFRESH_NS
"""A snapshot that is written once a minute and older than this was not written by this engine."""
AHEAD_NS = 5 * NS_PER_S
RECONCILIATION_HOLDS = frozenset({"ambiguity", "hydration"})
STOP_HOLDS = frozenset({"kill", "incident", "watchdog", "key_dead"})
STOP_BLOCKERS = ("drill_", "incident_without_note")
MAX_NAMED = 4


def exit_condition(
    core: Core,
    sessions: Sequence[SentSession],
    notes: Mapping[str, CloseOut],
    orders: OrdersView,
    desk_blockers: tuple[str, ...],
) -> tuple[ExitResult, ...]:
    """Return the four results in their order. `desk_blockers` are what drills and incidents block."""
    real = [each for each in sessions if each.is_real][-CLEAN_SESSIONS:]
    others = sum(1 for each in sessions if each.is_sent and not each.is_real)
    found = (
        _bounded(real, others),
        _reviewed(real, notes),
        _alert_artifacts(core, sessions),
        _no_blocker(core, sessions, orders, desk_blockers),
    )
    return tuple(
        ExitResult(name=name, ok=ok, said=said) for name, (ok, said) in zip(NAMES, found, strict=True)
    )


def _bounded(real: Sequence[SentSession], others: int) -> tuple[bool, str]:
    """The newest sessions with real money are enough, small, ended and reconciled."""
    most = Decimal(str(MICRO_MOST["micro_order_notional_usd"]))
    wrong = [f"{each.session_id} {why}" for each in real if (why := _unbounded(each, most))]
    said = (
        f"{len(real) - len(wrong)} of {CLEAN_SESSIONS} sessions with real money ended, small and reconciled"
    )
    said += f"; {others} without real money do not count" if others else ""
    return len(real) == CLEAN_SESSIONS and not wrong, _with(said, wrong)


def _unbounded(session: SentSession, most: Decimal) -> str:
    if session.problem or session.state is None:
        return session.problem
    if not session.is_over:
        return f"is {session.state.status}"
    if not session.is_reconciled:
        return "was not reconciled"
    if session.notional_usd is None or not 0 < session.notional_usd <= most:
        return f"is not within {most.normalize():f} USD"
    return ""


def _reviewed(real: Sequence[SentSession], notes: Mapping[str, CloseOut]) -> tuple[bool, str]:
    """Each of them was approved by a named person, and closed out by one who saw how it ended."""
    wrong = []
    for each in real:
        problem = note_problem(each.session_id, each.evidence, notes)
        if problem or not each.reviewer:
            wrong.append(
                f"{each.session_id} {f'close-out note {problem}' if problem else 'nobody approved it'}"
            )
    said = f"{len(real) - len(wrong)} of {len(real)} approved and closed out by a named person"
    return bool(real) and not wrong, _with(said, wrong)


def _alert_artifacts(core: Core, sessions: Sequence[SentSession]) -> tuple[bool, str]:
    """The files that other programs are warned by are there, can be read, and say what is."""
    wrong, outputs = [], core.paths.outputs
    for name in (HEALTH_FILE, ALERTS_FILE):
        body = _read(core, outputs / name)
        if problem := "missing or damaged" if body is None else _old(core, body):
            wrong.append(f"{name} is {problem}")
    states = [each.state for each in sessions if each.state is not None]
    health, alerts = (
        _read(core, core.paths.submits / SUBMIT_HEALTH),
        _read(core, core.paths.submits / SUBMIT_ALERTS),
    )
    if not isinstance(health, dict) or health.get("status_counts") != Counter(s.status for s in states):
        wrong.append(f"{SUBMIT_HEALTH} does not say what the sessions are")
    wanted = {(state.session_id, state.alerts[0].code) for state in states if state.alerts}
    if not isinstance(alerts, list) or _alerted(alerts) != wanted:
        wrong.append(f"{SUBMIT_ALERTS} does not say what the sessions want")
    said = f"{4 - len(wrong)} of 4 files of health and alerts are there and current"
    return not wrong, _with(said, wrong)


def _read(core: Core, path: Path) -> Any:
    try:
        return msgspec.json.decode(core.disk.read(path))
    except (OSError, msgspec.MsgspecError):
        return None


def _old(core: Core, body: Any) -> str:
    try:
        age_ns = core.clock.now_ns() - utc_ns(body["generated_at"])
    except (KeyError, TypeError, ValueError):
        return "damaged"
    return "" if -AHEAD_NS <= age_ns <= OLDEST_NS else "not current"


def _alerted(rows: list[Any]) -> set[tuple[str, str]] | None:
    try:
        return {(row["session_id"], row["alert"]["code"]) for row in rows}
    except (KeyError, TypeError):
        return None


def _no_blocker(
    core: Core, sessions: Sequence[SentSession], orders: OrdersView, desk_blockers: tuple[str, ...]
) -> tuple[bool, str]:
    """Nothing is open on secrets, reconciliation or stop control."""
    holds = [f"{hold.code} {hold.subject}".rstrip() for hold in core.interlock.holds]
    ages = key_ages(core.settings, core.clock.now_ns())
    secrets = [f"{key.name} is {key.state}" for key in ages if key.state != "ok"]
    secrets += [each for each in desk_blockers if each.startswith("drill_key:")]
    doubt = [hold for hold in holds if hold.split()[0] in RECONCILIATION_HOLDS]
    doubt += [f"order {row.order_id} is UNKNOWN" for row in orders.rows if row.status == OrderStatus.UNKNOWN]
    here = {"", core.environment.value, Environment.MAINNET.value}
    ours = (each for each in sessions if each.environment in here)
    doubt += [f"{each.session_id} is not proved" for each in ours if each.is_sent and each.is_unproved]
    stop = [hold for hold in holds if hold.split()[0] in STOP_HOLDS]
    stop += [each for each in desk_blockers if each.startswith(STOP_BLOCKERS) and each not in secrets]
    stop += ["the kill latch is set"] if core.kill.level is not KillLevel.CLEAR and not stop else []
    parts = {"secrets": secrets, "reconciliation": doubt, "stop control": stop}
    open_ones = [f"{name}: {', '.join(found[:MAX_NAMED])}" for name, found in parts.items() if found]
    return not open_ones, "; ".join(open_ones) or "nothing open on secrets, reconciliation or stop control"


def _with(said: str, wrong: Sequence[str]) -> str:
    more = f" and {len(wrong) - MAX_NAMED} more" if len(wrong) > MAX_NAMED else ""
    return f"{said}: {', '.join(wrong[:MAX_NAMED])}{more}" if wrong else said
