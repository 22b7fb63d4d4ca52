"""What each clause of the grammar writes into a component; `rows` says how it is written."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from engine.lifecycle.foundry.component import (
    Knob,
    Level,
    Meter,
    Output,
    Rule,
    Shift,
    Term,
    Test,
)

BAR = ("high", "low", "close")
LONGEST = 5_000


@dataclass
class Draft:
    """A component while its sentence is read. `sides` is both, long or short."""

    component_type: str
    knobs: dict[str, Knob] = field(default_factory=dict)
    meters: dict[str, Meter] = field(default_factory=dict)
    longs: tuple[Test, ...] = ()
    shorts: tuple[Test, ...] = ()
    longs_filter: tuple[Test, ...] = ()
    shorts_filter: tuple[Test, ...] = ()
    exits: list[Rule] = field(default_factory=list)
    levels: list[Level] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    sides: str = "both"

    def whole(self, name: str, text: str | None, default: int, doc: str, low: int = 1) -> str:
        """Add a whole knob and return its name. Raises `ValueError` for what is out of bounds."""
        return self._knob(Knob(name=name, default=int(text or default), low=low, high=LONGEST, doc=doc))

    def number(
        self, name: str, text: str | None, default: float, doc: str, low: float = 0.0, high: float = 100.0
    ) -> str:
        """Add a knob of any number and return its name. Raises `ValueError` for what is out of bounds."""
        return self._knob(Knob(name=name, default=float(text or default), low=low, high=high, doc=doc))

    def _knob(self, knob: Knob) -> str:
        if not knob.low <= knob.default <= knob.high:
            raise ValueError(f"{knob.name} {knob.default:g} is outside [{knob.low:g}, {knob.high:g}]")
        assert knob.name not in self.knobs, f"two clauses name {knob.name}"
        self.knobs[knob.name] = knob
        return knob.name

    def meter(
        self, name: str, kind: str, *arguments: str | int | float, inputs: tuple[str, ...] = ("close",)
    ) -> str:
        """Add an indicator and return its name."""
        assert name not in self.meters, f"two clauses name {name}"
        self.meters[name] = Meter(name=name, kind=kind, arguments=arguments, inputs=inputs)
        return name

    def leave(self, held: int, *tests: Test) -> None:
        """Add an exit of a long (+1) or short (-1) position."""
        self.exits.append(Rule(answer=0, tests=tests, held=(held,)))


CLOSE = Term(kind="bar", name="close")


def now(name: str) -> Term:
    return Term(kind="now", name=name)


def before(name: str) -> Term:
    return Term(kind="before", name=name)


def knob(name: str) -> Term:
    return Term(kind="knob", name=name)


def above(left: Term, right: Term) -> Test:
    return Test(left=left, op="gt", right=right)


def below(left: Term, right: Term) -> Test:
    return Test(left=left, op="lt", right=right)


def _crossing(one: str, other: str) -> tuple[Test, ...]:
    """`one` is above `other` now, and was not before this bar."""
    return above(now(one), now(other)), Test(left=before(one), op="le", right=before(other))


def _two_averages(draft: Draft, match: re.Match[str]) -> tuple[str, str]:
    kind, first, second = match["kind"].upper(), match["fast"], match["slow"]
    draft.whole("fast", first, 12, "fast average, bars")
    draft.whole("slow", second, 26, "slow average, bars", low=2)
    if draft.knobs["fast"].default >= draft.knobs["slow"].default:
        raise ValueError("the fast average comes first and is shorter: 12/26")
    fast, slow = draft.meter("quick", kind, "fast"), draft.meter("lazy", kind, "slow")
    return f"{fast}.value", f"{slow}.value"


def average_cross(draft: Draft, match: re.Match[str]) -> None:
    """Two averages: crosses enter; as an exit, the fast one on the other side."""
    fast, slow = _two_averages(draft, match)
    if draft.component_type == "exit":
        draft.leave(1, below(now(fast), now(slow)))
        draft.leave(-1, above(now(fast), now(slow)))
    else:
        draft.longs, draft.shorts = _crossing(fast, slow), _crossing(slow, fast)


def macd(draft: Draft, match: re.Match[str]) -> None:
    """MACD against its signal."""
    names = ("fast", "slow", "signal")
    for name, default in zip(names, (12, 26, 9), strict=True):
        draft.whole(name, match[name], default, f"MACD's {name} average, bars")
    if draft.knobs["fast"].default >= draft.knobs["slow"].default:
        raise ValueError("the fast average comes first and is shorter: 12/26/9")
    meter = draft.meter("macd", "MACD", *names)
    line, signal = f"{meter}.value", f"{meter}.signal"
    draft.longs, draft.shorts = _crossing(line, signal), _crossing(signal, line)


def rsi(draft: Draft, match: re.Match[str]) -> None:
    """Long below a bound, short above one; as an exit the other way round."""
    low, high = match["low"] or match["low2"], match["high"] or match["high2"]
    draft.whole("rsi_period", match["period"], 14, "RSI, bars", low=2)
    value = now(f"{draft.meter('rsi', 'RSI', 'rsi_period')}.value")
    under = (below(value, knob(draft.number("rsi_low", low, 30.0, "RSI's lower bound"))),) if low else ()
    over = (above(value, knob(draft.number("rsi_high", high, 70.0, "RSI's upper bound"))),) if high else ()
    if low and high and float(low) >= float(high):
        raise ValueError("the lower bound comes first: 30/70")
    if draft.component_type != "exit":
        draft.longs, draft.shorts = under, over
        return
    if over:
        draft.leave(1, *over)
    if under:
        draft.leave(-1, *under)


def donchian(draft: Draft, match: re.Match[str]) -> None:
    """The channel of the bars before is left."""
    entry = int(match["entry"] or 20)
    draft.whole("entry_bars", match["entry"], 20, "channel to break, bars before this one", low=2)
    outer = draft.meter("outer", "Donchian", "entry_bars", inputs=("high", "low"))
    draft.longs = (above(CLOSE, before(f"{outer}.upper")),)
    draft.shorts = (below(CLOSE, before(f"{outer}.lower")),)
    if draft.component_type == "strategy":
        _channel_exit(draft, match["exit"], max(1, entry // 2))


def donchian_exit(draft: Draft, match: re.Match[str]) -> None:
    """The channel is left against the position."""
    _channel_exit(draft, match["exit"], 10)


def _channel_exit(draft: Draft, text: str | None, default: int) -> None:
    draft.whole("exit_bars", text, default, "channel whose break ends the trade, bars before this one")
    inner = draft.meter("inner", "Donchian", "exit_bars", inputs=("high", "low"))
    draft.leave(1, below(CLOSE, before(f"{inner}.lower")))
    draft.leave(-1, above(CLOSE, before(f"{inner}.upper")))


def bollinger(draft: Draft, match: re.Match[str]) -> None:
    """Against a close outside the bands, or with it."""
    draft.whole("band_bars", match["period"], 20, "bands, bars", low=2)
    draft.number("deviations", match["width"], 2.0, "their width, standard deviations", low=0.1, high=10.0)
    bands = draft.meter("bands", "Bollinger", "band_bars", "deviations")
    under, over = below(CLOSE, before(f"{bands}.lower")), above(CLOSE, before(f"{bands}.upper"))
    is_breakout = match["way"] == "breakout"
    draft.longs, draft.shorts = ((over,), (under,)) if is_breakout else ((under,), (over,))
    middle = now(f"{bands}.value")
    if draft.component_type == "strategy":
        draft.leave(1, below(CLOSE, middle) if is_breakout else above(CLOSE, middle))
        draft.leave(-1, above(CLOSE, middle) if is_breakout else below(CLOSE, middle))


def zscore(draft: Draft, match: re.Match[str]) -> None:
    """Against an unusual distance from the mean."""
    draft.whole("score_bars", match["period"], 50, "mean and deviation, bars", low=5)
    draft.number("score_entry", match["width"], 2.0, "enter beyond so many deviations", low=0.1, high=10.0)
    value = now(f"{draft.meter('score', 'ZScore', 'score_bars')}.value")
    draft.longs = (below(value, Term(kind="minus_knob", name="score_entry")),)
    draft.shorts = (above(value, knob("score_entry")),)
    if draft.component_type == "strategy":
        zero = Term(kind="number", number=0.0)
        draft.leave(1, Test(left=value, op="ge", right=zero))
        draft.leave(-1, Test(left=value, op="le", right=zero))


def _filter_both(draft: Draft, test: Test, opposite: Test | None = None) -> None:
    draft.longs_filter += (test,)
    draft.shorts_filter += (opposite or test,)


def adx_filter(draft: Draft, match: re.Match[str]) -> None:
    """Entries only in, or outside, a trend."""
    draft.whole("adx_bars", match["period"], 14, "ADX, bars", low=2)
    value = now(f"{draft.meter('adx', 'ADX', 'adx_bars', inputs=BAR)}.value")
    bound = knob(draft.number("adx_bound", match["bound"], 25.0, "ADX that entries ask for"))
    _filter_both(draft, above(value, bound) if match["side"] == "above" else below(value, bound))


def trend_filter(draft: Draft, match: re.Match[str]) -> None:
    """Entries only with an average."""
    draft.whole("trend_bars", match["period"], 200, "average that entries go with, bars", low=2)
    value = now(f"{draft.meter('trend', match['kind'].upper(), 'trend_bars')}.value")
    _filter_both(draft, above(CLOSE, value), below(CLOSE, value))


def volume_filter(draft: Draft, match: re.Match[str]) -> None:
    """Entries only on more than the mean volume."""
    draft.whole("volume_bars", match["period"], 20, "average of the volume, bars", low=2)
    value = now(f"{draft.meter('volume_mean', 'SMA', 'volume_bars', inputs=('volume',))}.value")
    _filter_both(draft, above(Term(kind="bar", name="volume"), value))


def side(draft: Draft, match: re.Match[str]) -> None:
    """One side only."""
    draft.sides = match["side"]


def both(draft: Draft, match: re.Match[str]) -> None:
    """Both sides."""
    draft.sides = "both"


def _range(draft: Draft, which: str, period: str | None) -> str:
    """Return the ATR of a level; levels of the same period share one."""
    wanted = int(period or 14)
    for name, meter in draft.meters.items():
        if meter.kind == "ATR" and draft.knobs[str(meter.arguments[0])].default == wanted:
            return name
    bars = draft.whole(f"{which}_range_bars", period, 14, "ATR, bars", low=2)
    return draft.meter(f"{which}_range", "ATR", bars, inputs=BAR)


def atr_level(draft: Draft, match: re.Match[str]) -> None:
    """A level so many ATR away."""
    which = match["which"]
    meter = _range(draft, which, match["period"])
    name = draft.number(f"{which}_atr", match["width"], 2.0, f"{which} distance in ATR", low=0.1, high=50.0)
    if draft.component_type == "exit":
        _leave_at(draft, which, name, meter)
    else:
        draft.levels.append(Level(field=which, knob=name, meter=meter))


def share_level(draft: Draft, match: re.Match[str]) -> None:
    """A level at a share of the price."""
    which = match["which"]
    name = draft.number(f"{which}_pct", match["width"], 1.0, f"{which} distance in %", low=0.01, high=90.0)
    if draft.component_type == "exit":
        _leave_at(draft, which, name, "")
    else:
        draft.levels.append(Level(field=which, knob=name))


def _leave_at(draft: Draft, which: str, name: str, meter: str) -> None:
    """An exit by distance, judged at the close: from the entry, or from the best close since."""
    base = "best" if which == "trail" else "entry"
    for held in (1, -1):
        sign = held if which == "target" else -held
        level = Term(kind=base, shift=Shift(sign=sign, knob=name, meter=meter))  # type: ignore[arg-type]
        op = "ge" if sign > 0 else "le"
        draft.leave(held, Test(left=CLOSE, op=op, right=level))  # type: ignore[arg-type]


def hold(draft: Draft, match: re.Match[str]) -> None:
    """A number of bars."""
    draft.whole("hold_bars", match["bars"], 50, "leave after so many bars")
    if draft.component_type != "exit":
        draft.levels.append(Level(field="hold_bars", knob="hold_bars"))
        return
    for held in (1, -1):
        draft.leave(held, Test(left=Term(kind="held_bars"), op="ge", right=knob("hold_bars")))


def cap(draft: Draft, match: re.Match[str]) -> None:
    """The largest entry."""
    doc = "the largest entry, contracts (units of the base asset)"
    draft.number("max_contracts", match["contracts"], 0.0, doc, low=1e-6, high=1e9)


MEASURES: dict[str, tuple[str, tuple[int | float, ...], tuple[str, ...], tuple[str, ...]]] = {
    "ema": ("EMA", (20,), ("close",), ("value",)),
    "sma": ("SMA", (20,), ("close",), ("value",)),
    "wma": ("WMA", (20,), ("close",), ("value",)),
    "rsi": ("RSI", (14,), ("close",), ("value",)),
    "atr": ("ATR", (14,), BAR, ("value",)),
    "adx": ("ADX", (14,), BAR, ("value",)),
    "zscore": ("ZScore", (50,), ("close",), ("value",)),
    "stdev": ("StDev", (20,), ("close",), ("value",)),
    "vwap": ("VWAP", (20,), (*BAR, "volume"), ("value",)),
    "donchian": ("Donchian", (20,), ("high", "low"), ("value", "upper", "lower")),
    "bollinger": ("Bollinger", (20, 2.0), ("close",), ("value", "upper", "lower")),
    "macd": ("MACD", (12, 26, 9), ("close",), ("value", "signal", "histogram")),
}
"""What an indicator component can measure: class, defaults, inputs, outputs that it keeps."""


def measure(draft: Draft, match: re.Match[str]) -> None:
    """What an indicator component keeps."""
    one = _measured(draft, "one", match["one"], match["args1"])
    other = _measured(draft, "other", match["other"], match["args2"]) if match["other"] else None
    outputs = MEASURES[match["one"]][3]
    if other is not None:
        draft.outputs.append(Output(name="value", left=now(f"{one}.value"), right=now(f"{other}.value")))
        return
    draft.outputs += [Output(name=name, left=now(f"{one}.{name}")) for name in outputs]


def _measured(draft: Draft, prefix: str, word: str, text: str | None) -> str:
    kind, defaults, inputs, _ = MEASURES[word]
    given = (text or "").split("/") if text else []
    if len(given) > len(defaults):
        raise ValueError(f"{kind} takes {len(defaults)} numbers, not {len(given)}")
    names = []
    for index, default in enumerate(defaults):
        value = given[index] if index < len(given) else None
        name, doc = f"{prefix}_{index + 1}", f"{kind}, number {index + 1}"
        if isinstance(default, int):
            if value is not None and not value.isdigit():
                raise ValueError(f"{kind} counts bars in whole numbers, not {value}")
            names.append(draft.whole(name, value, default, doc, low=2))
        else:
            names.append(draft.number(name, value, default, doc, low=0.1, high=10.0))
    if kind == "MACD" and draft.knobs[names[0]].default >= draft.knobs[names[1]].default:
        raise ValueError("the fast average comes first and is shorter: 12/26/9")
    return draft.meter(prefix, kind, *names, inputs=inputs)
