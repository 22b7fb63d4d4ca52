"""The five seams: time, randomness, ids, network and disk.

Everything that is not a pure function of its inputs enters the house through one of these objects,
handed in at construction. The real ones stand beside the simulated ones; the lint of
`tests/docs/test_seams_lint.py` keeps every other source of time, chance or I/O out of the code.
"""
