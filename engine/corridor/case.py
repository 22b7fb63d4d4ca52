"""One session as it stands while a step is done: its folder, its artifacts, its order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from engine.api.corridor import Artifact, Step, SubmitAct, SubmitOpen
from engine.corridor.folder import CorridorFolder
from engine.corridor.steps import newest
from engine.trading.custody import Custody
from engine.trading.hand_intent import hand_intent
from engine.trading.pipeline import request_of
from safety.canonical import changed
from safety.intent import PERSON, ExecutionIntent
from safety.order_form import feedback, figure
from safety.reasons import Refusal
from venues.types import OrderRequest, Record

TOOL = "submit_order"


class Ask(Record):
    """What somebody asks of a session: the step, who, and what the step needs.

    `principal` is the id of the key that signed the asking; empty where nothing was signed.
    """

    step: Step
    operator: str
    principal: str = ""
    confirm: str = ""
    note: str = ""
    form: dict[str, Any] = {}
    """The order's form, for the first step only."""
    polls: int = 3
    interval_s: float = 2.0


def asked(body: SubmitOpen | SubmitAct, operator: str, principal: str) -> Ask:
    """Return what a command asks of the corridor, and who asks it."""
    if isinstance(body, SubmitOpen):
        return Ask(
            step=Step.PREFLIGHT, operator=operator, principal=principal, note=body.note, form=body.form
        )
    return Ask(
        step=body.step,
        operator=operator,
        principal=principal,
        confirm=body.confirm,
        note=body.note,
        polls=body.polls,
        interval_s=body.interval_s,
    )


class Outcome(NamedTuple):
    """What one step came to; `body` is what its artifact says besides."""

    ok: bool
    state: str
    reasons: tuple[str, ...]
    body: dict[str, Any]


@dataclass
class Case:
    """A session at work."""

    folder: CorridorFolder
    artifacts: tuple[Artifact, ...]
    intent: ExecutionIntent

    @property
    def order_id(self) -> str:
        """The order's id is made from its session's: it is the same whenever anybody asks."""
        return f"O-{self.folder.session_id}"

    @property
    def request(self) -> OrderRequest:
        return request_of(self.intent, self.order_id)


def case_of(folder: CorridorFolder, anchor: str) -> Case:
    """Read a session. `anchor` is `NUMBER:HASH` of its newest artifact as the database knows it.

    Raises `Refusal`: not_found, artifact_altered (also: an artifact that was written is gone).
    """
    artifacts = folder.artifacts()
    number, _, sha256 = anchor.partition(":")
    if anchor and folder.hashes().get(int(number)) != sha256:
        raise Refusal("artifact_altered", f"{folder.session_id} was written up to artifact {number}")
    first = newest(artifacts, Step.PREFLIGHT)
    if first is None:
        raise Refusal("artifact_altered", f"{folder.session_id} has no preflight")
    return Case(folder, artifacts, msgspec.convert(first.body["intent"], ExecutionIntent))


def intent_of_form(
    form: Mapping[str, object], session_id: str, custody: Custody, fingerprint: str
) -> ExecutionIntent:
    """Return the intent of an order's form. Raises `Refusal` (invalid_request) with what to correct."""
    wrong = feedback(form, TOOL)
    if wrong is not None:
        raise Refusal("invalid_request", wrong.corrective_action)
    mark = figure(form.get("mark_price")) or figure(form["limit_price"])
    intent = hand_intent(
        form,
        name=session_id,
        session_id="",
        strategy=PERSON,
        venue=custody.venue.name,
        account=custody.account,
        fingerprint=fingerprint,
        mark_price=mark,
        mark_age_ms=0,
    )
    return changed(intent, dry_run=False)
