"""The page of capabilities is the generated one, and leaves none out."""

from __future__ import annotations

from pathlib import Path

from engine.api.venue_matrix import SAYS, to_markdown, venues
from venues.contract import Capabilities

PAGE = Path(__file__).resolve().parents[2] / "docs" / "venue-capabilities.md"


def test_the_page_is_the_generated_one() -> None:
    assert PAGE.read_text(encoding="utf-8") == to_markdown(), "run `make docs`"


def test_every_capability_has_its_row_and_every_venue_its_column() -> None:
    assert set(SAYS) == set(Capabilities.__struct_fields__) - {"venue"}  # type: ignore[attr-defined]
    assert [can.venue for can in venues()] == ["hyperliquid", "kraken", "sandbox-exchange"]
    assert all(f"`{field}`" in to_markdown() for field in SAYS)
