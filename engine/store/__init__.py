"""The desk's database: one truth for sessions, intents, orders, fills and decisions (OC-28, OC-37..39)."""

from engine.store.failures import StoreConflict, StoreError, StoreFailed, StoreUnreadable
from engine.store.store import Store, database_path

__all__ = ["Store", "StoreConflict", "StoreError", "StoreFailed", "StoreUnreadable", "database_path"]
