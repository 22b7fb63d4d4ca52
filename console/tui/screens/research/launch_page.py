"""Launch a run or a sweep: a form that shows the exact command it stands for."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from textual.app import ComposeResult

from console.tui import text
from console.tui.prompt import Kind
from console.tui.screens.research.page import Page
from console.tui.widgets.lines import Line, Lines, rule
from console.tui.widgets.live_table import Column, LiveTable
from engine.api.commands import JobBody, RunStart, SweepStart
from seams.clock import utc_ns

Form = dict[str, str]


@dataclass(frozen=True)
class Field:
    """One line of the form: its name, what may be typed, the option it is, and for which kind it is asked."""

    name: str
    help: str
    option: str = ""
    kinds: tuple[str, ...] = ("run", "sweep")


SWEEP = ("sweep",)
FIELDS = (
    Field("kind", "run or sweep: Enter changes it"),
    Field("strategy", "a bundled one, such as ema_cross, or a file; a preset names its own", "--strategy"),
    Field("preset", "a preset of the strategy, or nothing", "--preset"),
    Field("data", "VENUE/SYMBOL/INTERVAL of this desk (D lists them), or a file", "--data"),
    Field("set", "parameters: fast=9 slow=50", "--set"),
    Field("grid", "axes: fast=5:50:5 slow=20,50,100", "--grid", SWEEP),
    Field("method", "grid, random or tpe", "--method", SWEEP),
    Field("trials", "how many; nothing: all of the grid", "--trials", SWEEP),
    Field("seed", "a whole number", "--seed", SWEEP),
    Field("start", "the first date or UTC time; nothing: from the first bar", "--start"),
    Field("end", "the date or UTC time before which it ends; nothing: to the last bar", "--end"),
    Field("max_bars", "only the first so many bars; nothing: all", "--max-bars"),
    Field("fee_bps", "taker fee, of a fill's notional; nothing: preset or settings", "--taker-fee-bps"),
    Field("slippage_bps", "adverse, of every fill; nothing: preset or settings", "--slippage-bps"),
    Field("funding", "data: what is stored for the data; or VENUE/SYMBOL; nothing: none", "--funding-from"),
    Field("name", "a name for people", "--name"),
)
MANY = ("set", "grid")
"""Fields of several words, each an option of its own."""
BLANK: Form = {field.name: "" for field in FIELDS} | {
    "kind": "run",
    "strategy": "ema_cross",
    "method": "grid",
}


class BadForm(ValueError):
    """The form cannot be sent as it is; the message says why."""


def pairs(typed: str) -> dict[str, str]:
    """Read `a=1 b=2`. Raises `BadForm`."""
    found = {}
    for word in typed.split():
        name, equals, value = word.partition("=")
        if not (name and equals and value):
            raise BadForm(f"{word!r} is not name=value")
        found[name] = value
    return found


def whole(typed: str, name: str) -> int:
    """Read a whole number, 0 for nothing. Raises `BadForm`."""
    if not typed:
        return 0
    if not typed.isdigit():
        raise BadForm(f"{name} {typed!r} is not a whole number")
    return int(typed)


def number(typed: str, name: str) -> float | None:
    """Read a number, None for nothing. Raises `BadForm`."""
    if not typed:
        return None
    try:
        value = float(typed)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadForm(f"{name} {typed!r} is not a number")
    return value


def date(typed: str, name: str) -> int | None:
    """Read a date or a UTC time as nanoseconds, None for nothing. Raises `BadForm`."""
    try:
        return utc_ns(typed) if typed else None
    except ValueError:
        raise BadForm(f"{name} {typed!r} is not a date such as 2024-05-01 or 2024-05-01T12:00") from None


def body_of(form: Form) -> JobBody:
    """Return what the form asks for. Raises `BadForm`."""
    if not form["data"]:
        raise BadForm("name the data: D lists what is stored")
    if not (form["strategy"] or form["preset"]):
        raise BadForm("name a strategy or a preset")
    start_ns, end_ns = date(form["start"], "start"), date(form["end"], "end")
    if start_ns is not None and end_ns is not None and start_ns >= end_ns:
        raise BadForm("it ends before it starts")
    both: dict[str, Any] = {
        "strategy": form["strategy"],
        "preset": form["preset"],
        "data": form["data"],
        "params": {name: _value(given) for name, given in pairs(form["set"]).items()},
        "start_ns": start_ns,
        "end_ns": end_ns,
        "max_bars": whole(form["max_bars"], "max_bars"),
        "fee_bps": number(form["fee_bps"], "fee_bps"),
        "slippage_bps": number(form["slippage_bps"], "slippage_bps"),
        "funding": form["funding"],
        "name": form["name"],
    }
    if form["kind"] == "run":
        return RunStart(**both)
    grid = pairs(form["grid"])
    if not grid:
        raise BadForm("a sweep needs an axis, such as fast=5:50:5")
    if twice := sorted(set(grid) & set(both["params"])):
        raise BadForm(f"{', '.join(twice)} is both set and swept")
    trials, seed = whole(form["trials"], "trials"), whole(form["seed"], "seed")
    return SweepStart(**both, grid=grid, method=form["method"], trials=trials, seed=seed)


def command_of(form: Form) -> str:
    """Return the command line that does the same."""
    words = ["interlock", form["kind"], "start"]
    for field in FIELDS:
        typed = form[field.name]
        if not (typed and field.option and form["kind"] in field.kinds):
            continue
        if (field.name, typed) == ("funding", "data"):
            words.append("--funding")
        else:
            parts = typed.split() if field.name in MANY else [typed]
            words += [word for part in parts for word in (field.option, part)]
    return shlex.join(words)


class LaunchPage(Page):
    NAME = "launch"

    def __init__(self) -> None:
        super().__init__()
        self.form = dict(BLANK)

    def compose(self) -> ComposeResult:
        value: Callable[[Field], tuple[str, str]] = lambda f: (self.form[f.name] or "-", "bright")  # noqa: E731
        yield LiveTable(
            "LAUNCH",
            (
                Column[Field]("FIELD", 12, lambda f: f.name),
                Column[Field]("VALUE", 30, value),
                Column[Field]("WHAT", 0, lambda f: (f.help, "dim")),
            ),
            lambda f: f.name,
            look=self.desk_app.look,
            id="form",
        )
        yield Lines(self._command, id="command")

    def open_form(self, data: str = "") -> None:
        """Show the form, on a series where one is given."""
        if data:
            self.form["data"] = data
        self.room.show(self)

    def feed(self) -> None:
        kind = self.form["kind"]
        self.list("form").set_rows(tuple(field for field in FIELDS if kind in field.kinds))

    def open_row(self) -> None:
        """Enter: change what the cursor is on."""
        field = self.list("form").selected
        if not isinstance(field, Field):
            return
        if field.name == "kind":
            self._set("kind", "sweep" if self.form["kind"] == "run" else "run")
        else:
            self.desk_app.ask(
                f"{field.name}:",
                lambda typed: self._set(field.name, typed.strip()),
                kind=Kind.TEXT,
                note=field.help,
                typed=self.form[field.name],
            )

    def act(self, action_id: str) -> bool:
        if action_id != "launch":
            return False
        try:
            body = body_of(self.form)
        except BadForm as error:
            self.desk_app.say(f"not launched: {error}", "p3-calm")
            return True
        self.desk_app.ask(
            f"Launch this {self.form['kind']}?  y = yes:",
            lambda _: self._launch(body),
            kind=Kind.YES,
            note="any other key = no",
        )
        return True

    def _set(self, name: str, value: str) -> None:
        self.form[name] = value
        self.feed()

    def _launch(self, body: JobBody) -> None:
        self.room.leave()
        self.desk_app.send(body, f"launch of the {self.form['kind']}")

    def _command(self, width: int, height: int) -> Sequence[Line]:
        look = self.desk_app.look
        lines: list[Line] = [rule("THE COMMAND IT STANDS FOR", width, look.rule, "L = launch   Esc = back")]
        lines += [((f" {row}", "bright"),) for row in text.wrap(f"$ {command_of(self.form)}", width - 2, 4)]
        try:
            body_of(self.form)
        except BadForm as error:
            lines.append(((f" not ready: {error}", "p3-calm"),))
        return lines


def _value(typed: str) -> float | str:
    try:
        return float(typed)
    except ValueError:
        return typed
