"""Lists of Hyperliquid that are longer than a page: joined without a hole and without a double, whichever of
the two page lengths that the venue states is the real one."""

from __future__ import annotations

from typing import Any

import pytest

from seams.clock import NS_PER_MS
from seams.virtual import VirtualLoop, run_virtual
from tests.venues.test_hyperliquid_adapter import Rig
from venues.contract import OutcomeUnknown
from venues.sandbox.hyperliquid import info
from venues.types import Fill


def fill(number: int, at_ms: int) -> dict[str, Any]:
    return {
        "coin": "BTC",
        "px": "60000.0",
        "sz": "0.001",
        "side": "B",
        "time": at_ms,
        "startPosition": "0.0",
        "dir": "Open Long",
        "closedPnl": "0.0",
        "hash": "0x0",
        "oid": number,
        "crossed": True,
        "fee": "0.01",
        "tid": number,
        "feeToken": "USDC",
    }


def fills_of(times_ms: list[int], page: int, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Fill], int]:
    """Return what the adapter lists where the venue's answers end after `page`, and how often it asked."""
    monkeypatch.setattr(info, "FILLS_PAGE", page)
    loop = VirtualLoop()

    async def play() -> tuple[list[Fill], int]:
        rig = await Rig(loop).up()
        start_ms = rig.clock.now_ns() // NS_PER_MS + 1
        rig.desk.user.fills += [fill(nth, start_ms + at) for nth, at in enumerate(times_ms, 1)]
        await rig.clock.sleep(times_ms[-1] / 1_000 + 1)
        asked = 0
        answer = rig.exchange.info.answer

        def counted(body: Any) -> Any:
            nonlocal asked
            asked += body.get("type") == "userFillsByTime"
            return answer(body)

        rig.exchange.info.answer = counted  # type: ignore[method-assign]
        try:
            return list(await rig.adapter.fills_since(start_ms * NS_PER_MS)), asked
        finally:
            await rig.adapter.close()

    return run_virtual(play(), loop)


@pytest.mark.parametrize("page", [500, 2_000])
@pytest.mark.parametrize("count", [1, 499, 500, 501, 700, 1_999, 2_000, 2_001, 4_100])
def test_every_fill_is_listed_once(page: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three in each millisecond, so that pages end in the midst of one."""
    found, asked = fills_of([nth // 3 for nth in range(count)], page, monkeypatch)
    assert sorted(int(each.fill_id.partition(":")[0]) for each in found) == list(range(1, count + 1))
    assert [each.at_ns for each in found] == sorted(each.at_ns for each in found)
    assert asked <= count // (page - 3) + 2, "and nobody asks for ever"


@pytest.mark.parametrize("page", [500, 2_000])
def test_more_at_one_time_than_a_page_holds_says_nothing(page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutcomeUnknown, match="in one millisecond"):
        fills_of([0] * (page + 1), page, monkeypatch)


def test_many_at_one_time_that_a_page_does_hold_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = fills_of([0] * 700, 2_000, monkeypatch)
    assert len(found) == 700
