"""What every room has: panes that it keeps up to date, lists with one active, and its own actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from textual.containers import Container
from textual.css.query import NoMatches
from textual.widget import Widget

from console.tui.widgets.lines import Lines
from console.tui.widgets.live_table import LiveTable

if TYPE_CHECKING:
    from console.tui.app import InterlockApp


class Room(Container):
    """One screen's body. A room never computes: it shows views, and asks the app to send commands."""

    NAME = ""
    can_focus = False

    def __init__(self) -> None:
        super().__init__(id=f"room-{self.NAME}", classes="room")
        self.active = 0

    @property
    def desk_app(self) -> InterlockApp:
        return cast("InterlockApp", self.app)

    @property
    def tables(self) -> list[LiveTable[Any]]:
        """The lists that are visible, in reading order."""
        return [table for table in self.query(LiveTable) if table.size.height and self._is_visible(table)]

    def _is_visible(self, table: LiveTable[Any]) -> bool:
        """Tell whether a list and all that it lies in are displayed; a hidden one keeps its old size."""
        return all(node.display for node in table.ancestors_with_self if isinstance(node, Widget))

    @property
    def table(self) -> LiveTable[Any] | None:
        tables = self.tables
        return tables[self.active % len(tables)] if tables else None

    def feed(self) -> None:
        """Hand the newest views to the panes; overridden by each room."""

    def update(self) -> None:
        """Bring everything that is visible up to date."""
        active, is_one_of_many = self.table, len(self.tables) > 1
        for table in self.query(LiveTable):
            table.is_active, table.is_one_of_many = table is active, is_one_of_many
        self.feed()
        for pane in self.query(Lines):
            if pane.display:
                pane.update()

    def next_pane(self, step: int) -> None:
        if self.tables:
            self.active = (self.active + step) % len(self.tables)
            self.update()

    def act(self, action_id: str) -> bool:
        """Do one of the room's own actions; False when it has nothing to do with it."""
        return False

    def open_row(self) -> None:
        """Enter on the active list."""

    def leave(self) -> bool:
        """Esc: close what is open in this room; False when there was nothing."""
        return False

    def copy_text(self) -> str:
        """What `y` copies: the row under the cursor."""
        table = self.table
        return table.row_text(table.selected) if table and table.selected is not None else ""

    def pane(self, name: str) -> Lines | None:
        try:
            return self.query_one(f"#{name}", Lines)
        except NoMatches:
            return None
