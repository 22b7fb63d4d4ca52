"""Which lines of the compiled kernel the tests run: `python -m tests.native.coverage`.

The tree is copied to a temporary folder, and what setup.py says is built there with gcc's counters and
without optimising, so the ordinary build never carries them. Cython writes a #line before each line of C:
what gcov counts is a line of a .pyx, .pxd or .h file of `native/`. Bits are the same as everywhere.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEAST = 95.0
SUITES = ("native", "forge", "market/depth", "strategies", "parity", "golden", "sweep")
Counts = Mapping[str, Mapping[int, int]]


def copy_tree(target: Path) -> None:
    """Copy what git knows of, and what it does not ignore, as it lies in the working tree."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    for name in filter(None, subprocess.check_output(listed, cwd=ROOT, text=True).split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def counted_lines(report: Mapping[str, object]) -> Iterator[tuple[str, int, int]]:
    """Give (file, line, times run) of a gcov report, for our own code only."""
    for file in report["files"]:  # type: ignore[attr-defined]
        if file["file"].startswith("native/") and not file["file"].endswith(".c"):
            for line in file["lines"]:
                yield file["file"], line["line_number"], line["count"]


def read_counts(tree: Path) -> Counts:
    """Ask gcov about each module; a line that several modules have made of one .pxd counts once."""
    counts: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for notes in sorted(tree.glob("build/temp*/native/*.gcno")):
        asked = ["gcov", "--json-format", "--stdout", notes.name]
        said = subprocess.check_output(asked, cwd=notes.parent, stderr=subprocess.DEVNULL)
        for name, line, times in counted_lines(json.loads(said)):
            counts[name][line] += times
    return counts


def spans(lines: list[int]) -> str:
    """Return numbers as "3-5, 9"."""
    runs = [[line for _, line in run] for _, run in groupby(enumerate(lines), lambda pair: pair[1] - pair[0])]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def table(counts: Counts) -> tuple[str, float]:
    """Return covered/total and the missing lines of each file, and the percentage of all."""
    rows, covered, total = [], 0, 0
    for name, lines in sorted(counts.items()):
        missing = sorted(line for line, times in lines.items() if not times)
        covered, total = covered + len(lines) - len(missing), total + len(lines)
        rows.append(f"{name:28} {len(lines) - len(missing):4}/{len(lines):<4}  {spans(missing)}".rstrip())
    share = 100 * covered / total if total else 0.0
    return "\n".join([*rows, f"{'all':28} {covered:4}/{total:<4}  {share:.2f} %"]), share


def main() -> int:
    """Build, run the suites and print the table; exit 1 where a test fails or too little is covered."""
    parser = argparse.ArgumentParser(prog="python -m tests.native.coverage", description=__doc__)
    parser.add_argument("--least", type=float, default=LEAST, help="percent of lines, below it the exit is 1")
    parser.add_argument("tests", nargs="*", default=[f"tests/{suite}" for suite in SUITES])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="interlock-coverage-") as folder:
        tree = Path(folder)
        copy_tree(tree)
        environment = {**os.environ, "PYTHONPATH": folder}
        subprocess.run(
            [sys.executable, "-m", "tests.native.counted_build"], cwd=tree, env=environment, check=True
        )
        suite = [sys.executable, "-m", "pytest", "-m", "not slow", *asked.tests]
        ended = subprocess.run(suite, cwd=tree, env=environment)
        text, share = table(read_counts(tree))
    print(text)
    return 1 if ended.returncode or share < asked.least else 0


if __name__ == "__main__":
    raise SystemExit(main())
