"""A process that holds keys: its memory is closed to others of the same user, and it leaves no core file.

Source: prctl(2), PR_SET_DUMPABLE: /proc/PID/mem, environ and ptrace are then refused to all but root.
"""

from __future__ import annotations

import ctypes
import resource

_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4


def close_memory() -> bool:
    """Make this process undumpable for the rest of its life; False where the host cannot.

    Children that are run (exec) begin open again: each process that holds keys calls this itself.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        library = ctypes.CDLL(None, use_errno=True)
        return bool(library.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0) and is_closed()
    except (OSError, AttributeError):
        return False


def is_closed() -> bool:
    """Tell whether others of the same user are kept out of this process's memory."""
    return bool(ctypes.CDLL(None).prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) == 0)
