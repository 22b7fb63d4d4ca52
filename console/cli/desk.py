"""`interlock console` and `interlock demo`: the full-screen console and the guided first run."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Callable
from typing import Annotated, cast

import typer

from console.cli import facade, output
from console.cli.exit_codes import ExitCode
from console.cli.failure import Failure
from console.cli.guard import coded_failures
from console.cli.options import Json, Operator, operator_name
from console.cli.origin import child_environment
from engine.api.home import home_folder

TMUX_SESSION = "interlock"


def console(
    readonly: Annotated[
        bool, typer.Option("--readonly", help="Watch only; the kill stays possible.")
    ] = False,
    tmux: Annotated[bool, typer.Option("--tmux", help="Start or attach the tmux session interlock.")] = False,
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Open the full-screen console (also: `interlock` alone, and `interlock tui`).

    Example: interlock console --tmux
    """
    if as_json:
        raise Failure("usage", "the console needs a terminal", "use `interlock status --json` in scripts")
    demand_terminal("interlock status --json")
    who = operator_name(operator)
    if tmux:
        _into_tmux(readonly, who)
    raise typer.Exit(cast(int, _load_console()(home_folder(), who, readonly)))


def demo(
    headless: Annotated[bool, typer.Option("--headless", help="No console: run, check, report.")] = False,
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=3600, help="How long.")] = 30.0,
    seed: Annotated[int, typer.Option("--seed", help="The sandbox market's seed.")] = 1,
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """See the whole chain work on the sandbox market: no keys, no money, no network.

    Example: interlock demo --headless --seconds 20 --json
    """
    if headless or as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        run = facade.function("engine.api.demo", "run_headless")
        with coded_failures():
            report = output.record(run(seconds=seconds, seed=seed, operator=operator_name(operator)))
        output.show({"demo": report}, output.facts(report), as_json)
        if not report.get("ok"):
            raise typer.Exit(ExitCode.REFUSED)
        return
    demand_terminal("interlock demo --headless")
    interactive = facade.function("engine.api.demo", "run_interactive")
    who = operator_name(operator)
    with coded_failures():
        code = cast(int, interactive(seed=seed, operator=who, load_console=_load_console))
    raise typer.Exit(code)


def _load_console() -> Callable[..., object]:
    """Import the console with the garbage collector off: nothing of it is garbage, and looking costs a
    fifth of the start. The console turns it on again at its first frame."""
    gc.disable()
    return facade.function("console.tui.launch", "run_console")


def demand_terminal(instead: str) -> None:
    """Refuse, before anything is started, when the keys or the picture (on stderr) have nowhere to go."""
    streams = (("stdin", sys.stdin), ("stdout", sys.stdout), ("stderr", sys.stderr))
    missing = [name for name, stream in streams if not stream.isatty()]
    if not missing:
        return
    what = f"the console needs a terminal: {' and '.join(missing)} is redirected"
    if "stderr" in missing and "stdout" not in missing:  # the complaint must reach the person too
        output.write_line(f"error [usage] {what}\nto do: leave the redirection out, or use `{instead}`")
    raise Failure("usage", what, f"leave the redirection out, or use `{instead}`")


def _into_tmux(readonly: bool, who: str) -> None:
    """Become tmux: attach the session, or start it with a console inside. Does not return."""
    program = shutil.which("tmux")
    if program is None:
        raise Failure("not_installed", "tmux is not installed", "install tmux, or leave --tmux out")
    inside = [sys.executable, "-P", "-m", "interlock", "console", "--operator", who]
    inside += ["--readonly"] if readonly else []
    words = ["tmux", "new-session", "-A", "-s", TMUX_SESSION, *inside]
    os.execve(program, words, child_environment())
