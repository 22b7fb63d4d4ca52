"""How tests of real processes wait: for what must come to be, however slow and loaded the host is.

A deadline here ends a test that hangs; it says nothing about how fast something is. Where time is the point,
the test measures it and says so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from engine.api.client import EngineClient, EngineRefused
from engine.api.commands import CommandBody, Reply
from engine.api.queries import QueryBody
from engine.api.venues import VenueShow, VenueView
from seams.net import NoAnswer

T = TypeVar("T")
PATIENCE_S = 60.0
"""How long anything may take before a test calls it hung."""
ANSWER_S = 20.0
"""How long one answer may take; beside an engine with nothing else to do it takes milliseconds."""
ASKED_TIMES = 3
"""How often a question is asked that gets none: a client that had no time for its pings loses its line, and
what it asked just then."""
AGAIN_S = 0.3
TRANSIENT = frozenset(
    {
        "venue_not_ready", "key_not_ready", "venue_unreachable", "reconciliation_not_clean", "not_hydrated",
        "reconcile_stale", "reconcile_not_clean", "market_data_missing", "market_data_stale",
        "clock_drift", "checks_failed",
    }
)  # fmt: skip
"""What a step may be refused with while a new engine asks the venue for everything, within its budget, and
has heard no price yet; `checks_failed` stands beside the rules that refuse."""


def is_transient(reasons: Sequence[str]) -> bool:
    """Whether all of these pass by themselves; before the venue is ready its markets are not known either."""
    return "venue_not_ready" in reasons or TRANSIENT.issuperset(reasons)


class PatientClient(EngineClient):
    """A client that waits for an engine with little time, and asks again what passes by itself.

    A call with a `timeout_s` of its own is made once: its test expects no answer.
    """

    async def command(
        self, body: CommandBody, *, reason: str = "", timeout_s: float = 0.0, request_id: str = ""
    ) -> Reply:
        """See `EngineClient.command`; asked again under the same id, it is done once."""
        name = request_id or self._ids.new("C")
        ask = super().command
        if timeout_s:
            return await ask(body, reason=reason, timeout_s=timeout_s, request_id=name)
        return await _answered(lambda: ask(body, reason=reason, timeout_s=ANSWER_S, request_id=name))

    async def demand(
        self,
        body: CommandBody,
        result: type[T],
        *,
        reason: str = "",
        timeout_s: float = 0.0,
        request_id: str = "",
    ) -> T:
        """See `EngineClient.demand`; a refusal that passes by itself is waited out."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return await super().demand(
                    body, result, reason=reason, timeout_s=timeout_s, request_id=request_id
                )
            except EngineRefused as refused:
                if refused.reply.code not in TRANSIENT or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(AGAIN_S)

    async def query(self, body: QueryBody, result: type[T], timeout_s: float | None = None) -> T:
        """See `EngineClient.query`."""
        ask = super().query
        if timeout_s is not None:
            return await ask(body, result, timeout_s)
        return await _answered(lambda: ask(body, result, ANSWER_S))

    async def knows_markets(self) -> bool:
        """Tell whether the engine's venue answers and has listed its markets."""
        view = await self.query(VenueShow(), VenueView)
        return view.state == "up" and view.markets > 0


async def _answered(ask: Callable[[], Awaitable[T]]) -> T:
    for _ in range(ASKED_TIMES - 1):
        with suppress(NoAnswer):
            return await ask()
    return await ask()


async def eventually(
    check: Callable[[], object | Awaitable[object]],
    why: Callable[[], str] = lambda: "",
    *,
    seconds: float = PATIENCE_S,
) -> None:
    """Wait until `check` says yes; fail with what `why` says."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = check()
        if (await found) if isinstance(found, Awaitable) else found:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {why()}")
