"""Indicators for strategy authors: one class around each C state of `indicators.h`, O(1) per bar."""

from native.averages import ADX, ATR, EMA, RSI, SMA, WMA
from native.indicator import MAX_PERIOD, Indicator
from native.windows import (
    MACD,
    VWAP,
    Bollinger,
    Donchian,
    Percentile,
    RealisedVol,
    SessionVWAP,
    StDev,
    StochRSI,
    ZScore,
)

__all__ = [
    "ADX",
    "ATR",
    "EMA",
    "MACD",
    "MAX_PERIOD",
    "RSI",
    "SMA",
    "VWAP",
    "WMA",
    "Bollinger",
    "Donchian",
    "Indicator",
    "Percentile",
    "RealisedVol",
    "SessionVWAP",
    "StDev",
    "StochRSI",
    "ZScore",
]
