"""What a failure is called: from an exception to a reason code that has a row, a correction, a runbook."""

from __future__ import annotations

import errno

from safety.reasons import REASONS

BY_ERRNO: dict[int, str] = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EFBIG: "disk_full",
    errno.EACCES: "home_not_writable",
    errno.EPERM: "home_not_writable",
    errno.EROFS: "home_not_writable",
    errno.ENOENT: "home_damaged",
    errno.ENOTDIR: "home_damaged",
    errno.EISDIR: "home_damaged",
    errno.EEXIST: "home_damaged",
    errno.ELOOP: "home_damaged",
}
"""The host's own word for what went wrong → reason code; anything else is `host_error`."""


def reason_code(error: BaseException) -> str:
    """Return the code of a failure: its own, the host's, or `engine_defect` for what nobody foresaw."""
    own = getattr(error, "code", None)
    if isinstance(own, str) and own in REASONS:
        return own
    if isinstance(error, OSError):
        return BY_ERRNO.get(error.errno or 0, "host_error")
    return "engine_defect"
