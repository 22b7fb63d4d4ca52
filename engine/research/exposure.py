"""How much of the account stood in the markets: by side, altcoins apart, over a portfolio run's times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.research.trade_metrics import Cell
from native.intents import LanePosition
from native.rules import is_major

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


class Stakes(NamedTuple):
    """Every position held, a row each: from (ns), to before (ns), its notional at the entry, side, kind."""

    from_ns: Times
    to_ns: Times
    usd: Floats
    side: NDArray[np.int64]
    is_alt: NDArray[np.bool_]


def stakes_of(
    trades: NDArray[Any],
    held: Sequence[LanePosition],
    symbols: Sequence[str],
    majors: tuple[str, ...],
    end_ns: int,
) -> Stakes:
    """Return closed trades and what is held at the end; `symbols` by lane."""
    is_alt = np.array([not is_major(symbol, majors) for symbol in symbols], bool)
    still = [each for each in held if each.side]
    usd = [
        trades["units"] * 1e-6 * trades["entry_fill"],
        [each.units * 1e-6 * each.entry_price for each in still],
    ]
    return Stakes(
        from_ns=np.concatenate([trades["entry_ts_ns"], [each.entry_ts_ns for each in still]]).astype(
            np.int64
        ),
        to_ns=np.concatenate([trades["exit_ts_ns"], [end_ns + 1] * len(still)]).astype(np.int64),
        usd=np.concatenate(usd),
        side=np.concatenate([trades["side"], [each.side for each in still]]).astype(np.int64),
        is_alt=np.concatenate([is_alt[trades["lane"]], is_alt[[each.lane for each in still]]]).astype(bool),
    )


def exposure_table(stakes: Stakes, ts_ns: Times, equity: Floats) -> tuple[dict[str, Cell], ...]:
    """Return what stood in the markets at `ts_ns` (times,), by side; shares are of `equity` (times,).

    A position counts with its notional at its entry, from the bar of its entry to the one before its exit's.
    """
    longs, shorts = stakes.side > 0, stakes.side < 0
    rows = {
        "gross": np.ones(len(stakes.usd), bool),
        "long": longs,
        "short": shorts,
        "altcoins long": longs & stakes.is_alt,
        "altcoins short": shorts & stakes.is_alt,
    }
    found = [_row(name, stakes, kept, ts_ns, equity) for name, kept in rows.items() if np.any(kept)]
    if np.any(longs) and np.any(shorts):
        net = _standing(stakes, np.ones(len(stakes.usd), bool), stakes.usd * stakes.side, ts_ns)
        found.append(_cells("net", np.abs(net), None, equity))
    return tuple(found)


def _row(name: str, stakes: Stakes, kept: NDArray[np.bool_], ts_ns: Times, equity: Floats) -> dict[str, Cell]:
    count = _standing(stakes, kept, np.ones(len(stakes.usd)), ts_ns)
    return _cells(name, _standing(stakes, kept, stakes.usd, ts_ns), count, equity)


def _cells(name: str, standing: Floats, count: Floats | None, equity: Floats) -> dict[str, Cell]:
    share = np.divide(standing, equity, out=np.full(len(equity), np.inf), where=equity > 0)
    most = float(np.max(share))
    return {
        "key": name,
        "peak_usd": float(np.max(standing)),
        "mean_usd": float(np.mean(standing)),
        "peak_share": most if np.isfinite(most) else None,
        "time_share": float(np.mean(standing > 1e-9)),
        "most_positions": None if count is None else int(np.max(count)),
    }


def _standing(stakes: Stakes, kept: NDArray[np.bool_], values: Floats, ts_ns: Times) -> Floats:
    """Return the sum of the kept rows' values at each time, (times,)."""
    steps = np.zeros(len(ts_ns) + 1)
    np.add.at(steps, np.searchsorted(ts_ns, stakes.from_ns[kept], side="left"), values[kept])
    np.subtract.at(steps, np.searchsorted(ts_ns, stakes.to_ns[kept], side="left"), values[kept])
    return np.cumsum(steps[:-1])
