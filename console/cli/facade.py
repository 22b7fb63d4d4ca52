"""Reach a façade of the engine by name, so that a command pays only for what it uses."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable

from console.cli.failure import Failure


def function(module: str, name: str) -> Callable[..., object]:
    """Return a façade's function. Raises `Failure` when this installation does not have it."""
    if importlib.util.find_spec(module) is None:
        raise Failure("not_installed", f"{module} is not part of this installation", "run `make install`")
    found = getattr(importlib.import_module(module), name, None)
    if not callable(found):
        raise Failure("not_installed", f"{module} has no {name}", "run `make install`")
    return found  # type: ignore[no-any-return]  # checked: callable
