"""One house, one root: our packages must all come from the same place (code foreign_package)."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from console.cli.failure import Failure

PACKAGES = ("seams", "native", "safety", "venues", "engine", "console")


def roots() -> dict[str, Path | None]:
    """Return the folder each package would be imported from, without importing it."""
    found: dict[str, Path | None] = {}
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        found[name] = None if spec is None or spec.origin is None else Path(spec.origin).resolve().parents[1]
    return found


def strangers(found: dict[str, Path | None]) -> list[str]:
    """Return the packages that are missing or stand elsewhere than the console."""
    home = found["console"]
    return [name for name, root in found.items() if root is None or root != home]


def child_environment() -> dict[str, str]:
    """Return the environment for a process of ours: it must load the packages this one loaded."""
    return {**os.environ, "PYTHONPATH": str(roots()["console"])}


def demand_one_root() -> None:
    """Refuse to work with a package of the same name from elsewhere."""
    foreign = strangers(roots())
    if foreign:
        raise Failure(
            "foreign_package",
            f"{', '.join(foreign)} would be imported from another place than the console",
            "start interlock from a folder without packages of these names, or run `make install`",
        )
