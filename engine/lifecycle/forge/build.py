"""From C text to a library that can call nothing: compile, check, record.

Equal text, flags and compiler give equal bytes in any directory; the build's hash is taken over those
three and stands in the library itself, so that what is loaded can be told from what was asked for.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

import msgspec

from engine.lifecycle.forge.emit import Emitted, emit
from engine.lifecycle.forge.ir import IR_VERSION, Program
from engine.lifecycle.forge.scope import Refused
from engine.lifecycle.forge.subset import read_strategy
from seams.disk import RealDisk
from venues.types import Record

RECORD_VERSION = 1
ABI = 1
SECONDS = 60
FLAGS = (
    "-O3",
    "-fPIC",
    "-shared",
    "-ffreestanding",
    "-nostdlib",
    "-ffp-contract=off",
    "-fno-fast-math",
    "-fno-math-errno",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-fno-tree-loop-distribute-patterns",
    "-fvisibility=hidden",
    "-Wall",
    "-Werror",
    "-Wno-unused",
    "-Wl,--build-id=none,-z,defs,-z,noexecstack",
)


class Target(Record):
    """A language that the same text is compiled as: its compiler, the flags, the text's file name."""

    language: str
    version: str
    compiler: str
    flags: tuple[str, ...]
    file: str
    package: str


C = Target(
    language="c", version="11", compiler="gcc", flags=("-std=c11", *FLAGS), file="strategy.c", package="gcc"
)
CPP = Target(
    language="cpp",
    version="17",
    compiler="g++",
    flags=("-std=c++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", *FLAGS),
    file="strategy.cpp",
    package="g++",
)
_FORBIDDEN_SECTIONS = (
    "(NEEDED)",
    "(INIT)",
    "(INIT_ARRAY)",
    "(PREINIT_ARRAY)",
    "(FINI)",
    "(FINI_ARRAY)",
    "(TEXTREL)",
)


class BuildFailed(Exception):
    """The compiler refused, or made something that could call out."""

    code = "forge_build_failed"


class ToolMissing(BuildFailed):
    """What compiles a language is not on this host; the message says what to install."""

    code = "toolchain_missing"


class BuildRecord(Record):
    """Everything about one build; hashes are hex.

    `words`: (name, kind) of the state's named words. `places`: (exception, line:column: message) of each
    place that can fail, numbered from 1.
    """

    name: str
    source_file: str
    source_sha256: str
    build_sha256: str
    artifact_sha256: str
    c_sha256: str
    ir_sha256: str
    compiler: str
    flags: tuple[str, ...]
    machine: str
    python: str
    params: tuple[tuple[str, str], ...]
    words: tuple[tuple[str, str], ...]
    places: tuple[tuple[str, str], ...]
    answers_ahead: bool
    has_levels: bool
    warmup_bars: int
    language: str = C.language
    abi: int = ABI
    ir_version: int = IR_VERSION
    record_version: int = RECORD_VERSION


class Plan(Record):
    """What would be built: the program, its C text, and the hash that the build will have."""

    program: Program
    emitted: Emitted
    source_file: str
    source_sha256: str
    compiler: str
    build_sha256: str
    target: Target = C


class Built(Record):
    """A finished build: its record, the IR as JSON, the C text and the library's bytes."""

    record: BuildRecord
    ir_json: bytes
    c_text: str
    artifact: bytes


def plan_source(source: bytes, file: str, class_name: str = "", target: Target = C) -> Plan:
    """Read a strategy's source and write its text. Raises `Refused` (outside the subset), `ToolMissing`."""
    try:
        text = source.decode()
    except UnicodeDecodeError as error:
        raise Refused(f"{file}:1:1: bytes that are not UTF-8: save the file as UTF-8") from error
    program = read_strategy(text, file, class_name)
    return plan_program(program, Path(file).name, _sha256(source), target)


def plan_program(program: Program, source_file: str, source_sha256: str, target: Target = C) -> Plan:
    """Write a program's text for a target. Raises `ToolMissing` where there is no compiler."""
    emitted, compiler = emit(program), compiler_version(target)
    # The source too: equal C text from other lines would name other places in its messages.
    parts = (emitted.text, source_sha256, *target.flags, compiler, platform.machine())
    return Plan(
        program=program,
        emitted=emitted,
        source_file=source_file,
        source_sha256=source_sha256,
        compiler=compiler,
        build_sha256=_sha256("\0".join(parts).encode()),
        target=target,
    )


def build(plan: Plan) -> Built:
    """Compile what was planned. Raises `BuildFailed`."""
    artifact = _compile(plan.emitted.text, plan.build_sha256, plan.target)
    program, ir_json = plan.program, program_json(plan.program)
    record = BuildRecord(
        name=program.name,
        source_file=plan.source_file,
        source_sha256=plan.source_sha256,
        build_sha256=plan.build_sha256,
        artifact_sha256=_sha256(artifact),
        c_sha256=_sha256(plan.emitted.text.encode()),
        ir_sha256=_sha256(ir_json),
        compiler=plan.compiler,
        flags=plan.target.flags,
        machine=platform.machine(),
        python=platform.python_version(),
        params=tuple((field.name, field.kind) for field in program.params),
        words=tuple((word.name, word.kind) for word in plan.emitted.words),
        places=plan.emitted.places,
        answers_ahead=not program.reads_side,
        has_levels=program.has_levels,
        warmup_bars=program.warmup_bars,
        language=plan.target.language,
    )
    return Built(record=record, ir_json=ir_json, c_text=plan.emitted.text, artifact=artifact)


def compiler_version(target: Target = C) -> str:
    """Return the compiler's first line about itself. Raises `ToolMissing` where there is none."""
    if shutil.which(target.compiler) is None:
        what = f"no {target.compiler} on PATH"
        raise ToolMissing(f"{what}: install a compiler (Debian: apt install {target.package})")
    return run_tool([target.compiler, "--version"]).splitlines()[0]


def _compile(text: str, build_sha256: str, target: Target) -> bytes:
    disk = RealDisk()
    with tempfile.TemporaryDirectory(prefix="interlock-forge-") as name:
        folder = Path(name)
        disk.write_atomic(folder / target.file, text.encode())
        define = f'-DIL_BUILD_SHA256="{build_sha256}"'
        prefix = f"-ffile-prefix-map={folder}=."
        command = [target.compiler, *target.flags, prefix, define, target.file, "-o", "strategy.so"]
        run_tool(command, folder)
        _check_calls_nothing(folder / "strategy.so")
        return disk.read(folder / "strategy.so")


def _check_calls_nothing(library: Path) -> None:
    """Refuse a library with an undefined symbol, a needed library or code that runs on loading."""
    undefined = run_tool(["nm", "-D", "--undefined-only", str(library)]).strip()
    if undefined:
        raise BuildFailed(f"the forged library wants {undefined!r} from outside; report this as a defect")
    dynamic = run_tool(["readelf", "-d", "-W", str(library)])
    found = [tag for tag in _FORBIDDEN_SECTIONS if tag in dynamic]
    if found:
        raise BuildFailed(f"the forged library has {', '.join(found)}; report this as a defect")


def run_tool(command: list[str], folder: Path | None = None) -> str:
    """Run a compiler and return what it says, in a bare environment. Raises `BuildFailed`."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            env=_environment(),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildFailed(f"{command[0]} could not run: {error}") from error
    if done.returncode:
        raise BuildFailed(f"{command[0]} failed: {done.stderr.strip()[:2000]}")
    return done.stdout


def _environment() -> dict[str, str]:
    """Return an environment in which no variable changes what the compiler makes or says."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def program_json(program: Program) -> bytes:
    """Return the typed program as it is kept."""
    return msgspec.json.format(msgspec.json.encode(program), indent=1) + b"\n"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
