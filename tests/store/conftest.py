"""Builders of rows with sane defaults, and an open paper store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.store import Store, database_path
from seams.clock import FixedClock
from venues.types import Mode


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return database_path(tmp_path, Mode.PAPER)


@pytest.fixture
def store(path: Path, clock: FixedClock) -> Iterator[Store]:
    opened = Store.open(path, Mode.PAPER, clock)
    yield opened
    opened.close()
