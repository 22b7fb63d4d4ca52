"""Cells of many compiled lanes over the same bars, side by side: what they share is done once for all of them.

Chunk by chunk the bars are looked at once, the ATR and every distinct average of the built-in crossings move
once, then each lane's account, then a group's marks together. The bits are those of `sweep.replay_cell`, which
takes any lane, one at a time.
"""

import numpy as np

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free

from native.account cimport open_result
from native.forged cimport Forged, ForgedCalls, replay_answers, replay_each
from native.kernel cimport Kernel
from native.replay cimport (
    CHUNK, SPARE, WORDS, Answers, Columns, Front, account_for, columns_from, compiled_answers, good_bars, ilc_advance,
    ilc_turn, ilc_turn_word,
)
from native.state cimport KEEP, KIND_EMA_CROSS, KIND_FORGED, KIND_PYTHON, LaneState, Trade
from native.sweep cimport (
    ILK_BLOCK, ILK_GROUP, ilk_averages, ilk_cell, ilk_compare, ilk_exact, ilk_finish, ilk_flips, ilk_mark_cells,
    ilk_marks, ilk_trade, ilk_width,
)

from native.strategy import StrategyFailed
from native.sweep import CELL_DTYPE, WIDTHS

assert CHUNK == ILK_BLOCK, "the lanes' block is the account's chunk"


# One lane and what its cell adds up.
cdef struct Runner:
    LaneState* lane
    const ForgedCalls* forged   # NULL for a built-in
    int64_t fast                # numbers of its averages among the shared ones; -1: it has none
    int64_t slow
    uint64_t was_above          # at the last bar of the chunk before: bit 0
    uint64_t was_below
    int64_t error               # number of the place that failed, 0: none
    ilk_exact exact


# What a chunk has for every lane.
cdef struct Chunk:
    Columns columns
    int64_t start
    int64_t good                # bars that are
    int64_t room                # bars from the first to the end of the columns
    double[CHUNK] atr


cdef class _Batch:
    """The lanes of one call, and the memory that they share."""

    cdef Runner* runners
    cdef int64_t count
    cdef int64_t groups
    cdef list kernels
    cdef list kept              # arrays that are pointed into
    cdef LaneState clock        # of the bars alone: the last time, the ATR
    cdef Columns columns
    cdef int64_t bars
    cdef int width
    cdef ilk_flips averages
    cdef double* values         # of the shared averages
    cdef double* rows           # of a chunk's averages, CHUNK apart
    cdef double* results        # of a group's bars, CHUNK + SPARE apart
    cdef double* cash
    cdef ilk_marks* marks       # a group each
    cdef ilk_cell* cells
    cdef readonly object filled

    def __cinit__(self, kernels, columns, int width):
        self.kernels, self.kept, self.width, self.count = list(kernels), [], width, len(kernels)
        self.groups = (self.count + ILK_GROUP - 1) // ILK_GROUP
        self.runners = <Runner*>calloc(max(1, self.count), sizeof(Runner))
        if self.runners == NULL:
            raise MemoryError
        self._point(*columns)
        for index, kernel in enumerate(self.kernels):
            self._enlist(index, kernel)
        self._share_averages()
        self._make_rooms()

    def __dealloc__(self):
        free(self.runners)

    def _point(self, const int64_t[::1] ts_ns, const double[::1] open, const double[::1] high,
               const double[::1] low, const double[::1] close, const double[::1] volume):
        self.bars = close.shape[0]
        if not ts_ns.shape[0] == open.shape[0] == high.shape[0] == low.shape[0] == volume.shape[0] == self.bars:
            raise ValueError("columns differ in length")
        if self.bars == 0:
            raise ValueError("columns are empty")
        self.kept.append((ts_ns, open, high, low, close, volume))
        self.columns.ts, self.columns.open, self.columns.high = &ts_ns[0], &open[0], &high[0]
        self.columns.low, self.columns.close, self.columns.volume = &low[0], &close[0], &volume[0]

    cdef _enlist(self, int64_t index, Kernel kernel):
        cdef Runner* r = self.runners + index
        cdef LaneState* s = kernel.states
        cdef Forged forged
        if kernel.count != 1 or s.bars or s.equity_count or not kernel.config.keeps_equity:
            raise ValueError("a cell needs a fresh kernel of one lane that keeps equity")
        if s.rules.is_external or s.rules.kind == KIND_PYTHON:
            raise ValueError("side by side run compiled lanes with internal matching; use replay_cell")
        r.lane, r.fast, r.slow = s, -1, -1
        if s.rules.kind == KIND_FORGED:
            forged = kernel.strategies[0]
            r.forged = &forged.calls
        if index == 0:
            self.clock = s[0]

    def _share_averages(self):
        """Give every distinct period of the built-in crossings a number and a column."""
        cdef Runner* r
        cdef int64_t i
        cdef double* a
        cdef double* b
        numbers = {}
        for i in range(self.count):
            r = self.runners + i
            if r.lane.rules.kind == KIND_EMA_CROSS:
                r.fast = numbers.setdefault(r.lane.ema_fast.warmup, len(numbers))
                r.slow = numbers.setdefault(r.lane.ema_slow.warmup, len(numbers))
        padded = (len(numbers) + 7) // 8 * 8
        a, b = self._zeros(padded), self._zeros(padded)
        self.values, self.rows = self._zeros(padded), self._zeros(padded * CHUNK)
        for i in range(self.count):
            r = self.runners + i
            if r.fast >= 0:
                a[r.fast], b[r.fast] = r.lane.ema_fast.a, r.lane.ema_fast.b
                a[r.slow], b[r.slow] = r.lane.ema_slow.a, r.lane.ema_slow.b
        self.averages.bars, self.averages.close = self.bars, self.columns.close
        self.averages.periods, self.averages.a, self.averages.b = len(numbers), a, b

    def _make_rooms(self):
        cdef int64_t i, g
        self.filled = np.zeros(self.count, CELL_DTYPE)
        cdef uint64_t address = self.filled.ctypes.data
        self.cells = <ilk_cell*>address
        self.results = self._zeros(ILK_GROUP * (CHUNK + SPARE))
        self.cash = self._zeros(self.groups * ILK_GROUP)
        self.marks = <ilk_marks*>self._zeros(self.groups * (sizeof(ilk_marks) // sizeof(double)))
        for i in range(self.groups * ILK_GROUP):
            # Lanes past the last have a cell's money, so that no division is by zero.
            self.cash[i] = self.kernels[min(i, self.count - 1)].config.cash
            g = i % ILK_GROUP
            self.marks[i // ILK_GROUP].previous[g] = self.marks[i // ILK_GROUP].peak[g] = self.cash[i]
            self.marks[i // ILK_GROUP].low[g] = self.marks[i // ILK_GROUP].low_peak[g] = self.cash[i]

    cdef double* _zeros(self, int64_t count) except NULL:
        """Return doubles that start at a multiple of 64 bytes, as the widest lanes are loaded."""
        room = np.zeros(count + 8)
        self.kept.append(room)
        cdef uint64_t address = room.ctypes.data
        return <double*>((address + 63) & ~<uint64_t>63)

    cdef void look(self, Chunk* x, int64_t start) noexcept nogil:
        """Look at a chunk's bars and move what belongs to no lane."""
        cdef Front front
        cdef int64_t size = CHUNK if start + CHUNK < self.bars else self.bars - start
        x.start, x.columns, x.room = start, columns_from(&self.columns, start), self.bars - start
        x.good = good_bars(&self.clock, &x.columns, size, x.atr)
        if x.good < size:
            return
        front.at, front.value = 0, self.clock.atr.value
        ilc_advance(&front, &x.columns, size, size, self.clock.atr.b, x.atr)
        self.clock.atr.value, self.clock.atr.previous_close = front.value, x.columns.close[size - 1]
        self.clock.atr.count += size
        self.clock.last_ts = x.columns.ts[size - 1]
        ilk_averages(self.width, &self.averages, start, size, self.values, self.rows)

    cdef int64_t end_of(self, int64_t group) noexcept nogil:
        """The number after a group's last lane."""
        return (group + 1) * ILK_GROUP if (group + 1) * ILK_GROUP < self.count else self.count

    cdef void account(self, Chunk* x, int64_t group) noexcept nogil:
        """Move the accounts of a group over a chunk; each marks its bars in a row of its own."""
        cdef int64_t i
        cdef Runner* r
        for i in range(group * ILK_GROUP, self.end_of(group)):
            r = self.runners + i
            if r.error:
                continue
            r.lane.equity = self.results + i % ILK_GROUP * (CHUNK + SPARE)
            if r.forged == NULL:
                self.account_builtin(x, r)
            elif r.forged.signals == NULL:
                replay_each(r.lane, r.forged, &x.columns, x.good, &r.error)
            else:
                replay_answers(r.lane, r.forged, &x.columns, x.atr, x.good, x.room, x.good, &r.error)

    cdef void account_builtin(self, Chunk* x, Runner* r) noexcept nogil:
        cdef signed char[CHUNK] want
        cdef Answers given
        given.wish, given.atr, given.averaged, given.room = NULL, x.atr, x.good, x.room
        if r.fast >= 0:
            self.cross(x, r, &given)
        else:
            compiled_answers(r.lane, &x.columns, want, x.good)
            ilc_turn(want, KEEP, &given.turns)
        account_for(r.lane, &x.columns, &given, x.good)

    cdef void cross(self, Chunk* x, Runner* r, Answers* given) noexcept nogil:
        """What crossing averages want, 64 bars a word: `lane.cross_signal` on the shared columns."""
        cdef uint64_t[WORDS] above, below
        cdef uint64_t up, down, heard
        cdef int64_t word, silent = r.lane.rules.first_bar - x.start
        ilk_compare(self.width, self.rows + r.fast * CHUNK, self.rows + r.slow * CHUNK, above, below)
        for word in range(WORDS):
            up, down = above[word], below[word]
            if r.lane.rules.is_bracket:
                up, down = up & ~(up << 1 | r.was_above), down & ~(down << 1 | r.was_below)
                r.was_above, r.was_below = above[word] >> 63, below[word] >> 63
            heard = ~<uint64_t>0
            if silent > 64 * word:
                heard = heard << (silent - 64 * word) if silent < 64 * (word + 1) else 0
            ilc_turn_word(&given.turns, word, up & heard, down & heard)
        ilc_turn_word(&given.turns, WORDS, 0, 0)

    cdef void drain(self, int64_t group, int64_t count) noexcept nogil:
        """Add a group's new records up and forget them."""
        cdef const double* results[ILK_GROUP]
        cdef int64_t i, k, first = group * ILK_GROUP
        cdef Runner* r
        cdef Trade* t
        for i in range(first, self.end_of(group)):
            r = self.runners + i
            for k in range(r.lane.trade_count):
                t = r.lane.trades + k
                ilk_trade(
                    self.cells + i, &r.exact, t.entry_bar, t.exit_bar, <double>t.side * (<double>t.units / 1e6), t.pnl
                )
            r.lane.equity = NULL
            r.lane.trade_count = r.lane.decision_count = r.lane.equity_count = 0
        for i in range(ILK_GROUP):
            results[i] = self.results + i * (CHUNK + SPARE)
        ilk_mark_cells(self.width, results, count, self.cash + first, self.marks + group)

    cdef int64_t run(self, Chunk* x, int64_t end) noexcept nogil:
        """Run all chunks before the one that holds bar `end`; return the first bad bar, or -1."""
        cdef int64_t start = 0, group
        while start < end:
            self.look(x, start)
            if x.good < CHUNK:
                return start + x.good
            for group in range(self.groups):
                self.account(x, group)
                self.drain(group, x.good)
            start += CHUNK
        return -1

    cdef void finish(self, int64_t index) noexcept nogil:
        cdef Runner* r = self.runners + index
        cdef LaneState* s = r.lane
        cdef ilk_cell* cell = self.cells + index
        cdef const ilk_marks* m = self.marks + index // ILK_GROUP
        cdef int64_t k = index % ILK_GROUP
        cell.fees = s.fees
        ilk_finish(cell, &r.exact, self.cash[index], s.bars, s.side, s.entry_bar, <double>s.side * s.quantity,
                   open_result(s, s.last_close))
        cell.return_sum, cell.return_squares = m.sum[k], m.squares[k]
        cell.low, cell.low_peak = m.low[k], m.low_peak[k]

    def fill(self, bint closes):
        """Run all bars, fill the cells and return what failed, by lane. Raises ValueError at a bad bar."""
        cdef Chunk x
        cdef int64_t last = (self.bars - 1) // CHUNK * CHUNK, bad, i, group
        cdef Kernel kernel
        with nogil:
            bad = self.run(&x, last)
            if bad < 0:
                self.look(&x, last)
                bad = -1 if x.good == self.bars - last else last + x.good
        if bad >= 0:
            raise ValueError(f"bar {bad} refused at {self.columns.ts[bad]}")
        for group in range(self.groups):
            with nogil:
                self.account(&x, group)
            for i in range(group * ILK_GROUP, self.end_of(group)):
                if closes and not self.runners[i].error:
                    self.kernels[i].finish(0)
            self.drain(group, x.good)
        failures = [None] * self.count
        for i in range(self.count):
            kernel = self.kernels[i]
            kernel._check(kernel.states)
            if self.runners[i].error:
                failures[i] = _failure(kernel, self.runners[i].error)
                self.filled[i] = np.zeros((), CELL_DTYPE)
            else:
                self.finish(i)
        return failures


cdef object _failure(Kernel kernel, int64_t error):
    """Return the `StrategyFailed` that a replay would have raised."""
    cdef Forged forged = kernel.strategies[0]
    try:
        forged._fail(error)
    except Exception as failure:
        return StrategyFailed(str(failure))


def replay_cells(kernels, ts_ns, open, high, low, close, volume, *, bint closes=False, int width=0):
    """Replay fresh one-lane kernels over the same bars; return their cells and what failed.

    `kernels`: compiled lanes (built-in or forged) with internal matching that keep equity, at most a few dozen for
    their states to stay in the cache; they are spent afterwards. `closes`: as for `replay_cell`. `width`: bits of
    the lanes that compare and mark, 0 for the widest. Returns (`CELL_DTYPE` array, list of `StrategyFailed` or None by
    lane); the cell of a lane that failed is zero. Leaves the GIL. Raises ValueError at a bad bar and for a kernel that
    cannot run here.
    """
    if width not in (0, *WIDTHS) or width > ilk_width():
        raise ValueError(f"width must be 0 or one of {WIDTHS}, at most {ilk_width()} here")
    if not kernels:
        return np.zeros(0, CELL_DTYPE), []
    batch = _Batch(kernels, (ts_ns, open, high, low, close, volume), width or ilk_width())
    failures = batch.fill(closes)
    return batch.filled, failures
