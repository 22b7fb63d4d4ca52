"""The corridor's desk: does one step of one session, if nothing keeps it from being done.

What each step needs is the table in `steps`; what it asks the venue is in `evidence` of the adapter; the
order itself passes the order manager's gate like any other. A step that is refused leaves an artifact too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from typing import Any

import msgspec

from engine.api.corridor import (
    Artifact,
    RunbookSteps,
    RunbookTick,
    SessionState,
    Step,
    SubmitRow,
    Submits,
    SubmitView,
)
from engine.core import Core
from engine.corridor import reading
from engine.corridor.after import After
from engine.corridor.case import Ask, Case, Outcome, case_of, intent_of_form
from engine.corridor.folder import CorridorFolder
from engine.corridor.gate import conditions, open_gate
from engine.corridor.registry import index_submits
from engine.corridor.runbook import tick
from engine.corridor.status import state_of
from engine.corridor.steps import CONFIRMATIONS, STEPS, lacks, newest
from engine.judging import corrections, facts_told, judge_opening
from engine.limits import latch_repetition
from engine.trading.custody import Custody, Verdict
from engine.trading.rows import ticket_row
from engine.trading.verdict import why_not_clean
from engine.trading.working import ManagedOrder
from engine.unanswered import BUSY, code_of_silence, no_whole_pass
from safety.approval import ApprovalRule
from safety.canonical import sha256_hex
from safety.intent import IntentCategory
from safety.reasons import Refusal
from safety.text import clean
from safety.two_person import Signature
from seams import chaos
from seams.clock import NS_PER_S
from venues.asked_by import for_a_person
from venues.contract import Signed, VenueError
from venues.evidence import CorridorVenue, Preparing, Probe
from venues.types import TERMINAL, OrderStatus

VALID_NS = 15 * 60 * NS_PER_S
"""How long bytes that a person approves may be admitted by a venue that knows expiry."""
TICKET_NS = 30 * NS_PER_S
ANCHOR = "corridor:"
MAX_LISTED = 200
QUESTIONS = frozenset({Step.PREFLIGHT, Step.READINESS, Step.STATUS, Step.RECONCILE, Step.FILLS})
"""Steps that only ask, once: they may use the share of the venue's budget that is a person's."""


class CorridorDesk:
    """The corridor sessions of one engine, whose account is in custody."""

    def __init__(self, core: Core, custody: Custody, venue: CorridorVenue) -> None:
        self.core, self.custody, self.venue = core, custody, venue
        self._lock = asyncio.Lock()
        self._rows: dict[str, SubmitRow] | None = None
        self._after = After(core, custody, venue)
        self._steps: Mapping[Step, Callable[[Case, Ask], Awaitable[Outcome]]] = {
            Step.PREFLIGHT: self._preflight,
            Step.READINESS: self._readiness,
            Step.PREPARE: self._prepare,
            Step.APPROVE: self._approve,
            Step.BUNDLE: self._bundle,
            Step.GATE: self._gate,
            Step.SUBMIT: self._submit,
            Step.STATUS: self._after.status,
            Step.RECONCILE: self._after.reconcile,
            Step.FILLS: self._after.fills,
            Step.SUPERVISE: self._after.supervise,
            Step.CANCEL: self._cancel,
        }

    async def open(self, ask: Ask) -> SessionState:
        """Begin a session with its preflight. Raises `Refusal` where the form is not right."""
        session_id = self.core.ids.new("X")
        form = dict(ask.form)
        intent = intent_of_form(form, session_id, self.custody, self.core.config_fingerprint)
        async with self._lock:
            case = Case(folder=self._folder(session_id), artifacts=(), intent=intent)
            return await self._do(case, ask)

    async def act(self, session_id: str, ask: Ask) -> SessionState:
        """Do one step of a session, or say everything that keeps it from being done.

        Raises `Refusal`: not_found, artifact_altered, bad_confirmation, operator_required, and what the
        table of steps says.
        """
        async with self._lock:
            case = case_of(self._folder(session_id), self._anchor(session_id))
            return await self._do(case, ask)

    def tick(self, asked: RunbookTick, operator: str, note: str) -> RunbookSteps:
        """Tick a step of a session's runbook, also while one of its own steps waits for the venue.

        Raises `Refusal`: not_found, artifact_altered, operator_required, reason_required.
        """
        case = case_of(self._folder(asked.session_id), self._anchor(asked.session_id))
        return tick(self.core, case.folder.path, case.artifacts[0].venue, asked, operator, note)

    def sessions(self) -> Submits:
        """Return the newest sessions; the folders are read once, then each step keeps its own row."""
        found = sorted(self._listed().values(), key=lambda row: (row.opened_at, row.session_id), reverse=True)
        return Submits(rows=tuple(found[:MAX_LISTED]))

    def show(self, session_id: str) -> SubmitView:
        """Return one session. Raises `Refusal`: not_found, artifact_altered."""
        return reading.show(self.core.paths.submits, session_id, self.core.disk, self.core.clock.now_ns())

    def _listed(self) -> dict[str, SubmitRow]:
        if self._rows is None:
            found = reading.rows(self.core.paths.submits, self.core.disk)
            self._rows = {row.session_id: row for row in found}
        return self._rows

    async def _do(self, case: Case, ask: Ask) -> SessionState:
        found = lacks(case.artifacts, ask.step, self.core.clock.now_ns())
        if found:
            raise Refusal(found[0].code, "; ".join(each.said for each in found))
        wanted = CONFIRMATIONS.get(ask.step)
        if wanted is not None and ask.confirm != wanted:
            raise Refusal("bad_confirmation", f"type {wanted}")
        if STEPS[ask.step].needs_person and not clean(ask.operator, 80):
            raise Refusal("operator_required", "the reviewer is named")
        try:
            with for_a_person() if ask.step in QUESTIONS else nullcontext():
                outcome = await self._steps[ask.step](case, ask)
        except VenueError as error:
            said, code = clean(str(error), 200), code_of_silence(error)
            if ask.step is Step.SUBMIT:  # before anything was begun: what is begun handles its own doubts
                raise Refusal(code, said) from error
            body = {"said": said, **({"intent": case.intent} if ask.step is Step.PREFLIGHT else {})}
            outcome = Outcome(False, code, (code,), body)
        self._keep(case, ask, outcome)
        return self._close(case)

    # --- up to the submit ------------------------------------------------------------------------

    async def _preflight(self, case: Case, ask: Ask) -> Outcome:
        market = await self.venue.market(case.intent.symbol)
        if market is not None:
            case.intent = msgspec.structs.replace(case.intent, mark_price=market.mark)  # type: ignore[type-var]
        verdict = judge_opening(self.core, self.custody, case.intent, market)
        latch_repetition(self.core, self.custody.account, case.intent, verdict)
        probe = await self.venue.preflight(case.request)
        ok = verdict.allowed and probe.ok
        body = {
            "intent": case.intent,
            "local_preflight": verdict,
            "venue": probe.body,
            "policy": self.core.policies.about(case.intent, verdict.checks),
            "note": clean(ask.note, 500),
            **facts_told(self.core, case.intent.symbol),
            "corrections": corrections(verdict.reasons, self.custody, case.intent.symbol),
        }
        reasons = (*probe.reasons, *(each for each in verdict.reasons if each not in probe.reasons))
        return Outcome(ok, "preflight_passed" if ok else "preflight_refused", reasons, body)

    async def _readiness(self, case: Case, ask: Ask) -> Outcome:
        verdict = await self.custody.reconcile()
        probe = await self.venue.readiness(case.request)
        reasons = probe.reasons
        if self.custody.failed is not None:  # the verdict is from before: it says nothing about now
            reasons = (*reasons, no_whole_pass(self.custody).code)
        if verdict is not Verdict.CLEAN:
            reasons = (*reasons, why_not_clean(verdict))
        state = "account_not_ready" if reasons else "account_ready"
        body = {"venue": probe.body, "custody": verdict.value, "account": self.custody.account}
        if reasons == (BUSY,):  # nothing was found against the account: half of it was not asked
            state, body = BUSY, body | {"said": no_whole_pass(self.custody).detail}
        return Outcome(not reasons, state, reasons, body)

    async def _prepare(self, case: Case, ask: Ask) -> Outcome:
        valid_until_ns = 0
        if self.custody.venue.capabilities().has_expiry:
            valid_until_ns = self.core.clock.now_ns() + self.custody.orders.offset_ns + VALID_NS
        with self.core.store.transaction():
            nonce = self.custody.orders.nonces.next()
        made = await self.venue.prepare(case.request, nonce, valid_until_ns)
        body: dict[str, Any] = {"preparing": self.venue.preparing.value, "venue": made.probe.body}
        if made.signed is not None:
            body |= {"signed": made.signed, "payload_sha256": sha256_hex(made.signed.wire)}
        is_whole = made.signed is not None or self.venue.preparing is Preparing.VALIDATE
        assert is_whole or not made.probe.ok, "what is signed has its bytes"
        return _outcome(made.probe, body)

    async def _approve(self, case: Case, ask: Ask) -> Outcome:
        prepared = newest(case.artifacts, Step.PREPARE)
        assert prepared is not None
        if self.core.needs_second(case.intent.notional_usd) and not ask.principal:
            raise Refusal("principal_required", "an order of this size is signed by two persons")
        body = {
            "reviewer": clean(ask.operator, 80),
            "principal": ask.principal,
            "note": clean(ask.note, 500),
            "policy": _policy_of(case),
            "approves": case.folder.hashes()[prepared.number],
            "payload_sha256": prepared.body.get("payload_sha256", ""),
        }
        return Outcome(True, "approved", (), body)

    async def _bundle(self, case: Case, ask: Ask) -> Outcome:
        hashes = case.folder.hashes()
        files = {STEPS[Step(each.step)].file: hashes[each.number] for each in case.artifacts if each.ok}
        return Outcome(True, "ready_for_supervised_submit", (), {"files": files})

    async def _gate(self, case: Case, ask: Ask) -> Outcome:
        signed = Signature(operator=clean(ask.operator, 80), principal=ask.principal)
        found = await conditions(self.core, self.custody, self.venue, case, signed)
        failing = tuple(each.code for each in found if not each.ok)
        state = "submit_gate_closed" if failing else "ready_for_supervised_submit_gate"
        body = {
            "confirmed_by": signed.operator,
            "principal": signed.principal,
            "conditions": found,
        }
        return Outcome(not failing, state, failing, body)

    # --- the submit ------------------------------------------------------------------------------

    async def _submit(self, case: Case, ask: Ask) -> Outcome:
        await open_gate(self.core, self.custody, self.venue, case)
        market = await self.venue.market(case.intent.symbol)
        verdict = judge_opening(self.core, self.custody, case.intent, market)
        body = {
            "reviewer": clean(ask.operator, 80),
            "note": clean(ask.note, 500),
            "order_id": case.order_id,
        }
        named = {"cloid": self.venue.told(case.order_id).client_id}
        self._keep(case, ask, Outcome(False, "pending_remote_submit", (), body | named))
        core = self.core
        ticket = core.tickets.propose(
            core.ids.new("T"),
            case.intent,
            verdict,
            epoch=core.epoch,
            limits_epoch=core.limits.epoch,
            moment=core.moment(),
            ttl_ns=TICKET_NS,
        )
        approved = core.tickets.approve_by_rule(
            ticket.id, ApprovalRule.CORRIDOR, epoch=core.epoch, moment=core.moment()
        )
        core.store.tickets.save_ticket(ticket_row(approved, clean(ask.operator, 80), core.clock.now_ns()))
        order = await self.custody.orders.send(approved, case.request, 0, _signed_of(case))
        said = self.venue.told(case.order_id).submit
        answered = {
            "exchange_status": None if said is None else said.status,
            "exchange_response": None if said is None else said.body,
        }
        sent = _sent(order, body)
        return sent._replace(body=sent.body | named | answered)  # at its end: what is proved is read first

    async def _cancel(self, case: Case, ask: Ask) -> Outcome:
        self._keep(case, ask, Outcome(False, "pending_remote_cancel", (), {"order_id": case.order_id}))
        return await self._after.cancel(case, ask)

    # --- the record ------------------------------------------------------------------------------

    def _keep(self, case: Case, ask: Ask, outcome: Outcome) -> None:
        core = self.core
        artifact = case.folder.add(
            ask.step,
            by=ask.operator,
            venue=self.custody.venue.name,
            environment=core.environment.value,
            ok=outcome.ok,
            state=outcome.state,
            reasons=outcome.reasons,
            body=msgspec.to_builtins(outcome.body),
            clock=core.clock,
        )
        chaos.point("corridor.written")
        case.artifacts = (*case.artifacts, artifact)
        sha256 = case.folder.hashes()[artifact.number]
        now_ns = core.clock.now_ns()
        core.store.facts.set(ANCHOR + case.folder.session_id, f"{artifact.number}:{sha256}", now_ns)
        said = f"{case.folder.session_id} {ask.step}: {outcome.state}"
        core.note("corridor", ask.operator, said, artifact_sha256=sha256, number=artifact.number)
        self._decided(case, ask, artifact)
        chaos.point("corridor.kept")

    def _decided(self, case: Case, ask: Ask, artifact: Artifact) -> None:
        if ask.step in (Step.GATE, Step.SUBMIT, Step.CANCEL):
            category = IntentCategory.CANCEL if ask.step is Step.CANCEL else case.intent.intent_category
            self.core.audit.decision(
                intent_category=category,
                policy_result={"allowed": artifact.ok, "reasons": list(artifact.reasons)},
                outcome=_decision_of(ask.step, artifact),
                body={"corridor": case.folder.session_id, "step": ask.step.value, "state": artifact.state},
            )

    def _close(self, case: Case) -> SessionState:
        state = state_of(case.folder.session_id, case.artifacts)
        case.folder.put("session_status.json", state)
        row = reading.listed(self.core.paths.submits, case.folder.session_id, self.core.disk)
        if row is not None:
            self._rows = {**self._listed(), row.session_id: row}
        reading.publish(self.core.paths.submits, self.core.disk, self.core.clock)
        index_submits(self.core.paths.submits, self.core.disk, self.core.clock)
        return state

    def _folder(self, session_id: str) -> CorridorFolder:
        return CorridorFolder(self.core.paths.submits, session_id, self.core.disk)

    def _anchor(self, session_id: str) -> str:
        return self.core.store.facts.get(ANCHOR + session_id) or ""


def _policy_of(case: Case) -> list[dict[str, Any]]:
    """Return the policy that the preflight showed: what an approver had before their eyes (QT-08)."""
    shown = newest(case.artifacts, Step.PREFLIGHT)
    return [] if shown is None else list(shown.body.get("policy", ()))


def _decision_of(step: Step, artifact: Artifact) -> str:
    """Return the decision log's word for a step's artifact."""
    if step is Step.GATE:
        return "proposed" if artifact.ok else "blocked"
    if artifact.state.startswith("pending"):
        return "proposed"
    return "executed" if artifact.ok else "failed"


def _outcome(probe: Probe, body: dict[str, Any]) -> Outcome:
    return Outcome(probe.ok, probe.state, probe.reasons, body)


def _signed_of(case: Case) -> Signed | None:
    prepared = newest(case.artifacts, Step.PREPARE)
    assert prepared is not None
    kept = prepared.body.get("signed")
    return None if kept is None else msgspec.convert(kept, Signed)


def _sent(order: ManagedOrder, body: dict[str, Any]) -> Outcome:
    """Return what a submit came to, from what is proved about its order."""
    was_sent = order.sent_ns > 0 and not order.reason.startswith("not_sent")
    body = {
        **body,
        "order_status": order.status.value,
        "venue_order_id": order.venue_order_id,
        "confirmed": True,
        "remote_submit_called": was_sent,
        "submitted": True if order.venue_order_id else False if order.status in TERMINAL else None,
        "response_type": order.status.value,
        "oid": order.venue_order_id,
        "errors": [order.reason] if order.reason else [],
    }
    if order.status is OrderStatus.REJECTED:
        if was_sent:
            return Outcome(False, "submit_rejected", (order.reason,), body)
        code, _, said = order.reason.partition(": ")
        return Outcome(False, "submit_not_sent", (code,), {**body, "said": said} if said else body)
    if order.status in (OrderStatus.UNKNOWN, OrderStatus.SUBMITTING):
        return Outcome(False, "submit_request_failed", ("outcome_unknown",), body)
    if not order.venue_order_id:
        return Outcome(True, "submitted_remote_identifier_missing", ("identifier_missing",), body)
    return Outcome(True, "submitted_remote", (), body)
