"""Drawings made of characters: limit bars and line plots. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from console.tui.theme import Look


def bar(value: float | None, limit: float, width: int, look: Look) -> str:
    """Draw how much of a limit is used, `[#####.....]`; all `?` when the value is missing."""
    inside = max(1, width - 2)
    if value is None:
        return f"[{'?' * inside}]"
    used = min(1.0, abs(value) / abs(limit)) if limit else float(value != 0)
    cells = min(inside, max(round(used * inside), 1 if used else 0))
    return f"[{look.full * cells}{look.empty * (inside - cells)}]"


_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))


def plot(values: Sequence[float], width: int, height: int, look: Look, decimals: int = 0) -> list[str]:
    """Draw a line with its scale at the left: braille where it can be shown, `*` where not."""
    if width < 16 or height < 2:
        return []
    if len(values) < 2:
        return ["  no curve yet"]
    low, high = min(values), max(values)
    if low == high:
        low, high = low - 1, high + 1
    marks = [f"{high - (high - low) * row / (height - 1):,.{decimals}f}" for row in range(height)]
    gutter = max(len(mark) for mark in marks)
    body = (_braille if look.is_utf8 else _stars)(values, low, high, width - gutter - 2, height)
    edge = "┤" if look.is_utf8 else "|"
    shown = {0, height - 1, height // 2} if height > 4 else {0, height - 1}
    return [
        f"{marks[row] if row in shown else '':>{gutter}} {edge if row in shown else look.wall}{line}"
        for row, line in enumerate(body)
    ]


def _levels(values: Sequence[float], low: float, high: float, columns: int, rows: int) -> list[int]:
    """Return the row (0 at the top) of each column, by the last value that falls into it."""
    last = len(values) - 1
    picks = [values[round(column * last / max(1, columns - 1))] for column in range(columns)]
    return [round((high - pick) / (high - low) * (rows - 1)) for pick in picks]


def _braille(values: Sequence[float], low: float, high: float, width: int, height: int) -> list[str]:
    levels = _levels(values, low, high, width * 2, height * 4)
    grid = [[0] * width for _ in range(height)]
    previous = levels[0]
    for x, level in enumerate(levels):
        for y in range(min(previous, level), max(previous, level) + 1):
            grid[y // 4][x // 2] |= _DOTS[x % 2][y % 4]
        previous = level
    return ["".join(chr(0x2800 + cell) if cell else " " for cell in row) for row in grid]


def _stars(values: Sequence[float], low: float, high: float, width: int, height: int) -> list[str]:
    levels = _levels(values, low, high, width, height)
    return ["".join("*" if level == row else " " for level in levels) for row in range(height)]
