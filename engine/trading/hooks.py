"""What may stand beside the path of an order, and what each may not do (QT-17).

An advisor adds words to a decision's record. A validator lets an intent pass, makes it smaller, or blocks
it. An observer hears of trades. None of them decides: preflight judges afterwards, whatever they said, and
one that fails is treated as the stricter of what it could have said (a validator blocks, the others are
silent). The core itself asks no model and no network.

    from engine.trading.hooks import Hooks

    class HalfOnFriday:
        name = "half-on-friday"
        def validate(self, intent: ExecutionIntent) -> ExecutionIntent | None: ...

    core.hooks = Hooks(validators=(HalfOnFriday(),))
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import msgspec

from safety.canonical import changed
from safety.facts import Check, CheckResult, Preflight
from safety.intent import ExecutionIntent
from safety.text import clean
from venues.types import Fill

MAX_ADVICE = 500
REJECTED = "validator_rejected"


class Advisor(Protocol):
    """Says something about a wish; what it says is recorded and changes nothing."""

    name: str

    def advise(self, intent: ExecutionIntent) -> str: ...


class Validator(Protocol):
    """Returns the intent, a smaller one, or None to block it."""

    name: str

    def validate(self, intent: ExecutionIntent) -> ExecutionIntent | None: ...


class Observer(Protocol):
    """Hears of a fill after everything was booked."""

    name: str

    def observe(self, intent_id: str, fill: Fill) -> None: ...


class Validated(NamedTuple):
    """What became of an intent: `intent` is None where it was blocked, `by` who blocked or shrank it."""

    intent: ExecutionIntent | None
    by: str
    said: str


class Hooks(NamedTuple):
    """Everything that was hung in, in the order in which it is asked."""

    advisors: tuple[Advisor, ...] = ()
    validators: tuple[Validator, ...] = ()
    observers: tuple[Observer, ...] = ()

    def advice(self, intent: ExecutionIntent) -> dict[str, str]:
        """Return what each advisor says, as clean bounded text; one that fails says so and no more."""
        said = {}
        for advisor in self.advisors:
            try:
                said[advisor.name] = clean(str(advisor.advise(intent)), MAX_ADVICE)
            except Exception as error:  # what stands beside the path must not stop it
                said[advisor.name] = f"failed: {type(error).__name__}"
        return said

    def validated(self, intent: ExecutionIntent) -> Validated:
        """Ask every validator; the first that blocks, fails or overreaches ends it."""
        whole = intent
        by = said = ""
        for validator in self.validators:
            try:
                answer = validator.validate(intent)
            except Exception as error:  # not knowing what it would have said is a no
                return Validated(None, validator.name, f"failed: {type(error).__name__}")
            if answer is None:
                return Validated(None, validator.name, "blocked")
            problem = overreach(intent, answer)
            if problem:
                return Validated(None, validator.name, problem)
            if answer.quantity < intent.quantity:
                by, said = validator.name, f"{whole.quantity} made {answer.quantity}"
            intent = answer
        return Validated(intent, by, said)

    def observed(self, intent_id: str, fill: Fill) -> tuple[str, ...]:
        """Tell every observer; return the names of those that failed."""
        failed = []
        for observer in self.observers:
            try:
                observer.observe(intent_id, fill)
            except Exception:  # an observer changes no outcome, not even by failing
                failed.append(observer.name)
        return tuple(failed)


class Hooked(NamedTuple):
    """What the hooks made of a wish: `intent` is what is judged, also where it was blocked."""

    intent: ExecutionIntent
    is_blocked: bool
    is_smaller: bool
    context: str
    """JSON for the decision's record: what advisors said, and which validator did what."""

    def stricter(self, verdict: Preflight) -> Preflight:
        """Return a verdict with the block added; nothing that a hook says can take a refusal away."""
        if not self.is_blocked:
            return verdict
        check = Check(name=REJECTED, now="", after="", limit="", result=CheckResult.FAIL, reason=REJECTED)
        reasons = tuple(sorted({*verdict.reasons, REJECTED}))
        return changed(verdict, allowed=False, reasons=reasons, checks=(*verdict.checks, check))


def asked(hooks: Hooks, intent: ExecutionIntent) -> Hooked:
    """Ask advisors and, of what can add risk, validators: an exit is never held back by one."""
    advice = hooks.advice(intent)
    if intent.reduce_only:
        found = Validated(intent, "", "")
    else:
        found = hooks.validated(intent)
    said: dict[str, object] = {"advice": advice} if advice else {}
    if found.by:
        said["validator"] = {"name": found.by, "said": found.said}
    after = found.intent or intent
    return Hooked(
        intent=after,
        is_blocked=found.intent is None,
        is_smaller=after.quantity < intent.quantity,
        context=msgspec.json.encode(said).decode(),
    )


def overreach(before: ExecutionIntent, after: object) -> str:
    """Say what a validator did that it may not; empty where it kept or shrank the intent."""
    if not isinstance(after, ExecutionIntent):
        return f"answered with a {type(after).__name__}"
    if changed(after, quantity=before.quantity, notional_usd=before.notional_usd) != before:
        return "changed more than the size"
    if after == before:
        return ""
    is_smaller = 0 < after.quantity < before.quantity
    share = after.notional_usd * before.quantity <= before.notional_usd * after.quantity
    return "" if is_smaller and share and after.notional_usd > 0 else "made it larger, or of no size"
