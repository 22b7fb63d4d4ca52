"""Outside text made harmless: no control, escape or direction characters, one line, bounded."""

from __future__ import annotations

import unicodedata

MAX_CHARACTERS = 500
_BLOCKED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: str, max_characters: int = MAX_CHARACTERS) -> str:
    """Return text from outside as one safe line of at most `max_characters` characters.

    Line breaks and tabs become spaces; control, escape, bidi, zero-width, surrogate and unassigned
    characters are dropped; what is cut off is marked with an ellipsis.
    """
    assert max_characters >= 1
    if len(text) <= max_characters and text.isascii() and text.isprintable():
        return text.strip()  # none of these is blocked, and nothing is cut off
    kept: list[str] = []
    for character in text[: max_characters * 4]:
        if character in "\n\r\t\v\f\x85\u2028\u2029":
            kept.append(" ")
        elif unicodedata.category(character) not in _BLOCKED_CATEGORIES:
            kept.append(character)
    line = "".join(kept).strip()
    return line if len(line) <= max_characters else line[: max_characters - 1] + "…"
