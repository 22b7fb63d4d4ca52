"""What a corridor session's artifacts amount to: its status, and what in it wants a person.

Both are folded from all artifacts each time, so that a later look never hides what an earlier step found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from engine.api.corridor import Artifact, SessionAlert, SessionState, Step
from engine.corridor.steps import STEPS, newest
from engine.corridor.why import why

Artifacts = tuple[Artifact, ...]
SUBMIT_STATES: Mapping[str, str] = {
    "pending_remote_submit": "reconciliation_required",
    "submitted_remote": "submitted",
    "submitted_remote_identifier_missing": "reconciliation_required",
    "submit_request_failed": "reconciliation_required",
    "submit_rejected": "submit_rejected",
    "submit_not_sent": "submit_not_sent",
}
"""Submit state -> status of the session until a later look says more."""
ENDED = ("filled", "canceled", "expired", "rejected")
KNOWN_ORDER = ("open", *ENDED)
SENT = frozenset({"submitted_remote", "submitted_remote_identifier_missing", "submit_request_failed"})


class _Row(NamedTuple):
    code: str
    priority: int
    severity: str
    holds: Callable[[Artifacts], str]
    """What it says of these artifacts; empty where it does not hold."""
    is_worse_unproved: bool = False
    """Critical where the order's state is not proved."""


def _state(artifacts: Artifacts, step: Step) -> str:
    found = newest(artifacts, step)
    return "" if found is None else found.state


def order_state(artifacts: Artifacts) -> str:
    """Return what was last established about the order: open, filled, canceled, expired, rejected or unknown;
    empty before anybody looked."""
    looks = (each.body["order_state"] for each in reversed(artifacts) if "order_state" in each.body)
    return str(next(looks, ""))


def _is(step: Step, *states: str) -> Callable[[Artifacts], str]:
    def holds(artifacts: Artifacts) -> str:
        found = newest(artifacts, step)
        if found is None or found.state not in states:
            return ""
        return ", ".join(found.reasons) or found.state

    return holds


def _unknown_order(artifacts: Artifacts) -> str:
    return "the order's state is not proved" if order_state(artifacts) == "unknown" else ""


def _unlooked(artifacts: Artifacts) -> str:
    is_sent = _state(artifacts, Step.SUBMIT) in SENT
    return "the order was sent and nobody looked for it" if is_sent and not order_state(artifacts) else ""


def _attention(artifacts: Artifacts) -> str:
    found = newest(artifacts, Step.SUPERVISE)
    wants = found is not None and found.body.get("attention_required") is True
    return "supervision asks for attention" if wants else ""


def _refused(step: Step) -> Callable[[Artifacts], str]:
    def holds(artifacts: Artifacts) -> str:
        found = newest(artifacts, step)
        return (
            "" if found is None or found.ok or found.state.startswith("pending") else ", ".join(found.reasons)
        )

    return holds


LOOKS = (Step.STATUS, Step.RECONCILE, Step.FILLS, Step.SUPERVISE)
"""What follows the submit, in its order; each may be done again, and at any time."""
ALERTS: tuple[_Row, ...] = (
    _Row(
        "RECONCILIATION_IDENTIFIERS_MISSING",
        100,
        "critical",
        _is(Step.SUBMIT, "submitted_remote_identifier_missing"),
    ),
    _Row("ORDER_STATUS_UNKNOWN", 90, "critical", _unknown_order),
    _Row("ORDER_REJECTED", 80, "critical", lambda found: "rejected" * (order_state(found) == "rejected")),
    _Row("CANCEL_REQUEST_FAILED", 70, "critical", _is(Step.CANCEL, "cancel_request_failed")),
    _Row("SUBMIT_REQUEST_FAILED", 60, "critical", _is(Step.SUBMIT, "submit_request_failed")),
    _Row("CANCEL_REJECTED", 50, "critical", _is(Step.CANCEL, "cancel_rejected")),
    _Row("SUBMIT_REJECTED", 40, "critical", _is(Step.SUBMIT, "submit_rejected")),
    _Row("SUPERVISION_ATTENTION", 35, "warning", _attention, is_worse_unproved=True),
    _Row("SUBMIT_PENDING", 30, "critical", _is(Step.SUBMIT, "pending_remote_submit")),
    _Row("ORDER_STATUS_MISSING", 20, "warning", _unlooked),
    _Row("ORDER_CANCELED", 10, "warning", lambda found: "canceled" * (order_state(found) == "canceled")),
    _Row("ORDER_EXPIRED", 10, "warning", lambda found: "expired" * (order_state(found) == "expired")),
    _Row("PREPARED_ORDER_NOT_READY", 9, "warning", _refused(Step.PREPARE)),
    _Row("ACCOUNT_NOT_READY", 8, "warning", _refused(Step.READINESS)),
    _Row("PREFLIGHT_REFUSED", 7, "warning", _refused(Step.PREFLIGHT)),
    _Row("GATE_CLOSED", 5, "warning", _refused(Step.GATE)),
)
"""Alert, priority, severity, and when it holds."""


def alerts(artifacts: Artifacts) -> tuple[SessionAlert, ...]:
    """Return everything that wants a person, the most pressing first. An alert that is settled is gone:
    what was doubtful at the submit no longer is once the order's state is proved, nor what was doubtful at
    a cancel once the order has ended."""
    state = order_state(artifacts)
    is_proved = state in KNOWN_ORDER
    settled = {"SUBMIT_REQUEST_FAILED", "SUBMIT_PENDING", "RECONCILIATION_IDENTIFIERS_MISSING"}
    if state != "open":
        settled |= {"CANCEL_REQUEST_FAILED", "CANCEL_REJECTED"}
    found = []
    for row in ALERTS:
        said = row.holds(artifacts)
        if said and not (is_proved and row.code in settled):
            severity = "critical" if row.is_worse_unproved and not is_proved else row.severity
            found.append(SessionAlert(code=row.code, severity=severity, priority=row.priority, said=said))
    return tuple(found)


def status_of(artifacts: Artifacts) -> str:
    """Return the session's status in one word."""
    if not artifacts:
        return "empty"
    looked = order_state(artifacts)
    submitted = newest(artifacts, Step.SUBMIT)
    if submitted is None:
        return artifacts[-1].state
    if looked in KNOWN_ORDER and looked != "open":
        return looked
    if _state(artifacts, Step.CANCEL) in ("pending_remote_cancel", "canceled_remote"):
        return "cancel_pending"
    if looked == "open":
        return "open"
    return "reconciliation_required" if looked == "unknown" else SUBMIT_STATES[submitted.state]


def state_of(session_id: str, artifacts: Artifacts) -> SessionState:
    """Return what `session_status.json` shows."""
    last = artifacts[-1]
    return SessionState(
        artifact_type="interlock.corridor.session_status",
        session_id=session_id,
        status=status_of(artifacts),
        step=last.step,
        updated_at=last.at,
        reasons=last.reasons,
        alerts=alerts(artifacts),
        refused=why(last),
    )


def next_step(artifacts: Artifacts) -> Step:
    """Return the step that comes next; after the submit, and after each cancel, the looks in turn.

    A look that did not pass comes again; after the last one the order is looked at anew.
    """
    before = list(STEPS)[: list(STEPS).index(Step.STATUS)]
    for step in before:
        found = newest(artifacts, step)
        if found is None or not (found.ok or step is Step.SUBMIT):
            return step
    for artifact in reversed(artifacts):
        if artifact.step in LOOKS:
            at = LOOKS.index(Step(artifact.step)) + artifact.ok
            return LOOKS[at % len(LOOKS)]
        if artifact.step in (Step.SUBMIT, Step.CANCEL):
            break
    return Step.STATUS
