"""The intermediate representation of a component: what a sentence said, before any language.

A component is parameters (knobs), indicators (meters) and rules over them. Its JSON is kept beside every
artifact that was made of it, and the same IR gives the same text in every language.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from venues.types import Record

COMPONENT_VERSION = 1


def class_name(name: str) -> str:
    """Return the class that a component's name becomes: `fast_trend` is FastTrend."""
    return "".join(part.capitalize() for part in name.split("_"))


TermKind = Literal["bar", "now", "before", "knob", "minus_knob", "number", "entry", "best", "held_bars"]
Op = Literal["lt", "le", "gt", "ge"]


class Knob(Record):
    """A parameter with inclusive bounds; a whole default makes a whole number."""

    name: str
    default: int | float
    low: int | float
    high: int | float
    doc: str


class Meter(Record):
    """An indicator kept on the component. `arguments` name knobs or are numbers; `inputs` are bar fields."""

    name: str
    kind: str
    arguments: tuple[str | int | float, ...]
    inputs: tuple[str, ...] = ("close",)


class Shift(Record):
    """A distance to add (`sign` +1) or take away: a knob times a meter's value, or per cent of a price."""

    sign: int
    knob: str
    meter: str = ""


class Term(Record):
    """A number that a rule reads. `name`: a bar field, a knob, or METER.output; `number` of kind number.

    `before` is the meter's value before this bar took part. `entry` is the open of the first bar on which
    the position was seen, `best` the best close since, `held_bars` how many closes it has seen.
    """

    kind: TermKind
    name: str = ""
    number: float = 0.0
    shift: Shift | None = None


class Test(Record):
    """One comparison."""

    left: Term
    op: Op
    right: Term


class Rule(Record):
    """All tests hold, and the position is one of `held` (empty: whatever it is): answer 1, -1 or 0."""

    answer: int
    tests: tuple[Test, ...]
    held: tuple[int, ...] = ()


class Level(Record):
    """A distance that goes with an entry as `field` of `Signal`: of a meter, or per cent of the close."""

    field: str
    knob: str
    meter: str = ""


class Output(Record):
    """A value that an indicator component keeps: `left`, or `left` less `right`."""

    name: str
    left: Term
    right: Term | None = None


class Component(Record):
    """A whole component. Rules are judged in order and the first that holds answers."""

    component_type: str
    name: str
    prompt: str
    knobs: tuple[Knob, ...]
    meters: tuple[Meter, ...]
    rules: tuple[Rule, ...] = ()
    levels: tuple[Level, ...] = ()
    outputs: tuple[Output, ...] = ()
    component_version: int = COMPONENT_VERSION

    @property
    def class_name(self) -> str:
        """The name of the class in every language: `fast_trend` is FastTrend."""
        return class_name(self.name)

    @property
    def terms(self) -> tuple[Term, ...]:
        """Every term of every rule and output."""
        tests = [test for rule in self.rules for test in rule.tests]
        outputs = [
            term for output in self.outputs for term in (output.left, output.right) if term is not None
        ]
        return (*(term for test in tests for term in (test.left, test.right)), *outputs)


def to_json(component: Component) -> bytes:
    """Return the IR as it is kept."""
    return msgspec.json.format(msgspec.json.encode(component), indent=1) + b"\n"


def from_json(data: bytes) -> Component:
    """Read a kept IR. Raises `msgspec.MsgspecError` for what is none."""
    return msgspec.json.decode(data, type=Component)


def ir_sha256(component: Component) -> str:
    """Return the hash of the IR without the words it came from: two sentences may say the same."""
    bare = msgspec.structs.replace(component, prompt="")  # type: ignore[type-var]
    return hashlib.sha256(msgspec.json.encode(bare)).hexdigest()
