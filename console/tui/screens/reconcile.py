"""The reconciliation desk: both sides, the difference, and an operator's decision about one of them.

Select before operate: Enter pins what is seen, an act is about exactly that, and only the engine says
what came of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult

from console.tui import text
from console.tui.screens.columns import DIFFERENCE_COLUMNS
from console.tui.screens.room import Room
from console.tui.widgets.lines import Line, Lines, rule
from console.tui.widgets.live_table import LiveTable
from engine.api.reconcile import AccountRow, Act, DecidedRow, DifferenceRow, Reconcile, ReconcileView

ACTS: dict[str, Act] = {
    "adopt_difference": Act.ADOPT,
    "attribute_difference": Act.ATTRIBUTE,
    "ignore_difference": Act.IGNORE,
    "flatten_difference": Act.FLATTEN,
}
"""Action of the console -> act of the desk."""
KEYS = {Act.ADOPT: "A", Act.ATTRIBUTE: "T", Act.IGNORE: "I", Act.FLATTEN: "F"}
VERDICT_STYLES = {"clean": "bright", "settling": "p3-calm", "hydrating": "p3-calm", "ambiguous": "p2"}
LEAST_REASON = 4


class ReconcileRoom(Room):
    NAME = "reconcile"

    def __init__(self) -> None:
        super().__init__()
        self._pinned: tuple[str, str] = ("", "")
        """Key and hash of the difference that was selected."""

    def compose(self) -> ComposeResult:
        look = self.desk_app.look
        yield Lines(self._accounts, id="accounts")
        yield LiveTable(
            "DIFFERENCES",
            DIFFERENCE_COLUMNS,
            lambda d: d.key,
            look=look,
            id="list",
            empty="record and venue agree: nothing to decide",
        )
        yield Lines(self._detail, id="detail")

    def feed(self) -> None:
        view = self.desk_app.desk.shown(ReconcileView)
        rows = view.rows if view else ()
        table = self.query_one("#list", LiveTable)
        ignored = sum(row.state == "ignored" for row in rows)
        table.note = f"standing {len(rows) - ignored}  ignored {ignored}"
        table.set_rows(rows)

    @property
    def difference(self) -> DifferenceRow | None:
        row = self.query_one("#list", LiveTable).selected
        return row if isinstance(row, DifferenceRow) else None

    def is_selected(self, row: DifferenceRow) -> bool:
        """Tell whether exactly this picture of the row was selected."""
        return self._pinned == (row.key, row.seen)

    def open_row(self) -> None:
        """Enter: select what is seen now."""
        if self.difference is not None:
            self._pinned = (self.difference.key, self.difference.seen)
            self.update()

    def leave(self) -> bool:
        was_pinned, self._pinned = bool(self._pinned[0]), ("", "")
        return was_pinned

    def act(self, action_id: str) -> bool:
        if action_id == "runbook":
            self.desk_app.open_runbook("reconciliation.md")
            return True
        self.feed()
        act, row = ACTS.get(action_id), self.difference
        if act is None or row is None:
            return False
        refusal = self._why_not(row, act)
        if refusal:
            self.desk_app.say(f"not done: {refusal}", "p3-calm")
        elif act is Act.ATTRIBUTE:
            self.desk_app.ask(
                f"Count {row.key} to which session:", lambda name: self._ask_why(row, act, name)
            )
        else:
            self._ask_why(row, act, "")
        return True

    def _why_not(self, row: DifferenceRow, act: Act) -> str:
        """Say why this act may not be done about this row now; empty when it may."""
        if row.state == "ignored":
            return f"{row.key} is ignored already; it returns when it changes"
        if row.blocked_by:
            return row.blocked_by
        if act not in {each.act for each in row.acts}:
            return f"{row.key} offers {', '.join(each.act for each in row.acts)}"
        if not self.is_selected(row):
            has_changed = self._pinned[0] == row.key
            return f"{row.key} has changed since: Enter again" if has_changed else "select it first: Enter"
        return ""

    def _ask_why(self, row: DifferenceRow, act: Act, session_id: str) -> None:
        effect = next(each.effect for each in row.acts if each.act is act)
        self.desk_app.ask(
            f"{act.upper()} {row.key}. Why:",
            lambda reason: self._send(row, act, session_id.strip(), reason.strip()),
            note=effect,
        )

    def _send(self, row: DifferenceRow, act: Act, session_id: str, reason: str) -> None:
        if len(reason) < LEAST_REASON:
            self.desk_app.say("not done: a reason in words is required", "p3-calm")
            return
        self.feed()
        if self.difference != row:
            self.desk_app.say(f"not done: {row.key} changed while you typed; look again", "p3-calm")
            return
        body = Reconcile(act=act, key=row.key, seen=row.seen, session_id=session_id)
        self.desk_app.send(body, f"{act} {row.key}", reason=reason)

    # --- what is shown ---------------------------------------------------------------------------

    def _accounts(self, width: int, height: int) -> Sequence[Line]:
        desk, look = self.desk_app.desk, self.desk_app.look
        view = desk.shown(ReconcileView)
        lines: list[Line] = [rule("ACCOUNTS", width, look.rule, "Esc = back")]
        if view is None:
            return [*lines, (("  not known", "dim"),)]
        if not view.accounts:
            return [*lines, (("  paper: the account lives in this engine, there is no other side", "dim"),)]
        return lines + [self._account(each, width) for each in view.accounts]

    def _account(self, row: AccountRow, width: int) -> Line:
        agreed = f"agreed {self._ago(row.agreed_ns)}, heard {self._ago(row.heard_ns)}"
        return (
            (f" {row.verdict.upper()} ", VERDICT_STYLES.get(row.verdict, "text")),
            (f"  {row.venue} {row.account}  ", "text"),
            (text.fit(agreed, max(0, width - len(row.venue) - len(row.account) - 17)), "dim"),
        )

    def _ago(self, at_ns: int) -> str:
        return f"{text.age((self.desk_app.desk.now_ns - at_ns) / 1e6)} ago" if at_ns else "never"

    def _detail(self, width: int, height: int) -> Sequence[Line]:
        row, look = self.difference, self.desk_app.look
        if row is None:
            return self._decided(width, height)
        is_selected = self.is_selected(row)
        title = f"{row.key}  {'SELECTED' if is_selected else 'Enter selects it'}"
        lines: list[Line] = [rule(title, width, look.rule, f"seen {row.seen}")]
        fields = (("local", row.local), ("venue", row.venue), ("difference", row.difference))
        since = f"{text.hms(row.since_ns)}Z ({self._ago(row.since_ns)})"
        for name, value in (*fields, ("since", since)):
            lines += _field(name, value, width)
        if row.blocked_by:
            lines += _field("not yet", row.blocked_by, width, "p3-calm")
        for each in row.acts:
            key = KEYS[each.act] if is_selected else " "
            lines += _field(f"{key} {each.act}", each.effect, width, "bright" if is_selected else "text")
        rest = height - len(lines)
        return lines if rest < 3 else [*lines, *self._decided(width, rest)]

    def _decided(self, width: int, height: int) -> Sequence[Line]:
        view, look = self.desk_app.desk.shown(ReconcileView), self.desk_app.look
        rows: Sequence[DecidedRow] = view.decided if view else ()
        lines: list[Line] = [rule("DECIDED", width, look.rule)]
        for row in rows[: height - 1]:
            said = f"{row.operator} {row.act} {row.key}: {row.did}; why: {row.reason}"
            lines.append(((f" {text.day_hm(row.at_ns)} ", "dim"), (text.fit(said, width - 14), "text")))
        return lines if rows else [*lines, (("  nothing yet", "dim"),)]

    def copy_text(self) -> str:
        row = self.difference
        return f"{row.key} {row.seen} local {row.local} venue {row.venue}" if row else ""


def _field(name: str, value: str, width: int, style: str = "text") -> list[Line]:
    """Return a named value, on a second line where one is too short."""
    rows = text.wrap(value, width - 15, 2) or [""]
    head: Line = ((f" {text.fit(name, 12)} ", "dim"), (rows[0], style))
    return [head, *(((" " * 14 + row, style),) for row in rows[1:])]
