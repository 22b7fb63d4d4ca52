"""Everything that people are shown as events, kept as JSON lines for other programs (OC-30, AQ-34).

`HOME/outputs/events/000001.jsonl` and on, one `LoggedEvent` a line; a full file is followed by the next.
The audit chain is the proof; this is for reading. A disk that refuses costs nothing but lateness.
"""

from __future__ import annotations

import re
from pathlib import Path

from engine.api.views import EventRow
from engine.core import Core
from engine.ops.events import MAX_PAGE
from engine.ops.line_files import MAX_BYTES, LineFiles
from seams.clock import NS_PER_MS, iso_z
from venues.types import Record

SCHEMA = "aiq_event_v1"
FOLDER = "events"
_SYMBOL = re.compile(r"[A-Z0-9]{2,12}[-/][A-Z]{3,5}")


class EventData(Record):
    """Who, what in words, and the event's number under its engine's epoch."""

    actor: str
    text: str
    seq: int
    epoch: int


class LoggedEvent(Record):
    """One line. `run_id` is the engine's start, `config_id` the configuration it runs on."""

    schema: str
    ts_ms: int
    ts: str
    pid: int
    mode: str
    run_id: str
    config_id: str
    kind: str
    symbol: str
    data: EventData


class EventLog:
    """Collects events as they come and writes them about once a second, so that no event waits for a disk."""

    def __init__(self, core: Core, max_bytes: int = MAX_BYTES) -> None:
        self._core = core
        folder = core.paths.outputs / FOLDER
        self._files: LineFiles[EventRow] = LineFiles(
            folder, core.disk, max_bytes, reversed(core.events.page(limit=MAX_PAGE))
        )
        core.events.listen(self._files.take)

    @property
    def folder(self) -> Path:
        return self._files.folder

    @property
    def path(self) -> Path:
        return self._files.path

    def tend(self) -> None:
        """Write what waits; what the disk refuses is tried again with the next."""
        self._files.write(self.line)

    @property
    def lost(self) -> int:
        """How many events gave way unwritten."""
        return self._files.lost

    def line(self, row: EventRow) -> LoggedEvent:
        """Return an event as it is written; its symbol is the first market it names, if any."""
        core = self._core
        return LoggedEvent(
            schema=SCHEMA,
            ts_ms=row.at_ns // NS_PER_MS,
            ts=iso_z(row.at_ns),
            pid=core.pid,
            mode=core.mode,
            run_id=f"epoch-{core.epoch}",
            config_id=core.config_fingerprint,
            kind=row.kind,
            symbol=_symbol_in(row.text),
            data=EventData(actor=row.actor, text=row.text, seq=row.seq, epoch=core.epoch),
        )


def _symbol_in(text: str) -> str:
    """Return the first word that is written as a market's name, such as BTC-PERP."""
    words = (word.strip(".,:;()") for word in text.split())
    return next((word for word in words if _SYMBOL.fullmatch(word)), "")
