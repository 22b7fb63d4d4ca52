"""Configuration: who wins, what is refused, what a reload does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from engine.config import ConfigError, Reloader, config_fingerprint, load_settings
from engine.config.readers import IDLE, READ, idle_keys, keys, to_markdown
from seams.disk import RealDisk


def write(home: Path, text: str, name: str = "interlock.yaml") -> Path:
    folder = home / "config"
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


def test_a_fresh_desk_has_paper_limits(tmp_path: Path) -> None:
    loaded = load_settings(tmp_path)
    risk = loaded.settings.risk
    assert loaded.settings.engine.mode == "paper"
    assert (risk.max_order_notional_usd, risk.max_symbol_exposure_usd) == (25_000, 40_000)
    assert (risk.drawdown_close_only, risk.drawdown_halt) == (0.05, 0.10)
    assert loaded.origins["risk.max_open_orders"] == "defaults"


def test_each_layer_beats_the_one_below(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "engine: {overlay: mine}\nrisk: {max_open_orders: 2, max_open_positions: 2, message_burst: 2}\n"
        "symbols: {BTC-USD: {risk: {max_open_orders: 3, max_open_positions: 3}}}\n"
        "modes: {mine: {risk: {max_open_positions: 4, mark_stale_ms: 44}}}\n",
    )
    environ = {"INTERLOCK_RISK__MARK_STALE_MS": "55", "INTERLOCK_RISK__MESSAGE_BURST": "5"}
    loaded = load_settings(tmp_path, environ, {"risk.message_burst": 6})
    risk = loaded.effective("BTC-USD").risk
    assert (risk.max_open_orders, risk.max_open_positions) == (3, 4)
    assert (risk.mark_stale_ms, risk.message_burst) == (55, 6)
    assert loaded.settings.risk.max_open_orders == 2
    assert loaded.origins["risk.max_open_orders"] == str(path)
    assert loaded.origins["risk.max_open_positions"] == f"{path}#modes.mine"
    assert loaded.origins["risk.mark_stale_ms"] == "environment"
    assert loaded.origins["risk.message_burst"] == "command line"


def test_objects_merge_deep_and_arrays_are_replaced(tmp_path: Path) -> None:
    write(tmp_path, "ingestion: {exchanges: {kraken: {weight: 0.9}}}\nqgita: {lattice: [3, 5]}\n")
    settings = load_settings(tmp_path).settings
    assert settings.ingestion.exchanges["kraken"].weight == 0.9
    assert settings.ingestion.exchanges["kraken"].latency_ms == 40
    assert settings.ingestion.exchanges["binance"].weight == 1.0
    assert settings.qgita.lattice == (3, 5)


def test_json_and_camel_case_are_accepted_and_the_alias_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"risk": {"maxLeverage": 4}, "engine": {"tradingPairs": ["SOL-USD"]}}))
    settings = load_settings(tmp_path, {"AQTS_CONFIG": str(path)}).settings
    assert settings.risk.max_leverage == 4
    assert settings.engine.trading_pairs == ("SOL-USD",)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("risk: {max_open_order: 3}", "risk.max_open_order"),
        ("rsk: {}", "rsk"),
        ("symbols: {BTC-USD: {risk: {nope: 1}}}", "risk.nope"),
        ("risk: {max_open_orders: many}", "risk.max_open_orders"),
        ("risk: {max_order_notional_usd: .inf}", "risk.max_order_notional_usd"),
        ("engine: {overlay: nowhere}", "engine.overlay"),
        ("risk: 3", "risk"),
    ],
)
def test_a_wrong_key_or_value_is_refused_by_name(tmp_path: Path, text: str, key: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path)
    assert caught.value.code == "invalid_config"
    assert caught.value.key == key
    assert str(path) in str(caught.value) or key == "engine.overlay"


def test_an_unknown_key_suggests_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'max_open_orders'"):
        load_settings(tmp_path, {"INTERLOCK_RISK__MAX_OPEN_ORDER": "3"})


@pytest.mark.parametrize("text", ["risk: [", "- 1", "{"])
def test_an_unreadable_file_is_an_error_not_defaults(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    with pytest.raises(ConfigError):
        load_settings(tmp_path)


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_settings(tmp_path, {"INTERLOCK_CONFIG": str(tmp_path / "none.yaml")})


def test_the_shipped_example_loads(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "config" / "config.example.yaml"
    settings = load_settings(tmp_path, {"INTERLOCK_CONFIG": str(example)}).settings
    assert settings.qgita.lattice[-1] == 89
    assert load_settings(tmp_path).effective("EXAMPLE-PERP").decision.params == {"fast": 9, "slow": 50}


def test_the_fingerprint_follows_decisions_not_looks(tmp_path: Path) -> None:
    plain = config_fingerprint(load_settings(tmp_path).settings)
    assert plain == config_fingerprint(load_settings(tmp_path, cli={"console.bell": False}).settings)
    assert plain != config_fingerprint(load_settings(tmp_path, cli={"risk.max_leverage": 2}).settings)


def test_reload_keeps_the_last_good_file_and_marks_what_needs_a_restart(tmp_path: Path) -> None:
    write(tmp_path, "risk: {max_open_orders: 3}")
    reloader = Reloader(tmp_path, {}, {}, RealDisk())
    assert reloader.check() is False
    write(tmp_path, "risk: {max_open_orders: oops}")
    assert reloader.check() is False
    assert "risk.max_open_orders" in reloader.error
    assert reloader.loaded.settings.risk.max_open_orders == 3
    write(tmp_path, "risk: {max_open_orders: 4}\nmarket: {interval: 5m}")
    assert reloader.check() is True
    assert (reloader.error, reloader.pending_restart) == ("", ("market.interval",))
    assert reloader.changed == ("market.interval", "risk.max_open_orders")


_USED = r"[.\"]{0}\b|^    {0}: Literal"
"""A key is read as an attribute or by its name; one whose type leaves no choice is read by that."""


def test_every_setting_has_a_reader_or_says_why_not() -> None:
    """The settings are walked; the module that a key is read by uses it."""
    root = Path(__file__).parents[2]
    held = [key for group in READ.values() for key in group]
    unnamed = {key for key, _ in keys()} - {*held, *IDLE}
    assert not unnamed, f"name who reads {sorted(unnamed)} in engine/config/readers.py, then `make docs`"
    assert sorted([*held, *IDLE]) == sorted(key for key, _ in keys())
    lost = [
        (place, key)
        for place, group in READ.items()
        for source in [(root / place).read_text()]
        for key in group
        if not re.search(_USED.format(key.rpartition(".")[2]), source, re.MULTILINE)
    ]
    assert lost == []


def test_an_idle_setting_is_used_nowhere() -> None:
    """What the table says nothing reads is not read under its block's name anywhere in the code."""
    root = Path(__file__).parents[2]
    sources = [
        path.read_text()
        for folder in ("engine", "console", "safety", "venues", "seams")
        for path in (root / folder).rglob("*.py")
    ]
    read = [
        key
        for key in IDLE
        for block, _, name in [key.partition(".")]
        if any(re.search(rf"settings\.{block}\.{name}\b", source) for source in sources)
    ]
    assert read == []


def test_the_settings_reference_is_generated() -> None:
    root = Path(__file__).parents[2]
    assert (root / "docs" / "settings.md").read_text() == to_markdown(), "run `make docs`"


def test_a_set_key_that_nothing_reads_is_named(tmp_path: Path) -> None:
    assert idle_keys(load_settings(tmp_path)) == ()
    write(tmp_path, "qgita: {lattice: [3, 5]}\nrisk: {max_open_orders: 3, kellyMultiplier: 0.5}\n")
    assert idle_keys(load_settings(tmp_path)) == ("qgita.lattice", "risk.kelly_multiplier")


def test_a_hold_window_that_ends_before_it_begins_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "risk: {minHoldMinutes: 45, maxHoldMinutes: 360}")
    risk = load_settings(tmp_path).settings.risk
    assert (risk.min_hold_minutes, risk.max_hold_minutes) == (45.0, 360.0)
    write(tmp_path, "risk: {min_hold_minutes: 45, max_hold_minutes: 44}")
    with pytest.raises(ConfigError, match="beyond max_hold_minutes"):
        load_settings(tmp_path)
