"""Kraken spot behind the `VenueAdapter` contract: client, translate, book, stream, adapter.

krakenex signs; our transport sends. The room knows the contract and the vocabulary, and neither safety
nor the engine.
"""
