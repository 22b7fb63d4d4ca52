"""What a child process uses, read from /proc; nothing on hosts without it."""

from __future__ import annotations

import os
from pathlib import Path

from seams.disk import Disk
from venues.types import Record

BYTES_PER_MB = 1_000_000


class ProcessUse(Record):
    """Processor time since the start in seconds, resident memory in megabytes (10^6 bytes)."""

    cpu_s: float
    rss_mb: float


def process_use(pid: int, disk: Disk) -> ProcessUse | None:
    """Return what a process uses, None where it is gone or the host does not say. Source: proc(5)."""
    try:
        stat = disk.read(Path(f"/proc/{pid}/stat")).decode(errors="replace")
        pages = int(disk.read(Path(f"/proc/{pid}/statm")).split()[1])
    except (OSError, ValueError, IndexError):
        return None
    fields = stat.rpartition(")")[2].split()  # the name in brackets may hold spaces
    ticks = int(fields[11]) + int(fields[12])  # utime and stime, fields 14 and 15
    return ProcessUse(
        cpu_s=ticks / os.sysconf("SC_CLK_TCK"), rss_mb=pages * os.sysconf("SC_PAGE_SIZE") / BYTES_PER_MB
    )
