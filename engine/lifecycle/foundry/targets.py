"""The three languages: what is compiled, and the way in which the result is run for verification."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.lifecycle.forge import build as forge
from engine.lifecycle.forge import typed
from engine.lifecycle.forge.build import CPP, C, Target
from engine.lifecycle.forge.emit import emit
from engine.lifecycle.forge.load import load
from engine.lifecycle.verify.ways import NativeWay, TypedWay, Way

TWIN = "strategy.py"


@dataclass(frozen=True)
class Product:
    """A build in one language: the files of its folder by name, which of them runs, and how it was made.

    `build_sha256` covers text, flags, compiler and machine. `cython` is empty where it took no part.
    """

    files: Mapping[str, bytes]
    artifact: str
    build_sha256: str
    compiler: str
    flags: tuple[str, ...]
    cython: str
    way: Way

    @property
    def artifact_sha256(self) -> str:
        return hashlib.sha256(self.files[self.artifact]).hexdigest()


def make_python(source: str, class_name: str) -> Product:
    """The twin itself. It is compared with the forge's C library: what would be sealed decides as it does."""
    plan = forge.plan_source(source.encode(), TWIN, class_name, C)
    built = forge.build(plan)
    return Product(
        files={TWIN: source.encode(), "program.json": built.ir_json},
        artifact=TWIN,
        build_sha256=hashlib.sha256(f"{source}\0{platform.python_version()}".encode()).hexdigest(),
        compiler=f"{platform.python_implementation()} {platform.python_version()}",
        flags=(),
        cython="",
        way=NativeWay(load(built.record, built.artifact)),
    )


def make_cpp(source: str, class_name: str, target: Target = CPP) -> Product:
    """A freestanding C++ library behind the forge's C interface."""
    built = forge.build(forge.plan_source(source.encode(), TWIN, class_name, target))
    return Product(
        files={
            TWIN: source.encode(),
            "program.json": built.ir_json,
            target.file: built.c_text.encode(),
            "strategy.so": built.artifact,
        },
        artifact="strategy.so",
        build_sha256=built.record.build_sha256,
        compiler=built.record.compiler,
        flags=built.record.flags,
        cython="",
        way=NativeWay(load(built.record, built.artifact), "cpp"),
    )


def make_cython(source: str, class_name: str) -> Product:
    """A Cython module whose class is the twin with its kinds declared."""
    plan = forge.plan_source(source.encode(), TWIN, class_name, C)
    program = plan.program
    module = f"foundry_{class_name.lower()}"
    built = typed.build_typed(source, program, module)
    parts = (built.text, *built.flags, built.compiler, built.cython, platform.machine())
    return Product(
        files={
            TWIN: source.encode(),
            "program.json": forge.program_json(program),
            f"{module}.pyx": built.text.encode(),
            f"{module}.so": built.artifact,
        },
        artifact=f"{module}.so",
        build_sha256=hashlib.sha256("\0".join(parts).encode()).hexdigest(),
        compiler=built.compiler,
        flags=built.flags,
        cython=built.cython,
        way=TypedWay(
            kind=typed.load_typed(module, built.class_name, built.artifact),
            words=tuple(word.name for word in emit(program).words),
            reads_side=program.reads_side,
            has_levels=program.has_levels,
        ),
    )


MAKERS: dict[str, Callable[[str, str], Product]] = {
    "python": make_python,
    "cython": make_cython,
    "cpp": make_cpp,
}
"""target_lang -> what makes it of (twin, class). Raises `Refused`, `ToolMissing`, `BuildFailed`."""
