"""A tighter limit holds at once, a looser one waits; every limit of the settings has a direction."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.risk import RiskBlock
from safety.limits import LOOSER, Looser, applied, is_looser, limits_hash, split

NO_LIMITS = {
    "initial_equity_usd", "kelly_multiplier", "min_hold_minutes", "max_hold_minutes", "blocked_symbols",
    "caps", "majors", "soft_caps_generation",
}  # fmt: skip
"""Settings of the risk block that bound nothing, and the three that have names of their own."""


def test_every_setting_of_the_risk_block_is_a_limit_or_is_named_as_none() -> None:
    assert set(RiskBlock.model_fields) == set(LOOSER) | NO_LIMITS


@given(name=st.sampled_from(sorted(LOOSER)), a=st.floats(0, 1e9), b=st.floats(0, 1e9))
def test_of_two_values_exactly_the_looser_one_waits(name: str, a: float, b: float) -> None:
    found = split({name: a}, {name: b})
    if a == b:
        assert not found.at_once and not found.later
        return
    is_up = LOOSER[name] is Looser.UP
    assert bool(found.later) is ((b > a) is is_up)
    assert len(found.later) + len(found.at_once) == 1
    back = split({name: b}, {name: a})
    assert bool(back.later) is not bool(found.later)


@pytest.mark.parametrize("value", [float("nan"), "many", None])
def test_what_cannot_be_compared_waits(value: object) -> None:
    assert is_looser("max_leverage", 2.0, value)  # type: ignore[arg-type]


def test_caps_and_blocked_symbols_forbid_by_being_there() -> None:
    none: dict[str, float | int | str | None] = {}
    capped, blocked = {"caps/symbol:BTC/order_usd": 50.0}, {"blocked/LUNA": 1}
    assert split(none, capped).at_once and not split(none, capped).later
    assert split(capped, none).later and not split(capped, none).at_once
    assert split(none, blocked).at_once and split(blocked, none).later
    assert applied(capped, split(capped, none).later) == {}


def test_a_major_admits_by_being_there() -> None:
    """What is no altcoin meets no cap on altcoins: one more waits, one less holds at once."""
    none: dict[str, float | int | str | None] = {}
    major = {"majors/ETH": 1}
    assert split(none, major).later and not split(none, major).at_once
    assert split(major, none).at_once and not split(major, none).later


def test_the_hash_names_the_set_and_not_its_order() -> None:
    assert limits_hash({"a": 1, "b": 2}) == limits_hash({"b": 2, "a": 1}) != limits_hash({"a": 1, "b": 3})
