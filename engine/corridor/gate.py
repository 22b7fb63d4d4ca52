"""The gate before a submit: every condition is judged, and all that fail are named at once."""

from __future__ import annotations

from engine.api.corridor import Step
from engine.core import Core
from engine.corridor.case import Case
from engine.corridor.steps import STEPS, newest
from engine.corridor.why import is_known, seen
from engine.judging import judge_opening
from engine.limits import latch_repetition
from engine.trading.custody import Custody, Verdict
from engine.trading.verdict import why_not_clean
from safety.interlock import Action, permits
from safety.killbyte import KillLevel
from safety.reasons import REASONS, Refusal
from safety.two_person import Signature
from seams.clock import NS_PER_S
from venues.evidence import CorridorVenue
from venues.types import Mode, OrderStatus, Record

MARGIN_NS = 5 * NS_PER_S
"""How much longer the signed bytes must be valid than the moment of the gate."""


class Condition(Record):
    """One condition of the gate: its code, whether it holds, and what was seen."""

    code: str
    ok: bool
    said: str


async def conditions(
    core: Core, custody: Custody, venue: CorridorVenue, case: Case, confirmed: Signature
) -> tuple[Condition, ...]:
    """Judge every condition; never stop at the first that fails. `confirmed` is who signs the gate."""
    symbol, intent = case.intent.symbol, case.intent
    unknown = [
        order.order_id
        for order in custody.orders.alive()
        if order.status is OrderStatus.UNKNOWN and order.request.symbol == symbol
    ]
    action = Action.REDUCE if intent.reduce_only else Action.ADD_RISK
    level, known = core.kill.level, len(custody.venue.instruments())
    is_let = level is KillLevel.CLEAR or (level is KillLevel.CLOSE_ONLY and intent.reduce_only)
    found = [
        Condition(code="mode_not_live", ok=core.mode is Mode.LIVE, said=f"{core.mode} / {core.environment}"),
        Condition(code="kill_switch_active", ok=is_let, said=level.name.lower()),
        Condition(
            code="hold_blocks_entry",
            ok=permits(action, core.interlock.level),
            said=", ".join(hold.code for hold in core.interlock.holds) or "no hold",
        ),
        Condition(
            code=why_not_clean(custody.verdict),
            ok=custody.verdict is Verdict.CLEAN,
            said=f"custody of {custody.account} is {custody.verdict}",
        ),
        Condition(code="venue_not_ready", ok=bool(known), said=f"{known} markets are known"),
        Condition(code="outcome_unknown", ok=not unknown, said=", ".join(unknown) or f"none in {symbol}"),
        _approved(case),
        *_two_persons(core, case, confirmed),
        _still_valid(core, custody, case),
        Condition(
            code="already_submitted",
            ok=core.store.orders.order(case.order_id) is None,
            said=f"the record of orders and {case.order_id}",
        ),
    ]
    market = await venue.market(symbol)
    mark = "" if market is None else f"{market.mark:f}"
    verdict = judge_opening(core, custody, intent, market)
    latch_repetition(core, custody.account, intent, verdict)
    named = {each.code for each in found if not each.ok}
    for check in verdict.checks:
        if check.reason is not None and check.reason not in named:
            do = "" if is_known(check) else f". {REASONS[check.reason].correction}"
            found.append(Condition(code=check.reason, ok=False, said=seen(check, mark) + do))
    said = f"{len(verdict.checks)} rules judged, {len(verdict.reasons)} refuse"
    found.append(Condition(code="checks_failed", ok=verdict.allowed, said=said))
    return tuple(found)


async def open_gate(core: Core, custody: Custody, venue: CorridorVenue, case: Case) -> None:
    """Judge the gate once more, at the submit. Raises `Refusal` (gate_closed) with everything that fails."""
    gate = newest(case.artifacts, Step.GATE)
    assert gate is not None, "the table of steps lets no submit through without a gate"
    confirmed = Signature(
        operator=str(gate.body.get("confirmed_by", "")), principal=str(gate.body.get("principal", ""))
    )
    failing = [each for each in await conditions(core, custody, venue, case, confirmed) if not each.ok]
    if failing:
        raise Refusal("gate_closed", "; ".join(f"{each.code} ({each.said})" for each in failing))


def _approved(case: Case) -> Condition:
    """The approval is of the very artifact that would be sent."""
    prepared, approval = newest(case.artifacts, Step.PREPARE), newest(case.artifacts, Step.APPROVE)
    bundle = newest(case.artifacts, Step.BUNDLE)
    if prepared is None or approval is None or bundle is None:
        return Condition(code="approval_mismatch", ok=False, said="something of it is missing")
    hashes = case.folder.hashes()
    files = bundle.body.get("files", {})
    is_same = approval.body.get("approves") == hashes[prepared.number]
    is_same = is_same and files.get(STEPS[Step.PREPARE].file) == hashes[prepared.number]
    is_same = is_same and files.get(STEPS[Step.APPROVE].file) == hashes[approval.number]
    reviewer = str(approval.body.get("reviewer", ""))
    return Condition(
        code="approval_mismatch", ok=is_same and bool(reviewer), said=f"approved by {reviewer or 'nobody'}"
    )


def _two_persons(core: Core, case: Case, confirmed: Signature) -> tuple[Condition, ...]:
    """An order above the desk's step is approved by one person and let through the gate by another (C22)."""
    if not core.needs_second(case.intent.notional_usd):
        return ()
    approval = newest(case.artifacts, Step.APPROVE)
    body = {} if approval is None else approval.body
    reviewer, key = str(body.get("reviewer", "")), str(body.get("principal", ""))
    if not key or not confirmed.principal:
        said = f"{'the gate' if key else 'the approval'} is not signed with a person's own key"
        return (Condition(code="principal_required", ok=False, said=said),)
    is_other = reviewer != confirmed.operator and key != confirmed.principal
    said = f"approved by {reviewer}, confirmed by {confirmed.operator}"
    return (Condition(code="same_person", ok=is_other, said=said),)


def _still_valid(core: Core, custody: Custody, case: Case) -> Condition:
    prepared = newest(case.artifacts, Step.PREPARE)
    signed = {} if prepared is None else prepared.body.get("signed") or {}
    until_ns = int(signed.get("valid_until_ns", 0))
    left_ns = until_ns - core.clock.now_ns() - custody.orders.offset_ns
    ok = until_ns == 0 or left_ns > MARGIN_NS
    said = "no expiry" if until_ns == 0 else f"{left_ns // NS_PER_S} s left"
    return Condition(code="signature_expired", ok=ok, said=said)
