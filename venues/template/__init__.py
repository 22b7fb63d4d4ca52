"""A small whole adapter to copy (docs/adapters.md). Its venue is invented and lives in memory:
`venues.sandbox.template`. It passes the conformance suite and can be selected nowhere.
"""
