"""Everything that decides a sweep's numbers, settled before the first trial."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from engine.market.catalogue import BarColumns
from engine.research import identity
from engine.research.bars import load_bars, short_name
from engine.research.choice import Choice, RunFailed, choose
from engine.research.kernels import NOTHING, Beside, shelf_of
from engine.research.request import RunRequest
from engine.research.run import resolved_config
from engine.research.schemas import RunConfig
from engine.research.sweep.evaluate import Field
from engine.research.sweep.proposals import next_trials
from engine.research.sweep.request import SweepRequest
from engine.research.sweep.trials import Trial
from seams.disk import Disk

EMBARGO_SHARE = 0.01
LOOKED_AT = 10_000
"""Combinations looked at for one that makes sense, before all are called nonsense."""


class Plan(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The sweep's request with its bars split in time: searched, embargo, held out.

    `config` is that of the first combination that makes sense, over the searched bars. `held_out` is None
    where all bars are searched. `beside` and `held_out_beside` are what runs over those bars read besides.
    """

    request: SweepRequest
    config: RunConfig
    choice: Choice
    searched: BarColumns
    held_out: BarColumns | None
    beside: Beside = NOTHING
    held_out_beside: Beside = NOTHING
    embargo_bars: int
    symbol: str
    interval: str

    @property
    def interval_ns(self) -> int:
        return self.searched.interval_ns

    @property
    def fingerprint(self) -> str:
        """The sha256 over all that decides the trials and their results, kernel and strategy included."""
        nameless = {name: each for name, each in self.config.switches.items() if name != "sub_data"}
        base = msgspec.structs.replace(  # type: ignore[type-var]
            self.portable_base, strategy="", data="", name="", switches=nameless
        )
        request = msgspec.structs.replace(self.request, base=base)  # type: ignore[type-var]
        parts = {
            # By their content, not by their names: what lies elsewhere now is still the same.
            "config": msgspec.structs.replace(self.config, data="", switches=nameless),  # type: ignore[type-var]
            "request": request,
            "bars": [len(self.searched), len(self.held_out or ()), self.embargo_bars],
            "kernel": identity.kernel_sha256(),
            "strategy": self.choice.source_sha256,
        }
        return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()

    @property
    def sweep_id(self) -> str:
        return self.fingerprint[:16]

    @property
    def portable_base(self) -> RunRequest:
        """The base run without where it was asked for: data by their last names, funding by its series."""
        base = self.request.base
        switches = dict(base.switches)
        if "sub_data" in switches:
            switches["sub_data"] = short_name(str(switches["sub_data"]))
        portable: RunRequest = msgspec.structs.replace(  # type: ignore[type-var]
            base,
            data=self.config.data,
            funding=self.config.funding,
            switches=switches,
            command="",
            config_path="",
            request_id="",
        )
        return portable

    def config_of(self, choice: Choice) -> RunConfig:
        """Return a combination's configuration over the searched bars."""
        return resolved_config(
            self.request.base, choice, self.searched, self.symbol, self.interval, self.beside
        )

    def field(self) -> Field:
        """Return the searched bars as trials take them."""
        return Field(self.request.base, self.config, self.searched, self.beside)

    def held_out_field(self) -> Field:
        """Return the held-out bars as trials take them; there must be some."""
        assert self.held_out is not None
        config = resolved_config(
            self.request.base, self.choice, self.held_out, self.symbol, self.interval, self.held_out_beside
        )
        return Field(self.request.base, config, self.held_out, self.held_out_beside)

    def choice_of(self, trial: Trial) -> Choice:
        """Return a combination's strategy. Raises `RunFailed` where it makes no sense."""
        base = self.request.base
        return choose(base.strategy, base.preset, {**base.params, **trial.params})


def make_plan(request: SweepRequest, home: Path, disk: Disk) -> Plan:
    """Load the bars, split them, settle the configuration.

    Raises `RunFailed` (invalid_request, unknown_strategy, no_bars), `FundingIncomplete` and what the
    catalogue raises.
    """
    choice = _first_choice(request)
    bars, symbol, interval = load_bars(request.base, home, disk)
    embargo = request.embargo_bars
    if embargo is None:
        embargo = round(len(bars) * EMBARGO_SHARE)
    count = max(1, round(len(bars) * request.in_sample))
    held_out = None
    if request.in_sample < 1.0:
        if count + embargo >= len(bars):
            raise RunFailed(
                "invalid_request",
                f"{len(bars)} bars leave nothing after in_sample {request.in_sample:g} and "
                f"{embargo} embargo bars; use more bars, or in_sample 1",
            )
        held_out = cut(bars, count + embargo, len(bars))
    else:
        embargo = 0
    searched = cut(bars, 0, count)
    shelf = shelf_of(request.base, choice, bars, home, disk)
    beside = shelf.over(searched)
    return Plan(
        request=request,
        config=resolved_config(request.base, choice, searched, symbol, interval, beside),
        choice=choice,
        searched=searched,
        held_out=held_out,
        beside=beside,
        held_out_beside=NOTHING if held_out is None else shelf.over(held_out),
        embargo_bars=embargo,
        symbol=symbol,
        interval=interval,
    )


def cut(bars: BarColumns, first: int, last: int) -> BarColumns:
    """Return the bars from `first` to before `last`; the content hash stays that of the whole set."""
    names = ("ts_ns", "open", "high", "low", "close", "volume")
    return msgspec.structs.replace(bars, **{name: getattr(bars, name)[first:last] for name in names})


def _first_choice(request: SweepRequest) -> Choice:
    """Return the first proposal that makes sense. Raises the first one's `RunFailed` if none does."""
    base = request.base
    first_error: RunFailed | None = None
    # The interval only scales a Sharpe ratio; before the first result nothing depends on it.
    for trial in next_trials(request, {}, 1)[:LOOKED_AT]:
        try:
            return choose(base.strategy, base.preset, {**base.params, **trial.params})
        except RunFailed as error:
            first_error = first_error or error
    assert first_error is not None, "a sweep proposes at least one trial"
    raise first_error
