"""Many symbols under one account, stepped in time order: opens, closes, then ranked entries."""

import hashlib

import numpy as np

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize

from native.aligned cimport walk_aligned
from native.aligned_columns cimport Walk, free_walk, ilp_is_wide, make_walk
from native.indicators cimport il_adx, il_adx_init, il_adx_step
from native.kernel cimport Kernel
from native.lane cimport close_bar, open_bar
from native.caps cimport Caps
from native.portfolio cimport (
    MOMENTUM, RANK_ADX, RANK_CALM, RANK_MOMENTUM, RANK_STRENGTH, RANK_VOLATILITY, Candle, Feed, Limits, has_candle,
    rank_candidates, see_close, take_stock,
)
from native.replay cimport Columns
from native.state cimport *

from native.lanes import strategy_name
from native.rules import is_major

_MAGIC = b"ILP2"
_RANKS = {
    "adx": RANK_ADX, "momentum": RANK_MOMENTUM, "volatility": RANK_VOLATILITY, "calm": RANK_CALM,
    "strength": RANK_STRENGTH,
}
_ADX_BARS = 14
cdef int64_t _STOP = 0x7FFFFFFFFFFFFFFF


cdef class Portfolio(Kernel):
    """A kernel whose lanes share cash, margin and capacity; internal matching, one bar length for all.

    Events of equal time come in order: every symbol's open, every symbol's close, then the entries that
    were wished, ranked by strength rank * 100 + ADX(14), ties by symbol.
    """

    cdef Account account
    cdef Limits limits
    cdef Feed* feeds
    cdef int64_t* by_symbol
    cdef int64_t* found
    cdef double* scores
    cdef Walk walk
    cdef Caps caps
    cdef list curves

    def __init__(self, config, lanes, matching="internal", run_id="run"):
        cdef int64_t i
        rules = config.portfolio
        if self.matching != "internal":
            raise ValueError("a portfolio is matched by the simulated exchange")
        self.curves = []
        self.feeds = <Feed*>calloc(self.count, sizeof(Feed))
        self.by_symbol = <int64_t*>calloc(self.count, sizeof(int64_t))
        self.found = <int64_t*>calloc(self.count, sizeof(int64_t))
        self.scores = <double*>calloc(self.count, sizeof(double))
        if self.feeds == NULL or self.by_symbol == NULL or self.found == NULL or self.scores == NULL:
            raise MemoryError
        if not make_walk(&self.walk, self.count):
            raise MemoryError
        self.limits.cash, self.limits.leverage = self.config.cash, self.config.exchange.leverage
        self.limits.max_notional, self.limits.max_entries = rules.max_notional_usd, rules.max_entries
        self.limits.max_positions, self.limits.rank = rules.max_positions, _RANKS[rules.rank]
        self._set_caps(rules)
        ranked = sorted(range(self.count), key=lambda lane: (self.lanes[lane].symbol, lane))
        for i in range(self.count):
            self.by_symbol[i] = ranked[i]
            il_adx_init(&self.feeds[i].trend, _ADX_BARS)
            self.states[i].is_collecting, self.states[i].account = 1, &self.account
        take_stock(self.states, self.count, &self.account, &self.limits)

    def _set_caps(self, rules):
        """Take the memory of the caps that are on and number symbols and strategies."""
        cdef Caps* c = &self.caps
        cdef int64_t i
        if not rules.has_caps:
            return
        c.symbol_notional, c.strategy_notional = rules.max_symbol_notional_usd, rules.max_strategy_notional_usd
        c.alt_longs, c.alt_shorts, c.heat = rules.max_alt_longs_usd, rules.max_alt_shorts_usd, rules.max_heat
        c.symbol_of = <int64_t*>calloc(self.count, 3 * sizeof(int64_t))
        c.by_symbol = <double*>calloc(self.count, 2 * sizeof(double))
        if c.symbol_of == NULL or c.by_symbol == NULL:
            raise MemoryError
        c.strategy_of, c.is_alt = c.symbol_of + self.count, c.symbol_of + 2 * self.count
        c.by_strategy = c.by_symbol + self.count
        symbols, strategies = {}, {}
        for i in range(self.count):
            spec = self.lanes[i]
            c.symbol_of[i] = symbols.setdefault(spec.symbol, len(symbols))
            c.strategy_of[i] = strategies.setdefault(strategy_name(spec.strategy), len(strategies))
            c.is_alt[i] = not is_major(spec.symbol, rules.majors)
        self.limits.caps = c

    def __dealloc__(self):
        free(self.caps.symbol_of)
        free(self.caps.by_symbol)
        free(self.feeds)
        free(self.by_symbol)
        free(self.found)
        free(self.scores)
        free_walk(&self.walk)

    def open(self, lane, ts_ns, double price):
        """A portfolio's symbols move together: use `replay`."""
        raise TypeError("step a portfolio with replay(columns of all symbols)")

    def close(self, lane, ts_ns, double open, double high, double low, double close, double volume=0.0):
        """A portfolio's symbols move together: use `replay`."""
        raise TypeError("step a portfolio with replay(columns of all symbols)")

    def replay(self, markets):
        """Step all lanes over their columns, merged by time; return the times stepped.

        `markets`: per lane (ts_ns, open, high, low, close, volume). Lanes of compiled strategies run without
        the GIL. A later call goes on, from times after the last. Raises ValueError at a bad bar, with what lies
        before it stepped.
        """
        cdef int64_t i, times
        if len(markets) != self.count:
            raise ValueError(f"{len(markets)} markets for {self.count} lanes")
        kept = [_columns(market) for market in markets]
        curve_ts, is_aligned = _timeline([market[0] for market in kept])
        curve = np.empty(len(curve_ts))
        cdef double[::1] marks = curve
        for i in range(self.count):
            _point(self.feeds + i, kept[i])
            self.feeds[i].last_ts = self.states[i].last_ts
            self._make_room(self.states + i, len(kept[i][0]))
        times = self._run_aligned(marks) if is_aligned and self._can_walk() else self._run(marks)
        self.curves.append((curve_ts[:times], curve[:times]))
        for i in range(self.count):
            self._check(self.states + i)
            if self.feeds[i].is_bad:
                raise ValueError(f"lane {i}: the bar after {self.states[i].last_ts} is refused")
        return times

    def _can_walk(self):
        """Whether quiet lanes may be passed over: nothing but a candidate's turn reads the shared account."""
        return (
            self.config.is_plain and self.limits.max_notional == 0.0 and self._is_compiled()
            and self.limits.rank == RANK_ADX and self.limits.caps == NULL
            and all([self.states[i].rules.is_plain != 0 for i in range(self.count)])
        )

    def _is_compiled(self):
        return all([isinstance(spec.strategy, str) for spec in self.lanes])

    cdef int64_t _run_aligned(self, double[::1] marks) except -1:
        """Walk columns of the same times; return the times stepped."""
        cdef int64_t i, times = 0
        for i in range(self.count):
            self.feeds[i].is_bad = self.feeds[i].end > 0 and self.feeds[i].columns.ts[0] <= self.states[i].last_ts
            times += self.feeds[i].is_bad
        if times or marks.shape[0] == 0:
            return 0
        self.walk.lanes, self.walk.feeds, self.walk.account = self.states, self.feeds, &self.account
        self.walk.limits, self.walk.by_symbol = &self.limits, self.by_symbol
        self.walk.found, self.walk.scores = self.found, self.scores
        with nogil:
            times = walk_aligned(&self.walk, &marks[0], marks.shape[0])
            take_stock(self.states, self.count, &self.account, &self.limits)
        return times

    cdef int64_t _run(self, double[::1] marks) except -1:
        """Walk the merged timeline; return the times stepped."""
        cdef int64_t times = 0, ts
        if self._is_compiled():
            with nogil:
                while times < marks.shape[0]:
                    ts = next_time(self.feeds, self.count)
                    if ts == _STOP:
                        break
                    open_all(self.states, self.feeds, self.count, ts)
                    close_all(self.states, self.feeds, self.count, ts, self.limits.rank == RANK_MOMENTUM)
                    self._rank(&marks[times])
                    times += 1
            return times
        while times < marks.shape[0]:
            ts = next_time(self.feeds, self.count)
            if ts == _STOP:
                break
            open_all(self.states, self.feeds, self.count, ts)
            self._close_each(ts)
            self._rank(&marks[times])
            times += 1
        return times

    cdef void _rank(self, double* mark) noexcept nogil:
        take_stock(self.states, self.count, &self.account, &self.limits)
        mark[0] = self.account.equity
        rank_candidates(
            self.states, self.count, self.feeds, self.by_symbol, self.found, self.scores, &self.account, &self.limits
        )

    cdef int _close_each(self, int64_t ts) except -1:
        cdef int64_t lane
        cdef Candle* x
        for lane in range(self.count):
            if has_candle(self.feeds + lane) and self.feeds[lane].candles[self.feeds[lane].at].ts == ts:
                x = self.feeds[lane].candles + self.feeds[lane].at
                self._close(lane, ts, x.open, x.high, x.low, x.close, x.volume)
                il_adx_step(&self.feeds[lane].trend, x.high, x.low, x.close)
                if self.limits.rank == RANK_MOMENTUM:
                    see_close(self.feeds + lane, x.close)
                self.feeds[lane].at += 1
        return 0

    @property
    def is_wide(self):
        """Whether aligned lanes move on the processor's wide instructions; off, the same bits come slower.

        Raises ValueError when switched on without them.
        """
        return self.walk.is_wide != 0

    @is_wide.setter
    def is_wide(self, bint value):
        if value and not ilp_is_wide():
            raise ValueError("this processor has no AVX2")
        self.walk.is_wide = value

    def portfolio_curve(self):
        """Return (ts_ns, equity) of the account at every time stepped."""
        if not self.curves:
            return np.empty(0, np.int64), np.empty(0)
        return tuple(np.concatenate([curve[i] for curve in self.curves]) for i in range(2))

    def export_state(self):
        """Return everything needed to go on bit for bit, with what breaks ties; curves stay behind."""
        lanes = Kernel.export_state(self)
        trends = b"".join([
            PyBytes_FromStringAndSize(<char*>&self.feeds[i].trend, sizeof(il_adx) + (MOMENTUM + 1) * sizeof(double))
            for i in range(self.count)
        ])
        body = len(lanes).to_bytes(8, "little") + lanes + trends
        return _MAGIC + hashlib.sha256(body).digest() + body

    def import_state(self, state):
        """Take over an exported state. Raises ValueError when it is damaged or of another configuration."""
        body = state[36:]
        if state[:4] != _MAGIC or hashlib.sha256(body).digest() != state[4:36]:
            raise ValueError("portfolio state is damaged")
        cdef int64_t size = int.from_bytes(body[:8], "little")
        # The trend, the last closes and how many there were stand together in a feed.
        cdef int64_t trend = sizeof(il_adx) + (MOMENTUM + 1) * sizeof(double)
        cdef int64_t i
        if len(body) != 8 + size + self.count * trend:
            raise ValueError("portfolio state is of other lanes")
        Kernel.import_state(self, body[8 : 8 + size])
        for i in range(self.count):
            memcpy(&self.feeds[i].trend, PyBytes_AsString(body) + 8 + size + i * trend, trend)
        take_stock(self.states, self.count, &self.account, &self.limits)


cdef inline int64_t next_time(Feed* feeds, int64_t count) noexcept nogil:
    """Return the earliest time at which a lane has a bar, `_STOP` before a refused bar could be passed."""
    cdef int64_t lane, ts = _STOP
    for lane in range(count):
        if has_candle(feeds + lane):
            if feeds[lane].candles[feeds[lane].at].ts < ts:
                ts = feeds[lane].candles[feeds[lane].at].ts
        elif feeds[lane].is_bad:
            return _STOP
    return ts


cdef inline void open_all(LaneState* lanes, Feed* feeds, int64_t count, int64_t ts) noexcept nogil:
    cdef int64_t lane
    for lane in range(count):
        if feeds[lane].at < feeds[lane].count and feeds[lane].candles[feeds[lane].at].ts == ts:
            open_bar(lanes + lane, ts, feeds[lane].candles[feeds[lane].at].open)


cdef inline void close_all(LaneState* lanes, Feed* feeds, int64_t count, int64_t ts, bint keeps) noexcept nogil:
    cdef int64_t lane
    cdef Candle* x
    for lane in range(count):
        x = feeds[lane].candles + feeds[lane].at
        if feeds[lane].at < feeds[lane].count and x.ts == ts:
            close_bar(lanes + lane, ts, x.open, x.high, x.low, x.close, x.volume)
            il_adx_step(&feeds[lane].trend, x.high, x.low, x.close)
            if keeps:
                see_close(feeds + lane, x.close)
            feeds[lane].at += 1


def _timeline(times):
    """Return every time at which some lane has a bar, once, and whether all lanes have all of them.

    Raises ValueError when times fall.
    """
    is_aligned = all([_is_same(own, times[0]) for own in times[1:]])
    for own in times[:1] if is_aligned else times:
        if len(own) > 1 and not np.all(own[1:] > own[:-1]):
            raise ValueError("times must go forward")
    return (times[0].copy(), True) if is_aligned else (np.unique(np.concatenate(times)), False)


cdef bint _is_same(const int64_t[::1] ours, const int64_t[::1] theirs):
    cdef int64_t n = ours.shape[0]
    return n == theirs.shape[0] and (n == 0 or memcmp(&ours[0], &theirs[0], n * sizeof(int64_t)) == 0)


def _columns(market):
    """Return a lane's six columns, contiguous. Raises ValueError when they differ in length."""
    types = (np.int64, *[np.float64] * 5)
    kept = tuple(np.ascontiguousarray(column, dtype=kind) for column, kind in zip(market, types, strict=True))
    if len({len(column) for column in kept}) != 1:
        raise ValueError("columns differ in length")
    return kept


cdef int _point(Feed* f, market) except -1:
    """Point a feed at a market's columns; the caller keeps them alive."""
    cdef const int64_t[::1] ts = market[0]
    cdef const double[::1] o = market[1], h = market[2], l = market[3], c = market[4], v = market[5]
    cdef Columns* x = &f.columns
    f.at = f.count = f.read = f.is_bad = 0
    f.end = ts.shape[0]
    if f.end:
        x.ts, x.open, x.high, x.low, x.close, x.volume = &ts[0], &o[0], &h[0], &l[0], &c[0], &v[0]
    return 0
