"""Judgement: limits, holds, the kill latch, approvals, secrets and the audit chain.

This room may import `venues.types`, `seams`, msgspec and the standard library; never a venue adapter and
never `engine`. It decides and records; it sends nothing. Rules, holds, reasons, alarms and transitions
are tables, and the documents and tests are made from them. Missing evidence always means no.
"""
