"""Many symbols under one account, stepped in time order: opens, closes, then ranked entries."""

import hashlib

import numpy as np

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize

from native.indicators cimport il_adx, il_adx_init, il_adx_step
from native.kernel cimport Kernel
from native.lane cimport close_bar, is_good_bar, open_bar
from native.portfolio cimport Limits, rank_candidates, take_stock
from native.replay cimport Columns
from native.state cimport *

_MAGIC = b"ILP1"
_ADX_BARS = 14


cdef class Portfolio(Kernel):
    """A kernel whose lanes share cash, margin and capacity; internal matching, one bar length for all.

    Events of equal time come in order: every symbol's open, every symbol's close, then the entries that
    were wished, ranked by strength rank * 100 + ADX(14), ties by symbol.
    """

    cdef Account account
    cdef Limits limits
    cdef il_adx* trends
    cdef double* ties
    cdef int64_t* by_symbol
    cdef int64_t* found
    cdef double* scores
    cdef list curves

    def __init__(self, config, lanes, matching="internal", run_id="run"):
        cdef int64_t i
        rules = config.portfolio
        if self.matching != "internal":
            raise ValueError("a portfolio is matched by the simulated exchange")
        self.curves = []
        self.trends = <il_adx*>calloc(self.count, sizeof(il_adx))
        self.ties = <double*>calloc(self.count, sizeof(double))
        self.by_symbol = <int64_t*>calloc(self.count, sizeof(int64_t))
        self.found = <int64_t*>calloc(self.count, sizeof(int64_t))
        self.scores = <double*>calloc(self.count, sizeof(double))
        if self.trends == NULL or self.ties == NULL or self.by_symbol == NULL or self.found == NULL or (
            self.scores == NULL
        ):
            raise MemoryError
        self.limits.cash, self.limits.leverage = self.config.cash, self.config.exchange.leverage
        self.limits.max_notional, self.limits.max_entries = rules.max_notional_usd, rules.max_entries
        self.limits.max_positions = rules.max_positions
        ranked = sorted(range(self.count), key=lambda lane: (self.lanes[lane].symbol, lane))
        for i in range(self.count):
            self.by_symbol[i] = ranked[i]
            il_adx_init(self.trends + i, _ADX_BARS)
            self.states[i].is_collecting, self.states[i].account = 1, &self.account
        take_stock(self.states, self.count, &self.account, &self.limits)

    def __dealloc__(self):
        free(self.trends)
        free(self.ties)
        free(self.by_symbol)
        free(self.found)
        free(self.scores)

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
        cdef int64_t i, bad, times
        cdef Columns* columns
        cdef int64_t* ends
        cdef bint is_native = all([s.strategy in ("ema_cross", "rsi_ma_cross", "buy_and_hold") for s in self.lanes])
        if len(markets) != self.count:
            raise ValueError(f"{len(markets)} markets for {self.count} lanes")
        kept = [_columns(market) for market in markets]
        curve_ts = _timeline([market[0] for market in kept])
        curve = np.empty(len(curve_ts))
        cdef double[::1] marks = curve
        columns = <Columns*>calloc(self.count, sizeof(Columns))
        ends = <int64_t*>calloc(2 * self.count, sizeof(int64_t))
        try:
            if columns == NULL or ends == NULL:
                raise MemoryError
            for i in range(self.count):
                _point(columns + i, kept[i])
                ends[i] = len(kept[i][0])
                self._make_room(self.states + i, ends[i])
            times = self._run(columns, ends, ends + self.count, marks, is_native, &bad)
        finally:
            free(columns)
            free(ends)
        self.curves.append((curve_ts[:times], curve[:times]))
        for i in range(self.count):
            self._check_memory(self.states + i)
        if bad >= 0:
            raise ValueError(f"lane {bad}: the bar after {self.states[bad].last_ts} is refused")
        return times

    cdef int64_t _run(
        self, Columns* x, const int64_t* ends, int64_t* at, double[::1] marks, bint is_native, int64_t* bad
    ) except -1:
        """Walk the merged timeline; `at` is where each lane stands."""
        cdef int64_t times = 0, ts
        bad[0] = -1
        if is_native:
            with nogil:
                while times < marks.shape[0]:
                    ts = open_all(self.states, self.count, x, ends, at, bad)
                    if bad[0] >= 0:
                        break
                    close_all(self.states, self.count, x, ends, at, ts, self.trends, self.ties)
                    self._rank(&marks[times])
                    times += 1
            return times
        while times < marks.shape[0]:
            ts = open_all(self.states, self.count, x, ends, at, bad)
            if bad[0] >= 0:
                break
            self._close_each(x, ends, at, ts)
            self._rank(&marks[times])
            times += 1
        return times

    cdef void _rank(self, double* mark) noexcept nogil:
        take_stock(self.states, self.count, &self.account, &self.limits)
        mark[0] = self.account.equity
        rank_candidates(
            self.states, self.count, self.ties, self.by_symbol, self.found, self.scores, &self.account, &self.limits
        )

    cdef int _close_each(self, Columns* x, const int64_t* ends, int64_t* at, int64_t ts) except -1:
        cdef int64_t lane, i
        for lane in range(self.count):
            i = at[lane]
            if i < ends[lane] and x[lane].ts[i] == ts:
                self._close(lane, ts, x[lane].open[i], x[lane].high[i], x[lane].low[i], x[lane].close[i],
                            x[lane].volume[i])
                self.ties[lane] = il_adx_step(self.trends + lane, x[lane].high[i], x[lane].low[i], x[lane].close[i])
                at[lane] += 1
        return 0

    def portfolio_curve(self):
        """Return (ts_ns, equity) of the account at every time stepped."""
        if not self.curves:
            return np.empty(0, np.int64), np.empty(0)
        return tuple(np.concatenate([curve[i] for curve in self.curves]) for i in range(2))

    def export_state(self):
        """Return everything needed to go on bit for bit, with the trends that break ties; curves stay behind."""
        lanes = Kernel.export_state(self)
        trends = PyBytes_FromStringAndSize(<char*>self.trends, self.count * <int64_t>sizeof(il_adx))
        ties = PyBytes_FromStringAndSize(<char*>self.ties, self.count * <int64_t>sizeof(double))
        body = len(lanes).to_bytes(8, "little") + lanes + trends + ties
        return _MAGIC + hashlib.sha256(body).digest() + body

    def import_state(self, state):
        """Take over an exported state. Raises ValueError when it is damaged or of another configuration."""
        body = state[36:]
        if state[:4] != _MAGIC or hashlib.sha256(body).digest() != state[4:36]:
            raise ValueError("portfolio state is damaged")
        cdef int64_t size = int.from_bytes(body[:8], "little")
        cdef int64_t trends = self.count * <int64_t>sizeof(il_adx)
        cdef int64_t ties = self.count * <int64_t>sizeof(double)
        if len(body) != 8 + size + trends + ties:
            raise ValueError("portfolio state is of other lanes")
        Kernel.import_state(self, body[8 : 8 + size])
        memcpy(self.trends, PyBytes_AsString(body) + 8 + size, trends)
        memcpy(self.ties, PyBytes_AsString(body) + 8 + size + trends, ties)
        take_stock(self.states, self.count, &self.account, &self.limits)


cdef inline int64_t open_all(
    LaneState* lanes, int64_t count, Columns* x, const int64_t* ends, const int64_t* at, int64_t* bad
) noexcept nogil:
    """Find the next time and open every bar of it; `bad` names a lane whose bar is refused before any moves."""
    cdef int64_t lane, i, ts = <int64_t>0x7FFFFFFFFFFFFFFF
    for lane in range(count):
        if at[lane] < ends[lane] and x[lane].ts[at[lane]] < ts:
            ts = x[lane].ts[at[lane]]
    for lane in range(count):
        i = at[lane]
        if i < ends[lane] and x[lane].ts[i] == ts and not (
            ts > lanes[lane].last_ts
            and is_good_bar(x[lane].open[i], x[lane].high[i], x[lane].low[i], x[lane].close[i], x[lane].volume[i])
        ):
            bad[0] = lane
            return ts
    for lane in range(count):
        if at[lane] < ends[lane] and x[lane].ts[at[lane]] == ts:
            open_bar(lanes + lane, ts, x[lane].open[at[lane]])
    return ts


cdef inline void close_all(
    LaneState* lanes, int64_t count, Columns* x, const int64_t* ends, int64_t* at, int64_t ts, il_adx* trends,
    double* ties
) noexcept nogil:
    cdef int64_t lane, i
    for lane in range(count):
        i = at[lane]
        if i < ends[lane] and x[lane].ts[i] == ts:
            close_bar(lanes + lane, ts, x[lane].open[i], x[lane].high[i], x[lane].low[i], x[lane].close[i],
                      x[lane].volume[i])
            ties[lane] = il_adx_step(trends + lane, x[lane].high[i], x[lane].low[i], x[lane].close[i])
            at[lane] += 1





def _timeline(times):
    """Return every time at which some lane has a bar, once."""
    if all([np.array_equal(own, times[0]) for own in times[1:]]):
        return times[0].copy()
    return np.unique(np.concatenate(times))


def _columns(market):
    """Return a lane's six columns, contiguous. Raises ValueError when they differ in length or times fall."""
    types = (np.int64, *[np.float64] * 5)
    kept = tuple(np.ascontiguousarray(column, dtype=kind) for column, kind in zip(market, types, strict=True))
    if len({len(column) for column in kept}) != 1:
        raise ValueError("columns differ in length")
    if len(kept[0]) > 1 and not np.all(kept[0][1:] > kept[0][:-1]):
        raise ValueError("times must go forward")
    return kept


cdef int _point(Columns* x, market) except -1:
    """Point at a market's columns; the caller keeps them alive."""
    cdef const int64_t[::1] ts = market[0]
    cdef const double[::1] o = market[1], h = market[2], l = market[3], c = market[4], v = market[5]
    if ts.shape[0]:
        x.ts, x.open, x.high, x.low, x.close, x.volume = &ts[0], &o[0], &h[0], &l[0], &c[0], &v[0]
    return 0
