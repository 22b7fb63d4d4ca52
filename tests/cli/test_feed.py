"""`interlock feed`: what people and programs see of the kept candles."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.feed.candles import CandleStore, Series, Source
from seams.clock import NS_PER_S
from seams.disk import RealDisk
from venues.types import Bar

from .conftest import Shell

MINUTE = 60 * NS_PER_S
FROM_NS = 1_790_000_000 * NS_PER_S // MINUTE * MINUTE


def keep(home: Path, minutes: list[int]) -> None:
    bars = [
        Bar(
            symbol="BTC-USD",
            open_ns=FROM_NS + minute * MINUTE,
            close_ns=FROM_NS + (minute + 1) * MINUTE,
            open=1.0,
            high=2.0,
            low=1.0,
            close=1.5,
            volume=1.0,
        )
        for minute in minutes
    ]
    series = Series(venue="kraken", symbol="BTC-USD", interval="1m")
    CandleStore(home, RealDisk()).add(series, bars, Source.REST, FROM_NS + 9_000 * MINUTE)


def test_coverage_of_nothing_says_how_to_get_some(shell: Shell) -> None:
    assert "interlock feed backfill" in shell("feed", "coverage").out
    assert shell("feed", "coverage", "--json").body["coverage"] == []


def test_coverage_shows_bars_holes_and_sources(shell: Shell, home: Path) -> None:
    keep(home, [0, 1, 4])
    found = shell("feed", "coverage", "--venue", "kraken", "--json").body["coverage"]
    assert isinstance(found, list)
    assert (found[0]["bars"], found[0]["missing_bars"], found[0]["sources"]) == (3, 2, {"rest": 3})
    text = shell("feed", "coverage").out
    assert "kraken/BTC-USD/1m" in text and "holes, newest last" in text
    assert shell("feed", "coverage", "--symbol", "ETH-USD", "--json").body["coverage"] == []


def test_feeds_that_do_not_run_are_off_and_nothing_is_stopped(shell: Shell) -> None:
    body = shell("feed", "status", "--json").body
    assert isinstance(body["feeds"], list)
    assert [(each["venue"], each["state"]) for each in body["feeds"]] == [
        ("hyperliquid", "off"),
        ("kraken", "off"),
    ]
    assert shell("feed", "stop", "--venue", "kraken", "--json").body["stopped"] is False


def test_what_cannot_be_is_refused_with_what_can(shell: Shell) -> None:
    assert shell("feed", "status", "--venue", "nonsense").code == 2
    refused = shell("feed", "backfill", "--venue", "kraken")
    assert refused.code != 0 and "interlock sandbox start --venue kraken" in refused.err


def test_another_spelling_of_a_market_is_told_ours(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERLOCK_FEED__KRAKEN_URL", "http://127.0.0.1:1")
    for words in (("backfill", "--venue", "kraken", "--symbol", "XBT-USD"), ("candles", "kraken/XBT-USD/1m")):
        refused = shell("feed", *words)
        said = "kraken has no market XBT-USD; did you mean BTC-USD?"
        assert refused.code != 0 and said in refused.err, refused
    odd = shell("feed", "backfill", "--venue", "kraken", "--interval", "7m")
    assert "no candles of 7m; it has 1m, " in odd.err
