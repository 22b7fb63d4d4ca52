"""A loopback Kraken spot exchange: REST and WebSocket v2 as the venue speaks them, no money behind it.

It is written from the venue's documentation, apart from our adapter: what both get wrong alike, only the
recordings and vectors can tell. `exchange.KrakenExchange` is the whole of it without a network.
"""
