"""The overview's figures are whole at every width: a line that would be cut draws closer together."""

from __future__ import annotations

from decimal import Decimal

import pytest

from safety.canonical import changed

from . import desk_fixture as desk
from .hand import picture


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 50)])
async def test_large_figures_are_shown_whole(size: tuple[int, int]) -> None:
    view = changed(
        desk.overview(),
        equity_usd=Decimal("1234567.89"),
        day_pnl_usd=Decimal("-12345.67"),
        drawdown=0.104,
        gross_usd=Decimal(1234567),
        net_usd=Decimal(-1234567),
    )
    app = desk.make_app(desk.gateway(overview=view))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        shown = picture(app)
        for figure in ("1,234,567.89", "-12,345.67", "gross 1,234,567", "-1,234,567"):
            assert figure in shown
        assert "drawdown -" not in shown or "drawdown -10.4%" in shown, "whole, or its bar says it"


async def test_figures_that_would_just_be_cut_draw_closer() -> None:
    view = changed(desk.overview(), day_pnl_usd=Decimal("-3183.40"), drawdown=0.104)
    app = desk.make_app(desk.gateway(overview=view))
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.pause()
        assert "102,345.11 day -3,183.40 drawdown -10.4%" in picture(app)
