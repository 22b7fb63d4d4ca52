"""The engine: sole authority over runs, sessions, orders, evidence and alarms.

It may import `safety`, `venues`, `native` and `seams`. Consoles and commands know only `engine.api`.
"""
