"""Trend following with gates, three entry modes, confidence tiers and a ladder of exits in ATR.

Levels that a venue can hold (a hard stop, partial and full target, holding time) go with the entry. The
rest of the ladder is judged at each close, in this order, one exit a bar: glitch guard, stop, trailing
stop, smart exits. `mode`, `tier`, `gates` and `left_by` say what the last decision was (see the constants).

It is one long method, because a forged strategy has no other.
"""

from native.indicators import ADX, ATR, EMA, MACD, RSI, SMA, Bollinger, StochRSI
from native.strategy import Bar, Signal, Strategy, param

NO_MODE = 0
STANDARD = 1
PULLBACK = 2
SLOW_DRIFT = 3

LOW = 0
MEDIUM = 1
HIGH = 2

# Bits of `gates`: why the standard entry was not allowed. The first three block every mode.
RANGING = 1
ANOMALY = 2
EXTENSION = 4
VOLUME = 8
ADX_NOT_RISING = 16
ADX_LOW = 32

# `left_by`: which rung of the ladder ended the trade; 0 while none did (the kernel's levels are not seen).
LEFT_STOP = 1
LEFT_TRAIL = 2
LEFT_CROSS = 3
LEFT_EXHAUSTED = 4
LEFT_MACRO = 5
LEFT_STAGNANT = 6
LEFT_SATURATED = 7
LEFT_STRETCHED = 8
LEFT_RSI = 9

NS_PER_MIN = 60_000_000_000


class TrendAtr(Strategy):
    """Trend, pullback and slow-drift entries behind gates; stops, trails and targets in ATR."""

    fast = param(20, 2, 1_000, "fast average, bars")
    slow = param(50, 3, 2_000, "slow average, bars")
    macro = param(200, 4, 5_000, "macro average, bars")
    use_macro = param(0, 0, 1, "1: trade only with the macro average, leave when it breaks")
    macd_mode = param(2, 0, 2, "momentum asked of the standard entry", choices=("none", "sign", "accel"))
    volume_gate = param(0, 0, 2, "volume asked of the standard entry", choices=("off", "normal", "strict"))
    min_confidence = param(1, 0, 2, "lowest tier that enters", choices=("low", "medium", "high"))
    pullback = param(0, 0, 1, "1: also enter where price crosses back over the fast average")
    slow_drift = param(0, 0, 1, "1: also enter slow steady drifts")
    adx_min = param(22.0, 0.0, 100.0, "ADX asked of the standard entry, before its adjustments")
    cooldown = param(1, 0, 1, "1: wait after an exit before the same side again, 45 to 180 minutes by ADX")
    stop_atr = param(2.0, 0.1, 20.0, "stop distance in ATR at entry")
    target_atr = param(4.0, 0.1, 50.0, "target distance in ATR; 7 where ADX > 40, 3 where ADX < 30")
    partial = param(0.5, 0.0, 0.95, "share that leaves at the partial target; 0: none")
    partial_atr = param(0.0, 0.0, 50.0, "partial target in ATR; 0: the full target, what stays is trailed")
    trail_start = param(1.0, 0.0, 20.0, "profit in ATR from which the stop trails")
    trail_atr = param(0.8, 0.1, 20.0, "trail distance in ATR")
    smart_exits = param(1, 0, 1, "0: leave by levels only")
    hold_bars = param(0, 0, 100_000, "leave after so many bars; 0: no limit")

    def on_start(self) -> None:
        self.warmup_bars = max(self.macro if self.use_macro == 1 else self.slow, 100)
        self.ema_fast = EMA(self.fast)
        self.ema_slow = EMA(self.slow)
        self.ema_macro = EMA(self.macro)
        self.adx = ADX(14)
        self.atr = ATR(14)
        self.atr_mean = SMA(50)
        self.rsi = RSI(14)
        self.bands = Bollinger(20, 2.0)
        self.width_mean = SMA(20)
        self.macd = MACD(12, 26, 9)
        self.stoch = StochRSI(14, 14, 3, 3)
        self.volume_short = SMA(5)
        self.volume_long = SMA(20)
        self.close_before = 0.0
        self.turn_before = 0.0
        self.mode, self.tier, self.gates, self.left_by = NO_MODE, LOW, 0, 0
        # The position as seen from here: the open of its first bar, ATR and ADX at the decision.
        self.side = 0
        self.entry = 0.0
        self.entry_atr = 0.0
        self.asked_atr = 0.0
        self.asked_mode = NO_MODE
        self.mode_held = NO_MODE
        self.base = 0.0
        self.stop = 0.0
        self.trail = 0.0
        self.is_even = False
        self.is_trailing = False
        self.is_glitch = False
        self.was_side = 0
        self.was_flip = False
        self.exit_ts_ns = 0

    def on_bar(self, bar: Bar) -> Signal | int | None:
        close = bar.close
        close_before = self.close_before
        fast_before, slow_before, atr_before = self.ema_fast.value, self.ema_slow.value, self.atr.value
        turn_before, turn_before_that = self.macd.histogram, self.turn_before
        fast, slow, macro = (
            self.ema_fast.update(close),
            self.ema_slow.update(close),
            self.ema_macro.update(close),
        )
        adx = self.adx.update(bar.high, bar.low, close)
        atr = self.atr.update(bar.high, bar.low, close)
        atr_mean = self.atr_mean.update(atr)
        rsi = self.rsi.update(close)
        self.bands.update(close)
        width = self.bands.width
        width_mean = self.width_mean.update(width)
        self.macd.update(close)
        turn = self.macd.histogram
        k = self.stoch.update(close)
        volume_short, volume_long = self.volume_short.update(bar.volume), self.volume_long.update(bar.volume)
        self.close_before, self.turn_before = close, turn_before
        width_ratio = width / width_mean if width_mean > 0.0 else 1.0
        slope = (slow - slow_before) / slow_before if slow_before > 0.0 else 0.0
        self.mode, self.tier, self.gates = NO_MODE, LOW, 0

        # What is held now, and what has just been left: by the kernel's levels, by us, or by a flip.
        if bar.side != self.side:
            if self.side != 0:
                self.was_side, self.was_flip, self.exit_ts_ns = self.side, bar.side != 0, bar.ts_ns
            if bar.side != 0:
                self.entry, self.mode_held, self.left_by = bar.open, self.asked_mode, 0
                self.entry_atr = self.asked_atr if self.asked_atr > 0.0 else 0.005 * bar.open
                self.base = self.entry - bar.side * self.stop_atr * self.entry_atr
                self.stop, self.trail = self.base, 0.0
                self.is_even, self.is_trailing = False, False
            self.side = bar.side
        if bar.index + 1 < self.warmup_bars:
            return None

        # The glitch guard: on a bad print nothing moves and nothing is left.
        jump = abs(close - close_before)
        self.is_glitch = jump >= 0.40 * close_before or (atr_before > 0.0 and jump > 12.0 * atr_before)
        if self.is_glitch:
            self.gates = ANOMALY
            return None

        if bar.side != 0:
            side, unit = bar.side, self.entry_atr
            profit = side * (close - self.entry)
            # The base only tightens. ADX may widen it by at most 1.15 * 1.10, until break-even is reached.
            distance = self.stop_atr * unit
            if self.adx.slope < 0.0 and profit < 0.0:
                distance = 0.8 * distance
            self.base = side * max(side * self.base, side * self.entry - distance)
            if profit >= 0.7 * unit:
                self.is_even = True
            widening = 1.0
            if adx > 40.0 and profit > 0.5 * unit:
                widening = 1.15
            if adx > 45.0:
                widening = widening * 1.10
            if self.is_even:
                level = self.entry + side * 0.05 * unit
                self.stop = side * max(side * self.stop, side * self.base, side * level)
            else:
                self.stop = self.entry - (self.entry - self.base) * widening
            if profit >= self.trail_start * unit:
                is_with_rsi = side * (rsi - 50.0) > 10.0
                pull = self.trail_atr
                if profit > 2.0 * unit:
                    if self.adx.slope < 0.0:
                        pull = 0.5 * pull
                    elif adx <= 40.0:
                        pull = 0.75 * pull
                if adx < 25.0:
                    pull = 0.7 * pull
                if width_ratio > 1.2:
                    pull = 1.25 * pull
                level = close - side * max(pull, 0.7 if is_with_rsi else 0.5) * atr
                self.trail = side * max(side * self.trail, side * level) if self.is_trailing else level
                self.is_trailing = True

            left_by = 0
            if side * close <= side * self.stop:
                left_by = LEFT_STOP
            elif self.is_trailing and side * close <= side * self.trail:
                left_by = LEFT_TRAIL
            elif self.smart_exits == 1:
                turning = side * (turn - turn_before) < 0.0 and side * (turn_before - turn_before_that) < 0.0
                overextended = 20.0 if profit >= 1.5 * unit else 30.0
                if side * (fast - slow) < 0.0 and side * (fast_before - slow_before) >= 0.0:
                    left_by = LEFT_CROSS
                elif adx < 18.0 and self.mode_held != SLOW_DRIFT:
                    left_by = LEFT_EXHAUSTED
                elif self.use_macro == 1 and side * (close - macro) < 0.0:
                    left_by = LEFT_MACRO
                elif atr < 0.7 * unit and profit < 0.0:
                    left_by = LEFT_STAGNANT
                elif adx > 50.0 and turning and profit >= unit:
                    left_by = LEFT_SATURATED
                elif side * (close - macro) > 0.10 * macro and turning and profit >= unit:
                    left_by = LEFT_STRETCHED
                elif side * (rsi - 50.0) > overextended:
                    left_by = LEFT_RSI
            if left_by != 0:
                self.left_by = left_by
                return 0

        # Gates, each evaluated although an earlier one has blocked already.
        votes = 0
        if adx < 21.0:
            votes += 1
        if width_ratio < 0.8:
            votes += 1
        if 47.0 < rsi < 53.0:
            votes += 1
        is_drift = self.slow_drift == 1 and abs(slope) >= 0.0006
        gates = RANGING if votes >= 2 and not is_drift else 0
        if jump > 0.10 * close_before or abs(close - fast) > 0.50 * fast:
            gates += ANOMALY
        if abs(close - fast) > 0.04 * fast:
            gates += EXTENSION
        is_above, is_trending = bar.volume > volume_long, volume_short > volume_long
        if self.volume_gate == 1 and not (is_above or is_trending):
            gates += VOLUME
        if self.volume_gate == 2 and not (is_above and is_trending):
            gates += VOLUME
        if not (self.adx.slope > 0.0 or adx > 40.0):
            gates += ADX_NOT_RISING
        least = self.adx_min
        if atr_mean > 0.0 and atr > 1.5 * atr_mean:
            least = 1.25 * least
        if self.adx.slope > 0.5:
            least = min(least, 25.0)
        if not adx > least:
            gates += ADX_LOW
        self.gates = gates

        # The side that the averages name, then the modes in their order.
        side = 1 if fast > slow else -1
        weight = min(max((adx - 22.0) / 18.0, 0.0), 1.0)
        is_aligned = fast != slow and (self.use_macro == 0 or side * (slow - macro) > 0.0)
        has_momentum = True
        if self.macd_mode == 1:
            has_momentum = side * turn > 0.0
        elif self.macd_mode == 2:
            has_momentum = side * (turn - turn_before) > 0.0
        is_clear = gates % 8 == 0
        drift = 1 if slope > 0.0 else -1
        mode, tier = NO_MODE, LOW
        if (
            gates == 0
            and is_aligned
            and side * (close - fast) > 0.0
            and side * (rsi - 50.0) > 6.0 - 4.0 * weight
            and has_momentum
            and side * (k - 0.5) < 0.35
        ):
            mode = STANDARD
            tier = HIGH if bar.volume > 2.5 * volume_long else MEDIUM
        elif (
            self.pullback == 1
            and is_clear
            and is_aligned
            and adx >= 22.0
            and side * (close_before - fast_before) <= 0.0
            and side * (close - fast) > 0.0
            and side * self.macd.value > 0.0
            and side * (rsi - 50.0) >= 0.0
        ):
            mode = PULLBACK
        elif is_drift and is_clear and adx >= 10.0 and drift * (close - slow) > 0.0:
            mode, side = SLOW_DRIFT, drift
        if mode == NO_MODE:
            return None
        self.mode, self.tier = mode, tier
        if tier < self.min_confidence or side == bar.side:
            return None
        if self.cooldown == 1 and side == self.was_side and not self.was_flip:
            wait_min = 180.0 - 135.0 * min(max((adx - 25.0) / 15.0, 0.0), 1.0)
            if bar.ts_ns - self.exit_ts_ns < wait_min * NS_PER_MIN:
                return None

        strength = 0.25
        if tier == MEDIUM:
            strength = 0.5
        elif tier == HIGH:
            strength = 1.0
        target = self.target_atr
        if adx > 40.0:
            target = 7.0
        elif adx < 30.0:
            target = 3.0
        self.asked_atr, self.asked_mode = atr, mode
        # The hard stop lies where the ladder's own may be widened to at most: it is the last resort.
        return Signal(
            side,
            strength,
            stop=1.265 * self.stop_atr * atr,
            target=target * atr,
            hold_bars=self.hold_bars,
            partial=self.partial,
            partial_target=self.partial_atr * atr,
        )
