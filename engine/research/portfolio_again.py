"""A portfolio run made again from what it recorded: its lanes one by one, each over its own window."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np

from engine.market.catalogue import list_sets
from engine.market.validation import BadData
from engine.research.bars import FILE_SUFFIXES
from engine.research.choice import RunFailed, choose
from engine.research.portfolio_lanes import ANY, Lane, loaded
from engine.research.request import RunRequest
from engine.research.schemas import LaneConfig, RunConfig
from seams.disk import Disk

NAMING = ("--data", "--strategy", "--sub-data")


def lanes_again(
    config: RunConfig, command: str, home: Path, disk: Disk, *, data: str = "", strategy: str = ""
) -> tuple[RunRequest, list[Lane]]:
    """Return the request and the lanes of a recorded portfolio.

    Files are looked for where `data` (one of them, or their folder) and `strategy` say, then where the
    recorded command had them; stored bars are found by their content. Nothing is compared yet. Raises
    `RunFailed` with not_reproducible for what is not found.
    """
    files = _Files(command, data, strategy)
    request = _request(config, command)
    stored = {
        info.content_sha256: f"{info.venue}/{info.symbol}/{info.interval}" for info in list_sets(home, disk)
    }
    asked = [_lane_request(config, request, lane, files, stored) for lane in config.lanes]
    try:
        return request, loaded(asked, home, disk)
    except (OSError, LookupError, ValueError, BadData) as error:
        raise _not_found(f"its data are not found: {error}; name their folder with --data") from error
    except RunFailed as error:
        raise _not_found(f"{error}; name files or their folder with --data and --strategy") from error


def _request(config: RunConfig, command: str) -> RunRequest:
    """Return what all lanes have in common."""
    return RunRequest(
        preset=config.preset,
        data=config.lanes[0].data,
        interval=config.interval,
        cash=config.initial_cash,
        notional_usd=config.notional_usd,
        fee_bps=config.fee_bps,
        slippage_bps=config.slippage_bps,
        slippage_mode=config.slippage_mode,
        stops=config.stops,
        switches=dict(config.switches),
        lot=config.lot,
        tick=config.tick,
        seed=config.seed,
        is_forged="--forged" in _words(command),
        funding=config.funding,
        funding_marks=config.funding_marks,
        max_missing_funding=config.funding_missing,
        config_sha256=config.config_sha256,
    )


def _lane_request(
    config: RunConfig, request: RunRequest, lane: LaneConfig, files: _Files, stored: dict[str, str]
) -> RunRequest:
    """Return one lane's request: its own data, window, strategy and parameters."""
    start_ns, last_ns = (
        int(np.datetime64(text.removesuffix("Z"), "ns").astype(np.int64)) for text in (lane.start, lane.end)
    )
    switches = dict(request.switches)
    if "sub_data" in switches:
        switches["sub_data"] = files.path(str(switches["sub_data"]).replace(ANY, lane.symbol))
    names = set(stored.values())
    data = files.path(lane.data)
    if data == lane.data and lane.data not in names:
        data = stored.get(lane.data_sha256, data)
    return msgspec.structs.replace(  # type: ignore[type-var]
        request,
        data=data,
        # A file names its symbol; a stored set found by its content may be called otherwise.
        symbol=lane.symbol if data.lower().endswith(FILE_SUFFIXES) else "",
        strategy=files.strategy(lane.strategy),
        params=_params(config, lane.strategy),
        start_ns=start_ns,
        end_ns=last_ns + 1,
        funding=lane.funding,
        switches=switches,
    )


def _params(config: RunConfig, strategy: str) -> dict[str, float | str]:
    if len({lane.strategy for lane in config.lanes}) == 1:
        return {**config.params}
    start = f"{strategy}."
    return {
        name.removeprefix(start): value for name, value in config.params.items() if name.startswith(start)
    }


class _Files:
    """Where the files of a record may lie: their names are known, their content is judged later."""

    def __init__(self, command: str, data: str, strategy: str) -> None:
        hinted = [Path(after) for word, after in pairwise(_words(command)) if word in NAMING]
        given = [Path(each).expanduser() for each in (data, strategy) if each]
        self.folders = [
            each if each.is_dir() else Path(str(each).partition(".py:")[0]).parent
            for each in (*given, *hinted)
        ]
        self.sources = [
            str(each) for each in (*given, *hinted) if ".py" in each.name and _source(each).is_file()
        ]

    def path(self, name: str) -> str:
        """Return where a file of that last name lies; the name itself where it is none or nowhere."""
        if not name.lower().endswith(FILE_SUFFIXES):
            return name
        return next((str(folder / name) for folder in self.folders if (folder / name).is_file()), name)

    def strategy(self, name: str) -> str:
        """Return what loads a strategy of that name. Raises `RunFailed` with not_reproducible."""
        try:
            choose(name, "", {})
        except RunFailed:
            for source in self.sources:
                if choose(source, "", {}).name == name:
                    return source
            raise _not_found(f"its strategy {name} is not found; name its file with --strategy") from None
        return name


def _source(path: Path) -> Path:
    """Return the file of FILE.py:Class."""
    return path.with_name(path.name.partition(":")[0])


def _words(command: str) -> Sequence[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return ()


def _not_found(message: str) -> RunFailed:
    return RunFailed("not_reproducible", message)
