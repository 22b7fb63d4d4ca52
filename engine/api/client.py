"""The client: what consoles and commands use to talk to the engine."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar, get_args

import msgspec

from engine.api import subjects
from engine.api.commands import (
    Command,
    CommandBody,
    Kill,
    KillArm,
    Query,
    QueryBody,
    Reply,
    Snapshot,
    encode,
)
from engine.api.endpoint import read_credential, read_endpoint
from engine.api.home import HomePaths
from engine.api.lab import LabQuery
from engine.api.views import View, Views
from safety.canonical import canonical, changed
from safety.principals import OperatorKey
from safety.reasons import Refusal
from seams.clock import NS_PER_S, Clock
from seams.ids import Ids
from seams.net import Net, NetDown

T = TypeVar("T")
ViewListener = Callable[[View], None]
KEY_VARIABLE = "INTERLOCK_OPERATOR_KEY"
"""Names the file of the person's own key (see `interlock operator new-key`)."""
LAB_TIMEOUT_S = 25.0
"""Evidence is read from large files by a process that may have to start first."""


class EngineRefused(Exception):
    """The engine said no: `reply.code` is a reason code, `reply.correction` says what to do."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.code}: {reply.message}")
        self.reply = reply


class EngineClient:
    """One connection to one engine, as one operator (or observer)."""

    def __init__(
        self,
        net: Net,
        clock: Clock,
        ids: Ids,
        operator: str,
        epoch: int,
        console: str = "",
        key: OperatorKey | None = None,
    ) -> None:
        """`console` names the console that commands are pressed at, empty for the command line; `key` is
        the operator's own, which signs every command."""
        self.net, self.operator, self.epoch = net, operator, epoch
        self.console, self.key = console, key
        self._clock, self._ids = clock, ids
        self._views: msgspec.json.Decoder[View] = msgspec.json.Decoder(View)

    @classmethod
    async def connect(
        cls,
        home: Path,
        clock: Clock,
        ids: Ids,
        operator: str,
        role: str = "operator",
        on_change: Callable[[bool], None] | None = None,
        timeout_s: float = 2.0,
        console: str = "",
    ) -> EngineClient:
        """Find the engine of this home and connect. Raises `NetDown` when there is none."""
        from engine.api.nats import NatsNet  # late: a console paints its first frame without it

        paths = HomePaths(home)
        try:
            endpoint = read_endpoint(paths.endpoint)
            credential = read_credential(paths.run / f"{role}.creds")
        except FileNotFoundError as error:
            raise NetDown("no engine has been started for this home") from error
        net = await NatsNet.connect(
            endpoint.url, credential.user, credential.password, f"interlock-{role}", on_change, timeout_s
        )
        return cls(net, clock, ids, operator, endpoint.epoch, console, operator_key())

    async def command(
        self, body: CommandBody, *, reason: str = "", timeout_s: float = 2.0, request_id: str = ""
    ) -> Reply:
        """Send a command and return the reply, whatever it says.

        Raises `NetDown` (not sent) or `NoAnswer` (outcome unknown: ask for the state, do not repeat
        under a new id; repeating with the same `request_id` is safe).
        """
        message = Command(
            request_id=request_id or self._ids.new("C"),
            operator=self.operator,
            reason=reason,
            epoch=self.epoch,
            expires_at_ns=self._clock.now_ns() + round(timeout_s * NS_PER_S),
            body=body,
            console=self.console,
        )
        if self.key is not None:
            message = changed(message, signature=self.key.sign(canonical(message)))
        subject = subjects.KILL if isinstance(body, Kill | KillArm) else subjects.COMMAND
        return self._read(await self.net.request(subject, encode(message), timeout_s))

    async def demand(
        self,
        body: CommandBody,
        result: type[T],
        *,
        reason: str = "",
        timeout_s: float = 2.0,
        request_id: str = "",
    ) -> T:
        """Send a command and return its typed result. Raises `EngineRefused` when the engine says no."""
        reply = await self.command(body, reason=reason, timeout_s=timeout_s, request_id=request_id)
        return _result(reply, result)

    async def query(self, body: QueryBody, result: type[T], timeout_s: float | None = None) -> T:
        """Ask and return the typed answer. Raises `EngineRefused`, `NetDown` or `NoAnswer`."""
        if timeout_s is None:
            timeout_s = LAB_TIMEOUT_S if isinstance(body, get_args(LabQuery)) else 2.0
        message = Query(request_id=self._ids.new("Q"), body=body)
        return _result(self._read(await self.net.request(subjects.QUERY, encode(message), timeout_s)), result)

    async def views(self, *names: str) -> Views:
        """Return the latest of the named views (all when none is named)."""
        return await self.query(Snapshot(views=names), Views)

    async def query_view(self, name: str, kind: type[T]) -> T:
        """Return the latest of one view, typed."""
        view = (await self.views(name)).views[0]
        assert isinstance(view, kind)
        return view

    async def watch(self, listener: ViewListener, subject: str = subjects.VIEW_ALL) -> None:
        """Call `listener` with every view of a subject as it is published; it must only store, never wait."""

        async def receive(_: str, body: bytes) -> None:
            listener(self._views.decode(body))

        await self.net.subscribe(subject, receive)

    async def close(self) -> None:
        await self.net.close()

    def _read(self, body: bytes) -> Reply:
        reply = msgspec.json.decode(body, type=Reply)
        if reply.epoch and reply.code == "wrong_epoch":
            self.epoch = reply.epoch
        return reply


def operator_key(environ: Mapping[str, str] | None = None) -> OperatorKey | None:
    """Return the person's key that `INTERLOCK_OPERATOR_KEY` names; None where it names none.

    Raises `PermissionError` where the file cannot be used: an act must not go out unsigned by mistake.
    """
    path = (os.environ if environ is None else environ).get(KEY_VARIABLE, "")
    if not path:
        return None
    try:
        return OperatorKey.load(path)
    except Refusal as refusal:
        raise PermissionError(f"{KEY_VARIABLE}: {refusal}") from None


def _result(reply: Reply, result: type[T]) -> T:
    if not reply.ok:
        raise EngineRefused(reply)
    return msgspec.json.decode(reply.result, type=result)
