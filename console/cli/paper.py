"""`interlock paper`: paper sessions in the engine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from console.cli import diagnostics, link, output
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.headless import JsonRequest, SignalFile, Signals, read_request, signals
from console.cli.options import (
    InitState,
    Json,
    MaxStateGap,
    Operator,
    Reason,
    Sets,
    operator_name,
    parameters,
)
from console.cli.paper_evidence import app as evidence
from engine.api import research, state
from engine.api.account import PortfolioState
from engine.api.client import EngineClient
from engine.api.commands import (
    PaperStart,
    PaperStop,
    PortfolioShow,
    SessionShow,
    SessionStarted,
    ShadowShow,
    SimReset,
)
from engine.api.home import home_folder
from engine.api.run_views import RunsView, SessionRow
from engine.api.shadow import ShadowView, stored_shadow
from engine.api.views import View
from seams.clock import NS_PER_S, SystemClock

app = typer.Typer(help="Paper sessions: start, stop, list, show, health, promotion, export.")
COLUMNS = ("session_id", "status", "strategies", "symbols", "bars", "decisions", "fills", "equity_usd")
POLL_S = 0.25
NO_SHADOW = "none"


@app.callback()
def room() -> None:
    """Start, stop and look at paper sessions.

    Example: interlock paper list
    """


@app.command()
def start(
    strategy: Annotated[
        list[str] | None,
        typer.Option("--strategy", help="A strategy; may be repeated. A preset names its own."),
    ] = None,
    symbol: Annotated[list[str] | None, typer.Option("--symbol", help="A symbol; may be repeated.")] = None,
    preset: Annotated[str, typer.Option("--preset", help="A preset of the strategy.")] = "",
    feed: Annotated[
        str,
        typer.Option("--feed", help="sandbox, exchange, or replay:VENUE/SYMBOL/INTERVAL. Default: sandbox."),
    ] = "",
    scenario: Annotated[
        str, typer.Option("--scenario", help="The sandbox market's script. Default: demo.")
    ] = "",
    seed: Annotated[
        int | None, typer.Option("--seed", help="The seed of the sandbox: prices, orders. Default: 1.")
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            "--speed",
            min=0.0,
            help="Market seconds for each second; 0 (replay only): as fast as it goes. Default: 1.",
        ),
    ] = None,
    supervised: Annotated[
        bool, typer.Option("--supervised", help="Orders wait as tickets for a person.")
    ] = False,
    init_state: InitState = "",
    max_state_gap: MaxStateGap = 0,
    shadow: Annotated[
        str | None,
        typer.Option("--shadow", help="A twin that never acts: reference (default), a strategy, or none."),
    ] = None,
    max_bars: Annotated[
        int | None, typer.Option("--max-bars", min=0, help="End after so many bars. Default: 0, never.")
    ] = None,
    candidate: Annotated[
        str, typer.Option("--candidate", help="SWEEP:CONFIG_ID, replayed: its strategy and parameters.")
    ] = "",
    sets: Sets = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end and print the result.")] = False,
    wait_s: Annotated[float, typer.Option("--wait-seconds", min=1, help="How long --wait waits.")] = 600.0,
    json_request: JsonRequest = None,
    signal_file: SignalFile = None,
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Start a paper session.

    On the sandbox's market orders are late, split and slipped as the settings under `execution` say, drawn
    from the seed; a replay is matched as a back-test.

    Example: interlock paper start --strategy ema_cross --symbol BTC-PERP --speed 60 --max-bars 500 --wait
    """
    asked = read_request(json_request, "paper", signal_file)
    given: dict[str, object] = {
        "strategies": strategy or None,
        "preset": preset or None,
        "symbols": symbol or None,
        "feed": feed or None,
        "scenario": scenario or None,
        "seed": seed,
        "speed": speed,
        "is_supervised": supervised or None,
        "params": parameters(sets) or None,
        "max_bars": max_bars,
        "candidate": candidate or None,
        "init_state": _imported(init_state) or None,
        "max_state_gap_bars": max_state_gap or None,
        "shadow": "" if shadow == NO_SHADOW else shadow,
    }
    with signals(signal_file, "paper", asked.request_id) as sender:
        body = _body({**asked.params, **{key: value for key, value in given.items() if value is not None}})
        who = operator_name(operator)
        started = link.act(body, SessionStarted, operator=who, timeout_s=10.0, request_id=asked.request_id)
        where = {"run_id": started.session_id, "artifacts_path": started.folder}
        if not wait:
            sender.send("SESSION_STARTED", "running", **where)
            payload = {"session_id": started.session_id, "folder": started.folder}
            output.show(payload, f"started {started.session_id}", as_json)
            return
        row = link.talk(
            lambda client: _until_end(client, started.session_id, wait_s, body.max_bars), role="observer"
        )
        _tell_end(sender, row, where)
    output.show({"session": row}, output.facts(row), as_json)
    if row.status != "success":
        raise typer.Exit(1)


def _imported(init_state: str) -> str:
    """Return the name under which this home has a state; a file is imported first."""
    if not Path(init_state).is_file():
        return init_state
    with failures():
        return state.import_state(home_folder(), Path(init_state)).name


def _tell_end(sender: Signals, row: SessionRow, where: dict[str, str]) -> None:
    if row.status == "success":
        report_path = f"{where['artifacts_path']}/report.json"
        sender.send("SESSION_COMPLETED", "success", **where, report_path=report_path)
        return
    message = f"{row.session_id} ended as {row.status}: {row.status_reason}"
    sender.send(
        "SESSION_FAILED", "error", **where, exit_code=1, error_type=row.status_reason, message=message
    )


def _body(fields: dict[str, object]) -> PaperStart:
    """Make the command's body. Raises `Failure` (exit 2) for what it has not, or of a wrong type."""
    try:
        return msgspec.convert({"strategies": (), **fields}, PaperStart)
    except msgspec.ValidationError as error:
        raise Failure("invalid_request", str(error), "see runbooks/consumers.md") from error


@app.command()
def stop(session_id: str, reason: Reason = "", operator: Operator = "", as_json: Json = False) -> None:
    """Stop a session; it ends as aborted with its evidence complete.

    Example: interlock paper stop PS-00001 --reason "done for today"
    """
    body = PaperStop(session_id=session_id)
    link.act(body, object, operator=operator_name(operator), reason=reason, timeout_s=10.0)
    output.show({"session_id": session_id}, f"stopped {session_id}", as_json)


@app.command()
def reset(
    session_id: str,
    overrides: Annotated[
        list[str] | None, typer.Option("--with", help="A field of its start as name=JSON; may be repeated.")
    ] = None,
    reason: Reason = "",
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """End a simulated session and start it anew, other fields as given; an engine that trades money refuses.

    Example: interlock paper reset PS-00001 --with seed=7
    """
    fields: dict[str, Any] = {}
    for pair in overrides or []:
        name, _, value = pair.partition("=")
        try:
            fields[name] = msgspec.json.decode(value)
        except msgspec.DecodeError:
            fields[name] = value
    body = SimReset(session_id=session_id, overrides=fields)
    who = operator_name(operator)
    started = link.act(body, SessionStarted, operator=who, reason=reason, timeout_s=10.0)
    output.show(output.record(started), f"ended {session_id}, started {started.session_id}", as_json)


@app.command()
def portfolio(session_id: str, as_json: Json = False) -> None:
    """Show a running session's equity, drawdown and open positions with their exits.

    Example: interlock paper portfolio PS-00001
    """
    found = link.ask(PortfolioShow(session_id=session_id), PortfolioState)
    facts = {name: value for name, value in output.record(found).items() if name != "positions"}
    columns = ("symbol", "side", "quantity", "entry_price", "mark_price", "unrealised_usd", "stop_loss",
               "take_profit", "held_bars", "max_hold_bars")  # fmt: skip
    table = output.table(found.positions, columns, "flat")
    output.show({"portfolio": found}, f"{output.facts(facts)}\n\n{table}", as_json)


@app.command("ls", hidden=True)
@app.command("list")
def list_sessions(as_json: Json = False) -> None:
    """List paper sessions, newest first.

    Example: interlock paper list --json
    """
    try:
        sessions = link.view("runs", RunsView).sessions
    except Failure as failure:
        sessions = _from_folders(failure)
    output.show({"sessions": sessions}, output.table(sessions, COLUMNS, "no paper sessions"), as_json)


@app.command()
def show(session_id: str, as_json: Json = False) -> None:
    """Show one session, with the hash of its decisions.

    Example: interlock paper show PS-00001
    """
    try:
        row = link.ask(SessionShow(session_id=session_id), SessionRow)
    except Failure as failure:
        found = [item for item in _from_folders(failure) if item.session_id == session_id]
        if not found:
            raise Failure(
                "unknown_session", f"no session {session_id}", "see `interlock paper list`"
            ) from failure
        row = found[0]
    output.show({"session": row}, output.facts(row), as_json)


@app.command()
def shadow(session_id: str, as_json: Json = False) -> None:
    """Show how often a session's twin agreed, and the last decisions on which it did not.

    Example: interlock paper shadow PS-00001
    """
    try:
        found = link.ask(ShadowShow(session_id=session_id), ShadowView)
    except Failure as failure:
        if failure.code != "engine_unreachable":
            raise
        diagnostics.say("no engine: read from the session's folder")
        with failures():
            found = stored_shadow(home_folder(), session_id)
    facts = {name: value for name, value in output.record(found).items() if name != "disagreements"}
    table = output.table(found.disagreements, ("at_ns", "symbol", "decided", "twin"), "no disagreement")
    output.show({"shadow": found}, f"{output.facts(facts)}\n\n{table}", as_json)


app.add_typer(evidence)


def _from_folders(failure: Failure) -> tuple[SessionRow, ...]:
    """Read the sessions' own folders where no engine can be asked; every other failure stands."""
    if failure.code != "engine_unreachable":
        raise failure
    diagnostics.say("no engine: read from the session folders")
    return research.list_sessions(home_folder())


async def _until_end(client: EngineClient, session_id: str, wait_s: float, max_bars: int) -> SessionRow:
    """Ask for the session until it has ended; views drive the progress line meanwhile."""
    clock = SystemClock()
    deadline = clock.monotonic_ns() + round(wait_s * NS_PER_S)

    def draw(view: View) -> None:
        if isinstance(view, RunsView):
            bars = [row.bars for row in view.sessions if row.session_id == session_id]
            diagnostics.progress(bars[0] if bars else 0, max_bars, f"{session_id} bars")

    await client.watch(draw)
    while clock.monotonic_ns() < deadline:
        row = await client.query(SessionShow(session_id=session_id), SessionRow)
        if row.status != "running":
            return row
        await asyncio.sleep(POLL_S)
    raise Failure(
        "outcome_unknown",
        f"{session_id} still runs after {wait_s:g} s",
        f"it goes on: look with `interlock paper show {session_id}`",
    )
