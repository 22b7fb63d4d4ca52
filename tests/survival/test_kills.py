"""A short campaign of kills against a real engine on a real exchange; the long one is run by hand."""

from __future__ import annotations

import pytest

from .kills import campaign

KILLS = 15


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_no_kill_loses_or_doubles_an_order() -> None:
    tally = await campaign(KILLS, seed=7)
    assert tally.kills == KILLS
    assert (tally.lost, tally.duplicates, tally.unbooked, tally.without_verdict) == ([], [], [], 0)
    assert tally.arrived >= KILLS, "the desk did not trade: the campaign proved nothing"
    assert sum(tally.verdicts.values()) >= KILLS // 3
