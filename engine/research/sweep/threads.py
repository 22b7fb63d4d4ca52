"""Work on slices of the combinations, one thread each; the kernel leaves the GIL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from native.sweep import CELL_DTYPE, FlipMarket

Item = TypeVar("Item")
Result = TypeVar("Result")
SLICE = 256
"""Combinations a slice of the lanes: shared averages pay, and progress still shows."""
SIDE_BY_SIDE = 64
"""Kernels that move together: what they share pays, and their states stay in the cache."""


def run_flips(
    market: FlipMarket, pairs: Sequence[tuple[int, int]], workers: int, has_marks: bool = True, width: int = 0
) -> NDArray[Any]:
    """Return the cells (`CELL_DTYPE`) of (fast, slow) pairs, in their order, whatever the number of threads.

    Neighbours in the order by slow period share most averages, so a slice takes those.
    """
    if not pairs:
        return np.zeros(0, CELL_DTYPE)
    order = sorted(range(len(pairs)), key=lambda index: (pairs[index][1], pairs[index][0]))
    cuts = np.linspace(0, len(order), max(workers, -(-len(order) // SLICE)) + 1).astype(int).tolist()
    slices = [order[first:last] for first, last in pairwise(cuts) if last > first]

    def fill(part: list[int]) -> NDArray[Any]:
        return market.run([pairs[i][0] for i in part], [pairs[i][1] for i in part], has_marks, width)

    cells = np.zeros(len(pairs), CELL_DTYPE)
    for part, filled in zip(slices, in_threads(fill, slices, workers), strict=True):
        cells[part] = filled
    return cells


def slices_of(items: Sequence[Item], workers: int) -> list[list[Item]]:
    """Cut items, in order, into slices of at most `SIDE_BY_SIDE`, one for each worker where there are few."""
    size = max(1, min(SIDE_BY_SIDE, -(-len(items) // max(1, workers))))
    return [list(items[first : first + size]) for first in range(0, len(items), size)]


def in_threads(work: Callable[[Item], Result], items: Sequence[Item], workers: int) -> list[Result]:
    """Return `work` of each item, in order; with one worker in this thread."""
    if workers <= 1 or len(items) <= 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, items))
