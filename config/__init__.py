"""Shipped configuration: `interlock.yaml`, `modes.yaml`, `strategy_overrides.yaml` and an example.

Files named `*.example.yaml` are never loaded; copy one to `<home>/config/interlock.yaml` to use it.
"""
