"""Typed settings: layers, origins, per-symbol and mode overlays, hot reload."""

from engine.config.layers import Loaded, load_settings
from engine.config.reload import Reloader
from engine.config.settings import ConfigError, Settings, config_fingerprint

__all__ = ["ConfigError", "Loaded", "Reloader", "Settings", "config_fingerprint", "load_settings"]
