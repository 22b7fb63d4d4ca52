"""Every reason code, in one table."""

from __future__ import annotations


class Refusal(Exception):
    """A refused act; `code` is a key of `REASONS`."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code, self.detail = code, detail
