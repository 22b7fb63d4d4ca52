"""Requests are judged before a job starts: types, languages, versions, and names that become folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.api.commands import FoundryForge, FoundryVerify
from engine.lifecycle.foundry import names
from engine.lifecycle.foundry.names import check_forge, check_name, check_verify, folder_of
from safety.reasons import Refusal

GOOD = {"component_type": "entry", "name": "fast_trend", "target_lang": "cpp"}


@pytest.mark.parametrize("kind", ["indicator", "entry", "exit", "strategy"])
@pytest.mark.parametrize("lang", ["python", "cython", "cpp"])
def test_four_types_and_three_languages_are_taken(kind: str, lang: str) -> None:
    check_forge(FoundryForge(**{**GOOD, "component_type": kind, "target_lang": lang}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"component_type": "Entry"}, "none of indicator, entry, exit, strategy"),
        ({"component_type": ""}, "none of indicator, entry, exit, strategy"),
        ({"target_lang": "c++"}, "none of python, cython, cpp"),
        ({"target_version": "../17"}, "is made in version 17"),
    ],
)
def test_what_is_not_allowed_is_refused_and_told_what_is(change: dict[str, str], said: str) -> None:
    with pytest.raises(Refusal, match=said) as refused:
        check_forge(FoundryForge(**{**GOOD, **change}))
    assert refused.value.code == "invalid_request"


@pytest.mark.parametrize(
    "name",
    [
        "", "a", "A_b", "9lives", "_x", "a-b", "a.b", "a b", "a/b", "../a", "..", "a\\b", "a\nb",
        "a\n", "a\x00b",
        "ａｂ", "аb", "a\u202eb", "e\u0301a",
        "x" * 65, "file.py", "~root", "$home", "a\u200bb", "ﬁle",
    ],
)  # fmt: skip
def test_names_that_are_no_plain_file_names_are_refused(name: str) -> None:
    with pytest.raises(Refusal, match="plain ASCII"):
        check_verify(FoundryVerify(strategy_name=name))


@pytest.mark.parametrize(
    "name",
    ["class", "lambda", "match", "template", "namespace", "int", "cdef", "con", "com7", "nul", "strategy",
     "signal", "bar", "self", "adx", "ema", "vwap"],
)  # fmt: skip
def test_reserved_words_of_every_language_are_refused(name: str) -> None:
    if name in ("adx", "ema", "vwap"):  # Ema is not EMA: these are free
        check_name("name", name)
        return
    with pytest.raises(Refusal, match="reserved"):
        check_name("name", name)


def test_a_name_whose_class_would_hide_an_indicator_is_refused() -> None:
    with pytest.raises(Refusal, match="reserved"):
        check_name("name", "donchian")


def test_a_link_that_leads_out_of_the_foundry_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "foundry" / "entries" / "cpp"
    root.mkdir(parents=True)
    (root / "17").symlink_to(tmp_path.parent)
    with pytest.raises(Refusal, match="leads out"):
        folder_of(tmp_path, "entry", "cpp", "17", "fast_trend")


def test_every_folder_lies_under_its_type_language_and_version(tmp_path: Path) -> None:
    for kind, folder in names.FOLDERS.items():
        found = folder_of(tmp_path, kind, "cpp", "17", "fast_trend")
        assert found == tmp_path / "foundry" / folder / "cpp" / "17" / "fast_trend"
