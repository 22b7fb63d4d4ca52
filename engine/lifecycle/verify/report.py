"""The verification's report: what was compared, on what, and the first event that differs."""

from __future__ import annotations

import re
from pathlib import Path

from venues.types import Record

REPORT_VERSION = 1
EQUIVALENT, DIVERGED = "equivalent", "diverged"
REPORT = "verify_report.json"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,127}", re.ASCII)


def latest_path(home: Path, strategy: str) -> Path:
    """Return where a strategy's latest report stands. Raises `ValueError` for an odd name."""
    if not _NAME.fullmatch(strategy):
        raise ValueError(f"{strategy[:80]!r} cannot be a strategy's name")
    return home / "outputs" / "verify" / f"{strategy}.json"


class Divergence(Record):
    """The first event on which two ways differ. `layer`: answer, state or account; values as text.

    `bar` counts from 0 within the case; it is the last bar of a whole-run fact such as `final_equity`.
    """

    case: str
    params: dict[str, float]
    layer: str
    bar: int
    ts_ns: int
    field: str
    ways: tuple[str, str]
    values: tuple[str, str]


class CaseRecord(Record):
    """One case of the corpus: its content hash covers all six columns."""

    name: str
    bars: int
    sha256: str


class VerifyReport(Record):
    """What was verified. `verdict` is equivalent or diverged; hashes are hex.

    `bars` counts bar by bar comparisons of answers and state, `account_bars` those of accounts.
    """

    strategy: str
    source_file: str
    source_sha256: str
    build_sha256: str
    artifact_sha256: str
    kernel_sha256: str
    corpus_sha256: str
    verdict: str
    ways: tuple[str, ...]
    params: tuple[dict[str, float], ...]
    cases: tuple[CaseRecord, ...]
    bars: int
    account_bars: int
    answers: int
    decisions: int
    divergence: Divergence | None = None
    path: str = ""
    report_version: int = REPORT_VERSION

    @property
    def is_equivalent(self) -> bool:
        return self.verdict == EQUIVALENT
