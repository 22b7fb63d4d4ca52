"""Verification: every way of running a strategy, against each other, over one declared corpus.

`corpus` says which bars; `answers` compares what a strategy says and keeps, bar by bar; `accounts` what the
kernel makes of it; `verify` puts them together and writes the report that the later gates ask for.
"""
