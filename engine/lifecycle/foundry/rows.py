"""The clauses of the grammar, one row each: how it is written, for which components, and what it means.

`docs/foundry.md` and tests are made from these rows.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass

from engine.lifecycle.foundry import clauses as c
from engine.lifecycle.foundry.clauses import MEASURES, Draft

Write = Callable[[Draft, re.Match[str]], None]
START, END = "<!-- clauses -->\n", "<!-- /clauses -->\n"


@dataclass(frozen=True)
class Clause:
    """One row: `example` is a sentence of it, `once` names what it settles (a sentence settles it once)."""

    example: str
    pattern: re.Pattern[str]
    types: tuple[str, ...]
    once: str
    write: Write
    doc: str


ENTERING = ("entry", "strategy")
ANY = (*ENTERING, "exit")
N, X = r"\d{1,6}", r"\d{1,6}(?:\.\d{1,6})?"
_PERIOD = rf"(?: (?P<period>{N}))?"
_PERIOD_WIDTH = rf"(?: (?P<period>{N})(?:/(?P<width>{X}))?)?"
_DISTANCE = rf"(?: (?:(?P<period>{N})/)?(?P<width>{X}))?"
_AVERAGE = "(?P<kind>ema|sma|wma)"
_BOUNDS = rf"(?P<low>{X})/(?P<high>{X})|(?:below (?P<low2>{X}))?[ /]*(?:above (?P<high2>{X}))?"
_WORD = "|".join(MEASURES)
_NUMBERS = rf"{X}(?:/{X})*"
_MEASURE = rf"(?P<one>{_WORD})(?: (?P<args1>{_NUMBERS}))?"
_MINUS = rf"(?: minus (?P<other>{_WORD})(?: (?P<args2>{_NUMBERS}))?)?"

_ROWS: tuple[tuple[str, str, tuple[str, ...], str, Write, str], ...] = (
    ("EMA crossover 12/26", rf"{_AVERAGE} cross(?: (?P<fast>{N})/(?P<slow>{N}))?", ANY, "signal",
     c.average_cross, "two averages cross (EMA, SMA, WMA); as an exit: the fast one is on the other side"),
    ("MACD cross 12/26/9", rf"macd cross(?: (?P<fast>{N})/(?P<slow>{N})/(?P<signal>{N}))?", ENTERING,
     "signal", c.macd, "MACD crosses its signal"),
    ("RSI 14 below 30 / above 70", rf"rsi{_PERIOD} (?:{_BOUNDS})", ANY, "signal", c.rsi,
     "long below, short above; also `RSI 14 30/70`; as an exit: longs leave above, shorts below"),
    ("Donchian breakout 20/10", rf"donchian breakout(?: (?P<entry>{N})(?:/(?P<exit>{N}))?)?", ENTERING,
     "signal", c.donchian, "the close leaves the channel before; the shorter one ends the trade"),
    ("Donchian exit 10", rf"donchian exit(?: (?P<exit>{N}))?", ("exit",), "donchian exit", c.donchian_exit,
     "the close leaves the channel against the position"),
    ("Bollinger reversion 20/2", rf"bollinger (?P<way>reversion|breakout){_PERIOD_WIDTH}", ENTERING,
     "signal", c.bollinger, "against a close outside the bands before, to the mean; `breakout`: with it"),
    ("z-score reversion 50/2", rf"zscore reversion{_PERIOD_WIDTH}", ENTERING, "signal", c.zscore,
     "against so many deviations from the mean, back to it"),
    ("ADX 14 above 25", rf"adx{_PERIOD} (?P<side>above|below) (?P<bound>{X})", ENTERING, "ADX filter",
     c.adx_filter, "entries only in (or `below`: outside) a trend"),
    ("trend filter EMA 200", rf"trend filter {_AVERAGE}{_PERIOD}", ENTERING, "trend filter",
     c.trend_filter, "longs only above the average, shorts only below"),
    ("volume above SMA 20", rf"volume above sma{_PERIOD}", ENTERING, "volume filter", c.volume_filter,
     "entries only on more than the mean volume"),
    ("long only", r"(?P<side>long|short) only", ENTERING, "side", c.side,
     "one side (or `short only`); a strategy leaves where the other side would enter"),
    ("long and short", r"both sides", ENTERING, "side", c.both, "both sides, as where nothing is said"),
    ("ATR stop 14/2", rf"atr (?P<which>stop){_DISTANCE}", ANY, "stop", c.atr_level,
     "a stop 2 ATR(14) away; one number alone is the distance, of ATR(14)"),
    ("ATR target 3", rf"atr (?P<which>target){_DISTANCE}", ANY, "target", c.atr_level,
     "the same for a target"),
    ("ATR trail 14/2.5", rf"atr (?P<which>trail){_DISTANCE}", ANY, "trail", c.atr_level,
     "the same for a trail; as an exit: from the best close since the entry"),
    ("stop 1.5%", rf"(?P<which>stop) (?P<width>{X})%", ANY, "stop", c.share_level,
     "a stop at a share of the price"),
    ("target 3%", rf"(?P<which>target) (?P<width>{X})%", ANY, "target", c.share_level,
     "a target at a share of the price"),
    ("hold 50 bars", rf"hold (?P<bars>{N}) bars?", ANY, "hold", c.hold, "leave after so many bars"),
    ("notional cap of 5 contracts", rf"cap (?P<contracts>{X}) contracts?", ENTERING, "cap", c.cap,
     "no entry is larger; a contract is one unit of the base asset"),
    ("EMA 20", f"{_MEASURE}{_MINUS}", ("indicator",), "measure", c.measure,
     f"keeps what it measures ({', '.join(MEASURES)}); `EMA 12 minus EMA 26` keeps the difference"),
)  # fmt: skip
CLAUSES: tuple[Clause, ...] = tuple(
    Clause(example=example, pattern=re.compile(pattern), types=types, once=once, write=write, doc=doc)
    for example, pattern, types, once, write, doc in _ROWS
)


def to_markdown() -> str:
    """Return the table of `docs/foundry.md`."""
    lines = ["| write | in | means |", "|---|---|---|"]
    lines += [f"| `{row.example}` | {', '.join(row.types)} | {row.doc} |" for row in CLAUSES]
    return "\n".join([*lines, ""])


def with_table(text: str) -> str:
    """Return a document with its table of clauses made anew."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{to_markdown()}\n{END}{after}"


if __name__ == "__main__":  # python -m engine.lifecycle.foundry.rows < docs/foundry.md
    sys.stdout.write(with_table(sys.stdin.read()))
