"""Judging an order by hand while it is written, as its ticket or its corridor session would judge it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.api.order_judgement import FieldSaid, OrderJudge, OrderJudged
from engine.core import Core
from engine.corridor.case import intent_of_form
from engine.corridor.desk import CorridorDesk
from engine.desk import Desk
from engine.hand_orders import by_hand, may_override, session_for
from engine.judging import corrections as advised
from engine.judging import judge_opening
from engine.ticket_views import check_rows, price
from safety.canonical import changed
from safety.facts import CheckResult, Preflight
from safety.intent import ExecutionIntent
from safety.order_form import FIELD_OF, corrections
from safety.reasons import REASONS, Refusal

DRY = "dry"
"""The name of an order that nobody sends."""


async def judge_order(core: Core, desk: Desk, corridor: CorridorDesk | None, body: OrderJudge) -> OrderJudged:
    """Return the verdict of this moment. Nothing is recorded, reserved or asked of a venue."""
    form = {name: value for name, value in body.order.items() if value not in ("", None)}
    said = [FieldSaid(field=name, code="", said=text) for name, text in corrections(form).items()]
    if corridor is not None:
        blank = _blank(core, "corridor", corridor.custody.venue.name, corridor.custody.account, "")
        if not said:
            return await _by_corridor(core, corridor, form, blank)
        market = await corridor.venue.market(str(form.get("symbol", "")))
        mark = None if market is None else market.mark  # whoever still types a limit needs to know it
        return changed(blank, said=tuple(said), mark_price=None if mark is None else price(mark))
    session = None
    if form.get("symbol"):
        try:
            session = session_for(desk, body.session_id, str(form["symbol"]))
        except Refusal as refusal:
            said.append(FieldSaid(field="symbol", code=refusal.code, said=str(refusal)))
    if session is None:
        return changed(_blank(core, "ticket", "", "", ""), said=tuple(said))
    plan = session.plan
    venue = plan.instruments[str(form["symbol"])].venue
    mark = session.ledger.holding(str(form["symbol"])).mark_price
    blank = changed(
        _blank(core, "ticket", venue, plan.account, plan.session_id), mark_price=price(mark) if mark else None
    )
    if said:
        return changed(blank, said=tuple(said))
    intent = by_hand(form, session, DRY, core.config_fingerprint)
    verdict = session.judge(intent)
    return _judged(blank, intent, verdict, may_override(core, verdict), {})


async def _by_corridor(
    core: Core, corridor: CorridorDesk, form: dict[str, Any], blank: OrderJudged
) -> OrderJudged:
    """Judge as the corridor's preflight does, without what it asks the venue."""
    intent = intent_of_form(form, DRY, corridor.custody, core.config_fingerprint)
    market = await corridor.venue.market(intent.symbol)
    if market is not None:
        intent = changed(intent, mark_price=market.mark)
    verdict = judge_opening(core, corridor.custody, intent, market)
    advice = advised(verdict.reasons, corridor.custody, intent.symbol)
    return _judged(blank, intent, verdict, False, advice)


def _blank(core: Core, goes: str, venue: str, account: str, session_id: str) -> OrderJudged:
    return OrderJudged(
        at_ns=core.clock.now_ns(),
        goes=goes,
        venue=venue,
        account=account,
        session_id=session_id,
        can_submit=False,
        worst="",
        notional_usd=None,
        mark_price=None,
        checks=(),
        said=(),
    )


def _judged(
    blank: OrderJudged,
    intent: ExecutionIntent,
    verdict: Preflight,
    is_overridable: bool,
    advice: Mapping[str, str],
) -> OrderJudged:
    failed = {c.name: c.reason or c.name for c in verdict.checks if c.result is CheckResult.FAIL}
    said = (
        FieldSaid(field=FIELD_OF.get(name, ""), code=code, said=advice.get(code) or REASONS[code].correction)
        for name, code in failed.items()
    )
    worst = "fail" if not verdict.allowed else "warn" if verdict.has_warning else "ok"
    return changed(
        blank,
        can_submit=verdict.allowed or is_overridable,
        worst=worst,
        notional_usd=intent.notional_usd,
        mark_price=None if intent.mark_price is None else price(intent.mark_price),
        checks=check_rows(verdict.checks),
        said=tuple(said),
    )
