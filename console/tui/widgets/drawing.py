"""Drawings made of characters: limit bars and line plots. Pure."""

from __future__ import annotations

from bisect import bisect_left
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


def heat(
    x_values: Sequence[float],
    y_values: Sequence[float],
    cells: Sequence[Sequence[float | None]],
    width: int,
    height: int,
    look: Look,
) -> list[str]:
    """Draw a table of numbers as shades from worst to best, the best cell as `X`, an untried one blank.

    A shade is a share of the ranks, not of the range: one ruinous corner must not make all else look alike.
    Rows by `y_values`; the last two lines name the columns and what the shades mean. Where there is no
    room for every value, neighbours share a cell that shows the best of them.
    """
    known = [value for row in cells for value in row if value is not None]
    if not known or width < 20 or height < 4:
        return ["  no room or nothing tried"]
    known.sort()
    low, high = known[0], known[-1]
    gutter = max(len(f"{value:g}") for value in y_values)
    tall = -(-len(y_values) // (height - 2))
    wide = -(-len(x_values) // (width - gutter - 2))
    drawn = _merged(cells, tall, wide)
    size = max(1, min(6, (width - gutter - 2) // len(drawn[0])))
    labels = [f"{value:g}" for value in y_values[::tall]]
    lines = [
        f"{label:>{gutter}} {look.wall}" + "".join(_shade(value, known, size, look) for value in row)
        for label, row in zip(labels, drawn, strict=True)
    ]
    first, last = f"{x_values[0]:g}", f"{x_values[-1]:g}"
    gap = max(1, size * len(drawn[0]) - len(first) - len(last))
    shared = f"   a cell: best of {tall * wide}" if tall * wide > 1 else ""
    scale = "".join(look.shades)
    return [
        *lines,
        f"{'':>{gutter}}  {first}{' ' * gap}{last}",
        f"{'':>{gutter}}  {_figure(low)} {scale} {_figure(high)} by rank   X best{shared}",
    ]


def _merged(cells: Sequence[Sequence[float | None]], tall: int, wide: int) -> list[list[float | None]]:
    """Return the best of each block of `tall` by `wide` cells."""
    rows = []
    for top in range(0, len(cells), tall):
        block = cells[top : top + tall]
        columns = range(0, len(cells[0]), wide)
        rows.append([_most([v for row in block for v in row[at : at + wide]]) for at in columns])
    return rows


def _most(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _shade(value: float | None, ranked: Sequence[float], size: int, look: Look) -> str:
    if value is None:
        return " " * size
    if value == ranked[-1]:
        return "X".center(size, look.shades[-1])
    place = bisect_left(ranked, value) / len(ranked)
    return look.shades[min(len(look.shades) - 1, int(place * len(look.shades)))] * size


def coverage(
    first_ns: int, last_ns: int, holes: Sequence[tuple[int, int]], step_ns: float, width: int, look: Look
) -> str:
    """Draw a span of time as a strip: full where bars are, empty where a hole reaches into the cell."""
    span = max(1, last_ns - first_ns)
    strip = [look.full] * max(1, width)
    for after_ns, missing in holes:
        start = (after_ns + step_ns - first_ns) / span * len(strip)
        end = (after_ns + step_ns * missing - first_ns) / span * len(strip)
        for cell in range(max(0, int(start)), min(len(strip) - 1, int(end)) + 1):
            strip[cell] = look.empty
    return "".join(strip)
