"""The ledger's arithmetic: exact, once, and the same whatever way a position was built."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.trading import ledger as ledger_module
from engine.trading.ledger import DAY_NS, Ledger
from venues.types import Fill, Side

CASH = Decimal(100_000)
prices = st.decimals(min_value="0.01", max_value="90000", places=2)
quantities = st.decimals(min_value="0.001", max_value="50", places=3)
trades = st.lists(st.tuples(st.sampled_from(Side), quantities, prices), min_size=1, max_size=30)


def a_fill(number: int, side: Side, quantity: str | Decimal, price: str | Decimal, fee: str = "0") -> Fill:
    return Fill(
        fill_id=f"F-{number}",
        client_order_id=f"O-{number}",
        symbol="BTC-PERP",
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee=Decimal(fee),
        is_maker=False,
        at_ns=number,
    )


def test_a_round_trip_by_hand() -> None:
    ledger = Ledger(CASH)
    ledger.mark("BTC-PERP", Decimal(100), 1)
    ledger.book(a_fill(1, Side.BUY, "2", "100", "0.10"))
    ledger.book(a_fill(2, Side.BUY, "2", "110", "0.10"))
    assert ledger.holding("BTC-PERP").entry_price == 105
    ledger.mark("BTC-PERP", Decimal(120), 3)
    assert ledger.equity_usd == CASH + 4 * 15 - Decimal("0.20")
    ledger.book(a_fill(3, Side.SELL, "6", "120", "0.30"))
    held = ledger.holding("BTC-PERP")
    assert (held.quantity, held.entry_price, held.realised) == (Decimal(-2), Decimal(120), Decimal(60))
    assert ledger.equity_usd == CASH + 60 - Decimal("0.50")


def test_a_repeated_fill_changes_nothing() -> None:
    ledger = Ledger(CASH)
    fill = a_fill(1, Side.BUY, "1", "100", "0.05")
    assert ledger.book(fill)
    before = ledger.equity_usd
    assert not ledger.book(fill)
    assert (ledger.equity_usd, ledger.holding("BTC-PERP").quantity) == (before, 1)


@given(trades=trades, mark=prices)
def test_equity_is_cash_plus_every_trade_at_the_mark(
    trades: list[tuple[Side, Decimal, Decimal]], mark: Decimal
) -> None:
    ledger = Ledger(CASH)
    expected = CASH
    for number, (side, quantity, price) in enumerate(trades):
        ledger.book(a_fill(number, side, quantity, price, "0.01"))
        expected += (mark - price) * quantity * side.sign - Decimal("0.01")
    ledger.mark("BTC-PERP", mark, 10**6)
    assert abs(ledger.equity_usd - expected) < Decimal("1e-12")
    assert ledger.peak_usd >= ledger.equity_usd
    assert ledger.drawdown >= 0


def test_the_day_turns_at_midnight_utc_and_never_back() -> None:
    ledger = Ledger(CASH)
    ledger.mark("BTC-PERP", Decimal(100), DAY_NS)
    ledger.book(a_fill(1, Side.BUY, "10", "100"))
    ledger.mark("BTC-PERP", Decimal(90), DAY_NS + 1)
    assert ledger.day_pnl_usd == -100
    ledger.mark("BTC-PERP", Decimal(90), 2 * DAY_NS)
    assert ledger.day_pnl_usd == 0
    ledger.mark("BTC-PERP", Decimal(80), DAY_NS + 2)
    assert ledger.day_pnl_usd == -100


def test_what_is_remembered_of_fills_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "MAX_SEEN_FILLS", 3)
    ledger = Ledger(Decimal(1_000))
    fills = [a_fill(number, Side.BUY, "1", "10") for number in range(5)]
    assert all(ledger.book(fill) for fill in fills)
    assert ledger.booked == {fill.fill_id for fill in fills[-3:]}
    assert not ledger.book(fills[-1]) and ledger.holding(fills[0].symbol).quantity == 5
    ledger.rebook(Decimal(1_000), fills)
    assert ledger.booked == {fill.fill_id for fill in fills[-3:]}
    assert ledger.holding(fills[0].symbol).quantity == 5


def test_looking_at_what_is_not_held_makes_no_holding() -> None:
    """An empty holding made by a look kept the opening from being the peak: every entry was refused."""
    ledger = Ledger(Decimal(1_000))
    assert not ledger.holding("BTC-PERP").quantity and not ledger.holdings
