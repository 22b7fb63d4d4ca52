"""The loopback Hyperliquid: the venue's real wire format around a seeded market, for rehearsal and proof.

`exchange` is the whole of it without a network; `server` puts it behind a port.
"""
