"""What is not known yet at the start: no symbol is called unknown, and no look makes it known."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from engine.api.commands import PaperStart
from engine.limits_view import _probed_account
from engine.residual import close_position
from engine.trading.custody import Verdict
from engine.trading.setup import build_session
from safety.canonical import changed
from safety.reasons import Refusal
from tests.engine.custody_house import House
from venues.sandbox.link import ExchangeLink
from venues.types import VenuePosition

HELD = VenuePosition(
    symbol="BTC-PERP",
    quantity=Decimal("0.01"),
    entry_price=Decimal(64_000),
    mark_price=Decimal(64_000),
)


async def unlisted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """Return a house whose account agrees with a venue that has listed no market yet."""
    house = House(folder)
    await house.clean()
    assert house.custody.verdict is Verdict.CLEAN and isinstance(house.desk.link, ExchangeLink)
    monkeypatch.setattr(house.desk.link, "_instruments", ())
    return house


@pytest.mark.parametrize("symbols", [(), ("BTC-PERP",)], ids=["every market", "a named market"])
async def test_a_session_is_told_that_the_venue_is_not_ready(
    symbols: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await unlisted(tmp_path, monkeypatch)
    start = PaperStart(feed="exchange", strategies=("ema_cross",), symbols=symbols)
    with pytest.raises(Refusal, match="has not listed a market yet") as refused:
        build_session(house.custody.core, start, "S-1", house.custody)
    assert refused.value.code == "venue_not_ready"


async def test_a_session_on_markets_that_are_not_there_is_told_those_that_come_near(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.clean()
    core, symbols = house.custody.core, ("BTC-USD", "BTC-PERP", "QQQ")
    for feed, custody in (("exchange", house.custody), ("sandbox", None)):
        start = PaperStart(feed=feed, strategies=("ema_cross",), symbols=symbols)
        with pytest.raises(Refusal) as refused:
            build_session(core, start, "S-1", custody)
        said = str(refused.value)
        assert refused.value.code == "invalid_config" and "no market BTC-PERP" not in said
        assert (
            "no market BTC-USD; did you mean BTC-PERP?; " in said and "no market QQQ; it has BTC-PERP" in said
        )


async def test_a_position_is_not_of_an_unknown_market_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await unlisted(tmp_path, monkeypatch)
    with pytest.raises(Refusal) as refused:
        await close_position(house.custody.core, house.custody, HELD, HELD.quantity, "ada")
    assert refused.value.code == "venue_not_ready"
    monkeypatch.undo()
    gone = changed(HELD, symbol="GONE-PERP")
    with pytest.raises(Refusal) as refused:
        await close_position(house.custody.core, house.custody, gone, gone.quantity, "ada")
    assert refused.value.code == "instrument_unknown"


async def test_looking_at_an_account_before_its_first_contact_leaves_its_opening_its_peak(
    tmp_path: Path,
) -> None:
    house = House(tmp_path)
    custody = house.custody
    assert list(_probed_account(custody.core, custody)), "a market is listed before the account is asked for"
    await house.clean()
    assert custody.ledger.peak_usd == custody.ledger.equity_usd > 0
