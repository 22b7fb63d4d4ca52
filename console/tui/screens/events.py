"""Screen 9: what happened, newest first; the picture does not scroll while the cursor is not at the top."""

from __future__ import annotations

from textual.app import ComposeResult

from console.tui.screens.columns import EVENT_COLUMNS
from console.tui.screens.room import Room
from console.tui.widgets.live_table import LiveTable
from engine.api.commands import EventsPage
from engine.api.views import EventRow, EventsView

KEPT_EVENTS = 5_000


class Events(Room):
    NAME = "events"

    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[EventRow, ...] = ()
        self._view_seq = -1

    def compose(self) -> ComposeResult:
        look = self.desk_app.look
        yield LiveTable(
            "EVENTS", EVENT_COLUMNS, lambda e: str(e.seq), look=look, id="list", empty="nothing yet"
        )

    def feed(self) -> None:
        view = self.desk_app.desk.shown(EventsView)
        table = self.query_one("#list", LiveTable)
        if view is not None and view.seq != self._view_seq:
            self._view_seq = view.seq
            self._merge(view.rows)
        table.note = "Enter = older"
        table.set_rows(self._rows)

    def _merge(self, rows: tuple[EventRow, ...]) -> None:
        known = {row.seq: row for row in (*self._rows, *rows)}
        newest_first = sorted(known.values(), key=lambda row: -row.seq)
        self._rows = tuple(newest_first[:KEPT_EVENTS])

    def open_row(self) -> None:
        before = self._rows[-1].seq if self._rows else 0
        self.desk_app.ask_engine(EventsPage(before_seq=before), EventsView, self._older, "older events")

    def _older(self, view: EventsView) -> None:
        self._merge(view.rows)
        self.update()
