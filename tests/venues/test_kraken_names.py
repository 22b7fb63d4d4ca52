"""Client ids at Kraken: each name has its own, within the venue's length, read back by a later process."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.kraken.names import MOST, Names

letters = st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
KEPT = ["O-1-0001", "O-X-9-0034", "O-X-99-0001", "O-X-100-0001", "O-X-999999-1234", "O-1-00012", "drill-3"]
LOST = ["a-long-name-of-hand", "OX2s.1", "O-X-99999999-99999999"]


@pytest.mark.parametrize("name", KEPT + LOST)
def test_a_name_is_read_back_where_it_carries_the_mark(name: str) -> None:
    ids = Names("d")
    wire = ids.of(name)
    assert ids.read("T1", {"cl_ord_id": wire})["cl_ord_id"] == name, "its own process knows it in any case"
    assert len(wire) <= MOST or name in LOST
    restarted = Names("d").read("T1", {"cl_ord_id": wire})["cl_ord_id"]
    assert restarted == (name if name in KEPT else "kraken:T1")
    assert Names("e").read("T1", {"cl_ord_id": wire})["cl_ord_id"] == "kraken:T1"


@given(
    first=letters, second=st.none() | letters, epoch=st.integers(0, 36**4 - 1), count=st.integers(0, 36**3)
)
def test_counted_names_are_read_back_for_a_million_starts(
    first: str, second: str | None, epoch: int, count: int
) -> None:
    name = "-".join([first, *([second] if second else []), str(epoch), f"{count:04d}"])
    wire = Names("d").of(name)
    assert len(wire) <= MOST and wire.isascii()
    assert Names("d").read("T1", {"cl_ord_id": wire})["cl_ord_id"] == name
