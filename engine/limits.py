"""The desk's hard limits: a breach latches in the event that shows it, and outlives a restart (C6, C7, C9).

A latched breach is a hold that only a named operator clears; it is durable before the event ends (I27).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache

from engine.conduct import Traded
from engine.core import Core
from engine.latches import KEY_DEAD, latch, unlatch
from engine.limit_book import Noted
from engine.trading.gather import alts_usd, carried_usd
from engine.trading.ledger import Ledger
from engine.trading.session import PaperSession
from engine.trading.traffic import REPEAT_WINDOW_NS, Sent
from safety.facts import DeskFacts, Preflight
from safety.intent import ExecutionIntent
from safety.interlock import Clearance, Hold, HoldLevel
from venues.sandbox.embedded import EmbeddedVenue

DAILY_LOSS, DRAWDOWN = "daily_loss_limit", "drawdown_limit"
DESK_LOSS, DESK_DRAWDOWN = "desk_daily_loss_limit", "desk_drawdown_limit"
EXPOSURE, NEAR = "exposure_breach", "loss_near"
NEAR_UNTIL = 0.95
"""A warning ends so far below where it began: a value that trembles there would ring with every tick."""
LIMITS, STORM, REPEATED = "limits", "order_storm", "repeated_execution"
LATCHING = (LIMITS, STORM, KEY_DEAD)
RAISE_ALARM = "limit_raise_pending"
ALARM_OF = {STORM: STORM, KEY_DEAD: KEY_DEAD}
"""Latch -> its alarm; that of a limit is its subject."""


def watch_limits(core: Core, sessions: Sequence[PaperSession]) -> None:
    """Bring the risk memory up to date and latch every breach of daily loss, drawdown or exposure.

    A session's breach counts as much as the desk's; a deeper one is stricter.
    """
    risk, memory = core.settings.risk, core.risk_memory
    memory.observe(sessions)
    close_at = min(risk.drawdown_close_only, risk.max_drawdown)
    halt_at = min(risk.drawdown_halt, risk.max_drawdown)
    loss_at, lost_at = risk.daily_loss_close_only_usd, risk.daily_loss_halt_usd
    for session in sessions:
        name, ledger = session.plan.session_id, session.ledger
        _judge(core, name, DAILY_LOSS, -float(ledger.day_pnl_usd), loss_at, lost_at)
        _judge(core, name, DRAWDOWN, ledger.drawdown, close_at, halt_at)
    _judge(core, "desk", DESK_LOSS, -float(memory.day_pnl_usd), loss_at, lost_at)
    fall = float(memory.drawdown(base_usd(risk.initial_equity_usd)))
    _judge(core, "desk", DESK_DRAWDOWN, fall, close_at, halt_at)
    carrying = [(session.plan.session_id, session.ledger) for session in sessions]
    if memory.account is not None:
        carrying.append(("desk", memory.account))
    within: Ledger | None = None  # sessions of one account share its books: they are added up once
    for name, ledger in carrying:
        if ledger is not within and _watch_exposure(core, name, ledger):
            within = ledger


def latch_repetition(core: Core, subject: str, intent: ExecutionIntent, verdict: Preflight) -> None:
    """Hold new risk once the same trade was wished for beyond its bound: only a person re-enables (C9)."""
    if REPEATED not in verdict.reasons:
        return
    check = next(check for check in verdict.checks if check.name == REPEATED)
    said = (
        f"{intent.side} {intent.symbol} by {intent.strategy_id}: {check.now} of {check.limit} in 10 minutes"
    )
    if latch(core, STORM, f"{intent.symbol} {intent.side}", HoldLevel.CLOSE_ONLY, said):
        core.alarm(STORM, subject, "eng", said)


def latch_conduct(core: Core, subject: str, fill: Traded) -> None:
    """Hold new risk once fills slip, or a strategy loses, beyond the bound; only a person re-enables."""
    for breach in core.conduct.traded(fill, core.settings.risk):
        if latch(core, LIMITS, breach.code, HoldLevel.CLOSE_ONLY, breach.said):
            core.alarm(breach.code, subject, "eng", breach.said)


def clear_limits(core: Core, operator: str, reason: str) -> None:
    """Clear the latched breaches; one that still stands is latched again by the next event.

    Clearing the desk's drawdown begins its high-water mark anew, clearing slippage or performance their
    count. The day's loss is never forgotten.
    """
    for hold in core.interlock.holds:
        if hold.code in LATCHING:
            unlatch(core, hold.code, hold.subject, Clearance(operator=operator, reason=reason))
            if hold.code == KEY_DEAD:
                core.calm(KEY_DEAD, hold.subject)
            core.note("limit_cleared", operator, f"{hold.code} {hold.subject}: {reason}")
            core.conduct.begin_anew(hold.subject, core.clock.now_ns())
            if hold.subject == DESK_DRAWDOWN:
                old_usd = core.risk_memory.peak_usd
                core.risk_memory.rebase()
                core.note(
                    "high_water_rebased", operator, f"{old_usd} -> {core.risk_memory.peak_usd}: {reason}"
                )


def restore_latches(core: Core) -> list[Hold]:
    """Raise again, after a start, every breach that no operator has cleared."""
    holds = []
    for row in core.store.risk.latched():
        hold = core.interlock.raise_hold(
            row.code,
            subject=row.subject,
            since_ns=row.since_ns,
            source=row.source,
            evidence=row.evidence,
            level=HoldLevel(row.level),
        )
        alarm, subject = ALARM_OF.get(row.code, row.subject), row.subject if row.code == KEY_DEAD else "desk"
        core.alarm(alarm, subject, "eng", f"still latched: {row.evidence}")
        holds.append(hold)
    return holds


def restore_traffic(core: Core, session: PaperSession) -> None:
    """Let a new session's throttles remember what went out before, by any session and engine (I26)."""
    if session.plan.uses_market_time or not isinstance(session.venue, EmbeddedVenue):
        return  # an account in custody keeps its own
    for sent in map(Sent.of, core.store.risk.sent_since(core.clock.now_ns() - REPEAT_WINDOW_NS)):
        session.orders.traffic.sent(sent.at_ns, sent.symbol, sent.side, sent.key, is_entry=sent.is_entry)


def note_limits(core: Core, notes: Sequence[Noted]) -> None:
    """Put what happened to limits on the record; a raise that waits is an alarm."""
    for kind, change in notes:
        text = f"{change.name}: {change.before} -> {change.after}"
        waits = f", in force in {core.limits.left_s(change.name):.0f} s" if kind == RAISE_ALARM else ""
        core.note(
            kind, "eng", f"{text}{waits}", limits_epoch=core.limits.epoch, limits_hash=core.limits.sha256
        )
        if kind == RAISE_ALARM:
            core.alarm(RAISE_ALARM, change.name, "eng", f"{text}{waits}")
        elif kind in ("limit_raised", "limit_raise_withdrawn"):
            core.calm(RAISE_ALARM, change.name)


def desk_facts(core: Core, session: PaperSession, sessions: Sequence[PaperSession]) -> DeskFacts:
    """Return what all other sessions carry at their worst, and the desk's own loss and fall.

    None stands where a session cannot be told; a replay, which lives in recorded time, has no desk's day.
    """
    others = [other for other in sessions if other is not session]
    same_venue = [other for other in others if other.venue.name == session.venue.name]
    is_live, memory = not session.plan.uses_market_time, core.risk_memory
    alts = [alts_usd(other, core.settings.risk.majors) for other in others]
    return DeskFacts(
        other_exposure_usd=_sum(carried_usd(other) for other in others),
        venue_other_exposure_usd=_sum(carried_usd(other) for other in same_venue),
        other_alt_longs_usd=_sum(None if each is None else each.longs for each in alts),
        other_alt_shorts_usd=_sum(None if each is None else each.shorts for each in alts),
        entry_usd_in_minute=session.orders.flow.usd(),
        day_pnl_usd=memory.day_pnl_usd if is_live else None,
        drawdown=memory.drawdown(base_usd(core.settings.risk.initial_equity_usd)) if is_live else None,
    )


def _watch_exposure(core: Core, name: str, ledger: Ledger) -> bool:
    """Latch where an account carries far more than its cap: no rule of an order can have let it (QX-32).

    An adopted position, an overfill or a market that ran; within the tolerance only entries are refused.
    Returns whether nothing was beyond it.
    """
    risk = core.settings.risk
    most, held = 1.0 + risk.exposure_tolerance, ledger.open_holdings()
    if not held:
        return True
    is_within = _is_carried(core, name, "all", float(ledger.gross_usd), risk.max_gross_exposure_usd, most)
    for each in held:
        usd = abs(float(each.notional))
        is_within &= _is_carried(core, name, each.symbol, usd, risk.max_symbol_exposure_usd, most)
    return is_within


def _is_carried(core: Core, name: str, what: str, usd: float, cap_usd: float, most: float) -> bool:
    if usd <= cap_usd * most:
        return True
    said = f"{what}: {usd:.2f} USD carried in {name}, cap {cap_usd:g}"
    if latch(core, LIMITS, EXPOSURE, HoldLevel.CLOSE_ONLY, said):
        core.alarm(EXPOSURE, name, "eng", said)
    return False


def _judge(core: Core, name: str, code: str, value: float, close_at: float, halt_at: float) -> None:
    warn_at = close_at * core.settings.risk.warn_fraction
    if value < warn_at * NEAR_UNTIL and not core.standing:
        return  # far from its bound, and no warning to end: so it is at almost every mark
    near = f"{name} {code}"
    if (NEAR, near) in core.standing:
        warn_at *= NEAR_UNTIL
    if warn_at <= value < close_at and not core.interlock.has(LIMITS, code):
        core.alarm(NEAR, near, "eng", f"{code} {value:.6g} of {close_at:.6g} in {name}")
    elif (NEAR, near) in core.standing:
        core.calm(NEAR, near)
    if value < close_at:
        return  # NaN is not below anything: it latches
    level = HoldLevel.CLOSE_ONLY if value < halt_at else HoldLevel.HALT
    evidence = f"{code} {value:.6g} of {close_at:.6g} in {name}"
    if latch(core, LIMITS, code, level, evidence):
        core.alarm(code, name, "eng", evidence)


@lru_cache(maxsize=8)
def base_usd(initial_equity_usd: float) -> Decimal:
    """Return the capital that falls are shares of, as money."""
    return Decimal(str(initial_equity_usd))


def _sum(parts: Iterable[Decimal | None]) -> Decimal | None:
    total = Decimal(0)
    for part in parts:
        if part is None:
            return None
        total += part
    return total
