"""The command lines that repeat a run and a sweep."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import msgspec

from engine.api.switches import words_of
from engine.research.funding import OF_DATA
from engine.research.request import RunRequest
from seams.clock import iso_z

if TYPE_CHECKING:
    from engine.research.sweep.request import Axis, SweepRequest


def reproduce_command(request: RunRequest) -> str:
    """Return the command line that repeats the run."""
    if request.command:
        return request.command
    return shlex.join(["interlock", "run", "start", *_words(request)])


def sweep_command(request: SweepRequest) -> str:
    """Return the command line that repeats a sweep; what only a file can say stands in sweep.json."""
    # The seed is the sweep's own word; the search's other words stand beside the axes.
    base = msgspec.structs.replace(request.base, seed=0)  # type: ignore[type-var]
    words = ["interlock", "sweep", "start", *_words(base)]
    for axis in request.axes:
        words += ["--grid", f"{axis.name}={_values(axis)}"]
    words += ["--method", request.method, "--seed", str(request.seed), "--objective", request.objective]
    words += ["--trials", str(request.trials)] if request.method != "grid" else []
    words += ["--in-sample", f"{request.in_sample:.15g}"]
    return shlex.join(words)


def _values(axis: Axis) -> str:
    if axis.values:
        return ",".join(f"{value:.15g}" for value in axis.values)
    marks = (":whole" if axis.is_whole else "") + (":log" if axis.is_log else "")
    return f"{axis.low:.15g}..{axis.high:.15g}{marks}"


def _words(request: RunRequest) -> list[str]:
    words = ["--data", request.data]
    words += [word for each in request.more_data for word in ("--data", each)]
    words += ["--preset", request.preset] if request.preset else []
    words += ["--strategy", request.strategy] if request.strategy else []
    words += [word for each in request.more_strategies for word in ("--strategy", each)]
    words += ["--forged"] if request.is_forged else []
    words += ["--funding"] if request.funding == OF_DATA else []
    words += ["--funding-from", request.funding] if request.funding not in ("", OF_DATA) else []
    words += ["--funding-marks", request.funding_marks] if request.funding_marks else []
    words += (
        ["--max-missing-funding", str(request.max_missing_funding)] if request.max_missing_funding else []
    )
    words += ["--init-state", request.init_state] if request.init_state else []
    words += ["--max-state-gap", str(request.max_state_gap_bars)] if request.max_state_gap_bars else []
    words += words_of({**msgspec.to_builtins(request), **request.switches})
    words += ["--universe", request.universe] if request.universe else []
    words += ["--at", iso_z(request.at_ns)] if request.at_ns is not None else []
    words += ["--start", iso_z(request.start_ns)] if request.start_ns is not None else []
    words += ["--end", iso_z(request.end_ns)] if request.end_ns is not None else []
    words += ["--max-bars", str(request.max_bars)] if request.max_bars else []
    for name, value in sorted(request.params.items()):
        is_whole = isinstance(value, float) and value.is_integer()
        words += ["--set", f"{name}={int(value) if is_whole else value}"]
    return words
