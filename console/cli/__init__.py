"""The command line: one module per noun; every act of the console has a command here.

A command asks the engine over the bus, or one of the engine's façades where no engine is needed. Only
`output.py` writes to stdout and only `diagnostics.py` to stderr; nothing heavy is imported at the top.
"""
