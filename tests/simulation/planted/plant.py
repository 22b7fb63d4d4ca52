"""A planted bug: a name, what it breaks, and how our code is changed while it is in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

from engine.trading import machine
from engine.trading.machine import Evidence, Move
from venues.types import OrderStatus


class Changes:
    """Changes of attributes and table rows, all taken back at the end."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Replace an attribute that exists."""
        old = owner.__dict__[name]
        setattr(owner, name, value)
        self._undo.append(lambda: setattr(owner, name, old))

    def wrap(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Replace a function by what `make` makes of it."""
        self.set(owner, name, make(owner.__dict__[name]))

    def row(self, status: OrderStatus, evidence: Evidence, after: OrderStatus) -> None:
        """Change one row of the order machine."""
        table = cast(MutableMapping[tuple[OrderStatus, Evidence], Move], machine.TABLE)
        old = table[status, evidence]
        table[status, evidence] = Move(after, old.alarm)
        self._undo.append(lambda: table.__setitem__((status, evidence), old))

    def take_back(self) -> None:
        while self._undo:
            self._undo.pop()()


class Plant(NamedTuple):
    """One bug. `is_p0`: it could lose money at once; every one of these must be found."""

    name: str
    breaks: str
    is_p0: bool
    change: Callable[[Changes], None]


P0 = True
Patch = Callable[[Changes], None]


def set_(owner: Any, name: str, value: Any) -> Patch:
    """Return what replaces an attribute."""
    return lambda changes: changes.set(owner, name, value)


def wrap(owner: Any, name: str, make: Callable[[Any], Any]) -> Patch:
    """Return what replaces a function by what `make` makes of it."""
    return lambda changes: changes.wrap(owner, name, make)


def row(status: OrderStatus, evidence: Evidence, after: OrderStatus) -> Patch:
    """Return what changes one row of the order machine."""
    return lambda changes: changes.row(status, evidence, after)


def never(*_: Any, **__: Any) -> bool:
    """In place of a question."""
    return False


def always(*_: Any, **__: Any) -> bool:
    """In place of a question."""
    return True


def nothing(*_: Any, **__: Any) -> None:
    """In place of something that mattered."""


async def nothing_async(*_: Any, **__: Any) -> None:
    """In place of something that mattered."""


@contextmanager
def planted(plant: Plant) -> Iterator[None]:
    """Let the bug be in our code while the context is open."""
    changes = Changes()
    try:
        plant.change(changes)
        yield
    finally:
        changes.take_back()
