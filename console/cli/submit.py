"""`interlock submit`: one order through the corridor, a step at a time, each with its evidence."""

from __future__ import annotations

import os
from typing import Annotated, Any, cast

import typer

from console.cli import facade, link, output
from console.cli.exit_codes import ExitCode
from console.cli.guard import failures
from console.cli.options import Json, Operator, operator_name
from engine.api.corridor import SessionState, Step, SubmitAct, SubmitOpen
from engine.api.home import home_folder

app = typer.Typer(help="The corridor: preflight to submit, then status, reconcile, fills, cancel.")
SUBMITS = "engine.api.submits"
COLUMNS = ("session_id", "opened_at", "venue", "environment", "status", "step", "alert", "said")
STEP_COLUMNS = ("step", "state", "at", "by", "missing")
ALERT_COLUMNS = ("session_id", "status", "severity", "code", "said")
POLICY_COLUMNS = ("source", "title", "text")
CREDENTIAL_COLUMNS = ("corridor", "credential", "source", "is_present")
NAME_A_KEY = "name that venue's key file (mode 0600) in execution.venue_key_file, then ask again"
STEP_TIMEOUT_S = 20.0
MAX_SUPERVISION_S = 90.0
Note = Annotated[str, typer.Option("--note", help="What to remember about this step.")]
Confirm = Annotated[str, typer.Option("--confirm", help="The word of the step, typed: see its help.")]


@app.callback()
def room() -> None:
    """Take one order from preflight to its last fill; nothing is skipped and nothing is done twice.

    Example: interlock submit open --symbol BTC-USD --side buy --quantity 0.001 --limit 64000 --stop 63000
    """


@app.command("open")
def open_session(
    symbol: Annotated[str, typer.Option("--symbol")],
    side: Annotated[str, typer.Option("--side", help="buy or sell")],
    quantity: Annotated[str, typer.Option("--quantity")],
    limit: Annotated[str, typer.Option("--limit", help="The worst acceptable price.")],
    stop: Annotated[str, typer.Option("--stop", help="The protective stop; not for --reduce-only.")] = "",
    order_type: Annotated[str, typer.Option("--type", help="limit or market")] = "limit",
    tif: Annotated[str, typer.Option("--tif", help="gtc, ioc or post_only")] = "gtc",
    reduce_only: Annotated[bool, typer.Option("--reduce-only")] = False,
    note: Note = "",
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Begin a session: the order's form, the desk's rules and the venue are asked; nothing is sent.

    Example: interlock submit open --symbol BTC-USD --side buy --quantity 0.001 --limit 64000 --stop 63000
    """
    form: dict[str, Any] = {
        "symbol": symbol,
        "side": side,
        "quantity": quantity,
        "order_type": order_type,
        "time_in_force": tif,
        "limit_price": limit,
        "reduce_only": reduce_only,
    }
    if stop:
        form["stop_loss"] = stop
    body = SubmitOpen(form=form, note=note)
    state = link.act(body, SessionState, operator=operator_name(operator), timeout_s=STEP_TIMEOUT_S)
    _said(state, as_json)


@app.command()
def preflight(session_id: str, operator: Operator = "", as_json: Json = False) -> None:
    """Judge the same order again, where the preflight was refused; another order is another session.

    Example: interlock submit preflight X-01
    """
    _act(session_id, Step.PREFLIGHT, operator, as_json)


@app.command()
def readiness(session_id: str, operator: Operator = "", as_json: Json = False) -> None:
    """Ask whether key and account may carry the order, and compare the account with the venue.

    Example: interlock submit readiness X-01
    """
    _act(session_id, Step.READINESS, operator, as_json)


@app.command()
def prepare(session_id: str, operator: Operator = "", as_json: Json = False) -> None:
    """Sign the order, or have the venue validate it; nothing is placed.

    Example: interlock submit prepare X-01
    """
    _act(session_id, Step.PREPARE, operator, as_json)


@app.command()
def approve(
    session_id: str, confirm: Confirm = "", note: Note = "", operator: Operator = "", as_json: Json = False
) -> None:
    """Approve exactly the prepared order, by name; needs --confirm APPROVE.

    Example: interlock submit approve X-01 --confirm APPROVE --operator ann --note "first small order"
    """
    _act(session_id, Step.APPROVE, operator, as_json, confirm=confirm, note=note)


@app.command()
def bundle(session_id: str, operator: Operator = "", as_json: Json = False) -> None:
    """Bind all artifacts so far by their hashes.

    Example: interlock submit bundle X-01
    """
    _act(session_id, Step.BUNDLE, operator, as_json)


@app.command()
def gate(session_id: str, confirm: Confirm = "", operator: Operator = "", as_json: Json = False) -> None:
    """Judge every condition at once; all that fail are named. Needs --confirm GATE.

    Example: interlock submit gate X-01 --confirm GATE
    """
    _act(session_id, Step.GATE, operator, as_json, confirm=confirm)


@app.command()
def send(
    session_id: str, confirm: Confirm = "", note: Note = "", operator: Operator = "", as_json: Json = False
) -> None:
    """Send the approved order, once and never again for this session. Needs --confirm SUBMIT.

    Example: interlock submit send X-01 --confirm SUBMIT --operator ann
    """
    _act(session_id, Step.SUBMIT, operator, as_json, confirm=confirm, note=note)


@app.command()
def status(session_id: str, operator: Operator = "", as_json: Json = False) -> None:
    """Ask the venue what became of the order.

    Example: interlock submit status X-01
    """
    _act(session_id, Step.STATUS, operator, as_json)


@app.command()
def reconcile(session_id: str, operator: Operator = "", as_json: Json = False) -> None:
    """Compare order, fills and account with the venue.

    Example: interlock submit reconcile X-01
    """
    _act(session_id, Step.RECONCILE, operator, as_json)


@app.command()
def fills(session_id: str, operator: Operator = "", as_json: Json = False) -> None:
    """List the order's fills and their sums.

    Example: interlock submit fills X-01
    """
    _act(session_id, Step.FILLS, operator, as_json)


@app.command()
def supervise(
    session_id: str,
    polls: Annotated[int, typer.Option("--polls", min=1, max=60)] = 3,
    interval: Annotated[float, typer.Option("--interval", min=0.1, max=30, help="Seconds.")] = 2.0,
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Look several times; ends early once the order has ended.

    Example: interlock submit supervise X-01 --polls 5 --interval 2
    """
    if polls * interval > MAX_SUPERVISION_S:
        raise typer.BadParameter(f"polls times interval is at most {MAX_SUPERVISION_S:g} s; call it again")
    body = SubmitAct(session_id=session_id, step=Step.SUPERVISE, polls=polls, interval_s=interval)
    wait_s = STEP_TIMEOUT_S + polls * interval
    _said(link.act(body, SessionState, operator=operator_name(operator), timeout_s=wait_s), as_json)


@app.command()
def cancel(session_id: str, confirm: Confirm = "", operator: Operator = "", as_json: Json = False) -> None:
    """Ask the venue to cancel the order; only its word makes it so. Needs --confirm CANCEL.

    Example: interlock submit cancel X-01 --confirm CANCEL
    """
    _act(session_id, Step.CANCEL, operator, as_json, confirm=confirm)


@app.command("list", hidden=True)
@app.command("ls")
def list_submits(as_json: Json = False) -> None:
    """List corridor sessions, newest first; no engine is needed.

    Example: interlock submit ls
    """
    with failures():
        rows = output.records(facade.function(SUBMITS, "list_submits")(home_folder()))
    output.show({"submits": rows}, output.table(rows, COLUMNS, "no corridor sessions"), as_json)


@app.command()
def show(session_id: str, as_json: Json = False) -> None:
    """Show a session: each step with its evidence, who, when, and what is missing; no engine is needed.

    Example: interlock submit show X-01
    """
    with failures():
        found = output.record(facade.function(SUBMITS, "show_submit")(home_folder(), session_id))
    rows = [
        {**row, "missing": "; ".join(str(each["said"]) for each in output.records(row["lacks"]))}
        for row in output.records(found["steps"])
    ]
    facts = output.facts({"order": _order(found), **output.record(found["state"])})
    policy = output.table(_policy(found), POLICY_COLUMNS, "no policy speaks to it")
    text = f"{facts}\n\n{output.table(rows, STEP_COLUMNS, 'no steps')}\n\n{policy}"
    output.show({"submit": found}, text, as_json)


def _order(found: dict[str, object]) -> str:
    """Say in one line what a person would approve."""
    order = output.record(found["order"])
    if not order:
        return ""
    kind = " ".join(str(order[name]) for name in ("order_type", "time_in_force"))
    said = f"{order['side']} {order['quantity']} {order['symbol']} {kind} at {order['limit_price']}"
    ends = "reduce-only" if order["reduce_only"] else f"stop {order['stop_loss']}"
    return f"{said}, {ends}, {order['notional_usd']} USD, at {found['venue']} {found['environment']}"


def _policy(found: dict[str, object]) -> list[dict[str, object]]:
    """Return what the desk's policies say about the session's order (QT-08)."""
    first = next((a for a in output.records(found["artifacts"]) if a["step"] == Step.PREFLIGHT), None)
    return [] if first is None else output.records(output.record(first["body"]).get("policy", ()))


@app.command()
def index(as_json: Json = False) -> None:
    """Write the registry's index (json, csv, md) from the folders; the same every time they are the same.

    Example: interlock submit index
    """
    with failures():
        found = output.record(facade.function(SUBMITS, "submits_index")(home_folder()))
    text = f"{found['n_sessions']} corridor sessions: {found['status_counts']}"
    output.show({"index": found}, text, as_json)


@app.command()
def stub(session_id: str, as_json: Json = False) -> None:
    """Say what `send` would send now and what keeps it from that; nothing is sent, and no engine is needed.

    Writes submit_attempt.json in the session's folder. Exits 1 where it would not be sent.

    Example: interlock submit stub X-01
    """
    with failures():
        found = output.record(facade.function(SUBMITS, "submit_stub")(home_folder(), session_id))
    lines = [f"{session_id}  {found['venue']} {found['environment']}  nothing was sent"]
    lines += ["would send: " + output.cell(found["payload"], 400)] if found["would_submit"] else []
    lines += ["keeps it: " + output.safe_line(each) for each in cast(list[str], found["said"])]
    output.show({"stub": found}, "\n".join(lines), as_json)
    if not found["would_submit"]:
        raise typer.Exit(ExitCode.REFUSED)


@app.command()
def health(as_json: Json = False) -> None:
    """Count sessions by status; the same figures stand in submits_health.json.

    Example: interlock submit health --json
    """
    with failures():
        found = output.record(facade.function(SUBMITS, "submits_health")(home_folder()))
    output.show({"health": found}, output.facts(found), as_json)


@app.command()
def alerts(as_json: Json = False) -> None:
    """List the most pressing alert of each session; exits non-zero where one is critical.

    Example: interlock submit alerts
    """
    with failures():
        found = output.records(facade.function(SUBMITS, "submits_alerts")(home_folder()))
    rows = [{**row, **output.record(row["alert"])} for row in found]
    output.show({"alerts": found}, output.table(rows, ALERT_COLUMNS, "no alerts"), as_json)
    if any(row["severity"] == "critical" for row in rows):
        raise typer.Exit(ExitCode.REFUSED)


def _act(
    session_id: str, step: Step, operator: str, as_json: bool, *, confirm: str = "", note: str = ""
) -> None:
    body = SubmitAct(session_id=session_id, step=step, confirm=confirm, note=note)
    state = link.act(body, SessionState, operator=operator_name(operator), timeout_s=STEP_TIMEOUT_S)
    _said(state, as_json)


def _said(state: SessionState, as_json: bool) -> None:
    """Show the state; a step that was refused says why and what to do, and has an exit code of its own."""
    lines = [f"{state.session_id}  {state.step}: {state.status}"]
    for each in state.refused:
        if not each.is_known:
            continue
        lines += ["  " + output.safe_line(f"{each.code}: {each.title}")]
        lines += ["    seen: " + output.safe_line(each.said)] if each.said else []
        lines += ["    do:   " + output.safe_line(f"{each.correction} ({each.runbook})")]
    if unjudged := [each for each in state.refused if not each.is_known]:
        lines += [f"  {len(unjudged)} more refuse, because a figure that they need is not known:"]
        lines += ["    " + output.safe_line(f"{each.code}: {each.correction}") for each in unjudged]
    lines += [f"  {alert.severity}: {alert.code} ({alert.said})" for alert in state.alerts]
    output.show({"submit": state}, "\n".join(lines), as_json)
    if state.reasons:
        raise typer.Exit(ExitCode.REFUSED)


evidence = typer.Typer(help="Evidence of supervised passes.")


@evidence.callback()
def evidence_room() -> None:
    """Say whether a supervised pass can begin, and pack what one has left.

    Example: interlock evidence pack X-01 --paper PS-20260101-1
    """


@evidence.command("readiness")
def evidence_readiness(
    corridor: Annotated[str, typer.Option("--corridor", help="auto, hyperliquid or kraken.")] = "auto",
    as_json: Json = False,
) -> None:
    """Say whether a supervised pass can leave its evidence: credentials by source, runbook, folders.

    Exits 1 with everything that blocks; writes outputs/broker_evidence_readiness.json. No engine is needed.

    Example: interlock evidence readiness --corridor kraken
    """
    with failures():
        judge = facade.function(SUBMITS, "evidence_readiness")
        found = output.record(judge(home_folder(), dict(os.environ), corridor))
    reasons = cast(list[str], found["blocking_reasons"])
    rows = output.table(output.records(found["credentials"]), CREDENTIAL_COLUMNS, "no credentials")
    lines = [f"blocked: {reason}" for reason in reasons] or [f"ready: {found['resolved_corridor']}"]
    if any(reason.startswith("missing_") for reason in reasons):
        problem = str(found["credential_problem"]) or "the key file is of another venue, or lacks these"
        lines += [f"why: {problem}", f"to do: {NAME_A_KEY}"]
    output.show({"readiness": found}, f"{rows}\n\n" + "\n".join(lines), as_json)
    if reasons:
        raise typer.Exit(ExitCode.REFUSED)


@evidence.command("pack")
def pack_evidence(
    session_id: str,
    paper: Annotated[str, typer.Option("--paper", help="The paper session that speaks for the trade.")] = "",
    as_json: Json = False,
) -> None:
    """Put every artifact of a session into one archive with a manifest; exits non-zero where one is missing.

    Example: interlock evidence pack X-01 --paper PS-20260101-1
    """
    with failures():
        found = output.record(facade.function(SUBMITS, "pack_evidence")(home_folder(), session_id, paper))
    lines = [f"{str(item['sha256'])[:12]}  {item['name']}" for item in output.records(found["items"])]
    missing = cast(list[str], found["missing"])
    lines += [f"written: outputs/submits/{session_id}/evidence.tar.gz and manifest.json in the home"]
    lines += [f"missing: {each}" for each in missing]
    output.show({"pack": found}, "\n".join(lines), as_json)
    if missing:
        raise typer.Exit(ExitCode.REFUSED)
