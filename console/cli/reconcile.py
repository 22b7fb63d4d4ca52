"""`interlock reconcile`: what record and venue say, where they differ, and decisions about it."""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli import link, output
from console.cli.exit_codes import ExitCode
from console.cli.failure import Failure
from console.cli.options import Json, Operator, instant, operator_name
from engine.api.reconcile import (
    Act,
    DifferenceRow,
    FillComparison,
    FillsCompared,
    Reconcile,
    Reconciled,
    ReconcileView,
)
from seams.clock import SystemClock, iso_z

app = typer.Typer()
ACCOUNTS = ("account", "venue", "verdict", "agreed_ns", "heard_ns", "standing", "ignored")
DIFFERENCES = ("key", "local", "venue", "difference", "state", "seen", "proposed")
DECISIONS = ("at_ns", "operator", "act", "key", "did", "reason")
PAIRS = ("fill_id", "at_ns", "ours", "theirs")
MIN_SEEN = 8
ACT_ANSWER_S = 30.0
UNITS_S = {"m": 60, "h": 3_600, "d": 86_400}
PAPER = "paper: the account lives in this engine, there is no other side"

Key = Annotated[str, typer.Argument(help="The difference, as `interlock reconcile ls` names it.")]
Seen = Annotated[str, typer.Option("--seen", help="The hash you saw, 8 characters or more.")]
Why = Annotated[str, typer.Option("--reason", help="Why; written to the audit log.")]
Since = Annotated[str, typer.Option("--since", help="A date, a UTC time, or an age: 30m, 12h, 7d.")]


@app.callback(invoke_without_command=True)
def room(
    context: typer.Context,
    venue: Annotated[str, typer.Option("--venue", help="Compare the account at this venue.")] = "",
    since: Since = "24h",
    as_json: Json = False,
) -> None:
    """Reconciliation: what record and venue say, and decisions about it; nothing is booked by itself.

    With --venue and no command: orders, positions, cash, and every execution since then, ours beside the
    venue's; exit 1 on any difference.

    Example: interlock reconcile --venue kraken --since 24h
    """
    if context.invoked_subcommand is None and venue:
        _compare(venue, since, as_json)
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def status(as_json: Json = False) -> None:
    """Show each account's verdict and its age; exit 1 while anything differs.

    Example: interlock reconcile status
    """
    view = link.view("reconcile", ReconcileView)
    text = output.table(view.accounts, ACCOUNTS, PAPER)
    output.show({"accounts": view.accounts}, text, as_json)
    _exit_by(view)


@app.command("list", hidden=True)
@app.command("ls")
def list_differences(since: Since = "", as_json: Json = False) -> None:
    """List what differs with both sides, then what was decided (--since bounds that); exit 1 on any.

    Example: interlock reconcile ls --since 24h
    """
    view = link.view("reconcile", ReconcileView)
    after_ns = _since_ns(since) if since else 0
    decided = tuple(row for row in view.decided if row.at_ns >= after_ns)
    parts = [output.table(view.accounts, ACCOUNTS, PAPER)]
    parts.append(output.table(view.rows, DIFFERENCES, "no difference"))
    if decided:
        parts.append(output.table(decided, DECISIONS, ""))
    payload = {"accounts": view.accounts, "differences": view.rows, "decided": decided}
    output.show(payload, "\n\n".join(parts), as_json)
    _exit_by(view)


@app.command()
def show(key: Key, as_json: Json = False) -> None:
    """Show one difference: both sides, its hash, and what each possible act would do.

    Example: interlock reconcile show position:BTC-PERP
    """
    row = _row(key)
    facts = {
        "key": row.key, "account": row.account, "local": row.local, "venue": row.venue,
        "difference": row.difference, "state": row.state, "since": iso_z(row.since_ns), "seen": row.seen,
    }  # fmt: skip
    lines = [f"{name:<11} {output.cell(value, 200)}" for name, value in facts.items()]
    lines += [f"{'  ' + each.act:<11} {output.cell(each.effect, 200)}" for each in row.acts]
    lines += [f"{'not yet':<11} {row.blocked_by}"] if row.blocked_by else []
    output.show({"difference": row}, "\n".join(lines), as_json)


@app.command()
def adopt(key: Key, seen: Seen, reason: Why, operator: Operator = "", as_json: Json = False) -> None:
    """Book what the venue says as ours: a manual_ intent with its fills, or an adjustment.

    Example: interlock reconcile adopt cash:USD --seen 9c1e44d0 --reason "withdrawal of 1 May"
    """
    _act(Act.ADOPT, key, seen, reason, operator, as_json)


@app.command()
def attribute(
    key: Key,
    session_id: Annotated[str, typer.Option("--session", help="The session it is counted to.")],
    seen: Seen,
    reason: Why,
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Adopt, and count it to a session; the session's strategy is not told.

    Example: interlock reconcile attribute foreign:HAND-1 --session S-1 --seen 9c1e44d0 --reason "my hedge"
    """
    _act(Act.ATTRIBUTE, key, seen, reason, operator, as_json, session_id)


@app.command()
def ignore(key: Key, seen: Seen, reason: Why, operator: Operator = "", as_json: Json = False) -> None:
    """Note that it is known and not ours; it returns when it changes, and after a day.

    Example: interlock reconcile ignore foreign:HAND-1 --seen 9c1e44d0 --reason "the treasurer's order"
    """
    _act(Act.IGNORE, key, seen, reason, operator, as_json)


@app.command()
def flatten(key: Key, seen: Seen, reason: Why, operator: Operator = "", as_json: Json = False) -> None:
    """Cancel a foreign order at the venue, or adopt a difference and close that much reduce-only.

    Example: interlock reconcile flatten position:BTC-PERP --seen 9c1e44d0 --reason "fat finger"
    """
    _act(Act.FLATTEN, key, seen, reason, operator, as_json)


@app.command()
def fills(since: Since = "24h", as_json: Json = False) -> None:
    """Lay our record of executions beside the venue's own list; exit 1 where they differ. Books nothing.

    Example: interlock reconcile fills --since 7d
    """
    found = link.ask(FillsCompared(since_ns=_since_ns(since)), FillComparison, timeout_s=ACT_ANSWER_S)
    wrong = [row for row in found.rows if not row.is_same]
    text = f"{found.compared} executions since {iso_z(found.since_ns)}, {found.differing} differ"
    if wrong:
        text = f"{output.table(wrong, PAIRS, '')}\n\n{text}"
    output.show({"fills": found}, text, as_json)
    if found.differing:
        raise typer.Exit(ExitCode.REFUSED)


def _compare(venue: str, since: str, as_json: bool) -> None:
    """Show everything that is compared with one venue; exit 1 unless all of it agrees."""
    view = link.view("reconcile", ReconcileView)
    if venue not in {account.venue for account in view.accounts}:
        held = ", ".join(account.venue for account in view.accounts) or "none: this engine runs in paper"
        raise Failure("not_found", f"no account at {venue!r} is in custody", f"accounts are at: {held}")
    found = link.ask(FillsCompared(since_ns=_since_ns(since)), FillComparison, timeout_s=ACT_ANSWER_S)
    wrong = [row for row in found.rows if not row.is_same]
    parts = [
        output.table(view.accounts, ACCOUNTS, PAPER),
        output.table(view.rows, DIFFERENCES, "no difference of orders, positions or cash"),
        f"{found.compared} executions since {iso_z(found.since_ns)}, {found.differing} differ",
    ]
    parts += [output.table(wrong, PAIRS, "")] if wrong else []
    payload = {"accounts": view.accounts, "differences": view.rows, "fills": found}
    output.show(payload, "\n\n".join(parts), as_json)
    _exit_by(view)
    if found.differing:
        raise typer.Exit(ExitCode.REFUSED)


def _act(
    act: Act, key: str, seen: str, reason: str, operator: str, as_json: bool, session_id: str = ""
) -> None:
    """Send a decision about exactly the picture whose hash was named."""
    if not reason.strip():
        raise Failure("reason_required", f"{act} needs a reason", 'pass --reason "..."')
    row = _row(key)
    if len(seen.strip()) < MIN_SEEN:
        shown = f"copy it from `interlock reconcile show {key}`"
        raise Failure("hash_too_short", f"--seen needs at least {MIN_SEEN} characters", shown)
    if not row.seen.startswith(seen.strip().lower()):
        raise Failure(
            "difference_stale",
            f"{key} is {row.seen} now, you named {seen}; venue says {row.venue}",
            f"look again with `interlock reconcile show {key}`",
        )
    body = Reconcile(act=act, key=key, seen=row.seen, session_id=session_id)
    done = link.act(body, Reconciled, operator=operator_name(operator), reason=reason, timeout_s=ACT_ANSWER_S)
    output.show({"reconciled": done}, f"{done.key}: {done.did}; the account is {done.verdict}", as_json)


def _row(key: str) -> DifferenceRow:
    """Return a standing difference. Raises `Failure` where there is none of this name."""
    view = link.view("reconcile", ReconcileView)
    for row in view.rows:
        if row.key == key:
            return row
    names = ", ".join(row.key for row in view.rows[:8]) or "nothing differs"
    raise Failure("difference_gone", f"there is no difference {key!r}", f"now: {names}")


def _exit_by(view: ReconcileView) -> None:
    """Exit 1 unless both sides agree everywhere, apart from what an operator said to ignore."""
    is_agreed = all(account.verdict == "clean" and not account.standing for account in view.accounts)
    if not is_agreed:
        raise typer.Exit(ExitCode.REFUSED)


def _since_ns(text: str) -> int:
    """Return UTC nanoseconds of a date, a time, or an age such as 12h."""
    number, unit = text[:-1], text[-1:]
    if unit in UNITS_S and number.isdigit():
        return SystemClock().now_ns() - int(number) * UNITS_S[unit] * 10**9
    return instant(text)
