"""Market data: import, the catalogue of stored sets, the hub of live events, one source for both.

Uses `venues`, `seams`, pyarrow and numpy; knows nothing of orders.
"""
