"""The preflight rules: one row each, judged alone, all of them every time.

A rule returns a `Finding`; raising, NaN, None and wrong types are failures of that rule. Rules of class
ENTRY judge only what can add risk; ORDER rules judge everything but are the only ones an exit meets.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from safety.exposure import closing_quantity, gross_exposure, symbol_exposure, worst_positions
from safety.facts import AccountFacts, Check, CheckResult
from safety.intent import ExecutionIntent, ExecutionPolicy, IntentCategory, duplicate_key
from safety.interlock import Action, HoldLevel, permits
from safety.killbyte import KillLevel
from venues.types import Instrument, Mode, OrderStatus, Side

BPS = Decimal(10_000)
MAX_PRICE = Decimal("1e12")


class Case(NamedTuple):
    """Everything one judgement may look at."""

    intent: ExecutionIntent
    facts: AccountFacts
    policy: ExecutionPolicy
    instrument: Instrument | None


class Finding(NamedTuple):
    """What one rule saw."""

    is_ok: bool
    now: object = ""
    after: object = ""
    limit: object = ""
    is_near: bool = False


class Unknowable(ValueError):
    """A figure that a rule needs is missing, not a number or of the wrong type."""


PASS = Finding(is_ok=True)
Judge = Callable[[Case], Finding]


class Rule(NamedTuple):
    """One row: the reason code it refuses with, whether exits are exempt, and the judge."""

    code: str
    is_for_entries_only: bool
    judge: Judge


def judge(rule: Rule, case: Case) -> Check:
    """Apply one rule; what it cannot compute it refuses."""
    if rule.is_for_entries_only and action_of(case.intent) is not Action.ADD_RISK:
        finding = PASS
    else:
        try:
            finding = rule.judge(case)
        except (ArithmeticError, ValueError, TypeError, AttributeError):
            finding = Finding(is_ok=False, now="unknown")
    result = CheckResult.FAIL
    if finding.is_ok:
        result = CheckResult.WARN if finding.is_near else CheckResult.OK
    return Check(
        name=rule.code,
        now=str(finding.now),
        after=str(finding.after),
        limit=str(finding.limit),
        result=result,
        reason=None if finding.is_ok else rule.code,
    )


def action_of(intent: ExecutionIntent) -> Action:
    """Tell what an intent does; only a literal `reduce_only` True makes it an exit."""
    if intent.reduce_only is not True:
        return Action.ADD_RISK
    return Action.FLATTEN if intent.intent_category is IntentCategory.FLATTEN else Action.REDUCE


def number(value: object) -> Decimal:
    """Return a finite Decimal. Raises `Unknowable` for None, NaN, infinity, floats of money, text."""
    if isinstance(value, bool) or not isinstance(value, (Decimal, int)):
        raise Unknowable(f"not a number: {value!r}")
    exact = Decimal(value)
    if not exact.is_finite():
        raise Unknowable("not finite")
    return exact


def positive(value: object) -> Decimal:
    """Return a finite Decimal above zero. Raises `Unknowable`."""
    exact = number(value)
    if exact <= 0:
        raise Unknowable("not positive")
    return exact


def _bounded(now: Decimal, after: Decimal, limit: object, policy: ExecutionPolicy) -> Finding:
    """Compare with a bound that must be set; near it, ask for the typed size."""
    bound = number(limit)
    warn_from = bound * number(policy.warn_fraction)
    return Finding(0 <= after <= bound, now, after, bound, is_near=after > warn_from)


def _kill_switch(case: Case) -> Finding:
    level = case.facts.kill_level
    hold = {0: HoldLevel.CLEAR, 1: HoldLevel.CLOSE_ONLY, 2: HoldLevel.HALT}.get(
        KillLevel.HALT_ALL if level is None else level
    )
    if case.policy.kill_switch_active is not False:
        hold = HoldLevel.HALT
    return Finding(permits(action_of(case.intent), hold), "unknown" if level is None else int(level))


def _hold(case: Case) -> Finding:
    level = case.facts.hold_level
    return Finding(
        permits(action_of(case.intent), level), "unknown" if level is None else HoldLevel(level).name.lower()
    )


def _account(case: Case) -> Finding:
    account = case.intent.account_id
    return Finding(bool(account) or case.policy.require_account_id is False, account or "none")


def _same_account(case: Case) -> Finding:
    account = case.intent.account_id
    return Finding(not account or account == case.facts.account_id, account, "", case.facts.account_id)


def _finite(case: Case) -> Finding:
    intent = case.intent
    for value in (intent.quantity, intent.notional_usd):
        number(value)
    for optional in (intent.limit_price, intent.stop_loss, intent.take_profit, intent.mark_price):
        if optional is not None and abs(number(optional)) > MAX_PRICE:
            return Finding(is_ok=False, now=optional, limit=MAX_PRICE)
    return PASS


def _quantity(case: Case) -> Finding:
    return Finding(number(case.intent.quantity) > 0, case.intent.quantity)


def _notional(case: Case) -> Finding:
    return Finding(number(case.intent.notional_usd) > 0, case.intent.notional_usd)


def _worst_notional(case: Case) -> Decimal:
    """Price the order by the worst of what it says, its limit and the mark (C1)."""
    intent, quantity = case.intent, positive(case.intent.quantity)
    price = max(positive(intent.limit_price), positive(case.facts.mark_price))
    return max(positive(intent.notional_usd), quantity * price)


def _max_notional(case: Case) -> Finding:
    return _bounded(Decimal(0), _worst_notional(case), case.policy.max_notional_per_order_usd, case.policy)


def _symbol(case: Case) -> Finding:
    symbol, allowed = case.intent.symbol, case.policy.allowed_symbols
    is_open = case.policy.mode is Mode.SIM and not allowed
    return Finding(bool(symbol) and (is_open or symbol in allowed), symbol, "", " ".join(allowed))


def _instrument(case: Case) -> Finding:
    known = case.instrument
    return Finding(known is not None and known.symbol == case.intent.symbol, case.intent.symbol)


def _side(case: Case) -> Finding:
    side = case.intent.side
    is_known = isinstance(side, Side)
    is_allowed = side in case.policy.allowed_sides or action_of(case.intent) is not Action.ADD_RISK
    return Finding(is_known and is_allowed, side, "", " ".join(case.policy.allowed_sides))


def _limit_price(case: Case) -> Finding:
    return Finding(number(case.intent.limit_price) > 0, case.intent.limit_price)


def _stop(case: Case) -> Finding:
    return Finding(number(case.intent.stop_loss) > 0, case.intent.stop_loss)


def _stop_side(case: Case) -> Finding:
    """A stop that would fire at once, or never protects, is no stop."""
    stop, limit = positive(case.intent.stop_loss), positive(case.intent.limit_price)
    mark, sign = positive(case.facts.mark_price), Side(case.intent.side).sign
    return Finding((limit - stop) * sign > 0 and (mark - stop) * sign > 0, stop, "", min(limit, mark))


def _collar(case: Case) -> Finding:
    """Judge the limit against the mark, both ways: a fat finger is as likely up as down (C3)."""
    if action_of(case.intent) is Action.FLATTEN and case.facts.mark_price is None:
        return Finding(is_ok=True, now="no mark", is_near=True)
    mark, limit = positive(case.facts.mark_price), positive(case.intent.limit_price)
    distance_bps = abs(limit - mark) / mark * BPS
    bound_bps = number(case.policy.price_collar_bps)
    return Finding(distance_bps <= bound_bps, "", distance_bps.quantize(Decimal("0.1")), bound_bps)


def _known(instrument: Instrument | None) -> Instrument:
    if instrument is None:
        raise Unknowable("no instrument")
    return instrument


def _lot(case: Case) -> Finding:
    lot = positive(_known(case.instrument).lot)
    return Finding(number(case.intent.quantity) % lot == 0, case.intent.quantity, "", lot)


def _tick(case: Case) -> Finding:
    tick = positive(_known(case.instrument).tick)
    return Finding(number(case.intent.limit_price) % tick == 0, case.intent.limit_price, "", tick)


def _min_notional(case: Case) -> Finding:
    least = number(_known(case.instrument).min_notional_usd)
    value = positive(case.intent.quantity) * positive(case.intent.limit_price)
    return Finding(value >= least, "", value, least)


def _exposure(case: Case) -> Finding:
    now = gross_exposure(case.facts, None)
    return _bounded(now, gross_exposure(case.facts, case.intent), case.policy.max_exposure_usd, case.policy)


def _symbol_exposure(case: Case) -> Finding:
    symbol = case.intent.symbol
    now = symbol_exposure(case.facts, None, symbol)
    after = symbol_exposure(case.facts, case.intent, symbol)
    return _bounded(now, after, case.policy.max_symbol_exposure_usd, case.policy)


def _open_orders(case: Case) -> Finding:
    if case.facts.orders is None:
        raise Unknowable("open orders are not known")
    now = Decimal(len(case.facts.orders))
    return Finding(now + 1 <= number(case.policy.max_open_orders), now, now + 1, case.policy.max_open_orders)


def _positions(case: Case) -> Finding:
    now, after = len(worst_positions(case.facts, None)), len(worst_positions(case.facts, case.intent))
    return Finding(after <= number(case.policy.max_positions), now, after, case.policy.max_positions)


def _daily_loss(case: Case) -> Finding:
    loss, limit = max(Decimal(0), -number(case.facts.day_pnl_usd)), positive(case.policy.max_daily_loss_usd)
    return Finding(loss < limit, loss, "", limit, is_near=loss > limit * number(case.policy.warn_fraction))


def _drawdown(case: Case) -> Finding:
    equity, peak = positive(case.facts.equity_usd), positive(case.facts.peak_equity_usd)
    drawdown, limit = max(Decimal(0), (peak - equity) / peak), positive(case.policy.max_drawdown)
    is_near = drawdown > limit * number(case.policy.warn_fraction)
    return Finding(drawdown < limit, drawdown.quantize(Decimal("0.0001")), "", limit, is_near=is_near)


def _data_age(case: Case) -> Finding:
    facts_age, intent_age = number(case.facts.mark_age_ms), number(case.intent.mark_age_ms)
    age_ms = max(facts_age, intent_age)
    is_fresh = min(facts_age, intent_age) >= 0 and age_ms <= number(case.policy.max_mark_age_ms)
    return Finding(is_fresh, age_ms, "", case.policy.max_mark_age_ms)


def _data_present(case: Case) -> Finding:
    if action_of(case.intent) is Action.FLATTEN:
        return Finding(is_ok=True, is_near=case.facts.mark_price is None)
    return Finding(positive(case.facts.mark_price) > 0 and positive(case.intent.mark_price) > 0)


def _clock_order(case: Case) -> Finding:
    now_ns, last_ns = number(case.facts.now_ns), number(case.facts.last_ns)
    return Finding(now_ns >= last_ns > 0, now_ns, "", last_ns)


def _clock_drift(case: Case) -> Finding:
    offset, limit = case.facts.clock_offset_ms, number(case.policy.max_clock_drift_ms)
    if not isinstance(offset, (int, float)) or isinstance(offset, bool):
        raise Unknowable("clock offset is not known")
    return Finding(abs(offset) <= limit, offset, "", limit)  # NaN compares false


def _duplicate(case: Case) -> Finding:
    if case.facts.recent_keys is None:
        raise Unknowable("recent intents are not known")
    return Finding(duplicate_key(case.intent) not in case.facts.recent_keys)


def _message_rate(case: Case) -> Finding:
    if action_of(case.intent) is Action.FLATTEN:
        return PASS
    sent, limit = number(case.facts.messages_in_window), number(case.policy.max_messages_per_window)
    reserve = number(case.policy.cancel_reserve)
    usable = limit * (1 - reserve)
    return Finding(0 <= reserve < 1 and sent >= 0 and sent + 1 <= usable, sent, sent + 1, usable)


def _repeats(case: Case) -> Finding:
    seen, limit = number(case.facts.repeats_in_window), number(case.policy.max_repeats_per_window)
    return Finding(seen >= 0 and seen + 1 <= limit, seen, seen + 1, limit)


def _unknown_order(case: Case) -> Finding:
    """No new risk on a symbol while any order on it may be alive without our knowing (I5)."""
    if case.facts.orders is None:
        raise Unknowable("open orders are not known")
    unknown = sum(
        1
        for order in case.facts.orders
        if order.symbol == case.intent.symbol and order.status is OrderStatus.UNKNOWN
    )
    return Finding(unknown == 0, unknown, "", 0)


def _reduces(case: Case) -> Finding:
    """A reduce-only order, with the other closing orders that may be alive, never crosses zero (I10)."""
    if action_of(case.intent) is Action.ADD_RISK:
        return PASS
    room = closing_quantity(case.facts, case.intent)
    return Finding(positive(case.intent.quantity) <= room, "", case.intent.quantity, room)


_ALL, _ENTRY = False, True
RULES: tuple[Rule, ...] = (
    Rule("kill_switch_active", _ALL, _kill_switch),
    Rule("hold_blocks_entry", _ALL, _hold),
    Rule("missing_account_id", _ALL, _account),
    Rule("account_mismatch", _ALL, _same_account),
    Rule("not_finite", _ALL, _finite),
    Rule("non_positive_quantity", _ALL, _quantity),
    Rule("non_positive_notional", _ALL, _notional),
    Rule("max_notional_exceeded", _ENTRY, _max_notional),
    Rule("symbol_not_allowed", _ENTRY, _symbol),
    Rule("instrument_unknown", _ALL, _instrument),
    Rule("unsupported_side", _ALL, _side),
    Rule("missing_limit_price", _ALL, _limit_price),
    Rule("missing_stop_loss", _ENTRY, _stop),
    Rule("stop_on_wrong_side", _ENTRY, _stop_side),
    Rule("price_collar_exceeded", _ALL, _collar),
    Rule("lot_not_exact", _ALL, _lot),
    Rule("tick_not_exact", _ALL, _tick),
    Rule("below_min_notional", _ENTRY, _min_notional),
    Rule("max_exposure_exceeded", _ENTRY, _exposure),
    Rule("max_symbol_exposure_exceeded", _ENTRY, _symbol_exposure),
    Rule("max_open_orders", _ENTRY, _open_orders),
    Rule("max_positions", _ENTRY, _positions),
    Rule("daily_loss_limit", _ENTRY, _daily_loss),
    Rule("drawdown_limit", _ENTRY, _drawdown),
    Rule("market_data_stale", _ENTRY, _data_age),
    Rule("market_data_missing", _ALL, _data_present),
    Rule("clock_backwards", _ENTRY, _clock_order),
    Rule("clock_drift", _ENTRY, _clock_drift),
    Rule("duplicate_intent", _ENTRY, _duplicate),
    Rule("message_rate_exceeded", _ALL, _message_rate),
    Rule("repeated_execution", _ENTRY, _repeats),
    Rule("symbol_has_unknown_order", _ENTRY, _unknown_order),
    Rule("reduce_only_increases", _ALL, _reduces),
)
"""Every rule. The order is the order on the ticket."""
