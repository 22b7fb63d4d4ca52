"""What every page of the research screen has: panes, a way to ask the engine, and its own keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from textual.containers import Container

from console.tui.widgets.live_table import LiveTable

if TYPE_CHECKING:
    from console.tui.app import InterlockApp
    from console.tui.screens.runs import Runs


class Page(Container):
    """One page; the room shows at most one instead of its lists."""

    NAME = ""
    can_focus = False

    def __init__(self) -> None:
        super().__init__(id=f"page-{self.NAME}", classes="page")

    @property
    def desk_app(self) -> InterlockApp:
        return cast("InterlockApp", self.app)

    @property
    def room(self) -> Runs:
        return cast("Runs", self.desk_app.room)

    def feed(self) -> None:
        """Bring the page's lists up to date."""

    def open_row(self) -> None:
        """Enter on the active list."""

    def act(self, action_id: str) -> bool:
        """Do one of the screen's actions here; False to let the room do it."""
        return False

    def next_view(self, step: int) -> bool:
        """Tab: show the next view of this page; False when Tab moves between its lists."""
        return False

    def list(self, name: str) -> LiveTable[Any]:
        return self.query_one(f"#{name}", LiveTable)
