"""A core on a real home, with nothing that runs."""

from __future__ import annotations

from pathlib import Path

from engine.core import Core
from engine.daemon import Seams, build_core
from seams.clock import SystemClock
from seams.disk import RealDisk
from seams.rng import Rng


def make_core(home: Path, **environ: str) -> Core:
    seams = Seams(SystemClock(), None, Rng(1), RealDisk(), commit="0" * 40)
    return build_core(seams, home, environ)
