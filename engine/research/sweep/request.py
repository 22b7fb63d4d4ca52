"""What a sweep is asked for: a base run, axes of parameters, how to search, how to judge."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from typing import Literal

import msgspec
import yaml

from engine.api.switches import KEPT, SEARCHED, gathered, read
from engine.research.choice import RunFailed
from engine.research.request import RunRequest
from venues.types import Record

Method = Literal["grid", "random", "tpe"]
Objective = Literal["total_pnl", "score_v1", "sharpe_simple", "profit_factor"]
MAX_TRIALS = 5_000_000
BASE = ("strategy", "preset", "data", "params", "symbol", "interval", "start_ns", "end_ns", "max_bars",
        "cash", "notional_usd", "fee_bps", "slippage_bps", "slippage_mode", "stops", "lot", "tick", "name",
        "funding", "funding_marks", "max_missing_funding", "switches", *KEPT)  # fmt: skip
UNSEEN = ("command", "config_path", "request_id")
"""Fields of a run that the program fills in."""
OWN = ("method", "trials", "seed", "objective", "in_sample", "embargo_bars", "candidates", "shortlist",
       "drawdown_cap", "generation")  # fmt: skip


class Axis(Record):
    """One parameter and what it may be: `values`, or every number (or whole number) of `low` to `high`.

    `is_log` spreads a range evenly over orders of magnitude.
    """

    name: str
    values: tuple[float, ...] = ()
    low: float = 0.0
    high: float = 0.0
    is_whole: bool = False
    is_log: bool = False


class SweepRequest(Record):
    """A sweep. `trials` 0 with a grid means all of it.

    The first `in_sample` (share of the bars) is searched; after `embargo_bars` (None: 1 % of the bars) the
    rest judges the `candidates` best, who were chosen without it. `shortlist` is how many each ranking
    channel names, `drawdown_cap` (fraction) the growth channel's bound, `generation` how many trials TPE
    proposes at once, from all results before them.
    """

    base: RunRequest
    axes: tuple[Axis, ...]
    method: Method = "grid"
    trials: int = 0
    seed: int = 0
    objective: Objective = "total_pnl"
    in_sample: float = 0.7
    embargo_bars: int | None = None
    candidates: int = 20
    shortlist: int = 3
    drawdown_cap: float = 0.2
    generation: int = 32


class _Loader(yaml.SafeLoader):
    """Plain YAML but for one thing: 5:50:5 is an axis, not a number to the base of sixty (YAML 1.1)."""


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if not pair[0].endswith((":int", ":float"))]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?\d+$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.\d*|\.?\d+)([eE][-+]?\d+)?$"), list("-+.0123456789")
)


def read_request(text: bytes, changes: Mapping[str, object] | None = None) -> SweepRequest:
    """Read YAML or JSON; `changes` (the command line) win, parameter by parameter.

    Raises `RunFailed` with `invalid_request`.
    """
    try:
        fields = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise _bad(f"the sweep's file is not YAML: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(fields, dict):
        raise _bad("the sweep's file must hold names and values")
    merged = {**fields, **(changes or {})}
    for name in ("params", "param_grid"):
        parts = [part for part in (fields.get(name), (changes or {}).get(name)) if isinstance(part, Mapping)]
        if len(parts) == 2:
            merged[name] = {**parts[0], **parts[1]}
    return make_request(merged)


def make_request(fields: Mapping[str, object]) -> SweepRequest:
    """Make a request from plain values; `param_grid` maps names to axes (see `axis`).

    Raises `RunFailed` with `invalid_request`.
    """
    unknown = sorted(set(map(str, fields)) - {*BASE, *OWN, *UNSEEN, "param_grid"})
    if unknown:
        raise _bad(f"a sweep has no {', '.join(unknown)}; it has {', '.join((*BASE, *OWN, 'param_grid'))}")
    grid = fields.get("param_grid") or {}
    if not isinstance(grid, Mapping) or not grid:
        raise _bad("param_grid must name at least one parameter")
    own = {name: fields[name] for name in OWN if name in fields}
    base = _base({name: value for name, value in fields.items() if name not in (*OWN, "param_grid")})
    axes = tuple(axis(str(name), value) for name, value in sorted(grid.items()))
    try:
        request = msgspec.convert({"base": base, "axes": axes, **own}, SweepRequest)
    except msgspec.ValidationError as error:
        raise _bad(str(error)) from error
    return _checked(request)


def _base(fields: Mapping[str, object]) -> dict[str, object]:
    """Put the switches together; those that a trial cannot assume are refused, not left out."""
    try:
        base = gathered(fields)
        switches = base.get("switches", {})
        assert isinstance(switches, Mapping)
        found = read(switches)
    except ValueError as error:
        raise _bad(str(error)) from error
    if foreign := sorted(set(found) - set(SEARCHED)):
        raise _bad(f"a sweep's trials cannot assume {', '.join(foreign)}; only a single run can")
    return {**base, "switches": found} if found else base


def axis(name: str, given: object) -> Axis:
    """Read an axis: a list, a number, `"5:50:5"` (the end belongs to it), `"2..40:whole:log"`, or a mapping.

    A mapping has `start`, `stop`, `step`, or `low`, `high` and perhaps `whole`, `log`.
    """
    if isinstance(given, str):
        return _from_text(name, given)
    if isinstance(given, bool | int | float):
        return _listed(name, [given])
    if isinstance(given, list | tuple):
        return _listed(name, list(given))
    if isinstance(given, Mapping) and set(given) == {"start", "stop", "step"}:
        return _stepped(name, *(_number(name, given[key]) for key in ("start", "stop", "step")))
    if isinstance(given, Mapping) and {"low", "high"} <= set(given) <= {"low", "high", "whole", "log"}:
        low, high = _number(name, given["low"]), _number(name, given["high"])
        is_log = bool(given.get("log", False))
        if not low < high or (is_log and low <= 0.0):
            raise _bad(f"{name}: low must be below high, and above 0 where it is a log range")
        return Axis(name=name, low=low, high=high, is_whole=bool(given.get("whole", False)), is_log=is_log)
    raise _bad(f"{name}: write a list, start:stop:step, or low and high, not {given!r}")


def _from_text(name: str, text: str) -> Axis:
    if ".." in text:
        ends, *marks = text.split(":")
        low, _, high = ends.partition("..")
        return axis(name, {"low": low, "high": high, **dict.fromkeys(marks, True)})
    parts = text.split(":")
    if len(parts) == 3:
        return _stepped(name, *(_number(name, part) for part in parts))
    return _listed(name, list(text.split(",")))


def _listed(name: str, given: list[object]) -> Axis:
    values = tuple(_number(name, value) for value in given)
    if not values or len(set(values)) != len(values):
        raise _bad(f"{name}: name each value once, and at least one")
    return Axis(name=name, values=values)


def _stepped(name: str, start: float, stop: float, step: float) -> Axis:
    if not step > 0.0 or stop < start or (stop - start) / step > MAX_TRIALS:
        raise _bad(f"{name}: the step must be above 0 and the end not below the start")
    # Multiples of the step, rounded to twelve digits, so that 0.1:0.3:0.1 ends at 0.3.
    count = math.floor((stop - start) / step + 1e-9) + 1
    return Axis(name=name, values=tuple(float(f"{start + index * step:.12g}") for index in range(count)))


def _number(name: str, value: object) -> float:
    try:
        number = float(str(value))
    except ValueError:
        raise _bad(f"{name}: {value!r} is not a number") from None
    if not math.isfinite(number):
        raise _bad(f"{name}: {value!r} is not finite")
    return number


def grid_size(request: SweepRequest) -> int:
    """Return how many combinations the axes have; 0 where one is a range."""
    return math.prod(len(each.values) for each in request.axes)


def grid(request: SweepRequest) -> itertools.product[tuple[float, ...]]:
    """Return the whole grid, the last axis (in name order) fastest."""
    return itertools.product(*(each.values for each in request.axes))


def _checked(request: SweepRequest) -> SweepRequest:
    size, names = grid_size(request), [each.name for each in request.axes]
    if request.method == "grid" and not size:
        raise _bad("a grid needs values for every parameter; a range needs the method random or tpe")
    trials = request.trials or (size if request.method == "grid" else 0)
    rules = (
        (0 < trials <= MAX_TRIALS, f"trials must be 1 to {MAX_TRIALS}"),
        (
            request.method != "grid" or trials == size,
            f"the grid has {size} trials, not {trials}",
        ),
        (not set(names) & set(request.base.params), "a parameter is either fixed or swept, not both"),
        (0.0 < request.in_sample <= 1.0, "in_sample must be above 0 and at most 1"),
        (request.embargo_bars is None or request.embargo_bars >= 0, "embargo_bars must not be negative"),
        (request.candidates >= 1 and request.shortlist >= 1, "candidates and shortlist must be at least 1"),
        (0.0 < request.drawdown_cap <= 1.0, "drawdown_cap must be above 0 and at most 1"),
        (1 <= request.generation <= 10_000, "generation must be 1 to 10000"),
    )
    for is_kept, message in rules:
        if not is_kept:
            raise _bad(message)
    # One seed: of what is proposed, and of what the exchange draws in every trial.
    base = msgspec.structs.replace(request.base, seed=request.seed)  # type: ignore[type-var]
    return msgspec.structs.replace(request, base=base, trials=trials)  # type: ignore[type-var]


def _bad(message: str) -> RunFailed:
    return RunFailed("invalid_request", message)
