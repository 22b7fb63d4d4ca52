"""What the desk may hold in altcoins, enter within a minute, and bind at the micro stage (OC-57, OC-82)."""

from __future__ import annotations

import pytest
from safety_builders import D, desk, facts, instrument, intent, order, policy, position

from native.rules import is_major
from safety.canonical import changed
from safety.exposure import alt_exposure
from safety.facts import AccountFacts, Check
from safety.intent import ExecutionIntent, ExecutionPolicy, Stage
from safety.preflight import preflight
from venues.types import OrderStatus, Side


def sale(**changes: object) -> ExecutionIntent:
    return intent(side=Side.SELL, stop_loss=D(101), **changes)


def check_of(
    code: str,
    wish: ExecutionIntent | None = None,
    f: AccountFacts | None = None,
    p: ExecutionPolicy | None = None,
) -> Check:
    found = preflight(wish or intent(), f or facts(), p or policy(), instrument())
    return next(check for check in found.checks if check.name == code)


def test_altcoins_are_what_the_kernel_takes_for_them() -> None:
    """Every symbol whose base is no major, however it is written; what is not understood is one."""
    for symbol in ("BTC", "BTC-PERP", "btc/usdt", "BTCUSDT", "BTCDOM-PERP", "ETH-USD", "?", "WBTC"):
        held = facts(positions=(position(symbol, "1"),))
        longs = alt_exposure(held, None, ("BTC",)).longs
        assert longs == (0 if is_major(symbol, ("BTC",)) else 100), symbol


def test_each_side_counts_positions_and_all_that_may_still_fill_on_it() -> None:
    """Long 1, buys of 0.5 (one unknown) and sales of 1.2: at worst 1.5 long, or 0.2 short."""
    account = facts(
        positions=(position("BTC", "1"), position("ETH", "-9")),
        orders=(
            order(remaining=D("0.2")),
            order(remaining=D("0.3"), status=OrderStatus.UNKNOWN),
            order(side=Side.SELL, remaining=D("1.2")),
            order(side=Side.SELL, remaining=D(5), reduce_only=True),
        ),
    )
    assert alt_exposure(account, None, ("ETH",)) == (D(150), D(20))
    assert alt_exposure(account, intent(), ("ETH",)) == (D(200), D(20)), "a purchase of 0.5 at 100"
    assert alt_exposure(account, sale(), ("ETH",)) == (D(150), D(70))


def test_a_side_beyond_its_bound_stops_only_what_adds_to_it() -> None:
    beyond = facts(desk=desk(other_alt_longs_usd=D(151)))
    found = check_of("alt_longs_exceeded", f=beyond)
    assert (found.reason, found.now, found.after, found.limit) == ("alt_longs_exceeded", "151", "201", "150")
    assert preflight(sale(), beyond, policy(), instrument()).allowed, "a sale adds no long altcoin"
    major = policy(majors=("BTC", "ETH"))
    assert preflight(intent(), beyond, major, instrument()).allowed, "nor does a purchase of a major"
    covering = changed(beyond, positions=(position("BTC", "-0.5"),))
    assert preflight(intent(), covering, policy(), instrument()).allowed, "nor one that only covers a short"


@pytest.mark.parametrize("missing", ["other_alt_longs_usd", "other_alt_shorts_usd"])
def test_an_account_that_is_not_known_stops_every_entry(missing: str) -> None:
    account = facts(desk=desk(**{missing: None}))
    for wish in (intent(), sale()):
        assert not preflight(wish, account, policy(majors=("BTC", "ETH")), instrument()).allowed


def test_the_minute_of_the_desk_counts_this_order_at_its_worst_price() -> None:
    entered = facts(desk=desk(entry_usd_in_minute=D(350)))
    found = check_of("entry_notional_rate_exceeded", f=entered)
    assert (found.reason, found.now, found.after, found.limit) == (None, "350", "400", "400")
    assert found.headroom == "0"
    dearer = check_of("entry_notional_rate_exceeded", intent(limit_price=D("100.5")), entered)
    assert (dearer.reason, dearer.after) == ("entry_notional_rate_exceeded", "400.25")


def test_margin_is_the_value_over_the_accounts_own_leverage() -> None:
    """Equity 10, 100 long elsewhere, 0.5 at 100 more: leverage 15, so that 50 USD bind 3.33."""
    micro = policy(stage=Stage.MICRO)
    lent = facts(equity_usd=D(10), peak_equity_usd=D(10), positions=(position("ETH", "1"),))
    assert check_of("below_min_margin", f=lent, p=micro).now == "3.33"
    assert check_of("below_min_margin", f=lent, p=micro).reason == "below_min_margin"
    assert check_of("below_min_margin", p=micro).now == "50", "unlevered, an order binds its value"
    assert check_of("below_min_margin", f=lent, p=policy()).now == "scaled"


@pytest.mark.parametrize("equity", [None, D(0), D(-1), D("NaN"), D("Infinity")])
def test_a_margin_that_cannot_be_told_refuses(equity: object) -> None:
    found = check_of("below_min_margin", f=facts(equity_usd=equity), p=policy(stage=Stage.MICRO))
    assert (found.reason, found.now) == ("below_min_margin", "unknown")
