"""Ways of running a strategy other than interpreting its source: one instance at a time, asked bar by bar."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Protocol

from engine.lifecycle.forge.load import Library
from engine.lifecycle.verify.plain import Answer, PlainBar, answered
from native.forged import Forged
from native.strategy import Strategy


class Answering(Protocol):
    """One instance: it answers bars, and shows what it keeps."""

    def state_values(self) -> Mapping[str, Any]: ...

    def state_tuple(self) -> Answer: ...

    def answer(
        self,
        ts_ns: int,
        index: int,
        open: float,
        high: float,
        low: float,
        close: float,
        volume: float,
        side: int,
    ) -> Answer: ...


class Way(Protocol):
    """A built strategy. `lane` is what the kernel takes; both make a fresh instance each time."""

    @property
    def name(self) -> str: ...

    @property
    def reads_side(self) -> bool: ...

    @property
    def has_levels(self) -> bool: ...

    def answering(self, params: Mapping[str, float]) -> Answering: ...

    def lane(self, params: Mapping[str, float]) -> Strategy | Forged: ...


@dataclass(frozen=True)
class NativeWay:
    """A freestanding library, made of C or C++."""

    library: Library
    name: str = "forged"

    @property
    def reads_side(self) -> bool:
        return not self.library.record.answers_ahead

    @property
    def has_levels(self) -> bool:
        return self.library.record.has_levels

    def answering(self, params: Mapping[str, float]) -> Answering:
        return self.library.instance(params)

    def lane(self, params: Mapping[str, float]) -> Forged:
        return self.library.instance(params)


@dataclass(frozen=True)
class TypedWay:
    """A strategy class that was compiled by Cython; `words` are the attributes that are compared."""

    kind: type[Strategy]
    words: tuple[str, ...]
    reads_side: bool
    has_levels: bool
    name: str = "cython"

    def answering(self, params: Mapping[str, float]) -> Answering:
        return Asked(self.kind(**params), self.words)

    def lane(self, params: Mapping[str, float]) -> Strategy:
        return self.kind(**params)


class Asked:
    """A `Strategy` seen as what answers: its attributes are its state."""

    def __init__(self, strategy: Strategy, words: Sequence[str]) -> None:
        self._strategy, self._words = strategy, tuple(words)
        self._kept = getter(words)

    def state_values(self) -> Mapping[str, Any]:
        return dict(zip(self._words, self.state_tuple(), strict=True))

    def state_tuple(self) -> Answer:
        return self._kept(self._strategy)

    def answer(
        self,
        ts_ns: int,
        index: int,
        open: float,
        high: float,
        low: float,
        close: float,
        volume: float,
        side: int,
    ) -> Answer:
        bar = PlainBar(index, ts_ns, open, high, low, close, volume, side)
        return answered(self._strategy.on_bar(bar))  # type: ignore[arg-type]  # the kernel's bar's fields


def getter(names: Sequence[str]) -> Callable[[Strategy], Answer]:
    """Return what reads the named attributes (`name` or `indicator.field`) as one tuple."""
    if len(names) > 1:
        return attrgetter(*names)
    read = [attrgetter(name) for name in names]
    return lambda strategy: tuple(one(strategy) for one in read)
