"""Where figures come from, and whom to believe where two sources disagree (OC-48)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Source(StrEnum):
    """A source of figures, the most trusted first."""

    LIVE = "live"
    PAPER = "paper"
    REPLAY = "replay"
    ACCELERATED = "accelerated"


TRUST_ORDER: tuple[Source, ...] = tuple(Source)
OF_MODE: dict[str, Source] = {
    "live": Source.LIVE,
    "paper": Source.PAPER,
    "run": Source.REPLAY,
    "sweep": Source.REPLAY,
}
"""A run's mode → its source; the run in a sweep's folder is its best trial on a plain kernel."""


def most_trusted(sources: Iterable[Source]) -> Source:
    """Return the source that counts where these disagree; there must be one."""
    return min(sources, key=TRUST_ORDER.index)


def order_in_words() -> str:
    """Return the trust order as one line."""
    return " > ".join(TRUST_ORDER)
