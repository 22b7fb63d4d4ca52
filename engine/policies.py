"""The desk's policies as its people meet them: the folder `policies/` of the home, and the rules (QT-08).

What was found for one version of a ticket stays what it was, so that the record holds what was shown.
"""

from __future__ import annotations

from pathlib import Path

from safety.approval import Ticket
from safety.facts import Check
from safety.intent import ExecutionIntent
from safety.policies import PolicyShelf, PolicySnippet, PolicyText, order_words, passages, rule_texts
from seams.disk import Disk

MAX_FILES, MAX_FILE_BYTES, MAX_KEPT = 50, 256 * 1024, 2_000


class PolicyDesk:
    """Looks up what an order is about; reads the desk's documents anew whenever they changed."""

    def __init__(self, disk: Disk, folder: Path) -> None:
        self._disk, self._folder = disk, folder
        self._seen: tuple[tuple[str, bytes], ...] | None = None
        self._shelf = PolicyShelf(())
        self._kept: dict[tuple[str, int], tuple[PolicySnippet, ...]] = {}
        self.unreadable: tuple[str, ...] = ()
        """The documents that could not be read or are too large; they speak to nobody."""

    def of_ticket(self, ticket: Ticket) -> tuple[PolicySnippet, ...]:
        """Return what one version of a ticket is about."""
        key = (ticket.id, ticket.version)
        if key not in self._kept:
            if len(self._kept) >= MAX_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = self.about(ticket.intent, ticket.checks)
        return self._kept[key]

    def about(self, intent: ExecutionIntent, checks: tuple[Check, ...]) -> tuple[PolicySnippet, ...]:
        """Return the passages that an order is most about, the best first."""
        self._look()
        return self._shelf.search(order_words(intent, checks))

    def _look(self) -> None:
        documents = tuple(self._documents())
        if documents == self._seen:
            return
        self._seen = documents
        own: list[PolicyText] = []
        for name, data in documents:
            own += passages(name, data.decode(errors="replace"))
        self._shelf = PolicyShelf((*own, *rule_texts()))

    def _documents(self) -> list[tuple[str, bytes]]:
        found, failed = [], []
        names = self._disk.list(self._folder) if self._disk.exists(self._folder) else []
        for name in sorted(name for name in names if name.endswith(".md"))[:MAX_FILES]:
            try:
                data = self._disk.read(self._folder / name)
            except OSError:
                failed.append(name)
                continue
            if len(data) > MAX_FILE_BYTES:
                failed.append(name)
            else:
                found.append((name, data))
        self.unreadable = tuple(failed)
        return found
