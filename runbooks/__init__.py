"""What to do when something happens: one Markdown file per situation, shipped with the package.

Reason codes and alarms point at headings here (`file#code`); a test follows every pointer.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def list_runbooks() -> tuple[str, ...]:
    """Return the file names of all runbooks, sorted."""
    return tuple(sorted(entry.name for entry in files(__name__).iterdir() if entry.name.endswith(".md")))


def runbook_path(name: str) -> Path:
    """Return where a runbook lies; `name` may carry an `#anchor`. Raises `KeyError` for others."""
    file_name = name.partition("#")[0]
    if file_name not in list_runbooks():
        raise KeyError(file_name)
    return Path(str(files(__name__).joinpath(file_name)))
