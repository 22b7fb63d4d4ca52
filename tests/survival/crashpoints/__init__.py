"""Crash points: every write of a scenario written down, and every way a crash may leave it replayed.

    python -m tests.survival.crashpoints            # all subjects, tens of thousands of states

A scenario runs as a process of its own under a small shim that writes down each change to its files.
`states` makes of that log every prefix (kill -9), every torn last write and drawn power losses; each
subject says of a state whether what was acknowledged is there and everything can be read.
"""
