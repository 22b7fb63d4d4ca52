"""Which kernel is loaded: the sha256 of the binaries themselves, not of a version string."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from native import (
    averages,
    cells,
    extras,
    forged,
    indicator,
    kernel,
    lane_states,
    lanes,
    matching,
    portfolio,
    rooms,
    strategy,
    sweep,
    windows,
)

_MODULES = (
    *(averages, cells, extras, forged, indicator, kernel, lane_states, lanes, matching, portfolio, rooms),
    *(strategy, sweep, windows),
)


@cache
def binary_sha256() -> dict[str, str]:
    """Return the sha256 of each loaded extension file, by module name."""
    return {
        module.__name__: hashlib.sha256(Path(str(module.__file__)).read_bytes()).hexdigest()
        for module in _MODULES
    }


@cache
def kernel_sha256() -> str:
    """Return one sha256 over all of them, in name order."""
    text = "".join(f"{name} {digest}\n" for name, digest in sorted(binary_sha256().items()))
    return hashlib.sha256(text.encode()).hexdigest()
