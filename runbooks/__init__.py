"""What to do when something happens: one Markdown file per situation, shipped with the package.

Reason codes and alarms point at headings here (`file#code`); a test follows every pointer.
"""

from __future__ import annotations

from importlib.resources import files


def list_runbooks() -> tuple[str, ...]:
    """Return the file names of all runbooks, sorted."""
    return tuple(sorted(entry.name for entry in files(__name__).iterdir() if entry.name.endswith(".md")))
