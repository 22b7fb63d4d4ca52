"""The corpus as a table for readers: `python -m tests.field.table` writes docs/field-failures.md."""

from __future__ import annotations

from pathlib import Path

from tests.field.corpus import CORPUS
from tests.field.failure import Failure

TABLE = Path(__file__).resolve().parents[2] / "docs" / "field-failures.md"
HEAD = """# Failures of the field

Generated from `tests/field` by `make docs`; do not edit.

What befell others, played on the loopback venues through our adapters, the order manager, custody and the
corridor (`pytest tests/field`). CLEAN: record and venue agree to the last lot, and nothing is in doubt.
AMBIGUOUS: something is in doubt, and no new risk is let through before a person has decided. Anything else
fails the test, at whatever moment of the script it is true: an order called refused that lives or filled, a
second order, the same bytes twice, an execution booked twice or that never happened.

{count} failures, {plays} plays. `#` numbers are issues of the project named; faults and sections are those of
the venue notes that the issue tracker cites.
"""


def rendered() -> str:
    """Return the page."""
    plays = sum(len(failure.venues) for failure in CORPUS)
    lines = [HEAD.format(count=len(CORPUS), plays=plays)]
    lines += [
        "| failure | what happened | told by | venue | what the double does | ends |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_row(failure) for failure in CORPUS]
    return "\n".join(lines) + "\n"


def _row(failure: Failure) -> str:
    script = "; ".join(str(act).replace("|", "/") for act in failure.script)
    cells = (
        failure.name,
        failure.field,
        failure.source,
        ", ".join(failure.venues),
        script,
        f"{failure.verdict}, order {failure.order}",
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    TABLE.write_text(rendered(), encoding="utf-8")
