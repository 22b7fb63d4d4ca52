"""Pasted text stays text: no sequence inside it, and nothing that comes in one breath with it, is a key.

Textual's parser reads an escape character inside a bracketed paste as the start of a sequence, and gives one
it does not know back as keys, Enter among them. A copied log line with a colour in it would then answer a
question and press letters on the room behind it. Here it is made visible before the parser sees it.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual._xterm_parser import BRACKETED_PASTE_END, BRACKETED_PASTE_START, XTermParser
from textual.drivers import linux_driver
from textual.message import Message

from seams.clock import NS_PER_MS, Clock, SystemClock

ESC, SHOWN_ESC = "\x1b", "^["
QUIET_MS = 50
"""No hand types so soon after a paste: such keys are the tail of a paste that carried its own end mark."""


class PasteParser(XTermParser):
    """The terminal's input, with pastes that hold nothing but text."""

    def __init__(self, debug: bool = False, clock: Clock | None = None) -> None:
        super().__init__(debug)
        self._clock = clock or SystemClock()
        self._is_pasting = False
        self._held = ""
        self._quiet_until_ns = 0

    def feed(self, data: str) -> Iterable[Message]:
        """Parse what the terminal sent; empty means that it will send no more."""
        inert = self._inert(data)
        if data and not inert:  # all of it may yet become the mark at the end
            return
        now_ns = self._clock.monotonic_ns()
        for message in super().feed(inert):
            if isinstance(message, events.Paste):
                self._quiet_until_ns = now_ns + QUIET_MS * NS_PER_MS
            elif isinstance(message, events.Key) and now_ns < self._quiet_until_ns:
                continue
            yield message

    def _inert(self, data: str) -> str:
        """Show each escape character between the marks; one that may begin the end mark waits."""
        out: list[str] = []
        for character in data:
            mark = BRACKETED_PASTE_END if self._is_pasting else BRACKETED_PASTE_START
            so_far = self._held + character
            if so_far == mark:
                out.append(mark if self._is_pasting else character)
                self._is_pasting, self._held = not self._is_pasting, ""
                continue
            is_start = mark.startswith(so_far)
            if not self._is_pasting:
                out.append(character)
                self._held = so_far if is_start else ESC * (character == ESC)
            elif is_start:
                self._held = so_far
            else:
                begins_anew = character == ESC
                done = self._held if begins_anew else so_far
                out.append(done.replace(ESC, SHOWN_ESC))
                self._held = ESC * begins_anew
        return "".join(out)


def install() -> None:
    """Have the terminal driver read through this parser: it names its own, and takes none."""
    linux_driver.XTermParser = PasteParser  # type: ignore[attr-defined]
