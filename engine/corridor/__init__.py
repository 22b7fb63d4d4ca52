"""The corridor: one order, step by step, each with its evidence, from preflight to the last fill.

A session is a folder; every step writes one artifact that names what it stands on, and none can be skipped,
repeated or done on something stale. The order itself goes through the order manager's one gate.
"""
