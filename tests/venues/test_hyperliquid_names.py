"""Client ids at Hyperliquid: each name has its own, and counted ones are read back by a later process."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.hyperliquid.cloids import Cloids

letters = st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
NAMES = ["O-1-0001", "O-X-12-0034", "O-67108863-16777215", "W-7-9999", "O-0-0000"]
DIGESTS = ["O-01-0001", "O-67108864-0001", "X-01HZXC8P2K-0007", "drill-3", "O-1-00012"]


@pytest.mark.parametrize("name", NAMES + DIGESTS)
def test_every_name_has_its_own_cloid(name: str) -> None:
    ids = Cloids("d")
    cloid = ids.of(name)
    assert len(cloid) == 34 and cloid == cloid.lower() == ids.of(name)
    assert ids.name_of(cloid.upper().replace("0X", "0x"), 1) == name
    assert len({cloid, ids.of("O-1-0002"), Cloids("e").of(name)}) == 3
    restarted = Cloids("d").name_of(cloid, 7)
    assert restarted == (name if name in NAMES else "hl:7")


@given(
    first=letters, second=st.none() | letters, epoch=st.integers(0, 1 << 26), count=st.integers(0, 1 << 24)
)
def test_counted_names_are_read_back(first: str, second: str | None, epoch: int, count: int) -> None:
    name = "-".join([first, *([second] if second else []), str(epoch), f"{count:04d}"])
    cloid = Cloids("d").of(name)
    is_small = epoch < 1 << 26 and count < 1 << 24
    assert Cloids("d").name_of(cloid, 7) == (name if is_small else "hl:7")
