"""Outside text cannot steer a terminal, and a secret cannot be printed or left open."""

from __future__ import annotations

import copy
import pickle
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety.reasons import Refusal
from safety.secrets import KeyReference, Secret, load_secret
from safety.text import clean


@given(st.text())
def test_clean_text_is_one_bounded_line_without_controls(text: str) -> None:
    line = clean(text, 50)
    assert len(line) <= 50 and line == clean(line, 50)
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in line)
    assert not set(line) & set("\u202a\u202e\u2066\u2069\u200b\u200f\ufeff\u2028\u2029")


def test_escapes_and_line_breaks_are_disarmed() -> None:
    assert clean("\x1b[31mred\x1b[0m\nnext\u202eabc") == "[31mred[0m nextabc"
    assert clean("x" * 600).endswith("…")


def key_file(folder: Path, mode: int = 0o600, text: str = "s3cr3t\n") -> KeyReference:
    path = folder / "key"
    path.write_text(text)
    path.chmod(mode)
    return KeyReference(name="venue", path=str(path))


def test_a_secret_never_shows(tmp_path: Path) -> None:
    secret = load_secret(key_file(tmp_path))
    assert secret.reveal() == "s3cr3t"
    assert {repr(secret), str(secret), f"{secret:>10}", f"{secret!r}"} == {"***"}
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            leak(secret)
    assert not hasattr(Secret("x"), "__dict__")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o610])
def test_a_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(Refusal, match="secret_exposed") as refused:
        load_secret(key_file(tmp_path, mode))
    assert "s3cr3t" not in str(refused.value)


def test_a_key_in_the_repository_behind_a_link_missing_or_empty_is_refused(tmp_path: Path) -> None:
    reference = key_file(tmp_path)
    with pytest.raises(Refusal, match="secret_exposed"):
        load_secret(reference, repository=tmp_path)
    (tmp_path / "link").symlink_to(reference.path)
    with pytest.raises(Refusal, match="secret_exposed"):
        load_secret(KeyReference(name="venue", path=str(tmp_path / "link")))
    with pytest.raises(Refusal, match="secret_missing"):
        load_secret(KeyReference(name="venue", path=str(tmp_path / "none")))
    with pytest.raises(Refusal, match="secret_missing"):
        load_secret(key_file(tmp_path, text=" \n"))


@pytest.mark.parametrize("character", [chr(code) for code in range(0x100)], ids=ascii)
def test_plain_text_takes_the_short_way_and_nothing_else_does(character: str) -> None:
    is_blocked = unicodedata.category(character) in ("Cc", "Cf")
    kept = " " if character in "\n\r\t\v\f\x85" else "" if is_blocked else character
    assert clean(f"a{character}b") == f"a{kept}b"
    assert clean(f" a{character} ") == f"a{kept}".strip()


def test_plain_text_is_as_long_as_it_may_be_and_no_longer() -> None:
    assert clean(" " + "a" * 8, 9) == "a" * 8
    assert clean("a" * 9, 9) == "a" * 9
    assert clean("a" * 10, 9) == "a" * 8 + "…"
