"""The desk's hard limits: a breach is a hold that only a named operator clears (controls C6, C7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from engine.core import Core
from engine.trading.gather import carried_usd
from engine.trading.session import PaperSession
from safety.facts import DeskFacts
from safety.interlock import Clearance, HoldLevel

DAILY_LOSS, DRAWDOWN = "daily_loss_limit", "drawdown_limit"


def watch_limits(core: Core, sessions: list[PaperSession]) -> None:
    """Raise the limits hold for every breach of daily loss or drawdown; a deeper one makes it stricter."""
    risk = core.settings.risk
    for session in sessions:
        loss_usd, drawdown = -float(session.ledger.day_pnl_usd), session.ledger.drawdown
        _judge(core, session, DAILY_LOSS, loss_usd, risk.daily_loss_close_only_usd, risk.daily_loss_halt_usd)
        _judge(core, session, DRAWDOWN, drawdown, risk.drawdown_close_only, risk.drawdown_halt)


def clear_limits(core: Core, operator: str, reason: str) -> None:
    """Clear the limits holds; a breach that still stands raises its hold again within a second."""
    for hold in core.interlock.holds:
        if hold.code == "limits":
            core.interlock.clear_hold("limits", Clearance(operator=operator, reason=reason), hold.subject)
            core.note("limit_cleared", operator, f"{hold.subject}: {reason}")


def _judge(
    core: Core, session: PaperSession, code: str, value: float, close_at: float, halt_at: float
) -> None:
    if not value >= close_at:
        return
    level = HoldLevel.HALT if value >= halt_at else HoldLevel.CLOSE_ONLY
    evidence = f"{code} {value:.6g} of {close_at:.6g} in {session.plan.session_id}"
    core.interlock.raise_hold(
        "limits", subject=code, since_ns=core.clock.now_ns(), source="eng", evidence=evidence, level=level
    )
    core.alarm(code, session.plan.session_id, "eng", evidence)


def desk_facts(session: PaperSession, sessions: Sequence[PaperSession]) -> DeskFacts:
    """Return what all other sessions carry at their worst; None where one of them cannot be told."""
    others = [other for other in sessions if other is not session]
    same_venue = [other for other in others if other.venue.name == session.venue.name]
    return DeskFacts(
        other_exposure_usd=_sum(carried_usd(other) for other in others),
        venue_other_exposure_usd=_sum(carried_usd(other) for other in same_venue),
    )


def _sum(parts: Iterable[Decimal | None]) -> Decimal | None:
    total = Decimal(0)
    for part in parts:
        if part is None:
            return None
        total += part
    return total
