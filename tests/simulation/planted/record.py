"""Planted bugs of the audit log, evidence and what people are shown."""

from __future__ import annotations

from typing import Any

from engine import assembly
from engine.handlers import Handlers
from engine.market.hub import HubState
from engine.research import sessions as sessions_module
from engine.research.sessions import SessionFolder
from engine.trading.session import PaperSession
from safety.audit import AuditLog
from safety.canonical import changed
from tests.simulation.planted.plant import Plant, set_, wrap


def audit_skips(old: Any) -> Any:
    def append(self: AuditLog, kind: str, body: Any) -> Any:
        if kind == "alarm":
            self._seq += 1
        return old(self, kind, body)

    return append


def audit_forks(old: Any) -> Any:
    def append(self: AuditLog, kind: str, body: Any) -> Any:
        if kind == "fill":
            self._hash = "0" * 64
        return old(self, kind, body)

    return append


def accepts_garbage(old: Any) -> Any:
    async def on_command(self: Handlers, subject: str, body: bytes) -> bytes:
        answer: bytes = await old(self, subject, body)
        return answer.replace(b'"ok":false', b'"ok":true')

    return on_command


def follows_clock(old: Any) -> Any:
    return lambda self: self._clock.now_ns()


def listed_wrong(old: Any) -> Any:
    def listing(self: SessionFolder) -> Any:
        return tuple(changed(each, sha256="0" * 64) for each in old(self))

    return listing


def written_after(old: Any) -> Any:
    def finish(self: SessionFolder, *args: Any, **figures: Any) -> Any:
        status = old(self, *args, **figures)
        self._disk.append(self.folder / sessions_module.FILES["trades"], b"late")
        return status

    return finish


def deaf_to_failure(old: Any) -> Any:
    def start(self: PaperSession, *args: Any) -> None:
        old(self, *args)
        stop = self.stop_feed
        self.stop_feed = lambda: None if self.hub.state is HubState.FAILED else stop()

    return start


# fmt: off
# ruff: noqa: E501
PLANTS: tuple[Plant, ...] = (
    Plant("audit_skips", "the audit log skips a number", False, wrap(AuditLog, "append", audit_skips)),
    Plant("audit_forks", "the audit chain is cut", False, wrap(AuditLog, "append", audit_forks)),
    Plant("garbage_accepted", "garbage is answered as done", False, wrap(Handlers, "on_command", accepts_garbage)),
    Plant("audit_follows_clock", "the audit log's times go back with the clock", False, wrap(AuditLog, "_stamp_ns", follows_clock)),
    Plant("report_names_other", "a session's report names other bytes", False, wrap(SessionFolder, "_listing", listed_wrong)),
    Plant("written_after_the_end", "an ended session's trades are appended to", False, wrap(SessionFolder, "finish", written_after)),
    Plant("failed_feed_listens", "a failed session's feed goes on listening", False, wrap(PaperSession, "__init__", deaf_to_failure)),
    Plant("kernel_misnamed", "another kernel is named than the one that runs", False, set_(assembly, "kernel_sha256", lambda: "0" * 64)),
)
# fmt: on
