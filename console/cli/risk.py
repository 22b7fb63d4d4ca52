"""`interlock risk`: the limits in force, a cap that is tightened at once, a full reconciliation (QX-40)."""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli import link, output
from console.cli.exit_codes import ExitCode
from console.cli.options import Json, Operator, Reason, operator_name
from engine.api.risk import CapTightened, Hydrated, RiskCap, RiskHydrate, RiskShow, RiskState

app = typer.Typer(help="Risk: limits in force, tighten a cap at once, reconcile in full.")
LIMITS = ("name", "in_force", "configured", "tightened_by")
SOFT = ("name", "before", "value", "operator", "reason")
HYDRATE_ANSWER_S = 30.0


@app.callback()
def room() -> None:
    """See the limits in force, tighten one, or reconcile everything anew. Nothing is loosened here.

    Example: interlock risk view
    """


@app.command()
def view(as_json: Json = False) -> None:
    """Show every limit in force beside the configured one, and what risk remembers of the day.

    Example: interlock risk view --json
    """
    state = link.ask(RiskShow(), RiskState)
    head = (
        f"limits epoch {state.limits_epoch}, hash {state.limits_hash[:16]}, hold {state.hold_level}; "
        f"day {state.day_pnl_usd:+.2f} USD, drawdown {state.drawdown:.2%}"
    )
    head += f", account {state.verdict}" if state.verdict else ""
    soft = output.table(state.soft, SOFT, "no soft caps")
    output.show(
        {"risk": state}, f"{head}\n\n{output.table(state.limits, LIMITS, 'no limits')}\n\n{soft}", as_json
    )


@app.command("update-cap")
def update_cap(
    name: Annotated[str, typer.Argument(help="The limit, as `interlock risk view` names it.")],
    value: Annotated[float, typer.Argument(help="Its new value, in the limit's own unit.")],
    reason: Reason = "",
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Tighten one limit: at once, durably, over the configuration. What would loosen it is refused.

    A cap of its own is caps/LEVEL:SUBJECT/order_usd or caps/LEVEL:SUBJECT/exposure_usd; blocked/SYMBOL 1
    takes a symbol off. To loosen: the configuration, risk.soft_caps_generation one higher, a restart.

    Example: interlock risk update-cap max_order_notional_usd 5000 --reason "thin market"
    """
    body = RiskCap(name=name, value=value)
    made = link.act(body, CapTightened, operator=operator_name(operator), reason=reason)
    text = f"{made.name}: {made.before} -> {made.value} in force, limits epoch {made.limits_epoch}"
    output.show({"tightened": made}, text, as_json)


@app.command("force-hydrate")
def force_hydrate(reason: Reason = "", operator: Operator = "", as_json: Json = False) -> None:
    """Hold new risk, ask the venue for everything, go on when both sides agree; exit 1 where they do not.

    Example: interlock risk force-hydrate --reason "the venue was down for an hour"
    """
    done = link.act(
        RiskHydrate(),
        Hydrated,
        operator=operator_name(operator),
        reason=reason,
        timeout_s=HYDRATE_ANSWER_S,
    )
    said = "; ".join(done.differences) or "no difference"
    output.show(
        {"hydrated": done}, f"{done.account} is {done.verdict} after {done.passes} passes: {said}", as_json
    )
    if done.verdict != "clean":
        raise typer.Exit(ExitCode.REFUSED)
