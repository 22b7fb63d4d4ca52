"""The corridor as people and programs see it: steps, artifacts, a session's state, and what may be asked."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from venues.types import Record

ARTIFACT_VERSION = 1


class Step(StrEnum):
    """The steps, in their order."""

    PREFLIGHT = "preflight"
    READINESS = "readiness"
    PREPARE = "prepare"
    APPROVE = "approve"
    BUNDLE = "bundle"
    GATE = "gate"
    SUBMIT = "submit"
    STATUS = "status"
    RECONCILE = "reconcile"
    FILLS = "fills"
    SUPERVISE = "supervise"
    CANCEL = "cancel"


class Artifact(Record):
    """One step as it was done. `stands_on` names the artifact below it by its hash; `previous_sha256` is the
    hash of the artifact written before this one, so that none can be changed, removed or put between.

    `state` is the step's outcome in words, `ok` whether the next step may stand on it.
    """

    artifact_type: str
    version: int
    session_id: str
    number: int
    step: str
    at: str
    at_ns: int
    by: str
    venue: str
    environment: str
    ok: bool
    state: str
    reasons: tuple[str, ...]
    stands_on: dict[str, str]
    previous_sha256: str
    body: dict[str, Any]


class Lack(Record):
    """One thing that keeps a step from being done: a reason code, and what it is about."""

    code: str
    said: str


class SessionAlert(Record):
    """One thing that wants a person; the one with the highest priority speaks for its session."""

    code: str
    severity: str
    priority: int
    said: str


class Why(Record):
    """One reason for which a step was refused: what it means, what was seen, and what to do about it."""

    code: str
    title: str
    said: str
    correction: str
    runbook: str
    is_known: bool = True
    """False: a figure that the rule needs is not known, so it refused without a judgement of its own."""


class SessionState(Record):
    """`session_status.json`. `reasons` are the codes that refused the last step; `refused` explains each."""

    artifact_type: str
    session_id: str
    status: str
    step: str
    updated_at: str
    reasons: tuple[str, ...]
    alerts: tuple[SessionAlert, ...]
    refused: tuple[Why, ...] = ()


class StepRow(Record):
    """One step of a session: what was done, by whom, and what keeps it from being done now."""

    step: str
    state: str
    is_done: bool
    at: str
    by: str
    reasons: tuple[str, ...]
    lacks: tuple[Lack, ...]


class StepTick(Record):
    """One tick of one step of a runbook: its own words, by whom, when, and what was done and seen."""

    book: str
    step: int
    said: str
    by: str
    at: str
    note: str


class RunbookStep(Record):
    """One step of a runbook, with its newest tick."""

    number: int
    said: str
    tick: StepTick | None


class RunbookSteps(Record):
    """A runbook that a corridor session is worked by."""

    book: str
    steps: tuple[RunbookStep, ...]

    @property
    def next(self) -> RunbookStep | None:
        """The first step that is not ticked."""
        return next((each for each in self.steps if each.tick is None), None)


class RunbookTick(Record, tag="runbook_tick"):
    """Tick one step of a runbook for a corridor session; the reason in the envelope says what was seen.

    `book` empty: the one of the session's venue.
    """

    session_id: str
    step: int
    book: str = ""


class SubmitView(Record):
    """One corridor session: its state, its steps, and the artifacts they left."""

    state: SessionState
    venue: str
    environment: str
    order: dict[str, Any]
    steps: tuple[StepRow, ...]
    artifacts: tuple[Artifact, ...]
    next_step: str
    confirm: str
    """The word that the next step wants typed; empty where it wants none."""
    runbooks: tuple[RunbookSteps, ...] = ()
    """The venue's runbook, then each other one that a step was ticked of."""


class SubmitRow(Record):
    """One corridor session in a list. `status` is `artifact_altered` where its record cannot be trusted."""

    session_id: str
    opened_at: str
    venue: str
    environment: str
    said: str
    status: str
    step: str
    alert: str


class SubmitsHealth(Record):
    """How many sessions there are of each status, and which one was touched last."""

    artifact_type: str
    generated_at: str
    total_sessions: int
    status_counts: dict[str, int]
    latest_session: str
    latest_status: str
    latest_alert: str


class SubmitAlert(Record):
    """The most pressing thing of one session."""

    session_id: str
    status: str
    alert: SessionAlert


class PackItem(Record):
    """One file of an evidence pack."""

    name: str
    sha256: str


class PackManifest(Record):
    """What an evidence pack holds, and what a supervised pass should have had besides."""

    artifact_type: str
    session_id: str
    made_from: str
    status: str
    paper_session: str
    items: tuple[PackItem, ...]
    missing: tuple[str, ...]


class SubmitList(Record, tag="submit_list"):
    """Ask for the corridor sessions, newest first."""


class Submits(Record):
    """The corridor sessions of a desk; `problem` says why there can be none."""

    rows: tuple[SubmitRow, ...]
    problem: str = ""


class SubmitShow(Record, tag="submit_show"):
    """Ask for one corridor session with its steps."""

    session_id: str


class SubmitOpen(Record, tag="submit_open"):
    """Begin a corridor session with the preflight of this order (the strict form of an order by hand)."""

    form: dict[str, Any]
    note: str = ""


class SubmitAct(Record, tag="submit_act"):
    """Do one step of a corridor session; `confirm` is the word that a step with a person asks for."""

    session_id: str
    step: Step
    confirm: str = ""
    note: str = ""
    polls: int = 3
    interval_s: float = 2.0

    @classmethod
    def of(cls, session_id: str, step: str, confirm: str) -> SubmitAct:
        """Return the act of a step by its name. Raises `ValueError` where there is no such step."""
        return cls(session_id=session_id, step=Step(step), confirm=confirm)
