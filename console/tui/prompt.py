"""The one-line question: it takes keys only after the operator asked for it, and pastes never confirm."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from console.tui.text import clean


class Kind(StrEnum):
    TEXT = "text"
    """Anything, then Enter."""
    SIZE = "size"
    """A number typed by hand, then Enter."""
    WORD = "word"
    """Exactly one word, then Enter; a wrong letter clears."""
    DIGIT = "digit"
    """One of some digits, at once."""
    YES = "yes"
    """`y`, at once; any other key leaves it."""


Answer = Callable[[str], object]

LONGEST_ANSWER = 200


class Prompt:
    """A question that is open or not. Answers go to the callback given with the question."""

    def __init__(self) -> None:
        self.kind = Kind.TEXT
        self.label = ""
        self.typed = ""
        self.note = ""
        self.is_open = False
        self.expected = ""
        self._answer: Answer | None = None
        self._changed: Answer | None = None

    def ask(
        self,
        label: str,
        answer: Answer,
        *,
        kind: Kind = Kind.TEXT,
        expected: str = "",
        note: str = "",
        typed: str = "",
        changed: Answer | None = None,
    ) -> None:
        """Open a question; `expected` is the word, or the digits, that answer it."""
        self.kind, self.label, self.expected = kind, label, expected
        self.typed, self.note, self.is_open = typed, note, True
        self._answer, self._changed = answer, changed

    def close(self) -> None:
        self.is_open, self._answer, self._changed = False, None, None

    def key(self, key: str, character: str | None) -> None:
        """Take one key of an open question."""
        if key == "escape":
            self.close()
        elif self.kind is Kind.YES:
            answer = self._answer
            self.close()
            if character == "y" and answer is not None:
                answer("y")
        elif self.kind is Kind.DIGIT:
            if character and character in self.expected:
                self._finish(character)
        elif key == "enter":
            self._enter()
        elif key == "backspace":
            self._set(self.typed[:-1])
        elif character and character.isprintable() and len(self.typed) < LONGEST_ANSWER:
            self._type(character)

    def paste(self, pasted: str) -> None:
        """Text may be pasted into a text question; a confirmation may not."""
        if self.kind is Kind.TEXT:
            self._set((self.typed + clean(pasted))[:LONGEST_ANSWER])
        else:
            self.typed, self.note = "", "a paste never confirms"

    def _type(self, character: str) -> None:
        if self.kind is not Kind.WORD:
            self._set(self.typed + character)
            return
        grown = self.typed + character.upper()
        is_right = self.expected.startswith(grown)
        self.typed, self.note = (grown, "then Enter") if is_right else ("", "wrong letter: start again")

    def _enter(self) -> None:
        if self.kind is Kind.WORD and self.typed != self.expected:
            self.typed, self.note = "", f"type {self.expected} first"
        else:
            self._finish(self.typed)

    def _set(self, typed: str) -> None:
        self.typed = typed
        if self._changed is not None:
            self._changed(typed)

    def _finish(self, typed: str) -> None:
        answer = self._answer
        self.close()
        if answer is not None:
            answer(typed)
