"""Replay parity: what was recorded is executed again and held against its record, decision by decision.

trace.py      two traces compared: every difference has one cause
contract.py   what must be equal before traces compare at all
report.py     replay_report.json, release_blocker.json and its judge
runs.py       a run made again from its folder
portfolios.py a portfolio run, lane by lane
sessions.py   a paper session made again from its journal of inputs
replay.py     the command: find, execute, compare, write
"""
