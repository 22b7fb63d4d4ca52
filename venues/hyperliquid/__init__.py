"""Hyperliquid: precision, signing, actions and outcomes, and the adapter behind `VenueAdapter`.

Nothing here knows the engine or safety; bytes leave through the wire that is handed in.
"""
