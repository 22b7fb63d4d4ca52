"""How people decide tickets: how long they take, and how often they sign without reading."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from safety.ticket import RULE_PREFIX, Ticket
from seams.clock import NS_PER_MS, NS_PER_S
from venues.types import Record

RUBBER_STAMP_NS = 2 * NS_PER_S
"""An approval sooner than this after the version could be read was hardly read."""


class ApprovalMeasures(Record):
    """Decisions of people among the tickets that the engine keeps. Times are from proposal to decision, in
    milliseconds, None where nothing was decided; `within_2s` and `over_warn` count approvals."""

    approved: int
    rejected: int
    median_ms: int | None
    slowest_ms: int | None
    within_2s: int
    over_warn: int
    overridden: int


def measures(tickets: Iterable[Ticket]) -> ApprovalMeasures:
    """Measure how tickets were decided; what a rule approved or time closed is nobody's decision."""
    decided = [
        ticket for ticket in tickets if ticket.decided_ns and not ticket.approved_by.startswith(RULE_PREFIX)
    ]
    approved = [ticket for ticket in decided if ticket.approved_by]
    took_ms = [(ticket.decided_ns - ticket.created_ns) // NS_PER_MS for ticket in decided]
    hasty = [t for t in approved if t.reviewed_ns and t.approved_ns - t.reviewed_ns < RUBBER_STAMP_NS]
    return ApprovalMeasures(
        approved=len(approved),
        rejected=len(decided) - len(approved),
        median_ms=round(median(took_ms)) if took_ms else None,
        slowest_ms=max(took_ms, default=None),
        within_2s=len(hasty),
        over_warn=sum(1 for ticket in approved if ticket.needs_typed_size),
        overridden=sum(1 for ticket in approved if ticket.overridden),
    )


def measure_rows(found: ApprovalMeasures) -> tuple[tuple[str, str], ...]:
    """Return (name, value) as screen 0 shows them."""
    if found.median_ms is None or found.slowest_ms is None:
        return (("decided by people", "none yet"),)
    median_s, slowest_s = found.median_ms / 1000, found.slowest_ms / 1000
    share = f" ({found.within_2s / found.approved:.0%})" if found.approved else ""
    return (
        ("decided by people", f"{found.approved} approved, {found.rejected} rejected"),
        (
            "time to decision",
            f"median {median_s:.1f} s, slowest {slowest_s:.1f} s",
        ),
        ("approved within 2 s", f"{found.within_2s} of {found.approved}{share}"),
        ("approved over WARN", f"{found.over_warn}, over FAIL {found.overridden}"),
    )
