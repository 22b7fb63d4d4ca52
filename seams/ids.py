"""Names for things: sortable and unique in production, counted in simulation."""

from __future__ import annotations

from typing import Protocol

from seams.clock import NS_PER_MS, Clock
from seams.rng import Rng, secret_token

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Ids(Protocol):
    """Where identifiers come from."""

    def new(self, prefix: str) -> str:
        """Return an identifier that this desk never used before, such as `T-01J8...`."""
        ...


class SortableIds:
    """Time-ordered identifiers: ten characters of milliseconds, six of count and chance."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._count = 0
        self._chance = Rng(int.from_bytes(secret_token(8).encode()[:8], "big")).stream("ids")

    def new(self, prefix: str) -> str:
        self._count = (self._count + 1) % 32**3
        at = _base32(self._clock.now_ns() // NS_PER_MS, 9)
        return f"{prefix}-{at}{_base32(self._count, 3)}{_base32(self._chance.getrandbits(15), 3)}"


class EpochIds:
    """Short names for one engine start: `T-3-0012` is the twelfth ticket of epoch 3.

    The epoch is counted durably at every start, so a name never comes back.
    """

    def __init__(self, epoch: int) -> None:
        assert epoch > 0
        self._epoch = epoch
        self._counts: dict[str, int] = {}

    def new(self, prefix: str) -> str:
        self._counts[prefix] = self._counts.get(prefix, 0) + 1
        return f"{prefix}-{self._epoch}-{self._counts[prefix]:04d}"


class CountedIds:
    """Identifiers that only count: the same run gives the same names."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def new(self, prefix: str) -> str:
        self._counts[prefix] = self._counts.get(prefix, 0) + 1
        return f"{prefix}-{self._counts[prefix]:05d}"


def _base32(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 32)
        digits.append(_CROCKFORD[digit])
    return "".join(reversed(digits))
