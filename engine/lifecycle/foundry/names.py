"""What a foundry request may say: types, languages and their versions, names that are safe as files."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from engine.api.commands import FoundryForge, FoundryVerify
from engine.lifecycle.forge.build import CPP
from engine.lifecycle.foundry.component import class_name
from native.indicator_table import INDICATORS
from safety.reasons import Refusal
from safety.text import clean

FOLDERS: dict[str, str] = {
    "indicator": "indicators",
    "entry": "entries",
    "exit": "exits",
    "strategy": "strategies",
}
"""component_type -> its folder."""
NAME = re.compile(r"[a-z][a-z0-9_]{1,63}", re.ASCII)
_C_WORDS = """
    alignas alignof asm auto bool case catch char const consteval constexpr default delete do double enum
    explicit export extern float friend goto inline int long mutable namespace new noexcept nullptr operator
    private protected public register restrict short signed sizeof static struct switch template this throw
    typedef typename union unsigned using virtual void volatile wchar_t cdef cpdef cimport ctypedef include
    nogil
    """
_DEVICES = ("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)))
_OWN = "strategy signal bar param self native interlock init main"
RESERVED = frozenset(
    word.lower()
    for word in (
        *keyword.kwlist,
        *keyword.softkwlist,
        *_C_WORDS.split(),
        *_DEVICES,
        *_OWN.split(),
    )
)
"""Words of the three languages, device names, and names that a strategy file has a meaning for."""


def _cython() -> str:
    try:
        return ".".join(metadata.version("cython").split(".")[:2])
    except metadata.PackageNotFoundError:
        return ""


VERSIONS: dict[str, Callable[[], str]] = {
    "python": lambda: f"{sys.version_info.major}.{sys.version_info.minor}",
    "cython": _cython,
    "cpp": lambda: CPP.version,
}
"""target_lang -> the version made here; empty where nothing is installed (the job says what)."""


def check_forge(body: FoundryForge) -> None:
    """Judge a forge request before a job starts. Raises `Refusal` (invalid_request): what is allowed."""
    _one_of("component_type", body.component_type, tuple(FOLDERS))
    _one_of("target_lang", body.target_lang, tuple(VERSIONS))
    check_name("name", body.name)
    made = VERSIONS[body.target_lang]()
    if body.target_version and made and body.target_version != made:
        said = (
            f"target_version {clean(body.target_version, 40)!r}: {body.target_lang} is made in version {made}"
        )
        raise Refusal("invalid_request", said)


def check_verify(body: FoundryVerify) -> None:
    """Judge a verify request before a job starts. Raises `Refusal` (invalid_request)."""
    check_name("strategy_name", body.strategy_name)


def check_name(what: str, name: str) -> None:
    """Refuse a name that could be a path, a word of a language, or look like another. Raises `Refusal`."""
    if not NAME.fullmatch(name):
        rule = "a lower-case letter, then 1 to 63 of a-z, 0-9 and _ (plain ASCII)"
        raise Refusal("invalid_request", f"{what} {clean(name, 80)!r} is not {rule}")
    if name in RESERVED or class_name(name) in INDICATORS:
        raise Refusal("invalid_request", f"{what} {name!r} is a reserved word: choose another")


def folder_of(home: Path, component_type: str, lang: str, version: str, name: str) -> Path:
    """Return a component's folder. Raises `Refusal` where a link leads out of the foundry."""
    check_name("name", name)
    root = home / "foundry"
    folder = root / FOLDERS[component_type] / lang / version / name
    if not folder.resolve().is_relative_to(root.resolve()):
        raise Refusal("invalid_request", f"{name} leads out of the foundry's folder")
    return folder


def _one_of(what: str, word: str, allowed: tuple[str, ...]) -> None:
    if word not in allowed:
        raise Refusal("invalid_request", f"{what} {clean(word, 40)!r} is none of {', '.join(allowed)}")
