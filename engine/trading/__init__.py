"""Trading: sessions, the pipeline from bar to order, the order manager and the ledger.

The path a bar takes: hub -> session -> kernel -> preflight -> ticket -> order manager -> venue -> ledger.
"""
