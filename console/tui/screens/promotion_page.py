"""The Gates screen's page about one promotion: its checklist to tick, notes to write, the four results.

It opens over the holds with its key and closes with Esc. What is ticked is exactly the candidate on screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Container

from console.tui import text
from console.tui.widgets.lines import Line, Lines, rule
from console.tui.widgets.live_table import Cell, Column, LiveTable
from engine.api.gates import ChecklistRow, ChecklistTick, ChecklistUntick, NoteRow, SessionCloseOut
from engine.api.views import OverviewView, PromotionRow

if TYPE_CHECKING:
    from console.tui.app import InterlockApp

LEAST_REASON = 4
ACTS = ("tick_item", "untick_item", "close_out")
APART = ("checklist_", "close_out_")
"""Blockers that have a list of their own here."""


def _done(problem: str) -> Cell:
    return ("[x]", "bright") if not problem else (f"[ ] {problem.replace('_', ' ')}", "p3-calm")


def done_of(rows: Sequence[ChecklistRow] | Sequence[NoteRow]) -> str:
    """Return how many of some rows count."""
    return f"{sum(1 for row in rows if not row.problem)} of {len(rows)}"


def is_whole(rows: Sequence[ChecklistRow] | Sequence[NoteRow]) -> bool:
    """Tell whether each of some rows counts."""
    return all(not row.problem for row in rows)


ITEM_COLUMNS: tuple[Column[ChecklistRow], ...] = (
    Column("DONE", 19, lambda r: _done(r.problem)),
    Column("ITEM", 16, lambda r: r.item),
    Column("BY", 8, lambda r: r.operator),
    Column("AT", 11, lambda r: text.day_hm(r.at_ns) if r.at_ns else ""),
    Column("AUDIT", 6, lambda r: (str(r.audit_seq or ""), "dim"), ">", drop=1),
    Column("SAYS", 0, lambda r: (r.said, "dim"), least=24),
)
STRATEGY_COLUMNS: tuple[Column[PromotionRow], ...] = (
    Column("STRATEGY", 22, lambda r: r.strategy),
    Column("STAGE", 9, lambda r: (r.stage, "bright")),
    Column("LIST", 7, lambda r: done_of(r.checklist)),
    Column("NOTES", 7, lambda r: done_of(r.notes)),
    Column("CANDIDATE", 17, lambda r: (r.candidate[:16] or "no run proves one", "dim")),
    Column("BLOCKS BESIDES", 0, lambda r: "; ".join(b for b in r.blockers if not b.startswith(APART))),
)


class PromotionPage(Container):
    """One strategy's promotion; which one is chosen in the list above."""

    def compose(self) -> ComposeResult:
        look = self.desk_app.look
        yield LiveTable("PROMOTION", STRATEGY_COLUMNS, lambda r: r.strategy, look=look, id="strategies",
                        empty="no strategies")  # fmt: skip
        yield LiveTable(
            "CHECKLIST", ITEM_COLUMNS, lambda r: r.item, look=look, id="items", empty="no checklist"
        )
        yield Lines(self._says, id="says")
        yield Lines(self._exit, id="exit")
        yield Lines(self._notes, id="notes")

    @property
    def desk_app(self) -> InterlockApp:
        from console.tui.app import InterlockApp

        assert isinstance(self.app, InterlockApp)
        return self.app

    def feed(self) -> None:
        view = self.desk_app.desk.shown(OverviewView)
        self.query_one("#strategies", LiveTable).set_rows(view.promotion if view else ())
        items, row = self.query_one("#items", LiveTable), self.row
        items.title = f"CHECKLIST {row.strategy}" if row else "CHECKLIST"
        items.note = f"{done_of(row.checklist)}, t = tick" if row else ""
        items.set_rows(row.checklist if row else ())

    @property
    def row(self) -> PromotionRow | None:
        row = self.query_one("#strategies", LiveTable).selected
        return row if isinstance(row, PromotionRow) else None

    @property
    def item(self) -> ChecklistRow | None:
        row = self.query_one("#items", LiveTable).selected
        return row if isinstance(row, ChecklistRow) else None

    def act(self, action_id: str) -> None:
        """Tick, take back, or write a note: a reason first, then it is sent."""
        row, item = self.row, self.item
        if row is None or item is None:
            self.desk_app.say("no strategy here yet: run or trade one first", "p3-calm")
        elif action_id == "close_out":
            self._close_out(row)
        elif action_id == "untick_item":
            untick = ChecklistUntick(strategy=row.strategy, item=item.item)
            self._ask(f"TAKE BACK {item.item} of {row.strategy}. Why?", untick, item.note)
        elif not row.candidate:
            self.desk_app.say("nothing to tick for: no run proves what this strategy is", "p3-calm")
        else:
            tick = ChecklistTick(strategy=row.strategy, candidate=row.candidate, item=item.item)
            asked = f"TICK {item.item} for {row.strategy} {row.candidate[:8]}. What did you look at?"
            self._ask(asked, tick, item.said)

    def _ask(self, asked: str, body: ChecklistTick | ChecklistUntick, note: str) -> None:
        self.desk_app.ask(asked, lambda why: self._send(body, why), note=note)

    def _send(self, body: ChecklistTick | ChecklistUntick, why: str) -> None:
        if self._is_in_words(why):
            self.desk_app.send(body, f"{body.item} of {body.strategy}", reason=why.strip())

    def _close_out(self, row: PromotionRow) -> None:
        missing = [note.session_id for note in row.notes if note.problem]
        if not missing:
            self.desk_app.say("every session that counts has its note", "p3-calm")
            return
        self.desk_app.ask(
            f"CLOSE OUT {missing[-1]}. What happened, what surprised?",
            lambda said: self._write(missing[-1], said),
            note="the oldest session without a note; bound to what it left",
        )

    def _write(self, session_id: str, said: str) -> None:
        if self._is_in_words(said):
            body = SessionCloseOut(session_id=session_id, text=said.strip())
            self.desk_app.send(body, f"note on {session_id}")

    def _is_in_words(self, said: str) -> bool:
        if len(said.strip()) >= LEAST_REASON:
            return True
        self.desk_app.say("not sent: it must be said in words", "p3-calm")
        return False

    def _says(self, width: int, height: int) -> Sequence[Line]:
        """The item under the cursor whole, with who ticked it on what ground."""
        item, look = self.item, self.desk_app.look
        if item is None:
            return [rule("ITEM", width, look.rule)]
        lines: list[Line] = [
            rule(f"ITEM {item.item}", width, look.rule, "U = take back"),
            ((f" {item.said}", "text"),),
        ]
        if item.operator:
            said = f" {item.operator}, {text.day_hm(item.at_ns)}Z, audit record {item.audit_seq}: "
            lines.append(((said, "dim"), (item.note, "bright")))
        else:
            lines.append(((" nobody has ticked it", "dim"),))
        return lines

    def _exit(self, width: int, height: int) -> Sequence[Line]:
        view, look = self.desk_app.desk.shown(OverviewView), self.desk_app.look
        results = view.exit_condition if view else ()
        held = sum(1 for each in results if each.ok)
        head = f"{held} of {len(results)}" if results else ""
        lines: list[Line] = [rule("TO LEAVE THE MICRO STAGE", width, look.rule, head)]
        for each in results:
            mark: tuple[str, str] = (" [x] ", "bright") if each.ok else (" [ ] ", "p3-calm")
            lines.append((mark, (text.fit(each.name, 18), "text"), (each.said, "dim")))
        return lines if results else [*lines, (("  not known", "dim"),)]

    def _notes(self, width: int, height: int) -> Sequence[Line]:
        row, look = self.row, self.desk_app.look
        notes = row.notes if row else ()
        lines: list[Line] = [rule(f"CLOSE-OUT NOTES {done_of(notes)}", width, look.rule, "w = write one")]
        for note in notes:
            mark: tuple[str, str] = (" [x] ", "bright") if not note.problem else (" [ ] ", "p3-calm")
            said = (
                f"{note.operator}, {text.day_hm(note.at_ns)}Z: {note.note}"
                if note.operator
                else "no note yet"
            )
            why = f"{note.problem.replace('_', ' ')}: " if note.problem == "other_evidence" else ""
            lines.append((mark, (text.fit(note.session_id, 32), "text"), (why, "p3-calm"), (said, "dim")))
        return lines if notes else [*lines, (("  no session has ended in order yet", "dim"),)]
