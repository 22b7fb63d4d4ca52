"""The forge: a strategy's Python source, checked and compiled into a freestanding native library.

source -> `subset` (what may be written, typed) -> `ir` -> `emit` (C text) -> `build` (compiler, checks,
folder) -> `load` (sealed memory, one instance for the kernel). `docs/forge.md` describes the subset.
"""
