"""One command's connection to the engine, with every way it can fail turned into a reason code."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from console.cli.failure import Failure
from engine.api.client import EngineClient, EngineRefused
from engine.api.commands import CommandBody, QueryBody
from engine.api.home import home_folder
from engine.api.views import View
from seams.clock import SystemClock
from seams.ids import SortableIds
from seams.net import NetDown, NoAnswer

T = TypeVar("T")
V = TypeVar("V", bound=View)
CONNECT_S = 2.0
ANSWER_S = 2.0


async def open_client(operator: str, role: str, timeout_s: float) -> EngineClient:
    """Connect to the engine of this home. Tests replace this with a client on a loopback bus."""
    clock = SystemClock()
    return await EngineClient.connect(
        home_folder(), clock, SortableIds(clock), operator, role=role, timeout_s=timeout_s
    )


def talk(
    work: Callable[[EngineClient], Awaitable[T]],
    *,
    operator: str = "",
    role: str = "operator",
    timeout_s: float = CONNECT_S,
) -> T:
    """Connect, do `work`, disconnect. Raises `Failure` for all that can go wrong on the way."""

    async def conversation() -> T:
        client = await open_client(operator, role, timeout_s)
        try:
            return await work(client)
        finally:
            await client.close()

    try:
        return asyncio.run(conversation())
    except EngineRefused as refused:
        reply = refused.reply
        raise Failure(reply.code, reply.message or "the engine refused", reply.correction) from refused
    except NetDown as down:
        raise unreachable(down) from down
    except NoAnswer as silence:
        raise Failure(
            "outcome_unknown",
            f"{silence}; whether it took effect is not known",
            "look with `interlock status` and do not repeat it before you have looked",
        ) from silence
    except PermissionError as exposed:
        raise Failure(
            "secret_exposed", str(exposed), "chmod 600 the credential files under the home's run/"
        ) from exposed


def unreachable(down: NetDown) -> Failure:
    """Say that there is no engine to talk to, and how to get one."""
    return Failure(
        "engine_unreachable", f"{down}; nothing was sent", "start one with `interlock engine start`"
    )


def act(
    body: CommandBody,
    result: type[T],
    *,
    operator: str,
    reason: str = "",
    timeout_s: float = ANSWER_S,
    request_id: str = "",
) -> T:
    """Send one command as `operator` and return its typed result. The engine carries out a `request_id` once
    and answers it alike ever after; empty: a new one."""
    return talk(
        lambda client: client.demand(body, result, reason=reason, timeout_s=timeout_s, request_id=request_id),
        operator=operator,
    )


def ask(body: QueryBody, result: type[T], timeout_s: float = ANSWER_S) -> T:
    """Ask one question and return its typed answer; an observer's rights are enough."""
    return talk(lambda client: client.query(body, result, timeout_s=timeout_s), role="observer")


def view(name: str, kind: type[V]) -> V:
    """Return the latest of one view."""
    views = talk(lambda client: client.views(name), role="observer").views
    found = [item for item in views if isinstance(item, kind)]
    if not found:
        raise Failure("view_missing", f"the engine has no {name} view yet", "try again in a second")
    return found[0]
