"""What the console sends and asks, and what it says about each answer: done, refused, or unknown."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeVar

import msgspec

from console.tui.gateway import Gateway, send_urgently
from console.tui.kill import KillFlow, Stage
from console.tui.model import Desk
from console.tui.text import clean, hms, number
from engine.api.client import EngineRefused
from engine.api.commands import (
    CommandBody,
    Flatten,
    FlattenDone,
    Kill,
    KillArm,
    KillArmed,
    KillDone,
    OrderAsk,
    OrderAsked,
    PairConfirm,
    QueryBody,
    Reply,
    Resume,
    TicketApprove,
    TicketCosign,
    TicketShow,
    TicketSubmit,
)
from engine.api.corridor import SessionState, SubmitAct, SubmitOpen
from engine.api.reconcile import Reconcile, Reconciled
from engine.api.ticket_views import PairRow, TicketRow
from seams.clock import Clock
from seams.net import NetDown, NoAnswer

T = TypeVar("T")
PATIENCE_S: dict[type, float] = {
    Reconcile: 30.0, SubmitAct: 30.0, SubmitOpen: 20.0, OrderAsk: 10.0, TicketApprove: 1.0, TicketCosign: 1.0,
}  # fmt: skip
"""How long a command may stay without an answer, where it is not 2 s: what asks a venue waits for it; an
approval that is not answered at once counts as unknown."""


class Front(Protocol):
    """What an answer needs of the app: where to say it, and what to paint again."""

    desk: Desk
    flow: KillFlow
    clock: Clock

    def say(self, message: str, style: str = "text") -> None: ...

    def paint(self) -> None: ...

    def paint_soon(self) -> None: ...


class Outbox:
    """Sends through the gateway. Every coroutine here is kept by the app, never by a screen."""

    def __init__(self, gateway: Gateway, front: Front) -> None:
        self.gateway, self.front = gateway, front

    async def send(self, body: CommandBody, what: str, reason: str) -> None:
        """Send a command and say what came of it."""
        say = self.front.say
        try:
            reply = await self.gateway.command(body, reason=reason, timeout_s=PATIENCE_S.get(type(body), 2.0))
        except NetDown as error:
            say(f"NOT SENT, {what}: {error}", "p2-calm")
        except NoAnswer:
            say(f"OUTCOME UNKNOWN, {what}: no answer. Look at its state; do not repeat it.", "p1-calm")
            if isinstance(body, TicketApprove | TicketCosign):
                await self._became(body.ticket_id, what)
        else:
            refused = _not_passed(body, reply)
            if refused:
                say(f"NOT PASSED, {what}: {refused}", "p2-calm")
            elif reply.ok:
                say(f"ok: {what}. {_said(body, reply)}".rstrip(), "bright")
            else:
                say(f"refused {described(reply)}", "p2-calm")
            self.front.paint_soon()

    async def _became(self, ticket_id: str, what: str) -> None:
        """Ask what became of an approval that was not answered: asking changes nothing, repeating might."""
        with suppress(NetDown, NoAnswer, EngineRefused):
            row = await self.gateway.query(TicketShow(ticket_id=ticket_id), TicketRow)
            self.front.say(
                f"UNKNOWN, {what}: do NOT repeat it. The engine has it as {row.state.upper()}.", "p1-calm"
            )

    async def whisper(self, body: CommandBody) -> None:
        """Send what needs no answer on the screen; a lost one is made good by the next key."""
        with suppress(NetDown, NoAnswer):
            await self.gateway.command(body, timeout_s=1.0)

    async def ask(self, body: QueryBody, kind: type[T], show: Callable[[T], None], what: str) -> None:
        """Ask for something to look at and show it."""
        try:
            show(await self.gateway.query(body, kind))
        except (NetDown, NoAnswer) as error:
            self.front.say(f"{what}: {error}", "p2-calm")
        except EngineRefused as error:
            self.front.say(f"{what}: refused {described(error.reply)}", "p2-calm")
        self.front.paint_soon()

    async def ask_counts(self) -> None:
        """Ask what a kill would touch; the guard works without the answer."""
        flow = self.front.flow
        try:
            reply = await self.gateway.command(KillArm(), timeout_s=1.0)
            if reply.ok and flow.stage is Stage.ARMED:
                flow.counts = msgspec.json.decode(reply.result, type=KillArmed)
        except (NetDown, NoAnswer, msgspec.DecodeError):
            flow.note = "counts unknown: the engine did not answer"
        self.front.paint()

    async def stop_everything(self, body: CommandBody, request_id: str) -> None:
        """Send what the guard confirmed, three times under one id, and tell the guard what came back."""
        flow, clock = self.front.flow, self.front.clock
        if isinstance(body, Flatten) and self.front.desk.is_readonly:
            flow.refused("not_permitted: a READ-ONLY console may KILL or CLOSE, not flatten.", clock.now_ns())
            self.front.paint()
            return
        if isinstance(body, Kill) and body.level == "halt_all":
            self._shut()
        try:
            timeout_s = 15.0 if isinstance(body, Flatten) else 2.0
            reply = await send_urgently(self.gateway, body, request_id, timeout_s)
        except (NetDown, NoAnswer) as error:
            flow.unanswered(f"No answer: {error}.", clock.now_ns())
            self.front.paint()
            if isinstance(body, Kill):
                await self._latch_on_disk(body)
        else:
            self._stopped(body, reply)
        self.front.paint()

    def _shut(self) -> None:
        """Shut the gates before anybody is asked: nothing is sent from here on, whoever answers or does not.

        Not for close_only: it keeps orders, and an engine that obeys the byte cancels.
        """
        try:
            self.gateway.shut()
            self.front.flow.is_shut = True
        except OSError as error:
            self.front.say(f"the gate cannot be shut from here: {error}", "p1-calm")

    async def _latch_on_disk(self, body: Kill) -> None:
        """The second path of a kill that nobody answered; where the disk refuses, nothing was stopped."""
        try:
            self.front.flow.on_disk = await self.gateway.latch_on_disk(body.level)
        except OSError as error:
            self.front.say(f"the latch could not be written either: {error}", "p1-calm")

    def _stopped(self, body: CommandBody, reply: Reply) -> None:
        flow, now_ns = self.front.flow, self.front.clock.now_ns()
        if not reply.ok:
            flow.refused(described(reply), now_ns)
            return
        flow.answered(_done(body, reply), now_ns)
        self.front.say(f"{flow.choice.word} confirmed by the engine +{flow.ack_ms:.0f} ms", "bright")


def _said(body: CommandBody, reply: Reply) -> str:
    """Return what the engine says it did, or what the command still waits for."""
    try:
        if isinstance(body, Reconcile):
            done = msgspec.json.decode(reply.result, type=Reconciled)
            return f"{clean(done.did)}; the account is {clean(done.verdict)}"
        if isinstance(body, OrderAsk):
            asked = msgspec.json.decode(reply.result, type=OrderAsked)
            filled = f", {number(asked.filled)} filled" if asked.filled else ""
            return f"asked {hms(asked.asked_ns)}Z: {clean(asked.said)}; it is {asked.status.upper()}{filled}"
        if isinstance(body, SubmitAct | SubmitOpen):
            state = msgspec.json.decode(reply.result, type=SessionState)
            who = "it" if isinstance(body, SubmitAct) else state.session_id
            return f"{who} is {state.status}"
        if isinstance(body, Resume | PairConfirm):
            pair = msgspec.json.decode(reply.result, type=PairRow | None)
            if pair is not None and len(pair.signed_by) < 2:
                return f"NOT done yet: {pair.pair_id} needs a 2nd approver (screen 7, or interlock approvals)"
        if isinstance(body, TicketSubmit):
            made = msgspec.json.decode(reply.result, type=TicketRow | None)
            return "" if made is None else f"{made.ticket_id} waits for a review: Enter, then A"
        if isinstance(body, TicketApprove):
            row = msgspec.json.decode(reply.result, type=TicketRow | None)
            if row is not None and row.state == "cosigning":
                return "NOT sent yet: a second person signs it"
    except msgspec.DecodeError:
        pass
    return reply.message


def _not_passed(body: CommandBody, reply: Reply) -> str:
    """Say what keeps a corridor step from passing that the engine did: a closed gate is an answer."""
    if not (reply.ok and isinstance(body, SubmitAct | SubmitOpen)):
        return ""
    try:
        state = msgspec.json.decode(reply.result, type=SessionState)
    except msgspec.DecodeError:
        return ""
    first = state.refused[0] if state.refused else None
    what = f" — {first.correction}" if first is not None else ""
    return f"{state.status}: {', '.join(state.reasons)}{what}" if state.reasons else ""


def described(reply: Reply) -> str:
    """Write a refusal with its code and what to do about it."""
    correction = f" — {reply.correction}" if reply.correction else ""
    return f"{reply.code}: {reply.message}{correction}"


def _done(body: CommandBody, reply: Reply) -> KillDone | FlattenDone | None:
    """Read what a stop did; None when the engine confirmed it without saying more."""
    try:
        if isinstance(body, Flatten):
            return msgspec.json.decode(reply.result, type=FlattenDone)
        return msgspec.json.decode(reply.result, type=KillDone)
    except msgspec.DecodeError:
        return None
