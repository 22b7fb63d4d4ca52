"""The corridor's steps as one table, and the pure question: what keeps this step from being done?

Up to the submit every step is done once, on the one before it, while that is fresh. After the submit the
order is only looked at or cancelled, as often as wanted.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.api.corridor import Artifact, Lack, Step
from seams.clock import NS_PER_S
from venues.types import Record


class StepRule(Record):
    """What one step needs. `fresh_s` bounds the age of the artifact it stands on; None asks for no age."""

    file: str
    after: Step | None
    fresh_s: int | None = None
    needs_person: bool = False
    """A named reviewer and the typed confirmation."""
    repeats: bool = False


MINUTE = 60
STEPS: Mapping[Step, StepRule] = {
    Step.PREFLIGHT: StepRule(file="preflight", after=None),
    Step.READINESS: StepRule(file="account_readiness", after=Step.PREFLIGHT, fresh_s=5 * MINUTE),
    Step.PREPARE: StepRule(file="prepared_order", after=Step.READINESS, fresh_s=5 * MINUTE),
    Step.APPROVE: StepRule(file="approval", after=Step.PREPARE, fresh_s=15 * MINUTE, needs_person=True),
    Step.BUNDLE: StepRule(file="bundle", after=Step.APPROVE, fresh_s=10 * MINUTE),
    Step.GATE: StepRule(file="submit_gate", after=Step.BUNDLE, fresh_s=10 * MINUTE, needs_person=True),
    Step.SUBMIT: StepRule(file="submit_response", after=Step.GATE, fresh_s=MINUTE, needs_person=True),
    Step.STATUS: StepRule(file="order_status", after=Step.SUBMIT, repeats=True),
    Step.RECONCILE: StepRule(file="reconciliation", after=Step.SUBMIT, repeats=True),
    Step.FILLS: StepRule(file="fill_summary", after=Step.SUBMIT, repeats=True),
    Step.SUPERVISE: StepRule(file="supervision", after=Step.SUBMIT, repeats=True),
    Step.CANCEL: StepRule(file="cancel_response", after=Step.SUBMIT, needs_person=True, repeats=True),
}
CONFIRMATIONS: Mapping[Step, str] = {
    Step.APPROVE: "APPROVE",
    Step.GATE: "GATE",
    Step.SUBMIT: "SUBMIT",
    Step.CANCEL: "CANCEL",
}
"""The word that a person types for each step that needs one."""


def newest(artifacts: tuple[Artifact, ...], step: Step) -> Artifact | None:
    """Return the newest artifact of a step; None where there is none."""
    return next((each for each in reversed(artifacts) if each.step == step), None)


def is_done(artifacts: tuple[Artifact, ...], step: Step) -> bool:
    """Tell whether a step was done: a submit is, as soon as it was begun."""
    found = newest(artifacts, step)
    return found is not None and (found.ok or step is Step.SUBMIT)


def lacks(artifacts: tuple[Artifact, ...], step: Step, now_ns: int) -> tuple[Lack, ...]:
    """Return everything that keeps a step from being done now; empty where nothing does."""
    rule, found = STEPS[step], []
    if not rule.repeats and is_done(artifacts, step):
        code = "already_submitted" if step is Step.SUBMIT else "step_done"
        found.append(Lack(code=code, said=f"{step} of this session is done"))
    if step.value in _BEFORE_SUBMIT and step is not Step.SUBMIT and is_done(artifacts, Step.SUBMIT):
        found.append(Lack(code="already_submitted", said="this session's order was submitted"))
    if rule.after is None:
        return tuple(found)
    base = newest(artifacts, rule.after)
    if base is None or not is_done(artifacts, rule.after):
        said = "was refused" if base is not None else "was not done"
        if base is not None and rule.after is Step.PREFLIGHT:
            said += "; judge it again, or open another session"
        found.append(Lack(code="step_out_of_order", said=f"{rule.after} {said}"))
        return tuple(found)
    age_s = (now_ns - base.at_ns) // NS_PER_S
    if rule.fresh_s is not None and not 0 <= age_s <= rule.fresh_s:
        said = f"{rule.after} is {age_s} s old; {step} takes it up to {rule.fresh_s} s"
        found.append(Lack(code="artifact_stale", said=said))
    return tuple(found)


_BEFORE_SUBMIT = frozenset(each.value for each in list(STEPS)[: list(STEPS).index(Step.SUBMIT) + 1])
