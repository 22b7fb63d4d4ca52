"""`interlock kill`, `resume` and `flatten`: the severe acts, each behind its word.

A kill asks the engine first; when nobody answers, it latches on the disk, which needs no engine.
"""

from __future__ import annotations

import asyncio
import os
from typing import Annotated, Any, cast

import msgspec
import typer

from console.cli import at_once, diagnostics, facade, link, output
from console.cli.exit_codes import ExitCode
from console.cli.failure import Failure
from console.cli.guard import coded_failures
from console.cli.options import Confirm, Json, Operator, Reason, demand_word, operator_name
from engine.api.commands import Flatten, FlattenDone, Kill, KillDone, Resume
from engine.api.endpoint import live_endpoint
from engine.api.home import HomePaths, home_folder
from engine.api.ticket_views import PairRow
from engine.api.views import PositionsView
from seams.clock import iso_z
from seams.net import NetDown

KILL_ANSWER_S = 0.5
KILL_CONNECT_S = 0.5
FLATTEN_ANSWER_S = 20.0
"""Well above the engine's own deadline: whoever has not answered by then will not."""
ACT_WITHOUT = (
    "act at the venue without the engine: `interlock flatten --direct --confirm FLATTEN`; "
    "closing orders are reduce-only, so doing it again is safe"
)
NOT_FLAT = (
    "NOT FLAT, or not known to be: look at the account at the venue's own page, then do it again (closing "
    "orders are reduce-only); `interlock venue calls` shows what the venue answered"
)


def kill(
    level: Annotated[str, typer.Option("--level", help="halt_all or close_only.")] = "halt_all",
    confirm: Confirm = "",
    reason: Reason = at_once.DEFAULT_REASON,
    direct: Annotated[
        bool, typer.Option("--direct", help="Do not ask the engine: latch on the disk at once.")
    ] = False,
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Latch the kill switch and cancel working orders. Anyone may stop; only a resume loosens it.

    With no engine, or one that does not answer, it latches on the disk by itself and says so.

    Example: interlock kill --confirm KILL
    """
    if level not in at_once.LEVELS:
        raise Failure("bad_parameter", f"there is no level {level!r}", "use halt_all or close_only")
    demand_word(confirm, "KILL", f"kill to {level}")
    who = operator_name(operator)
    if not direct:
        done = _through_engine(level, who, reason)
        if done is not None:
            _show(done, "engine", done.cancels_confirmed >= done.cancels_sent, as_json)
            return
        diagnostics.say("the engine did not confirm the kill: latching on the disk without it")
    done = _on_disk(level, who, reason)
    is_engine_gone = live_endpoint(HomePaths(home_folder())) is None
    _show(done, "direct", is_engine_gone and done.cancels_confirmed >= done.cancels_sent, as_json)


def resume(
    reason: Annotated[str, typer.Option("--reason", help="Why it is safe again; audited.")],
    confirm: Confirm = "",
    note: Annotated[
        str, typer.Option("--note", help="What was found; put on every halt's incident that has no note.")
    ] = "",
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Loosen the kill latch; needs a named operator, a reason, the word, and a note on what stopped it.

    Example: interlock resume --reason "books agree" --note "the feed's host was down" --confirm RESUME
    """
    word = demand_word(confirm, "RESUME", "resume")
    if not reason.strip():
        raise Failure("reason_required", "a resume needs a reason", 'pass --reason "..."')
    name = operator_name(operator)
    found: object = link.act(
        Resume(confirm=word, note=note), object, operator=name, reason=reason, timeout_s=10.0
    )
    if found is None:
        output.show({"resumed": True}, "the kill latch is open; other holds may still stand", as_json)
        return
    pair = msgspec.convert(found, PairRow)
    how = f"interlock approvals confirm {pair.pair_id} --hash {pair.pair_hash[:12]}"
    said = f"needs a 2nd approver, within five minutes, under their own name and key: {how}"
    output.show({"resumed": len(pair.signed_by) == 2, "pair": pair}, said, as_json)


def flatten(
    confirm: Confirm = "",
    reason: Reason = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be closed.")] = False,
    direct: Annotated[
        bool, typer.Option("--direct", help="Do not ask the engine: act at the venue with the key file.")
    ] = False,
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Latch close_only, close every position reduce-only and verify that all is flat.

    With no engine, or with --direct, it works at the configured venue by itself and says so.

    Example: interlock flatten --confirm FLATTEN --reason "weekend"
    """
    if dry_run:
        rows = link.view("positions", PositionsView).rows
        plan = output.table(
            rows, ("symbol", "venue", "side", "quantity", "mark_price"), "flat: nothing to close"
        )
        output.show({"would_close": rows}, plan, as_json)
        return
    word = demand_word(confirm, "FLATTEN", "flatten")
    who, way = operator_name(operator), "engine"
    if direct:
        way, done = _flatten_offline(who, reason)
    else:
        try:
            diagnostics.say("closing; the engine answers once the venue shows flat, or after 8 s")
            body = Flatten(confirm=word)
            done = link.act(body, FlattenDone, operator=who, reason=reason, timeout_s=FLATTEN_ANSWER_S)
        except Failure as failure:
            if failure.code == "outcome_unknown":
                raise Failure(
                    failure.code, f"{failure.message}; FLAT IS NOT VERIFIED", ACT_WITHOUT
                ) from failure
            if failure.code != "engine_unreachable":
                raise
            diagnostics.say(f"{failure}: acting at the venue without the engine")
            way, done = _flatten_offline(who, reason)
    payload = {"path": way, "is_flat": done.is_flat, "closed": done.closed, "remaining": done.remaining}
    output.show(payload, f"path: {way}\n{output.facts(done)}", as_json)
    if not done.is_flat:
        diagnostics.say(NOT_FLAT)
        raise typer.Exit(ExitCode.REFUSED)


def _flatten_offline(who: str, reason: str) -> tuple[str, FlattenDone]:
    """Flatten at the venue without the engine. Raises `Failure`."""
    run = facade.function("engine.offline", "flatten_offline")
    try:
        with coded_failures():
            found: Any = asyncio.run(cast(Any, run(home_folder(), dict(os.environ), who, reason)))
    except Failure as failure:
        if failure.code != "mode_not_live":
            raise
        nothing = f"no engine was asked, and {failure.message.partition(': ')[2]}"
        raise Failure("engine_unreachable", nothing, "look with `interlock engine status`") from failure
    return found.way, found.done


def _through_engine(level: str, who: str, reason: str) -> KillDone | None:
    """Ask the engine for the kill; None for every answer that is not a confirmation."""

    async def request() -> KillDone:
        client = await link.open_client(who, "operator", KILL_CONNECT_S)
        try:
            body = Kill(level=level, confirm="KILL")
            return await client.demand(body, KillDone, reason=reason, timeout_s=KILL_ANSWER_S)
        finally:
            await client.close()

    try:
        return asyncio.run(request())
    except NetDown as down:
        diagnostics.say(str(down))
    except Exception as error:  # a kill goes on whatever went wrong; the disk is the second path
        diagnostics.say(f"{type(error).__name__}: {error}")
    return None


def _on_disk(level: str, who: str, reason: str) -> KillDone:
    """Latch without an engine. Raises `Failure` when even the disk refused."""
    try:
        if at_once.done is not None:
            return cast(KillDone, facade.function("engine.api.local", "told")(at_once.done))
        latch = facade.function("engine.api.local", "kill_direct")
        done = latch(home_folder(), operator=who, reason=reason, level=level)
    except Exception as error:  # whatever stopped the second path, nobody confirmed the kill
        raise Failure(
            "kill_unconfirmed",
            f"the latch could not be written: {error}",
            "stop the engine process and use the venue's own cancel-all; see `interlock runbook ls`",
        ) from error
    return cast(KillDone, done)


def _show(done: KillDone, path: str, is_confirmed: bool, as_json: bool) -> None:
    """Write what was done; an unconfirmed kill exits with its own code."""
    payload = {"path": path, "confirmed": is_confirmed, "kill": done}
    cancels = f"{done.cancels_confirmed} of {done.cancels_sent} cancels confirmed"
    text = (
        f"{done.level} latched ({path}) at {iso_z(done.latched_at_ns)} in {done.latch_ms:.1f} ms; {cancels}"
    )
    output.show(payload, text, as_json)
    if not is_confirmed:
        diagnostics.say("KILL UNCONFIRMED: latched, but the cancels are not confirmed; look at the venue")
        raise typer.Exit(ExitCode.KILL_UNCONFIRMED)
