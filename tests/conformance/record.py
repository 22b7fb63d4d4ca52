"""Runs the suite outside of the tests and writes down who passed (`venues/conformance.json`)."""

from __future__ import annotations

import traceback
from collections import Counter
from pathlib import Path

import msgspec

from tests.conformance.cases import GROUPS
from tests.conformance.rigs import RIGS
from tests.conformance.suite import CASES, Verdict, run
from venues.conformance import ADAPTERS, RECORD, ROOT, Passed, digest, read_record, sources_of

FOLDER = ROOT / "tests" / "conformance"


def suite_sha256() -> str:
    """Return the digest of the suite itself: its cases, its rigs, this file; not of the tests about it."""
    return digest(sorted(path for path in FOLDER.rglob("*.py") if not path.name.startswith("test_")))


def is_stale(venue: str, path: Path = RECORD) -> bool:
    """Tell whether the record of a venue is of another adapter, or of another suite, than stand here."""
    try:
        passed = read_record(path).get(venue)
    except ValueError:
        return True
    sources = digest(sources_of(ADAPTERS[venue]))
    return passed is None or (passed.sources_sha256, passed.suite_sha256) != (sources, suite_sha256())


def examine(venue: str) -> Passed | None:
    """Run every case on one venue, tell what came of it, and return its record; None where one failed."""
    verdicts: dict[str, Verdict] = {}
    for name, found in CASES.items():
        try:
            verdicts[name] = run(found, RIGS[venue])
        except Exception:
            print(f"{venue}: {found.group}: {name} FAILED\n{traceback.format_exc(limit=-3)}")
    counts = Counter(CASES[name].group for name in verdicts)
    for group, title in GROUPS.items():
        whole = sum(found.group == group for found in CASES.values())
        print(f"{venue:17} {title:46} {counts[group]:3} of {whole:3}")
    if len(verdicts) < len(CASES):
        return None
    return Passed(
        sources_sha256=digest(sources_of(ADAPTERS[venue])),
        suite_sha256=suite_sha256(),
        cases=len(CASES),
        refused=tuple(sorted(name for name, said in verdicts.items() if said is Verdict.REFUSED)),
    )


def write(record: dict[str, Passed], path: Path = RECORD) -> None:
    made = msgspec.json.format(msgspec.json.encode(dict(sorted(record.items()))), indent=1)
    path.write_bytes(made + b"\n")


def main(words: list[str]) -> int:
    """Run it: `VENUE ...` names some, `--stale` leaves out who has passed as it stands. 1: a case failed."""
    assert __debug__, "the cases are asserts: not under python -O"
    chosen = [word for word in words if not word.startswith("-")] or list(RIGS)
    unknown = [word for word in chosen if word not in RIGS]
    if unknown or set(words) - set(chosen) - {"--stale"}:
        print(f"python -m tests.conformance [--stale] [{' | '.join(RIGS)}] ...")
        return 2
    if "--stale" in words:
        chosen = [venue for venue in chosen if is_stale(venue)]
    try:
        record = read_record()
    except ValueError:
        record = {}
    failed = False
    for venue in chosen:
        record.pop(venue, None)
        passed = examine(venue)
        if passed is None:
            failed = True
        else:
            record[venue] = passed
            print(f"{venue}: passed {passed.cases} cases, in {len(passed.refused)} by refusing")
    write({venue: passed for venue, passed in record.items() if venue in ADAPTERS})
    return int(failed)
