"""The recordings of the book benchmarks, tiled in time as the comparison of peers did it.

L2: Binance USD-M BTCUSDT, 345 s of 2024-08-08, every depth update and trade as recorded, ten tiles of
400 s, each re-based by the recording's own snapshot; our times shifted so that none is before the
exchange's. L3: CME ESH4, 2023-12-25, twenty tiles, each begun by a clear. Both lie in the data folder.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.market.depth import binance, databento
from native.depth import DepthFlag, OrderAction

SHARED = Path(os.environ.get("INTERLOCK_SHARED", Path(__file__).parents[2] / "shared"))
BOOKS = SHARED / "data" / "licensed" / "orderbook"
L2_FILE = BOOKS / "binance_raw" / "usdm_btcusdt_20240808.gz"
L3_FILE = BOOKS / "databento" / "esh4-glbx-mdp3-20231225.mbo.dbn.zst"
L2_TILES, L2_SHIFT_NS = 10, 400_000_000_000
L3_TILES, L3_SHIFT_NS, L3_ID_SHIFT = 20, 86_400_000_000_000, 10**14


class L2Set(NamedTuple):
    """One feed twice: at our times (messages are runs of equal time) and at the exchange's."""

    local: NDArray[Any]
    exchange: NDArray[Any]


def l2_set() -> L2Set:
    """Return 4,668,360 L2 events. Raises FileNotFoundError without the data folder."""
    feed = binance.read_log(L2_FILE.read_bytes(), as_recorded=True)
    local = feed.events
    local["ts_ns"] -= min(0, int((local["ts_ns"] - feed.exchange_ns).min()))
    order = np.argsort(feed.exchange_ns, kind="stable")
    exchange = local[order]
    exchange["ts_ns"] = feed.exchange_ns[order]
    local, exchange = _tiled(local), _tiled(exchange)
    is_last = np.ones(len(local), bool)
    is_last[:-1] = local["ts_ns"][1:] != local["ts_ns"][:-1]
    local["flags"] = np.where(is_last, int(DepthFlag.LAST), 0)
    return L2Set(local, exchange)


def _tiled(events: NDArray[Any]) -> NDArray[Any]:
    tiles = [events.copy() for _ in range(L2_TILES)]
    for number, tile in enumerate(tiles):
        tile["ts_ns"] += number * L2_SHIFT_NS
    return np.concatenate(tiles)


def l3_set() -> NDArray[Any]:
    """Return 1,375,860 L3 events. Raises FileNotFoundError without the data folder."""
    events = databento.read_mbo(L3_FILE.read_bytes()).events
    parts = []
    for number in range(L3_TILES):
        tile = events.copy()
        tile["ts_ns"] += number * L3_SHIFT_NS
        tile["order_id"] += number * L3_ID_SHIFT
        clear = np.zeros(1, tile.dtype)
        clear["ts_ns"], clear["action"] = tile["ts_ns"][0], int(OrderAction.CLEAR)
        parts += [clear, tile]
    return np.concatenate(parts)


def packed(events: NDArray[Any], fields: dict[str, str], layout: list[tuple[str, str]]) -> NDArray[Any]:
    """Return events in the C loops' narrower layout; `fields` maps its names to ours."""
    table = np.zeros(len(events), np.dtype(layout))
    for name, ours in fields.items():
        table[name] = events[ours]
    return table
