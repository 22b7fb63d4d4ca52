"""What commands may ask of paper sessions as evidence: promotion, actions as a file, lineage of trades."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from engine.api.home import HomePaths
from seams.clock import Clock, SystemClock
from seams.disk import Disk, RealDisk
from venues.types import Mode, Record

if TYPE_CHECKING:
    from engine.research.session_promotion import PromotionReport
    from engine.store.reading import Lineage

FORMATS = ("jsonl", "csv")


class ActionsExported(Record):
    """A file of a session's actions, and how many rows it has."""

    session_id: str
    path: str
    format: str
    rows: int


def promotion(home: Path, disk: Disk | None = None, clock: Clock | None = None) -> PromotionReport:
    """Return which paper sessions can be promoted, and what blocks the others."""
    from engine.ops.snapshots import ALERTS_FILE
    from engine.research.session_promotion import promotion_report

    paths = HomePaths(home)
    return promotion_report(
        paths.sessions, disk or RealDisk(), clock or SystemClock(), paths.outputs / ALERTS_FILE
    )


def export(home: Path, session_id: str, target: Path, form: str) -> ActionsExported:
    """Write what a session did to a new file. `form` is jsonl or csv.

    Raises `StoreUnreadable`, `LookupError`, `ExportExists`, `ConfigError` or `OSError`.
    """
    from engine.actions import Format, export_actions

    rows = export_actions(database(home), session_id, target, Format(form), RealDisk())
    return ActionsExported(session_id=session_id, path=str(target), format=form, rows=rows)


def lineage(home: Path, session_id: str = "", limit: int = 100) -> tuple[Lineage, ...]:
    """Return the newest trades with the decisions that led to them. Raises `StoreUnreadable`."""
    from engine.store.reading import reading

    with reading(database(home)) as reader:
        return tuple(reader.lineage(session_id, limit))


def database(home: Path) -> Path:
    """Return the database of the mode that the home is configured for. Raises `ConfigError`."""
    from engine.config import load_settings
    from engine.store.store import database_path

    settings = load_settings(home, dict(os.environ)).settings
    return database_path(HomePaths(home).database, Mode(settings.engine.mode))
