"""Prices by name, bars of trades, and sample data that needs nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.market.catalogue import UnknownSet, coverage, list_sets, load, load_file
from engine.market.prices import Ambiguous, prices
from engine.market.seed import START_NS, seed_data
from engine.market.shapes import Shape
from engine.market.trades import import_trades
from engine.market.validation import BadData, interval_ns_of
from seams.clock import FixedClock
from seams.disk import MemoryDisk, RealDisk
from venues.types import Bar

from .desk import shared

HOME = Path("/home-of-tests")
MINUTE = interval_ns_of("1m")
T0 = 1_700_000_040_000


@pytest.fixture
def seeded() -> MemoryDisk:
    disk = MemoryDisk()
    seed_data(HOME, 180, 7, FixedClock(), disk)
    return disk


def test_seeding_is_the_same_every_time_and_leaves_what_is_there(seeded: MemoryDisk) -> None:
    sets = {(info.symbol, info.interval): info.content_sha256 for info in list_sets(HOME, seeded)}
    assert {interval for _, interval in sets} == {"1m", "5m", "1h"} and len(sets) % 3 == 0
    assert len(set(sets.values())) == len(sets)
    again = MemoryDisk()
    made, kept = seed_data(HOME, 180, 7, FixedClock(), again)
    assert {(info.symbol, info.interval): info.content_sha256 for info in made} == sets and kept == ()
    before = dict(again.files)
    made, kept = seed_data(HOME, 500, 8, FixedClock(), again)
    assert made == () and len(kept) == len(sets) // 3 and again.files == before


def test_prices_are_the_newest_of_the_window_oldest_first(seeded: MemoryDisk) -> None:
    name = "sandbox/BTC-PERP/1m"
    found = prices(HOME, name, disk=seeded)
    assert (len(found.bars), found.available) == (100, 180)
    assert found.bars[-1].open_ns == START_NS + 179 * MINUTE and isinstance(found.bars[0], Bar)
    window = prices(HOME, name, START_NS + 5 * MINUTE, START_NS + 9 * MINUTE, 10_000, seeded)
    assert [(bar.open_ns - START_NS) // MINUTE for bar in window.bars] == [5, 6, 7, 8, 9]
    assert prices(HOME, name, START_NS + 9 * MINUTE, START_NS, 5, seeded).bars == ()
    with pytest.raises(Ambiguous, match="sandbox/BTC-PERP/5m"):
        prices(HOME, "BTC-PERP", disk=seeded)
    with pytest.raises(UnknownSet):
        prices(HOME, "DOGE", disk=seeded)
    for limit in (0, 10_001):
        with pytest.raises(ValueError, match="limit"):
            prices(HOME, name, limit=limit, disk=seeded)


def trades(text: str, shape: Shape = Shape()) -> MemoryDisk:
    disk = MemoryDisk()
    disk.files[Path("/in/t.csv")] = text.encode()
    try:
        import_trades(Path("/in/t.csv"), "v", "X", "1m", HOME, disk, FixedClock(), shape)
    except BadData:
        assert list(disk.files) == [Path("/in/t.csv")]
        raise
    return disk


def test_trades_of_one_moment_keep_their_order() -> None:
    rows = [(0, 10, 1), (0, 12, 2), (0, 9, 3), (120_000, 5, 1)]
    disk = trades("time,price,amount\n" + "\n".join(f"{T0 + at},{price},{size}" for at, price, size in rows))
    bars = load(HOME, "v", "X", "1m", disk)
    assert bars.open.tolist() == [10, 5] and bars.close.tolist() == [9, 5]
    assert bars.high.tolist() == [12, 5] and bars.volume.tolist() == [6, 1]
    info = coverage(HOME, "v", "X", "1m", disk)
    assert info.derived is not None and info.derived.from_interval == "trades" and info.gaps.missing_bars == 1


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (f"{T0 - 1},10,1", "out_of_order"),
        (f"{T0 + 1},0,1", "non_positive_price"),
        (f"{T0 + 1},-2,1", "non_positive_price"),
        (f"{T0 + 1},10,-1", "volume_negative"),
    ],
)
def test_a_trade_that_cannot_be_keeps_the_file_out(row: str, code: str) -> None:
    with pytest.raises(BadData) as caught:
        trades(f"time,price,size\n{T0},10,1\n{row}\n")
    assert [(problem.code, problem.row) for problem in caught.value.problems] == [(code, 2)]


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("XRP_ETH-trades.json.gz", Shape(columns=("time", "-", "-", "-", "price", "amount", "-"))),
        ("XRP_OLD-trades.json.gz", Shape()),
    ],
)
def test_two_formats_of_the_same_trades_make_the_exchanges_minutes(
    name: str, shape: Shape, tmp_path: Path
) -> None:
    path = shared(f"licensed/trades/binance/{name}")
    info = import_trades(path, "binance", "XRPETH", "1m", tmp_path, RealDisk(), FixedClock(), shape)
    published = load_file(shared("licensed/bars_1m/other/XRPETH_1m_20191011.csv.gz"), "1m")
    assert info.content_sha256 == published.content_sha256 and info.gaps.missing_bars == 1_091


@pytest.mark.shared
def test_krakens_trade_file_has_no_names_and_counts_seconds(tmp_path: Path) -> None:
    path = shared("licensed/trades/kraken/BCHEUR_trades_20230101.csv")
    with pytest.raises(BadData, match="missing_header"):
        import_trades(path, "kraken", "BCHEUR", "1m", tmp_path, RealDisk(), FixedClock())
    shape = Shape(columns=("time", "price", "size"))
    info = import_trades(path, "kraken", "BCHEUR", "1m", tmp_path, RealDisk(), FixedClock(), shape)
    bars = load(tmp_path, "kraken", "BCHEUR", "1m")
    assert (bars.open[0], bars.volume[0], bars.close[-1]) == (90.54, 1.1044842, 90.53)
    assert info.first_ns == 1_672_531_380_000_000_000
