"""Sweeps: many parameter sets of one strategy over one window; judged, ranked, published as a run folder."""
