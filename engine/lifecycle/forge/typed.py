"""The same strategy as a Cython module: its source with the kinds that the forge read written into it.

Cython keeps Python's meaning where it is asked to (`DIRECTIVES`): division by zero raises, `//` and `%` are
Python's, an int that leaves 64 bits raises. The module needs the interpreter, so it can be run, and never
be sealed: what is sealed is the freestanding library of `build`.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import platform
import sys
import sysconfig
import tempfile
from importlib import metadata
from importlib.machinery import ExtensionFileLoader
from pathlib import Path

from engine.lifecycle.forge.build import C, ToolMissing, compiler_version, run_tool
from engine.lifecycle.forge.ir import Field, Program
from native.strategy import Strategy
from seams.disk import RealDisk
from venues.types import Record

DIRECTIVES = {
    "language_level": "3",
    "cdivision": "False",
    "overflowcheck": "True",
    "annotation_typing": "False",
    "binding": "True",
    "emit_code_comments": "False",
}
FLAGS = (
    "-O3",
    "-fPIC",
    "-shared",
    "-ffp-contract=off",
    "-fno-fast-math",
    "-fno-strict-overflow",
    "-Wno-unused",
    "-Wl,--build-id=none",
)
C_KINDS = {"int": "long long", "float": "double", "bool": "bint"}
"""Kinds that become C variables; an answer stays a Python object."""


class TypedBuild(Record):
    """A compiled Cython module: its source text, the library's bytes, and what made it."""

    module: str
    class_name: str
    text: str
    artifact: bytes
    artifact_sha256: str
    compiler: str
    flags: tuple[str, ...]
    cython: str


def cython_version() -> str:
    """Return Cython's version. Raises `ToolMissing` where it is not installed."""
    try:
        return metadata.version("cython")
    except metadata.PackageNotFoundError:
        raise ToolMissing(
            "no Cython in this Python, and cython needs it: pip install 'cython>=3.3'"
        ) from None


def typed_text(source: str, program: Program) -> str:
    """Return Cython source: the file's own lines, with its locals declared at the top of each method."""
    tree = ast.parse(source)
    (node,) = (each for each in tree.body if isinstance(each, ast.ClassDef) and each.name == program.name)
    rooms = {"on_start": program.start_locals, "on_bar": program.bar_locals}
    lines = source.splitlines()
    methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
    for method in sorted(methods, key=lambda each: -each.lineno):
        first = method.body[0]
        indent = " " * first.col_offset
        lines[first.lineno - 1 : first.lineno - 1] = [indent + line for line in _declared(rooms[method.name])]
    heads = [f"# cython: {name}={value}" for name, value in DIRECTIVES.items()]
    return "\n".join([*heads, *lines]) + "\n"


def _declared(fields: tuple[Field, ...]) -> list[str]:
    """Return one declaration a kind; what the forge put between the lines (`a, b = x, y`) is not declared."""
    found = []
    for kind, c_kind in C_KINDS.items():
        names = [field.name for field in fields if field.kind == kind and field.name.isidentifier()]
        if names:
            found.append(f"cdef {c_kind} {', '.join(names)}")
    return found


def build_typed(source: str, program: Program, module: str) -> TypedBuild:
    """Compile a strategy as the Cython module `module`. Raises `ToolMissing`, `BuildFailed`."""
    return compile_text(typed_text(source, program), program.name, module)


def compile_text(text: str, class_name: str, module: str) -> TypedBuild:
    """Compile Cython source that defines `class_name`. Raises `ToolMissing`, `BuildFailed`."""
    assert module.isidentifier() and module.isascii()
    version, compiler = cython_version(), compiler_version(C)
    include = sysconfig.get_paths()["include"]
    if not Path(include, "Python.h").is_file():
        raise ToolMissing("no Python.h, and cython needs it: install it (Debian: apt install python3-dev)")
    disk = RealDisk()
    with tempfile.TemporaryDirectory(prefix="interlock-forge-") as name:
        folder = Path(name)
        disk.write_atomic(folder / f"{module}.pyx", text.encode())
        run_tool([sys.executable, "-P", "-m", "cython", "-3", f"{module}.pyx"], folder)
        prefix = f"-ffile-prefix-map={folder}=."
        run_tool([C.compiler, *FLAGS, prefix, f"-I{include}", f"{module}.c", "-o", f"{module}.so"], folder)
        artifact = disk.read(folder / f"{module}.so")
    return TypedBuild(
        module=module,
        class_name=class_name,
        text=text,
        artifact=artifact,
        artifact_sha256=hashlib.sha256(artifact).hexdigest(),
        compiler=compiler,
        flags=FLAGS,
        cython=f"{version} on Python {platform.python_version()}",
    )


def load_typed(module: str, class_name: str, artifact: bytes) -> type[Strategy]:
    """Return the strategy class of a compiled module, loaded from memory that is sealed against writing.

    Raises `ImportError` where the bytes are no such module, `TypeError` where it holds no strategy.
    """
    descriptor = os.memfd_create(f"typed-{module}", os.MFD_CLOEXEC)
    os.write(descriptor, artifact)
    path = f"/proc/self/fd/{descriptor}"
    # The descriptor stays open: the loader knows libraries by name, and a reused number is an older one.
    loader = ExtensionFileLoader(module, path)
    spec = importlib.util.spec_from_file_location(module, path, loader=loader)
    assert spec is not None
    made = importlib.util.module_from_spec(spec)
    loader.exec_module(made)
    found = getattr(made, class_name, None)
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        raise TypeError(f"{module} has no strategy {class_name}")
    return found
