"""From a strategy's source to something that may trade: forge, verify (later: seal, deploy).

May use the kernel and the strategy registry; knows nothing of sessions, venues or the console.
"""
