"""Recorded order books: each source's files to columns of events, by that source's own rules.

feed.py         what every reader returns: events, scale, gaps, faults by message number
binance.py      raw websocket logs (U/u/pu continuity, REST snapshot) and depth CSV files
tardis.py       incremental_book_L2 CSV (is_snapshot)
kraken.py       book channel v1 and v2, CRC32 verified at every message
kraken_orders.py level3 channel v2: orders, CRC32 over their queues
kraken_wire.py  lines and digits of both
databento.py    market by order, DBN or CSV (F_LAST)
hyperliquid.py  l2Book snapshots
quoting.py      a market maker against a feed: latency, queue, fills, profit
replay.py       a feed through a native book: counts, speed, top of book
"""
