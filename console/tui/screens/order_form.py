"""An order by hand: a form that the pre-trade table judges while it is typed.

Its fields are the only things of the console that take the focus. While one has it, letters are text; ^X,
Esc, Tab, arrows and ^S keep their meaning. The draft stays until it is cleared: Esc loses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.suggester import SuggestFromList
from textual.timer import Timer
from textual.widgets import Input, Label

from console.tui import text
from console.tui.prompt import Kind
from console.tui.screens.corridor import CorridorRoom
from console.tui.screens.order_fields import BLANK, FIELDS, Draft, OrderField, by_field, completed, order_of
from console.tui.screens.room import Room
from console.tui.screens.ticket_picture import checks_table
from console.tui.widgets.field import Field
from console.tui.widgets.lines import Line, Lines, Source, rule
from engine.api.commands import OrderJudge, OrderJudged, TicketSubmit
from engine.api.corridor import SubmitOpen
from engine.api.order_judgement import FieldSaid
from engine.api.views import PositionsView
from seams.clock import NS_PER_S

DEBOUNCE_S = 0.25
"""How long the typing must rest before the engine is asked."""
AGAIN_NS = 2 * NS_PER_S
"""How old a verdict may become while the form is looked at: prices move."""
MOST_SAID = 3
"""How many lines of feedback one field may take."""


class OrderForm(Room):
    NAME = "order_form"

    def __init__(self) -> None:
        super().__init__()
        self._verdict: OrderJudged | None = None
        self._judged: Draft = {}
        """What the verdict is about."""
        self._asked: tuple[Draft, int] = ({}, 0)
        self._resting: Timer | None = None

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="fields", can_focus=False):
            yield Lines(self._title, id="form-title")
            for field in FIELDS:
                with Container(classes="field"):
                    yield Label(field.label, markup=False)
                    yield Field(
                        field.default,
                        placeholder=field.hint,
                        suggester=SuggestFromList(field.words, case_sensitive=False) if field.words else None,
                        select_on_focus=True,
                        max_length=64 if field.name != "note" else 200,
                        compact=True,
                        id=f"field-{field.name}",
                    )
                yield Lines(self._feedback(field), id=f"said-{field.name}", classes="said")
        yield Lines(self._picture, id="verdict")

    # --- what is typed

    @property
    def draft(self) -> Draft:
        return {field.name: self._input(field.name).value for field in FIELDS}

    def _input(self, name: str) -> Input:
        return self.query_one(f"#field-{name}", Input)

    @on(Input.Changed)
    def typed(self, event: Input.Changed) -> None:
        """Judge it once the typing rests; a key in a field renews the lease like any other."""
        event.stop()
        if not self.display:
            return
        self.desk_app.presence.key_pressed()
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(DEBOUNCE_S, self._judge)
        self.update()

    @on(Input.Submitted)
    def entered(self, event: Input.Submitted) -> None:
        """Enter goes on to the next field; it never sends."""
        event.stop()
        self.scroll_page(1)

    @on(Input.Blurred)
    def left(self, event: Input.Blurred) -> None:
        """Complete the word that was begun: `b` is buy."""
        event.stop()
        field = next(each for each in FIELDS if f"field-{each.name}" == event.input.id)
        if field.name != "note":
            event.input.value = completed(field, event.input.value)

    # --- where the keys go

    def open_row(self) -> None:
        """Enter, while no field has the focus: into the first one that is empty."""
        draft = self.draft
        empty = next((field.name for field in FIELDS if not draft[field.name]), FIELDS[0].name)
        self._input(empty).focus()

    def next_pane(self, step: int) -> None:
        self.scroll_page(step)

    def scroll_page(self, step: int) -> bool:
        """Go to the next field, or the one before."""
        focused = self.screen.focused
        names = [f"field-{field.name}" for field in FIELDS]
        if not isinstance(focused, Input) or focused.id not in names:
            self.open_row()
            return True
        place = min(max(names.index(focused.id) + step, 0), len(names) - 1)
        self.query_one(f"#{names[place]}", Input).focus()
        return True

    def leave(self) -> bool:
        """Esc: leave the form; what is typed stays."""
        self.screen.set_focus(None)
        return False

    def feed(self) -> None:
        """Ask again while it is looked at: prices move, and so does the verdict."""
        if not self.display:
            return
        if not self._asked[1] and self.screen.focused is None and not self.desk_app.prompt.is_open:
            self.open_row()
        now_ns = self.desk_app.clock.monotonic_ns()
        if self._asked[1] and now_ns - self._asked[1] < AGAIN_NS:
            return
        self._judge()

    def act(self, action_id: str) -> bool:
        if action_id == "submit_order":
            self._submit()
        elif action_id == "clear_order":
            for name, value in BLANK.items():
                self._input(name).value = value
            self.open_row()
        return action_id in ("submit_order", "clear_order")

    # --- the verdict

    def _judge(self) -> None:
        """Ask what the rules say of the draft now; an answer to an older one is not shown."""
        draft = self.draft
        self._asked = (draft, self.desk_app.clock.monotonic_ns())
        if self.desk_app.desk.is_past:
            return

        def take(found: OrderJudged) -> None:
            if self._asked[0] == draft:
                self._verdict, self._judged = found, draft
                self.update()

        self.desk_app.ask_engine(OrderJudge(order=order_of(draft)), OrderJudged, take, "the verdict")

    @property
    def verdict(self) -> OrderJudged | None:
        """The verdict of what stands in the form; None while it is being judged."""
        return self._verdict if self._judged == self.draft else None

    def update(self) -> None:
        """Give each field as many lines below it as there is to say about it."""
        width = self.query_one("#fields").size.width
        for field in FIELDS:
            pane, lines = self.query_one(f"#said-{field.name}", Lines), len(self._words(field, width))
            if lines != (pane.size.height if pane.display else 0):
                pane.display, pane.styles.height = bool(lines), lines
        super().update()

    def _words(self, field: OrderField, width: int) -> list[str]:
        """What is to be corrected in a field; an empty one has its hint, and is not scolded."""
        found = by_field(self._verdict).get(field.name, ())
        wanted = [each for each in found if each.code or self._input(field.name).value.strip()]
        rows = [row for each in wanted for row in text.wrap(_advice(each), max(20, width - 3), MOST_SAID)]
        return rows[:MOST_SAID]

    def _feedback(self, field: OrderField) -> Source:
        return lambda width, height: [((f"   {row}", "p3-calm"),) for row in self._words(field, width)]

    def _title(self, width: int, height: int) -> Sequence[Line]:
        return [rule("ORDER BY HAND", width, self.desk_app.look.rule, "Esc keeps it")]

    def _picture(self, width: int, height: int) -> Sequence[Line]:
        """The verdict: where it goes, its worth, NOW / AFTER / LIMIT, and what the desk has against it."""
        verdict, look = self._verdict, self.desk_app.look
        state = "JUDGING" if self.verdict is None else _state(self.verdict)
        if self.desk_app.desk.is_past:
            return [rule("VERDICT", width, look.rule), (("  the past takes no orders", "dim"),)]
        lines: list[Line] = [rule(f"VERDICT {state}", width, look.rule)]
        if verdict is None:
            return [*lines, (("  no verdict yet", "dim"),)]
        where = f"{verdict.venue} {verdict.account} {verdict.session_id}".strip()
        what = "a ticket" if verdict.goes == "ticket" else "a corridor session"
        lines.append(((" makes    ", "dim"), (what, "text"), (f"   {where}", "dim")))
        if verdict.goes != "ticket":  # no session watches what is made by hand
            unplaced = "nobody places it: it bounds the risk"
            lines.append(((" stop     ", "dim"), (unplaced, "p3-calm")))
        if not verdict.checks:
            wanted = [each.field for each in verdict.said]
            labels = [field.label for field in FIELDS if field.name in wanted]
            mark = f"   mark {text.number(verdict.mark_price)}" if verdict.mark_price else ""
            return [*lines, ((" needs    ", "dim"), (", ".join(labels), "text"), (mark, "dim"))]
        lines += [
            ((" value    ", "dim"), (f"~{text.money(verdict.notional_usd or 0)} USD", "text")),
            (
                (" mark     ", "dim"),
                (f"{text.number(verdict.mark_price)}   ", "text"),
                ("held ", "dim"),
                (self._held(), "text"),
            ),
        ]
        desk_rows = [
            row for each in by_field(verdict).get("", ()) for row in text.wrap(_advice(each), width - 3, 2)
        ][: max(2, height // 4)]
        table = checks_table((), verdict.checks, (), width, height - len(lines) - len(desk_rows))
        return [*lines, *table, *(((f" {row}", "p3-calm"),) for row in desk_rows)]

    def _held(self) -> str:
        """Say what is held of the symbol that was judged."""
        view = self.desk_app.desk.shown(PositionsView)
        symbol = str(order_of(self._judged).get("symbol", ""))
        rows = [row for row in (view.rows if view else ()) if row.symbol == symbol]
        return "; ".join(f"{row.side} {text.number(row.quantity)}" for row in rows) or "flat"

    # --- sending

    def _submit(self) -> None:
        """Send exactly what was judged, after a `y`; what refuses is said instead."""
        app, verdict = self.desk_app, self.verdict
        if verdict is None:
            app.say("not sent: it is being judged; look at the verdict, then ^S", "p3-calm")
            return
        if not verdict.can_submit:
            codes = ", ".join(each.code or each.field for each in verdict.said)
            app.say(f"not sent: {codes}", "p2-calm")
            return
        form, note, goes = order_of(self._judged), self._judged["note"].strip(), verdict.goes
        said = f"{str(form['side']).upper()} {form['quantity']} {form['symbol']} at {form['limit_price']}"
        self.screen.set_focus(None)
        app.ask(
            f"Make a {'ticket' if goes == 'ticket' else 'corridor session'} of {said}?  y = yes:",
            lambda _: self._send(form, note, goes, verdict.session_id),
            kind=Kind.YES,
            note="any other key = no; the draft stays",
        )

    def _send(self, form: dict[str, object], note: str, goes: str, session_id: str) -> None:
        """Send it and go where it appears; what cannot be sent stays in the form, and why is said there."""
        if goes == "ticket":
            body = TicketSubmit(order=form, session_id=session_id)
            if self.desk_app.send(body, "the ticket", reason=note or "by hand"):
                self.desk_app.go("tickets")
        else:
            corridor = self.desk_app.desktop.room("corridor")
            if self.desk_app.send(SubmitOpen(form=form, note=note), "the preflight"):
                if isinstance(corridor, CorridorRoom):
                    corridor.await_opened()
                self.desk_app.go("corridor")


def _advice(said: FieldSaid) -> str:
    return f"{said.said} ({said.code})" if said.code else said.said


def _state(verdict: OrderJudged) -> str:
    """Say in a word what the rules make of it."""
    if not verdict.checks:
        return "not finished"
    if verdict.worst == "fail":
        return "FAIL, overridable" if verdict.can_submit else "REFUSED"
    return verdict.worst.upper()
