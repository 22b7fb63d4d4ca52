"""A report made again from a run's artifacts alone (QL-19), and compared with the one that was written."""

from __future__ import annotations

from pathlib import Path

import h5py
import msgspec

from engine.api.research import MadeReport, UnknownRun
from engine.journal import JournalDamaged, read_equity, read_table
from engine.research.artifacts import RUN_ID
from engine.research.page import Recorded, to_html
from engine.research.report import run_markdown
from engine.research.schemas import RunReport, json_bytes
from seams.disk import Disk

FILES = {"html": "report.html", "md": "report.md", "json": "report.json"}


def remake(runs: Path, run_id: str, form: str, disk: Disk) -> MadeReport:
    """Make one form of a report again. Raises `UnknownRun`, or `JournalDamaged` for the journal."""
    assert form in FILES
    folder = runs / run_id
    try:
        if not RUN_ID.fullmatch(run_id):
            raise UnknownRun(f"no run {run_id[:80]!r}: not_a_run_id")
        report = msgspec.json.decode(disk.read(folder / "report.json"), type=RunReport)
    except (OSError, msgspec.MsgspecError) as error:
        raise UnknownRun(f"no run {run_id[:80]!r}: {type(error).__name__}") from error
    text = _text(report, folder, form)
    path = folder / FILES[form]
    stored = disk.read(path).decode() if disk.exists(path) else None
    return MadeReport(run_id=run_id, form=form, path=str(path), is_as_written=stored == text, text=text)


def _text(report: RunReport, folder: Path, form: str) -> str:
    if form == "md":
        return run_markdown(report)
    if form == "json":
        return json_bytes(report).decode()
    return to_html(report, read_record(folder / "journal.h5"))


def read_record(journal: Path) -> Recorded:
    """Read what the pictures need; excursions are missing in journals of older builds."""
    ts_ns, equity = read_equity(journal)
    try:
        with h5py.File(journal, "r") as file:
            has_excursions = "excursions" in file
    except OSError as error:
        raise JournalDamaged(f"{journal.name}: {type(error).__name__}") from error
    return Recorded(
        ts_ns,
        equity,
        read_table(journal, "trades"),
        read_table(journal, "excursions") if has_excursions else None,
    )
