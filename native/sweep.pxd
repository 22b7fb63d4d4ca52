"""Declarations of `sweep_lanes.h`: what cells add up, and the lanes that fill them."""

from libc.stdint cimport int64_t, uint64_t

cdef extern from "sweep_lanes.h" nogil:
    ctypedef struct ilk_cell:
        int64_t bars, trades, wins, side, is_inexact
        double fees, gross_profit, gross_loss, final_equity, return_sum, return_squares, low, low_peak
        uint64_t digest

    ctypedef struct ilk_exact:
        int64_t is_inexact

    ctypedef struct ilk_flips:
        int64_t bars
        const double *close
        const double *buy
        const double *sell
        const double *quantity
        double fee
        double cash
        int64_t periods
        const double *a
        const double *b
        int64_t combos
        const int64_t *fast
        const int64_t *slow
        const int64_t *first_bar
        int64_t has_marks
        ilk_cell *cells

    ctypedef struct ilk_marks:
        double* previous
        double* peak
        double* low
        double* low_peak
        double* sum
        double* squares

    enum:
        ILK_BLOCK
        ILK_GROUP

    void ilk_trade(ilk_cell*, ilk_exact*, int64_t entry_bar, int64_t exit_bar, double held, double pnl)
    void ilk_mark_all(ilk_cell*, double* previous, double* peak, double cash, const double* results, int64_t count)
    void ilk_finish(ilk_cell*, ilk_exact*, double cash, int64_t bars, int64_t side, int64_t entry_bar, double held,
                    double open_result)
    int ilk_width()
    int ilk_sweep_flips(int width, const ilk_flips*)
    void ilk_averages(int width, const ilk_flips*, int64_t start, int64_t count, double* state, double* columns)
    void ilk_compare(int width, const double* f, const double* g, uint64_t* above, uint64_t* below)
    void ilk_mark_cells(int width, const double* const* results, int64_t count, const double* cash, ilk_marks*)
