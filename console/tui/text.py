"""Words and numbers as the screen shows them: cleaned, aligned, signed, aged. Pure."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal

from rich.cells import cell_len, set_cell_size

from seams.clock import NS_PER_MS, NS_PER_S

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[PX^_][^\x1b]*(?:\x1b\\)?|\x1b."
)
FIGURE = re.compile(r"[+-]?[\d,]+(\.\d+)?")
_UNSHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Mn", "Me"})


def clean(text: str) -> str:
    """Make text inert: no escape sequences, controls, bidi overrides, joiners or stacked marks."""
    if text.isascii() and text.isprintable():
        return text
    bare = _ESCAPES.sub("", text)
    spaced = "".join(" " if char in "\n\r\t\v\f" else char for char in bare)
    return "".join(char for char in spaced if unicodedata.category(char) not in _UNSHOWN)


def fit(text: str, width: int, align: str = "<") -> str:
    """Cut or pad to exactly `width` cells; a cut is marked with `~` so that it cannot pass unseen."""
    if width <= 0:
        return ""
    shown = clean(text)
    size = cell_len(shown)
    if size > width:
        return set_cell_size(shown, width - 1) + "~"
    pad = " " * (width - size)
    return pad + shown if align == ">" else shown + pad


def fit_end(text: str, width: int) -> str:
    """Keep the end of what is being typed, where the hand is; what is cut off before it is marked `~`."""
    shown = clean(text)
    if cell_len(shown) <= width:
        return shown
    while shown and cell_len(shown) >= width:
        shown = shown[1:]
    return f"~{shown}"


def fit_figure(shown: str, width: int) -> str:
    """Right-align a figure; where its decimals have no room they are rounded off, for a cut figure misleads.

    A unit goes before a digit does; what is too long as a whole number is cut as any text.
    """
    figure, _, unit = shown.partition(" ")
    decimals = figure.partition(".")[2]
    if cell_len(shown) > width and FIGURE.fullmatch(figure):
        for places in range(len(decimals), -1, -1):
            rounded = f"{Decimal(figure.replace(',', '')):{'+' if figure[0] == '+' else ''}.{places}f}"
            if not Decimal(rounded) and Decimal(figure.replace(",", "")):
                break  # something is never shown as nothing
            if len(rounded) + len(unit) <= width:
                return f"{rounded}{unit}".rjust(width)
    return fit(shown, width, ">")


def wrap(text: str, width: int, most: int) -> list[str]:
    """Break a sentence into at most `most` lines of `width` cells; what is cut off is marked with `~`."""
    rows = textwrap.wrap(clean(text), max(10, width)) or [""]
    return rows if len(rows) <= most else [*rows[: most - 1], fit(" ".join(rows[most - 1 :]), width)]


def hms(at_ns: int) -> str:
    """Write a UTC time of day, `HH:MM:SS`; a dash for never."""
    return datetime.fromtimestamp(at_ns // NS_PER_S, UTC).strftime("%H:%M:%S") if at_ns else "-"


def hms_ms(at_ns: int) -> str:
    """Write a UTC time of day with milliseconds."""
    return f"{hms(at_ns)}.{at_ns % NS_PER_S // NS_PER_MS:03d}" if at_ns else "-"


def day_hm(at_ns: int) -> str:
    """Write a UTC date and minute, `11-21 03:14`."""
    return datetime.fromtimestamp(at_ns // NS_PER_S, UTC).strftime("%m-%d %H:%M") if at_ns else "-"


def date_hm(at_ns: int) -> str:
    """Write a UTC date with its year and minute, `26-11-21 03:14`."""
    return datetime.fromtimestamp(at_ns // NS_PER_S, UTC).strftime("%y-%m-%d %H:%M") if at_ns else "-"


def date(at_ns: int) -> str:
    """Write a UTC date, `2026-11-21`."""
    return datetime.fromtimestamp(at_ns // NS_PER_S, UTC).strftime("%Y-%m-%d") if at_ns else "-"


def age(ms: float) -> str:
    """Write an age: `0.2s`, `42s`, `4m`, `2.2h`, `3d`."""
    seconds = max(0.0, ms) / 1000.0
    if seconds < 10:
        return f"{seconds:.1f}s"
    if seconds < 100:
        return f"{seconds:.0f}s"
    if seconds < 6000:
        return f"{seconds / 60:.0f}m"
    return f"{seconds / 3600:.1f}h" if seconds < 172_800 else f"{seconds / 86_400:.0f}d"


def left(ns: int) -> str:
    """Write a countdown, `1:55`; `0:00` once it has run out."""
    seconds = max(0, -(-ns // NS_PER_S))
    return f"{seconds // 60}:{seconds % 60:02d}"


def money(value: Decimal | float, decimals: int = 2) -> str:
    """Write an amount with thousands separators."""
    return f"{value:,.{decimals}f}"


def signed(value: Decimal | float, decimals: int = 2) -> str:
    """Write a profit or a change: the sign is always shown, a zero has a plus."""
    text = f"{value:+,.{decimals}f}"
    return text.replace("-", "+", 1) if not text.strip("+-0.,") else text


def number(value: Decimal | None) -> str:
    """Write a quantity or price as exactly as it came, with thousands separators, without empty decimals."""
    if value is None:
        return "-"
    shown = f"{value:,f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def minute(iso: str) -> str:
    """Write a UTC timestamp's day and minute, `11-21 03:14`, from `2026-11-21T03:14:00Z`."""
    return iso[5:16].replace("T", " ") if len(iso) > 16 else iso


def stamp(iso: str) -> str:
    """Write a UTC timestamp's date and minute, `26-11-21 03:14`: histories span years."""
    return iso[2:16].replace("T", " ") if len(iso) > 16 else iso


def percent(fraction: float | None, decimals: int = 1) -> str:
    return "-" if fraction is None else f"{fraction * 100:+.{decimals}f}%"


def short(identifier: str, keep: int = 8) -> str:
    """Shorten a hash or long identifier to its first characters."""
    return identifier if len(identifier) <= keep else identifier[:keep]
