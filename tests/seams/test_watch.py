"""The host's word that a file was written: told once it is whole, and of no other file."""

from __future__ import annotations

import asyncio
import ctypes
import os
from pathlib import Path

import pytest

from seams import watch
from seams.watch import FileWatch

NAME = "kill.request"


async def told_of(told: list[str], count: int = 1) -> None:
    for _ in range(2_000):
        if len(told) >= count:
            return
        await asyncio.sleep(0.001)
    raise AssertionError(f"told {len(told)} times of {count}")


async def test_a_file_is_told_of_when_it_is_closed_and_when_it_is_renamed_into_place(tmp_path: Path) -> None:
    told: list[str] = []
    listening = FileWatch(tmp_path / NAME, lambda: told.append((tmp_path / NAME).read_text()))
    with (tmp_path / NAME).open("w") as file:
        await asyncio.sleep(0.05)
        assert told == [], "what it says is not in it yet"
        file.write("close_only")
    await told_of(told)
    (tmp_path / "new").write_text("halt")
    await asyncio.sleep(0.05)
    assert told == ["close_only"], "another name is nobody's business"
    os.replace(tmp_path / "new", tmp_path / NAME)
    await told_of(told, 2)
    assert told == ["close_only", "halt"]
    listening.close()
    (tmp_path / NAME).write_text("halt")
    await asyncio.sleep(0.05)
    assert len(told) == 2


async def test_a_queue_that_ran_over_tells_to_be_on_the_safe_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    listening = FileWatch(tmp_path / NAME, lambda: told.append(1))
    monkeypatch.setattr(watch.os, "read", lambda *_: watch._EVENT.pack(-1, watch.IN_Q_OVERFLOW, 0, 0))
    listening._read()
    assert told == [1]
    monkeypatch.undo()
    listening._read()  # nothing is there: no word
    assert told == [1]
    listening.close()


async def test_a_host_that_cannot_tell_says_so_and_keeps_no_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        FileWatch(tmp_path / "missing" / NAME, lambda: None)
    assert len(os.listdir("/proc/self/fd")) == before
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    with pytest.raises(OSError, match="this host has no inotify_init1"):
        FileWatch(tmp_path / NAME, lambda: None)
