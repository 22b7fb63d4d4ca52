"""`interlock --version` and `interlock --check`: facts about this installation, with no engine."""

from __future__ import annotations

import importlib
import importlib.util
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path

from console.cli.origin import roots, strangers
from engine.api.libraries import LIBRARIES

VERSION_FILE = Path(__file__).resolve().parents[2] / "VERSION"
OURS = ("interlock", "native.indicators", "native.kernel", "native.strategy", "safety.killswitch",
        "venues.contract", "engine.api.client", "console.cli.app")  # fmt: skip


def version() -> str:
    """Return the version of the installed package; of the checkout where nothing is installed."""
    try:
        return metadata.version("interlock")
    except metadata.PackageNotFoundError:
        return VERSION_FILE.read_text(encoding="ascii").strip()


def report() -> dict[str, object]:
    """Return the answer of `--check`: `status` is ok or error, `errors` says what is wrong."""
    errors = [*_import_errors(), *_missing()]
    found = roots()
    errors += [f"foreign_package: {name} is not beside the console" for name in strangers(found)]
    if sys.version_info[:2] != (3, 11):
        errors.append(f"python {platform.python_version()} is not 3.11")
    return {
        "status": "error" if errors else "ok",
        "project_root": str(found["console"]),
        "interpreter": sys.executable,
        "venv_active": sys.prefix != sys.base_prefix,
        "interlock_import": not errors,
        "python_version": platform.python_version(),
        "version": version(),
        "errors": errors,
    }


def _import_errors() -> list[str]:
    """Import our own parts, which shows whether the compiled ones fit this interpreter."""
    errors: list[str] = []
    for name in OURS:
        try:
            importlib.import_module(name)
        except Exception as error:  # whatever stops an import is what the report is for
            errors.append(f"{name}: {type(error).__name__}: {error}")
    return errors


def bus_server() -> str | None:
    """Return the bus server's binary: on the PATH, or beside the interpreter."""
    beside = str(Path(sys.executable).parent)
    return shutil.which("nats-server") or shutil.which("nats-server", path=beside)


def _missing() -> list[str]:
    """Look for each library without importing it, which is what `interlock doctor` does."""
    errors = [] if bus_server() else ["nats-server is missing"]
    tops = {name: module.partition(".")[0] for name, module in LIBRARIES.items()}
    return errors + [
        f"{name} is missing" for name, top in tops.items() if importlib.util.find_spec(top) is None
    ]
