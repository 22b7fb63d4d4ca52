"""The kernel: one compiled state machine that decides in back-test, replay, paper and live.

No clock, no randomness, no I/O, no knowledge of venues: (state, event, params) -> (state', intents).
Doubles only, one order of evaluation, no FMA contraction. `reference.py` is the plain-Python twin.

    codes.py        reason, gate and action codes (mirrored from lane.pxd, compared by a test)
    intents.py      what goes in (KernelConfig, LaneSpec) and out (OrderIntent, KernelFill)
    indicators.*    EMA, SMA, ATR, RSI: inline C steps and the Python classes around them
    matching.*      the simulated exchange's arithmetic, shared with the paper venue
    strategy.*      what a strategy author subclasses: Strategy, param, Bar, Signal
    lane.pxd        the state of one strategy on one symbol, and its open and close steps
    kernel.*        the machine: lanes, replay, hashes, records, state export
    identity.py     sha256 of the loaded binaries;  selfcheck.py  kernel against reference
"""
