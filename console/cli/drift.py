"""`interlock drift`: a session's days against their replay; no engine is needed."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli import diagnostics, output
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.options import Json
from engine.api import parity
from engine.api.home import home_folder

if TYPE_CHECKING:
    from engine.lifecycle.parity.drift import DayDrift, DriftReport

COLUMNS = ("day", "bars", "pnl_live", "pnl_replay", "pnl_drift", "fills_live", "fills_replay",
           "slip_live_bps", "slip_replay_bps", "agreement")  # fmt: skip


def drift(
    session_id: Annotated[str, typer.Argument(metavar="[SESSION]", help="An ended paper session.")] = "",
    day: Annotated[str, typer.Option("--day", help="Every session that traded this UTC day.")] = "",
    strategy: Annotated[str, typer.Option("--strategy", help="The session's strategy file, if any.")] = "",
    as_json: Json = False,
) -> None:
    """Compare each day of a session with its replay in the simulated exchange: PnL, fills, decisions.

    The report goes into the session's folder. A strategy that was not verified is warned about.

    Example: interlock drift --day 2026-01-01 --json
    """
    if bool(session_id) == bool(day):
        raise Failure("bad_parameter", "name a session or a day", "such as `interlock drift SESSION`")
    home = home_folder()
    with failures():
        names = [session_id] if session_id else list(_of_day(day))
        made = [
            parity.drift(
                home,
                name,
                strategy=strategy,
                on_progress=lambda done, total: diagnostics.progress(done, total, "inputs"),
            )
            for name in names
        ]
    rows = [(report, each) for report in made for each in report.days if day in ("", each.day)]
    for report in made:
        for warning in report.warnings:
            diagnostics.say(f"{report.session_id}: {warning.code}: {warning.detail}")
    body = {"drift": made[0]} if session_id else {"day": day, "drift": made}
    output.show(body, _text(made, rows), as_json)


def _of_day(day: str) -> tuple[str, ...]:
    try:
        wanted = date.fromisoformat(day).isoformat()
    except ValueError as error:
        raise Failure("bad_parameter", f"{day!r} is no date", "write it as 2026-01-31") from error
    found = parity.sessions_of_day(
        home_folder(), wanted, on_progress=lambda done, total: diagnostics.progress(done, total, "sessions")
    )
    if not found:
        raise Failure("not_found", f"no ended session traded on {wanted}", "see `interlock paper list`")
    return found


def _text(made: list[DriftReport], rows: list[tuple[DriftReport, DayDrift]]) -> str:
    has_many = len(made) > 1
    shown = [{**({"session": report.session_id} if has_many else {}), **_row(each)} for report, each in rows]
    shown += [] if has_many or made[0].total is None else [_row(made[0].total)]
    table = output.table(shown, (*(("session",) if has_many else ()), *COLUMNS), "no bars reached it")
    return "\n".join([table, "", *(report.path for report in made)])


def _row(each: DayDrift) -> dict[str, object]:
    """Return one day as a line: live beside replay."""
    live, again = each.live, each.replay
    return {
        "day": each.day,
        "bars": each.bars,
        "pnl_live": f"{live.pnl_usd:,.2f}",
        "pnl_replay": f"{again.pnl_usd:,.2f}",
        "pnl_drift": f"{each.pnl_drift_usd:+,.2f}",
        "fills_live": live.fills,
        "fills_replay": again.fills,
        "slip_live_bps": "-" if live.slippage_bps is None else f"{live.slippage_bps:.2f}",
        "slip_replay_bps": "-" if again.slippage_bps is None else f"{again.slippage_bps:.2f}",
        "agreement": f"{each.agreement:.1%}",
    }
