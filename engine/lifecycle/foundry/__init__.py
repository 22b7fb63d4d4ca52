"""The foundry: a sentence of a small grammar becomes a component, built and proven in three languages.

sentence -> `grammar` -> `component` (the IR, JSON) -> `twin` (the Python text) -> the forge's program ->
`targets` (Python, Cython, C++) -> `make` (folders, records, verification). `docs/foundry.md` has the grammar.
"""
