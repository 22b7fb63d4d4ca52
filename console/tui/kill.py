"""The kill flow as a state machine: guard down, armed, sent, and what the engine answered. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from console.actions import SCREEN_KEYS
from engine.api.commands import CommandBody, Flatten, FlattenDone, Kill, KillArmed, KillDone
from seams.clock import NS_PER_MS, NS_PER_S

ARMED_FOR_S = 10
UNCONFIRMED_AFTER_S = 0.5
READ_BEFORE_CLOSING_S = 1.0
DIRECT = "interlock kill --direct --confirm KILL"
FLATTEN = "interlock flatten --direct --confirm FLATTEN"


class Stage(StrEnum):
    DOWN = "down"
    ARMED = "armed"
    SENT = "sent"
    UNCONFIRMED = "unconfirmed"
    REFUSED = "refused"
    DONE = "done"


@dataclass(frozen=True)
class Choice:
    """One level of stopping, with the word that confirms it."""

    word: str
    title: str
    does: str
    keeps: str

    def body(self, nonce: str) -> CommandBody:
        """Return the command this choice sends; the engine wants KILL on a `Kill` of either level."""
        if self.word == "FLATTEN":
            return Flatten(confirm=self.word)
        level = "halt_all" if self.word == "KILL" else "close_only"
        return Kill(level=level, cancel_orders=self.word == "KILL", confirm="KILL", nonce=nonce)


CHOICES: tuple[Choice, ...] = (
    Choice(
        "KILL",
        "halt_all + cancel",
        "stops NEW orders in {sessions} sessions, cancels {orders} working orders",
        "KEEPS {positions} positions (net {net}). To close them Tab to flatten.",
    ),
    Choice(
        "CLOSE",
        "close_only",
        "stops orders that ADD risk in {sessions} sessions; closing orders still pass",
        "KEEPS {positions} positions (net {net}) and {orders} working orders.",
    ),
    Choice(
        "FLATTEN",
        "flatten",
        "latches close_only, then CLOSES {positions} positions (gross {gross}) at market",
        "Orders are reduce-only; the engine verifies flat and says what remains.",
    ),
)


class KillFlow:
    """Where the guard stands. The caller sends when `key` returns a body and reports what came back."""

    def __init__(self) -> None:
        self.stage = Stage.DOWN
        self.choice_index = 0
        self.typed = ""
        self.counts: KillArmed | None = None
        self.note = ""
        self.request_id = ""
        self.done: KillDone | FlattenDone | None = None
        self.on_disk: KillDone | None = None
        """The latch that was written here when no engine answered."""
        self.is_shut = False
        """Whether this console has shut the gates by its own hand, beside asking the engine."""
        self.ack_ms = 0.0
        self.reason = ""
        self.sends = 0
        self._since_ns = 0
        self._sent_ns = 0
        self._last_body: CommandBody | None = None

    @property
    def is_open(self) -> bool:
        return self.stage is not Stage.DOWN

    @property
    def choice(self) -> Choice:
        return CHOICES[self.choice_index]

    def arm(self, now_ns: int) -> bool:
        """Lift the guard; False when it is already up (^X held down does nothing more)."""
        if self.stage not in (Stage.DOWN, Stage.DONE, Stage.REFUSED):
            return False
        self.__init__()  # type: ignore[misc]  # a guard that is lifted again starts afresh
        self.stage, self._since_ns = Stage.ARMED, now_ns
        return True

    def seconds_left(self, now_ns: int) -> int:
        return max(0, -(-(self._since_ns + ARMED_FOR_S * NS_PER_S - now_ns) // NS_PER_S))

    def elapsed_ms(self, now_ns: int) -> float:
        """Since Enter."""
        return (now_ns - self._sent_ns) / NS_PER_MS

    def key(self, key: str, character: str | None, now_ns: int) -> CommandBody | None:
        """Take a key; return what to send, if this key was the last of a confirmation."""
        if self.stage is Stage.ARMED:
            return self._armed_key(key, character, now_ns)
        has_been_read = now_ns - self._since_ns >= READ_BEFORE_CLOSING_S * NS_PER_S
        if self.stage is Stage.UNCONFIRMED and key == "r":
            return self._send(now_ns)
        is_over = self.stage in (Stage.DONE, Stage.REFUSED, Stage.UNCONFIRMED)
        is_read = key in ("enter", "escape") or (self.stage is Stage.DONE and key in SCREEN_KEYS)
        if is_over and has_been_read and is_read:
            self.stage = Stage.DOWN
        return None

    def _armed_key(self, key: str, character: str | None, now_ns: int) -> CommandBody | None:
        if key == "escape":
            self.stage = Stage.DOWN
        elif key in ("tab", "shift+tab"):
            step = 1 if key == "tab" else -1
            self.choice_index = (self.choice_index + step) % len(CHOICES)
            self.typed, self.note = "", ""
        elif key == "backspace":
            self.typed = self.typed[:-1]
        elif key == "enter":
            if self.typed == self.choice.word:
                return self._send(now_ns)
            self.typed, self.note = "", f"type {self.choice.word} first"
        elif character and character.isprintable():
            grown = self.typed + character.upper()
            is_right = self.choice.word.startswith(grown)
            self.typed, self.note = (grown, "") if is_right else ("", "wrong letter: start again")
        return None

    def paste(self) -> None:
        """A paste never confirms."""
        if self.stage is Stage.ARMED:
            self.typed, self.note = "", "a paste never confirms: type the word"

    def _send(self, now_ns: int) -> CommandBody:
        if self.stage is Stage.ARMED:
            self._last_body = self.choice.body(self.counts.nonce if self.counts else "")
            self._sent_ns = now_ns
        assert self._last_body is not None
        self.stage, self._since_ns = Stage.SENT, now_ns
        self.sends += 1
        return self._last_body

    def tick(self, now_ns: int) -> str:
        """Let time pass; return a message when the guard closed by itself."""
        if self.stage is Stage.ARMED and self.seconds_left(now_ns) == 0:
            self.stage = Stage.DOWN
            return f"KILL disarmed: {ARMED_FOR_S} s passed without the word"
        if self.stage is Stage.SENT and now_ns - self._since_ns >= UNCONFIRMED_AFTER_S * NS_PER_S:
            self.stage = Stage.UNCONFIRMED
        return ""

    def answered(self, done: KillDone | FlattenDone | None, now_ns: int) -> None:
        """The engine confirmed: the latch is set."""
        self.done, self.ack_ms = done, self.elapsed_ms(now_ns)
        self.stage, self._since_ns = Stage.DONE, now_ns

    def refused(self, reason: str, now_ns: int) -> None:
        self.reason, self.stage, self._since_ns = reason, Stage.REFUSED, now_ns

    def unanswered(self, reason: str, now_ns: int) -> None:
        """No answer came: the outcome is unknown until the engine says so."""
        self.reason, self.stage, self._since_ns = reason, Stage.UNCONFIRMED, now_ns
