"""Buffers of records; nothing of it is called from Python."""
