"""Every indicator as data: its C name, arguments, inputs and outputs (forge, docs, tests)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicatorForm:
    """One indicator. C: `il_<c_name>_init(&s, arguments)`, `il_<c_name>_step(&s, [ring,] inputs)`.

    `arguments`: name and default (None: must be given); whole numbers are int64_t in C, the others double.
    `inputs`: what `update` takes, in order; `ts_ns` is int64_t. `outputs`: fields of the C state that are
    attributes of the Python object. `room`: doubles of ring storage, in terms of the arguments; "" for none.
    """

    name: str
    c_name: str
    arguments: tuple[tuple[str, int | float | None], ...]
    inputs: tuple[str, ...] = ("close",)
    outputs: tuple[str, ...] = ("value",)
    room: str = ""
    warmup: str = "period"
    doc: str

    @property
    def has_ring(self) -> bool:
        return bool(self.room)

    def is_whole(self, argument: str) -> bool:
        """Say whether an argument is a whole number (int64_t in C)."""
        return argument not in ("deviations", "percent", "interval_s")


_BAR = ("high", "low", "close")
_PERIOD = (("period", None),)

INDICATORS: dict[str, IndicatorForm] = {
    form.name: form
    for form in (
        IndicatorForm(
            name="EMA", c_name="ema", arguments=_PERIOD, doc="a = 2/(period+1), seeded with the first value"
        ),
        IndicatorForm(
            name="SMA", c_name="sma", arguments=_PERIOD, room="period", doc="plain mean; of volume as well"
        ),
        IndicatorForm(
            name="WMA", c_name="wma", arguments=_PERIOD, room="period", doc="weights 1 (oldest) to period"
        ),
        IndicatorForm(
            name="RSI",
            c_name="rsi",
            arguments=(("period", 14),),
            warmup="period + 1",
            doc="Wilder, 0 to 100; 50 where nothing moved",
        ),
        IndicatorForm(
            name="ATR",
            c_name="atr",
            arguments=(("period", 14),),
            inputs=_BAR,
            doc="Wilder, seeded with the first high - low",
        ),
        IndicatorForm(
            name="ADX",
            c_name="adx",
            arguments=(("period", 14),),
            inputs=_BAR,
            outputs=("value", "slope", "plus_di", "minus_di"),
            warmup="2 * period",
            doc="Wilder, 0 to 100; slope is the change per bar",
        ),
        IndicatorForm(
            name="StDev",
            c_name="stdev",
            arguments=(("period", None), ("ddof", 0)),
            outputs=("value", "mean"),
            room="2 * period",
            doc="standard deviation, divisor n - ddof",
        ),
        IndicatorForm(
            name="ZScore",
            c_name="zscore",
            arguments=_PERIOD,
            outputs=("value", "mean", "stdev"),
            room="2 * period",
            doc="(close - mean) / population deviation; 0 where nothing varies",
        ),
        IndicatorForm(
            name="Bollinger",
            c_name="bollinger",
            arguments=(("period", 20), ("deviations", 2.0)),
            outputs=("value", "upper", "lower", "width"),
            room="2 * period",
            doc="mean and bands; width = (upper - lower) / close",
        ),
        IndicatorForm(
            name="Donchian",
            c_name="donchian",
            arguments=(("period", 20),),
            inputs=("high", "low"),
            outputs=("value", "upper", "lower"),
            room="2 * period",
            doc="highest high, lowest low, and their middle, this bar included",
        ),
        IndicatorForm(
            name="MACD",
            c_name="macd",
            arguments=(("fast", 12), ("slow", 26), ("signal", 9)),
            outputs=("value", "signal", "histogram"),
            warmup="slow + signal - 1",
            doc="difference of two EMAs, its EMA, and their difference",
        ),
        IndicatorForm(
            name="StochRSI",
            c_name="stochrsi",
            arguments=(("period", 14), ("stoch", 14), ("k", 3), ("d", 3)),
            outputs=("value", "d"),
            room="2 * stoch + k + d",
            warmup="period + stoch + k - 1",
            doc="RSI within its own range, 0 to 1, averaged over k (value) and again over d",
        ),
        IndicatorForm(
            name="VWAP",
            c_name="vwap",
            arguments=_PERIOD,
            inputs=(*_BAR, "volume"),
            room="2 * period",
            doc="typical price weighted by volume; the typical price where nothing was traded",
        ),
        IndicatorForm(
            name="SessionVWAP",
            c_name="session_vwap",
            arguments=(("session_s", 86_400),),
            inputs=("ts_ns", *_BAR, "volume"),
            warmup="1",
            doc="the same since the session began: whole multiples of session_s of UTC time",
        ),
        IndicatorForm(
            name="Percentile",
            c_name="percentile",
            arguments=(("period", None), ("percent", 50.0)),
            room="3 * period",
            doc="linear between neighbours; the one that costs O(log period)",
        ),
        IndicatorForm(
            name="RealisedVol",
            c_name="realised_vol",
            arguments=(("period", None), ("interval_s", None)),
            room="period",
            warmup="period + 1",
            doc="sqrt(mean squared simple return * bars per year of 365.25 days)",
        ),
    )
}
