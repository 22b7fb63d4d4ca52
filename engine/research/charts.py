"""Pictures of a report as inline SVG: colours come from the page's CSS, text is plain numbers.

Series are thinned to what the eye can see: each pixel column keeps its lowest and highest value, so that no
extreme is lost, and the file stays small whatever the run's length.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Nanos = NDArray[np.int64]
Text = Callable[[float], str]

WIDTH = 960
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 10, 22
COLUMNS = 600
MAX_DOTS = 1_500
EXTREMES = 20
TICKS = (1.0, 2.0, 2.5, 5.0, 10.0)
DATE_UNITS = (
    ("Y", 4, (1, 2, 5, 10)),
    ("M", 7, (1, 2, 3, 6)),
    ("D", 10, (1, 2, 5, 10, 15)),
    ("h", 13, (1, 2, 3, 6, 12)),
    ("m", 16, (1, 2, 5, 10, 15, 30)),
)
"""Units of time axes: numpy's name, length of the text, and the steps that people count in."""


@dataclass(frozen=True)
class Frame:
    """A plot area: data ranges and the picture's height and width in pixels."""

    x0: float
    x1: float
    y0: float
    y1: float
    height: int
    width: int = WIDTH

    def x(self, value: Floats | float) -> Floats | float:
        span = self.x1 - self.x0 or 1.0
        return LEFT + (value - self.x0) / span * (self.width - LEFT - RIGHT)

    def y(self, value: Floats | float) -> Floats | float:
        span = self.y1 - self.y0 or 1.0
        return self.height - BOTTOM - (value - self.y0) / span * (self.height - BOTTOM - TOP)


def equity_chart(ts_ns: Nanos, equity: Floats, start: float, label: str) -> str:
    """Return the equity curve over time, with the start as a dashed line."""
    x, low, high = thin(ts_ns, equity)
    bottom, top = _padded(min(start, float(np.min(low))), max(start, float(np.max(high))))
    frame = Frame(float(ts_ns[0]), float(ts_ns[-1]), bottom, top, 260)
    level = frame.y(start)
    body = [
        *_grid(frame, compact),
        *_dates(frame),
        f'<path class="area" d="{_line(frame, x, (low + high) / 2)}V{frame.y(bottom):.1f}H{LEFT}Z"/>',
        f'<path class="band" d="{_band(frame, x, low, high)}"/>',
        f'<path class="start" d="M{LEFT} {level:.1f}H{WIDTH - RIGHT}"/>',
    ]
    return _svg(frame, body, label)


def drawdown_chart(ts_ns: Nanos, drawdown: Floats, label: str) -> str:
    """Return the drawdown over time, hanging from zero; `drawdown` holds positive fractions."""
    x, _, high = thin(ts_ns, drawdown)
    deepest = max(float(np.max(high)), 1e-4)
    frame = Frame(float(ts_ns[0]), float(ts_ns[-1]), -deepest * 1.06, 0.0, 130)
    edge = _line(frame, x, -high)
    body = [
        *_grid(frame, lambda value: f"{value * 100:.3g} %", 3),
        *_dates(frame),
        f'<path class="fall" d="{edge}V{frame.y(0.0):.1f}H{LEFT}Z"/>',
    ]
    return _svg(frame, body, label)


def scatter(
    x: Floats, y: Floats, is_win: NDArray[np.bool_], *, text: Text, axes: tuple[str, str], label: str
) -> str:
    """Return dots coloured by win and loss; beyond the 99th percentile they sit on the rim."""
    x_top, y_top = (max(float(np.quantile(each, 0.99)), 1e-9) * 1.05 for each in (x, y))
    frame = Frame(0.0, x_top, 0.0, y_top, 300, WIDTH // 2)
    px = np.asarray(frame.x(np.clip(x, 0, x_top)))
    py = np.asarray(frame.y(np.clip(y, 0, y_top)))
    diagonal = min(x_top, y_top)
    body = [
        *_grid(frame, text),
        *_numbers(frame, text),
        f'<path class="start" d="M{frame.x(0.0):.1f} {frame.y(0.0):.1f}L{frame.x(diagonal):.1f} '
        f'{frame.y(diagonal):.1f}"/>',
        *_dots(px, py, is_win),
        *_axes(frame, axes),
    ]
    return _svg(frame, body, label)


def results_by_time(ts_ns: Nanos, pnl: Floats, *, y_text: Text, axis: str, label: str) -> str:
    """Return each trade's result at the time of its exit; the axis ends at the 1st and 99th percentile."""
    low, high = (float(each) for each in np.quantile(pnl, (0.01, 0.99)))
    bottom, top = _padded(min(low, 0.0), max(high, 0.0))
    frame = Frame(float(ts_ns[0]), float(ts_ns[-1]), bottom, top, 300, WIDTH // 2)
    px = np.asarray(frame.x(ts_ns.astype(np.float64)))
    py = np.asarray(frame.y(np.clip(pnl, bottom, top)))
    zero = frame.y(0.0)
    body = [
        *_grid(frame, y_text),
        *_dates(frame, 4),
        f'<path class="start" d="M{LEFT} {zero:.1f}H{frame.width - RIGHT}"/>',
        *_dots(px, py, pnl > 0),
        *_axes(frame, ("", axis)),
    ]
    return _svg(frame, body, label)


def whisker(low: float, middle: float, high: float, own: float, label: str) -> str:
    """Return a small range from low to high with a tick at the middle and a dot at the run's own value."""
    first, last = min(low, own, 0.0), max(high, own, 0.0)
    span = (last - first) or 1.0

    def at(value: float) -> float:
        return 6 + (value - first) / span * 228

    body = [
        f'<path class="zero" d="M{at(0.0):.1f} 2V18"/>',
        f'<path class="range" d="M{at(low):.1f} 10H{at(high):.1f}"/>',
        f'<path class="middle" d="M{at(middle):.1f} 5V15"/>',
        f'<circle class="own" cx="{at(own):.1f}" cy="10" r="4.5"/>',
    ]
    return f'<svg class="whisker" viewBox="0 0 240 20" role="img" aria-label="{label}">{"".join(body)}</svg>'


def chosen(count: int, weight: Floats) -> NDArray[np.int64]:
    """Return the rows to draw: all, or evenly spread ones and the extremes of `weight` (count,)."""
    if count <= MAX_DOTS:
        return np.arange(count, dtype=np.int64)
    spread = np.linspace(0, count - 1, MAX_DOTS - 2 * EXTREMES).astype(np.int64)
    order = np.argsort(weight, kind="stable")
    return np.unique(np.concatenate([spread, order[:EXTREMES], order[-EXTREMES:]]))


def thin(ts_ns: Nanos, values: Floats) -> tuple[Floats, Floats, Floats]:
    """Return (time, lowest, highest) for each of at most 600 columns of equal time that has bars."""
    if len(values) <= COLUMNS:
        return ts_ns.astype(np.float64), values, values
    edges = np.linspace(float(ts_ns[0]), float(ts_ns[-1]), COLUMNS + 1)[:-1]
    starts = np.searchsorted(ts_ns, edges.astype(np.int64), side="left")
    starts = np.unique(np.minimum(starts, len(values) - 1))
    times = ts_ns[starts].astype(np.float64)
    times[-1] = float(ts_ns[-1])
    return times, np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)


def _line(frame: Frame, x: Floats, y: Floats) -> str:
    return "M" + "L".join(
        f"{px:.1f} {py:.1f}" for px, py in zip(_list(frame.x(x)), _list(frame.y(y)), strict=True)
    )


def _band(frame: Frame, x: Floats, low: Floats, high: Floats) -> str:
    """Return the outline of all that lies between low and high: one line where they are equal."""
    if low is high:
        return _line(frame, x, low)
    back = _line(frame, x[::-1], low[::-1])
    return f"{_line(frame, x, high)}L{back[1:]}Z"


def _dots(px: Floats, py: Floats, is_win: NDArray[np.bool_]) -> list[str]:
    parts = []
    for kind, kept in (("loss", ~is_win), ("win", is_win)):
        spots = zip(_list(px[kept]), _list(py[kept]), strict=True)
        parts.append(f'<path class="dots {kind}" d="{"".join(f"M{x:.1f} {y:.1f}h0" for x, y in spots)}"/>')
    return parts


def _grid(frame: Frame, text: Text, count: int = 5) -> list[str]:
    parts = []
    for value in ticks(frame.y0, frame.y1, count):
        y = frame.y(value)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{frame.width - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 3.5:.1f}" text-anchor="end">{text(value)}</text>')
    return parts


def _numbers(frame: Frame, text: Text) -> list[str]:
    y = frame.height - 6
    return [
        f'<text x="{frame.x(value):.1f}" y="{y}" text-anchor="middle">{text(value)}</text>'
        for value in ticks(frame.x0, frame.x1, 4)
        if value < frame.x1 * 0.97
    ]


def _axes(frame: Frame, names: tuple[str, str]) -> list[str]:
    x_name, y_name = names
    found = [f'<text class="axis" x="{LEFT + 6}" y="{TOP + 10}">{y_name}</text>']
    if x_name:
        x, y = frame.width - RIGHT - 4, frame.height - BOTTOM - 6
        found.append(f'<text class="axis" x="{x}" y="{y}" text-anchor="end">{x_name}</text>')
    return found


def _dates(frame: Frame, count: int = 8) -> list[str]:
    return [
        f'<text x="{frame.x(at):.1f}" y="{frame.height - 6}" text-anchor="middle">{text}</text>'
        for at, text in date_ticks(frame.x0, frame.x1, count)
        if LEFT + 20 <= float(frame.x(at)) <= frame.width - RIGHT - 26
    ]


def date_ticks(first_ns: float, last_ns: float, count: int) -> list[tuple[float, str]]:
    """Return about `count` (time, text) at round dates between two moments."""
    first, last = np.datetime64(int(first_ns), "ns"), np.datetime64(int(last_ns), "ns")
    for unit, length, steps in DATE_UNITS:
        units = np.arange(first.astype(f"datetime64[{unit}]"), last.astype(f"datetime64[{unit}]") + 1)
        if len(units) <= max(3, count // 2):
            continue
        step = next((each for each in steps if len(units) <= each * count), -(-len(units) // count))
        kept = units[units.astype(np.int64) % step == 0]
        times = kept.astype("datetime64[ns]").astype(np.int64).tolist()
        cut = slice(5, length) if unit in ("h", "m") else slice(0, length)
        mark = "h" if unit == "h" else ""
        texts = [str(each)[cut].replace("T", " ") + mark for each in kept]
        return [(float(at), text) for at, text in zip(times, texts, strict=True)]
    return [(first_ns, str(first)[:16].replace("T", " "))]


def ticks(low: float, high: float, count: int) -> list[float]:
    """Return about `count` round numbers from low to high."""
    span = high - low
    if not (span > 0 and math.isfinite(span)):
        return [low]
    raw = span / count
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(each * size for each in TICKS if each * size >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def _padded(low: float, high: float) -> tuple[float, float]:
    room = (high - low) * 0.05 or abs(high) * 0.01 or 1.0
    return low - room, high + room


def compact(value: float) -> str:
    """Write an amount for an axis: 1.25M, 980k, 12.5."""
    for size, mark in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size * 0.9995:
            return f"{value / size:.6g}{mark}"
    return f"{value:.4g}"


def _svg(frame: Frame, body: Sequence[str], label: str) -> str:
    head = f'<svg viewBox="0 0 {frame.width} {frame.height}" role="img" aria-label="{label}">'
    return f"{head}{''.join(body)}</svg>"


def _list(values: Floats | float) -> list[float]:
    found: list[float] = np.asarray(values, dtype=np.float64).tolist()
    return found
