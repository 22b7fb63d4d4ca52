"""What a preflight rule is, and how one is judged.

A rule returns a `Finding`; raising, NaN, None and wrong types are failures of that rule. Rules for
entries judge only what can add risk; the others judge everything and are the only ones an exit meets.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from functools import cache, lru_cache
from typing import NamedTuple

from safety.applicability import may_be_absent
from safety.facts import AccountFacts, Check, CheckResult
from safety.intent import ExecutionIntent, ExecutionPolicy, IntentCategory
from safety.interlock import Action
from venues.types import Instrument, Side

BPS = Decimal(10_000)
_FRACTION = Decimal("0.0001")
_TEN_PLACES = Decimal("1e-10")
_ZERO, _ONE = Decimal(0), Decimal(1)
_LARGEST_SHOWN = Decimal("1e15")
_TEXTS_KEPT = 1024


class Level(StrEnum):
    """What a rule is about: the level at which its bound holds."""

    ORDER = "order"
    SYMBOL = "symbol"
    STRATEGY = "strategy"
    ACCOUNT = "account"
    VENUE = "venue"
    DESK = "desk"
    MARKET = "market"
    TRAFFIC = "traffic"
    ENGINE = "engine"


class Case(NamedTuple):
    """Everything one judgement may look at. `adds_risk` is what `action_of` says of the intent, asked once
    for all rules."""

    intent: ExecutionIntent
    facts: AccountFacts
    policy: ExecutionPolicy
    instrument: Instrument | None
    adds_risk: bool


def case_of(
    intent: ExecutionIntent, facts: AccountFacts, policy: ExecutionPolicy, instrument: Instrument | None
) -> Case:
    """Return the case of an intent."""
    return Case(intent, facts, policy, instrument, action_of(intent) is Action.ADD_RISK)


Scale = tuple[Callable[[Decimal, Decimal], Decimal], Decimal, Decimal]


class Finding(NamedTuple):
    """What one rule saw. `headroom` is the share of its bound that is left, where there is a scale: as it is,
    or as (how it is made, the value, the bound), because only who is shown it needs it."""

    is_ok: bool
    now: object = ""
    after: object = ""
    limit: object = ""
    is_near: bool = False
    headroom: Decimal | Scale | None = None


class Unknowable(ValueError):
    """A figure that a rule needs is missing, not a number or of the wrong type."""


PASS = Finding(is_ok=True)
_ABSENT, _UNKNOWN = Finding(is_ok=True, now="absent"), Finding(is_ok=False, now="unknown")
Judge = Callable[[Case], Finding]


class Rule(NamedTuple):
    """One row: the reason code it refuses with, whether exits are exempt, the judge, and what it is for.

    `controls` are the rows of the control list it carries out, `bounds` the fields of the policy it
    reads, `optional` the facts that a mode may lack (`safety.applicability`).
    """

    code: str
    is_for_entries_only: bool
    judge: Judge
    level: Level
    controls: str
    says: str
    bounds: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


def judge(rule: Rule, case: Case) -> Check:
    """Apply one rule and show what it saw; what it cannot compute it refuses."""
    finding = found(rule, case)
    if finding is PASS:
        return passed(rule.code)
    is_ok, now, after, limit, is_near, headroom = finding
    if isinstance(headroom, tuple):
        try:
            headroom = headroom[0](headroom[1], headroom[2])
        except ArithmeticError:
            is_ok, now, after, limit, is_near, headroom = _UNKNOWN
    result = CheckResult.OK if is_ok else CheckResult.FAIL
    if finding is _ABSENT:
        result = CheckResult.NOT_APPLICABLE
    elif is_ok and is_near:
        result = CheckResult.WARN
    return Check(
        name=rule.code,
        now=now if type(now) is str else _text(now),
        after=after if type(after) is str else _text(after),
        limit=limit if type(limit) is str else _text(limit),
        result=result,
        reason=None if is_ok else rule.code,
        headroom="" if headroom is None else _text(headroom),
    )


def found(rule: Rule, case: Case) -> Finding:
    """Apply one rule to a case; `PASS` where it has nothing to say."""
    if rule.is_for_entries_only and not case.adds_risk:
        return PASS
    if rule.optional and may_be_absent(rule.optional, case.facts, case.policy.mode):
        return _ABSENT
    try:
        return rule.judge(case)
    except (ArithmeticError, ValueError, TypeError, AttributeError):
        return _UNKNOWN


@cache
def passed(code: str) -> Check:
    """Return the check of a rule that has nothing to say; it is the same each time."""
    return Check(name=code, now="", after="", limit="", result=CheckResult.OK, reason=None)


def _text(value: object) -> str:
    """Return a figure as it is shown: no exponent, at most ten places."""
    if isinstance(value, Decimal) and value.is_finite() and abs(value) < _LARGEST_SHOWN:
        return _shown(value) if value else f"{value.quantize(_TEN_PLACES).normalize():f}"
    return str(value)


@lru_cache(maxsize=_TEXTS_KEPT)
def _shown(value: Decimal) -> str:
    """Return how an amount is shown; bounds come back at every judgement. Equal amounts have one text, but
    for zero with its two signs, which is not asked here."""
    return f"{value.quantize(_TEN_PLACES).normalize():f}"


def action_of(intent: ExecutionIntent) -> Action:
    """Tell what an intent does; only a literal `reduce_only` True makes it an exit."""
    if intent.reduce_only is not True:
        return Action.ADD_RISK
    return Action.FLATTEN if intent.intent_category is IntentCategory.FLATTEN else Action.REDUCE


def _exact(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (Decimal, int)):
        raise Unknowable(f"not a number: {value!r}")
    return Decimal(value)


def number(value: object) -> Decimal:
    """Return a finite Decimal. Raises `Unknowable` for None, NaN, infinity, floats of money, text."""
    exact = value if type(value) is Decimal else _exact(value)
    if not exact.is_finite():
        raise Unknowable("not finite")
    return exact


def positive(value: object) -> Decimal:
    """Return a finite Decimal above zero. Raises `Unknowable`."""
    exact = value if type(value) is Decimal else _exact(value)
    if not exact.is_finite():
        raise Unknowable("not finite")
    if exact <= _ZERO:
        raise Unknowable("not positive")
    return exact


def not_negative(value: object) -> Decimal:
    """Return a finite Decimal of zero or more. Raises `Unknowable`."""
    exact = value if type(value) is Decimal else _exact(value)
    if not exact.is_finite():
        raise Unknowable("not finite")
    if exact < _ZERO:
        raise Unknowable("negative")
    return exact


def side_of(intent: ExecutionIntent) -> Side:
    return Side(intent.side)


def at_most(
    now: object,
    after: Decimal,
    limit: object,
    policy: ExecutionPolicy,
    *,
    is_strict: bool = False,
    warns: bool = True,
) -> Finding:
    """Compare with an upper bound; `is_strict` refuses at the bound itself. Near it, the check warns where
    it may. Raises `Unknowable` for a bound or a value that is none.

    What is left is not made yet: of a value within the bound it can always be made.
    """
    bound, used = not_negative(limit), not_negative(after)
    is_near = used > bound * number(policy.warn_fraction)
    is_ok = used < bound if is_strict else used <= bound
    return Finding(is_ok, now, after, bound, is_near and warns, (_left, used, bound))


def at_least(value: Decimal, limit: Decimal) -> Finding:
    """Compare with a lower bound that must be reached; headroom is how far above it the value lies."""
    bound, has = not_negative(limit), number(value)
    spare = max(Decimal(0), has - bound) / has if has > 0 else Decimal(0)
    return Finding(has >= bound, has, "", bound, headroom=min(Decimal(1), spare).quantize(_FRACTION))


def _left(used: Decimal, bound: Decimal) -> Decimal:
    if bound <= _ZERO:
        return _ZERO
    return min(_ONE, max(_ZERO, 1 - used / bound)).quantize(_FRACTION)
