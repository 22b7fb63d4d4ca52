"""The kernel: one compiled state machine that decides in back-test, replay, paper and live.

No clock, no randomness, no I/O, no knowledge of venues: (state, event, params) -> (state', intents).
Doubles only, one order of evaluation, no FMA contraction. `reference.py` is the plain-Python twin.

    codes.py        reason, gate and action codes (mirrored from state.pxd, compared by a test)
    intents.py      what goes in (KernelConfig, LaneSpec) and out (OrderIntent, KernelFill)
    indicators.*    every indicator: freestanding C steps (with windows.h, averages.h), Python classes
    indicator_table.py  the same as data: names, arguments, inputs, outputs
    matching.*      the simulated exchange's arithmetic, shared with the paper venue
    strategy.*      what a strategy author subclasses: Strategy, param, Bar, Signal
    state.pxd       the state of one strategy on one symbol, and its records
    lane.pxd        the open and close steps that move that state
    replay.pxd      the same steps over columns of bars, checked a chunk ahead
    kernel.*        the machine: lanes, replay, hashes, records, state export
    depth.py        what a feed says to a book: columns of level and order events, faults
    levels.*        one side of a book: a flat window of ticks with a bitmap, far levels in idmap.*
    book.*          the shell of both;  book_l2.* price levels;  book_l3.*, order_step.pxd every order
    queue.pxd       where we stand in a queue of which only the size is known
    quoting.*, quoting_step.pxd, quotes.py   quoting against a recording, with latency and queue
    identity.py     sha256 of the loaded binaries;  selfcheck.py  kernel against reference
"""
