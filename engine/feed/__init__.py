"""The feed: a venue's public market data, kept and told by a process that needs no key and no engine.

`candles` keeps closed bars longer than the venue does, `coverage` says which are missing and whether the
venue itself was asked about them, `backfill` asks; the process, its way to the engine and its socket for
questions stand beside them. Nothing here may place an order.
"""
