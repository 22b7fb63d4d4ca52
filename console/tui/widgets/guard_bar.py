"""The guard bar: mounted from the start, shown by ^X, latched until read."""

from __future__ import annotations

from collections.abc import Sequence

from console.tui import text
from console.tui.kill import CHOICES, DIRECT, FLATTEN, KillFlow, Stage
from console.tui.widgets.lines import Line, Lines
from engine.api.commands import FlattenDone, KillDone
from engine.api.views import StatusView
from seams.clock import Clock


class GuardBar(Lines):
    """Draws a `KillFlow`; every line begins and ends with `!!` so that no colour is needed."""

    def __init__(self, flow: KillFlow, clock: Clock) -> None:
        super().__init__(id="guard")
        self.flow, self.clock = flow, clock
        self.operator = ""
        self.status: StatusView | None = None
        """The engine's own status, while it may be believed: what is latched although no answer came."""

    def lines(self, width: int, height: int) -> Sequence[Line]:
        now = self.clock.now_ns()
        body = {
            Stage.DOWN: list[str],
            Stage.ARMED: lambda: self._armed(now),
            Stage.SENT: lambda: self._sent(now),
            Stage.UNCONFIRMED: lambda: self._unconfirmed(now),
            Stage.REFUSED: self._refused,
            Stage.DONE: self._done,
        }[self.flow.stage]()
        if not body:
            return []
        title, *rest = body
        edge = "!" * max(2, (width - len(title) - 2) // 2)
        head = f"{edge} {title} {edge}"
        lines: list[Line] = [((head + "!" * (width - len(head)), "halt"),)]
        lines += [(("!! ", "halt"), (text.fit(row, width - 6), "halt-text"), (" !!", "halt")) for row in rest]
        lines += [(("!! ", "halt"), (" " * (width - 6), "halt-text"), (" !!", "halt"))] * (
            height - len(lines) - 1
        )
        return [*lines, (("!" * width, "halt"),)]

    def _armed(self, now_ns: int) -> list[str]:
        flow, choice = self.flow, self.flow.choice
        counts = flow.counts
        facts = {
            "sessions": str(counts.sessions) if counts else "?",
            "orders": str(counts.working_orders) if counts else "?",
            "positions": str(counts.positions) if counts else "?",
            "net": text.signed(counts.net_usd, 0) if counts else "?",
            "gross": text.money(counts.gross_usd, 0) if counts else "?",
        }
        slots = " ".join(choice.word[i] if i < len(flow.typed) else "_" for i in range(len(choice.word)))
        levels = "   ".join(f"[{c.title}]" if c is choice else f" {c.title} " for c in CHOICES)
        return [
            f"KILL ARMED  {flow.seconds_left(now_ns)}s  scope ALL",
            choice.does.format(**facts),
            choice.keeps.format(**facts),
            f"Tab: {levels}",
            f"Type {choice.word} then Enter:   {slots}     Esc = disarm     {flow.note}",
        ]

    def _sent(self, now_ns: int) -> list[str]:
        return [
            f"{self.flow.choice.word} SENT  +{self.flow.elapsed_ms(now_ns) / 1000:.1f} s",
            "Waiting for the engine to confirm the latch. Not done until it says so.",
            f"id {self.flow.request_id}, sent three times under one id: it acts once.",
        ]

    def _unconfirmed(self, now_ns: int) -> list[str]:
        flow, status = self.flow, self.status
        levels = ("halt_all",) if flow.choice.word == "KILL" else ("close_only", "halt_all")
        if status is not None and status.kill_level in levels:
            return self._latched(status, now_ns)
        again = f"r = send again, same id {flow.request_id} ({flow.sends}x3)   Esc = close"
        if flow.on_disk is not None:
            return self._on_disk(flow.on_disk, again, now_ns)
        shut = "Gates SHUT from here; NO cancel is known."
        return [
            f"{flow.choice.word} UNCONFIRMED  +{flow.elapsed_ms(now_ns) / 1000:.1f} s",
            f"{flow.reason or 'The engine has not answered yet.'}  "
            f"{shut if flow.is_shut else 'Assume NOTHING was stopped.'}",
            again,
            f"Outside this program too:  {FLATTEN if flow.choice.word == 'FLATTEN' else DIRECT}",
            "Then look at the venue itself: its own page or app is the last word.",
        ]

    def _on_disk(self, done: KillDone, again: str, now_ns: int) -> list[str]:
        """No engine answered: the latch is written beside it, and nobody has cancelled."""
        passed_s = self.flow.elapsed_ms(now_ns) / 1000
        return [
            f"{self.flow.choice.word} LATCHED ON DISK, CANCELS UNCONFIRMED  +{passed_s:.1f} s",
            f"new orders  {done.level} on disk since {text.hms_ms(done.latched_at_ns)}Z: an engine that",
            "            runs obeys at once; orders may still work at the venue.",
            again,
            "Look at the venue itself: its own page or app is the last word.",
        ]

    def _latched(self, status: StatusView, now_ns: int) -> list[str]:
        """No answer came, and the engine says by itself that it is latched: what is done, and what is not."""
        flow = self.flow
        what = "FLAT IS NOT VERIFIED" if flow.choice.word == "FLATTEN" else "CANCELS UNCONFIRMED"
        working = f"{status.orders_working} orders still work" if status.orders_working else "none works now"
        return [
            f"{flow.choice.word} LATCHED, {what}  +{flow.elapsed_ms(now_ns) / 1000:.1f} s",
            f"new orders  BLOCKED: {status.kill_level} since {text.hms_ms(status.killed_at_ns)}Z by "
            f"{status.killed_by}",
            f"cancels     {working}; venues up {status.venues_up}/{status.venues_total}; asked again each s",
            "r = send again under the same id   Esc = close, then 4 = orders",
            "Look at the venue itself: its own page or app is the last word.",
        ]

    def _refused(self) -> list[str]:
        return [
            f"{self.flow.choice.word} REFUSED",
            self.flow.reason,
            f"Outside this program too:  {DIRECT}",
            "Enter = close",
        ]

    def _done(self) -> list[str]:
        done, ack = self.flow.done, f"engine ack +{self.flow.ack_ms:.0f} ms from Enter"
        if isinstance(done, KillDone):
            word = "HALTED" if done.level != "close_only" else "CLOSE ONLY"
            blocked = "BLOCKED (latched)" if word == "HALTED" else "only closing orders pass (latched)"
            return [
                f"{word}  {text.hms_ms(done.latched_at_ns)}Z  by {self.operator}",
                f"{ack}   latch {done.latch_ms:.1f} ms   id {done.kill_id}",
                f"new orders {blocked}",
                f"{self._cancels(done)}   positions kept {done.positions_kept}",
                "Resume is NOT here: 7 = GATES.   Enter = ok",
            ]
        if isinstance(done, FlattenDone):
            word = "FLAT" if done.is_flat else "NOT FLAT"
            return [
                f"{word}  close_only latched",
                f"{ack}   closed {', '.join(done.closed) or 'nothing'}",
                f"remaining: {', '.join(done.remaining) or 'none'}",
                "Resume is NOT here: 7 = GATES.   Enter = ok",
            ]
        return [f"{self.flow.choice.word} CONFIRMED", ack, "Enter = ok"]

    def _cancels(self, done: KillDone) -> str:
        """Say how far the cancels have come; what was open when the answer came is told from the status."""
        said = f"cancels sent {done.cancels_sent}, confirmed {done.cancels_confirmed}"
        if done.cancels_confirmed >= done.cancels_sent:
            return said
        left = "?" if self.status is None else str(self.status.orders_working)
        return f"{said}: CANCEL UNCONFIRMED, {left} still work (4)"
