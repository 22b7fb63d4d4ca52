"""A simulated session begun again, fresh and with other settings; never one that trades money (AQ-23)."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.api.commands import PaperStart, SimReset
from engine.desk import Desk, Running
from safety.reasons import Refusal
from safety.text import clean
from venues.types import Mode

SIMULATED = (Mode.SIM, Mode.PAPER)


async def sim_reset(desk: Desk, body: SimReset, operator: str, request_id: str) -> Running:
    """End a session and start it anew under `body.overrides`; its evidence stays.

    What cannot be started is refused before anything ends. Raises `Refusal`: not_permitted where the engine
    trades money, unknown_session, invalid_request for an override that is none, or what a start raises.
    """
    if desk.core.mode not in SIMULATED:
        raise Refusal("not_permitted", f"an engine in mode {desk.core.mode} resets nothing")
    entry = desk.running.get(body.session_id)
    if entry is None:
        raise Refusal("unknown_session", body.session_id)
    start = overridden(entry.start, body.overrides)
    desk.demand_startable(start)
    await desk.stop_paper(body.session_id, operator)
    return desk.start_paper(start, operator, request_id)


def overridden(start: PaperStart, overrides: dict[str, Any]) -> PaperStart:
    """Return a session's request with other fields. Raises `Refusal` with invalid_request."""
    try:
        return msgspec.convert({**msgspec.to_builtins(start), **overrides}, PaperStart)
    except msgspec.ValidationError as error:
        raise Refusal("invalid_request", clean(str(error))) from error
