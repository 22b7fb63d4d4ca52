"""Venues: one package per venue behind the `VenueAdapter` contract, and the shared trading vocabulary.

`types` and `contract` are floor 2 and do no I/O; adapters never import `safety` or `engine`.
"""
