"""Screen 8: what to do now. The books ship with the program and open without an engine."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import VerticalScroll

from console.tui.screens.room import Room
from console.tui.widgets.live_table import Column, LiveTable

if TYPE_CHECKING:
    from textual.widgets import Markdown


@dataclass(frozen=True)
class Book:
    """One runbook: its file name without `.md`, its first heading, its text."""

    name: str
    title: str
    body: str


def read_books() -> tuple[Book, ...]:
    """Read the shipped runbooks, by name; empty where none is installed."""
    try:
        entries = list(resources.files("runbooks").iterdir())
    except ModuleNotFoundError:
        return ()
    names = sorted(entry.name for entry in entries if entry.name.endswith(".md"))
    return tuple(_read_book(name) for name in names)


def _read_book(name: str) -> Book:
    body = resources.files("runbooks").joinpath(name).read_text(encoding="utf-8")
    heading = next((line.lstrip("# ") for line in body.splitlines() if line.startswith("#")), name)
    return Book(name.removesuffix(".md"), heading, body)


class Runbooks(Room):
    NAME = "runbooks"

    def __init__(self) -> None:
        super().__init__()
        self.books = read_books()
        self.opened = ""
        self._anchor = ""

    def compose(self) -> ComposeResult:
        yield LiveTable(
            "RUNBOOKS",
            (
                Column[Book]("BOOK", 26, lambda b: b.name),
                Column[Book]("TITLE", 0, lambda b: b.title),
            ),
            lambda b: b.name,
            look=self.desk_app.look,
            id="list",
            empty="no runbook is installed",
        )
        yield VerticalScroll(id="page", can_focus=False)

    def feed(self) -> None:
        self.set_class(bool(self.opened), "-opened")
        self.query_one("#list", LiveTable).set_rows(self.books)

    def open_row(self) -> None:
        book = self.query_one("#list", LiveTable).selected
        if isinstance(book, Book):
            self._show(book)

    def open_named(self, name: str) -> bool:
        """Open the page an alarm names: `stale-feed.md#feed-stale`, or only the book's name."""
        wanted, _, anchor = name.partition("#")
        for book in self.books:
            if book.name == wanted.removesuffix(".md"):
                self.query_one("#list", LiveTable).select(book.name)
                self._show(book, anchor)
                return True
        return False

    def on_markdown_table_of_contents_updated(self, event: Markdown.TableOfContentsUpdated) -> None:
        """The page stands: go to the heading that was asked for."""
        if self._anchor:
            event.markdown.goto_anchor(self._anchor)

    def _show(self, book: Book, anchor: str = "") -> None:
        from textual.widgets import Markdown

        self._anchor = anchor

        page = self.query_one("#page", VerticalScroll)
        page.remove_children()
        page.mount(Markdown(book.body, open_links=False))
        page.scroll_home(animate=False)
        self.opened = book.name
        self.update()

    def scroll_page(self, step: int) -> bool:
        """Scroll the open book instead of moving the cursor; False when none is open."""
        if not self.opened:
            return False
        page = self.query_one("#page", VerticalScroll)
        page.scroll_to(y=page.scroll_y + step, animate=False)
        return True

    def leave(self) -> bool:
        was_open, self.opened = bool(self.opened), ""
        self.update()
        return was_open
