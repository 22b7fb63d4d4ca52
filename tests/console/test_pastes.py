"""A paste is text: whatever is in it, and however the terminal cuts it, it presses no key."""

import io
from pathlib import Path

import pytest
from textual import events
from textual._xterm_parser import XTermParser
from textual.drivers import linux_driver
from textual.message import Message

from console.tui import launch
from console.tui.pastes import QUIET_MS, PasteParser
from seams.clock import FixedClock

START, END = "\x1b[200~", "\x1b[201~"
COLOURED_LOG = "evil\x1b[31m\x1b]0;pwn\x07 red\tab\r\nARl\x18KILL\r"
HOSTILE = (
    COLOURED_LOG,
    "\x1b",
    "\x1b\x1b[A\x1b[20\x1b[201 ~",
    "\x1b[48;1;1;1;1t",
    START + "again",
    "[b]bold[/b] \u202ertl " + "x" * 100 + "\x1bA",
)


def read(parser: PasteParser, data: str, chunk: int) -> list[Message]:
    found: list[Message] = []
    for at in range(0, len(data), chunk):
        found.extend(parser.feed(data[at : at + chunk]))
    return found


@pytest.mark.parametrize("pasted", HOSTILE)
@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 7, 4096])
def test_nothing_in_a_paste_is_a_key(pasted: str, chunk: int) -> None:
    found = read(PasteParser(clock=FixedClock()), START + pasted + END, chunk)
    assert [type(message) for message in found] == [events.Paste]
    paste = found[0]
    assert isinstance(paste, events.Paste)
    assert paste.text == pasted.replace("\x1b", "^[")


def test_what_a_paste_carries_behind_its_own_end_mark_presses_nothing() -> None:
    clock = FixedClock()
    parser = PasteParser(clock=clock)
    found = read(parser, f"{START}one{END}A\r{END}", 4096) + read(parser, "KILL\r", 4096)
    assert [type(message) for message in found] == [events.Paste]
    clock.advance(QUIET_MS / 1000)
    assert [message.key for message in read(parser, "A", 1) if isinstance(message, events.Key)] == ["A"]


def test_keys_and_their_sequences_are_read_as_before() -> None:
    found = read(PasteParser(clock=FixedClock()), "a\x1b[A\x18\r", 1)
    assert [message.key for message in found if isinstance(message, events.Key)] == [
        "a",
        "up",
        "ctrl+x",
        "enter",
    ]


def test_the_console_reads_its_terminal_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The driver is given the parser before the console runs."""
    monkeypatch.setattr("textual.drivers.linux_driver.XTermParser", XTermParser)
    seen: list[object] = []

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def run(app: object, mouse: bool) -> None:
        seen.append(vars(linux_driver)["XTermParser"])

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setattr("console.tui.launch.InterlockApp.run", run)
    launch.run_console(tmp_path, "ann", False)
    assert seen == [PasteParser]
