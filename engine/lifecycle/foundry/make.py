"""One foundry job: from a request to a folder with the IR, the twin, the build, its record and its proof.

`HOME/foundry/{entries,indicators,exits,strategies}/LANG/VERSION/NAME/`: `ir.json` (the component; not where a
bundled strategy was the source), `strategy.py` (the Python twin), `program.json` (the typed program), the
target's text and library, `record.json`, `verify_report.json`. Without the record a folder counts as nothing.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable
from pathlib import Path

import msgspec

from engine.api.commands import FoundryForge
from engine.lifecycle.foundry.component import Component, from_json, ir_sha256, to_json
from engine.lifecycle.foundry.grammar import read_sentence
from engine.lifecycle.foundry.names import FOLDERS, VERSIONS, check_forge, folder_of
from engine.lifecycle.foundry.targets import MAKERS, TWIN, Product
from engine.lifecycle.foundry.twin import to_python
from engine.lifecycle.verify.corpus import build_corpus
from engine.lifecycle.verify.report import VerifyReport
from engine.lifecycle.verify.verify import Stamp, judge, keep_report, param_sets
from engine.strategies import load_strategy
from engine.strategies.registry import BUNDLED
from seams.disk import Disk
from venues.types import Record

RECORD, IR = "record.json", "ir.json"
RECORD_VERSION = 1
Progress = Callable[[int, int], None]


class FoundryFailed(Exception):
    """The job cannot be done; `code` says why: component_exists, invalid_request, not_found."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ComponentRecord(Record):
    """How a component was built (QX-36); hashes are hex. `text_sha256` is that of the Python twin."""

    component_type: str
    name: str
    class_name: str
    target_lang: str
    target_version: str
    prompt: str
    ir_sha256: str
    text_sha256: str
    artifact: str
    artifact_sha256: str
    build_sha256: str
    compiler: str
    flags: tuple[str, ...]
    cython: str
    python: str
    machine: str
    record_version: int = RECORD_VERSION


class Made(Record):
    """A finished job: where the component lies, its record and its verification."""

    folder: str
    record: ComponentRecord
    report: VerifyReport


class Source(Record):
    """What a component is made of: the twin's text and its class, the IR where a sentence was read."""

    text: str
    class_name: str
    component: Component | None = None


def forge_component(body: FoundryForge, home: Path, disk: Disk, on_progress: Progress | None = None) -> Made:
    """Build what is asked for in its language, keep it, and verify it against its Python twin.

    Raises `Refusal`, `BeyondGrammar`, `Contradiction`, `FoundryFailed`, `ToolMissing`, `BuildFailed` or
    `OSError`.
    """
    check_forge(body)
    source = source_of(body, home, disk)
    # The maker comes before the folder: where no toolchain is, no version is known.
    product = MAKERS[body.target_lang](source.text, source.class_name)
    version = VERSIONS[body.target_lang]()
    folder = folder_of(home, body.component_type, body.target_lang, version, body.name)
    record = ComponentRecord(
        component_type=body.component_type,
        name=body.name,
        class_name=source.class_name,
        target_lang=body.target_lang,
        target_version=version,
        prompt=source.component.prompt if source.component is not None else "",
        ir_sha256=ir_sha256(source.component) if source.component is not None else "",
        text_sha256=_sha256(source.text.encode()),
        artifact=product.artifact,
        artifact_sha256=product.artifact_sha256,
        build_sha256=product.build_sha256,
        compiler=product.compiler,
        flags=product.flags,
        cython=product.cython,
        python=platform.python_version(),
        machine=platform.machine(),
    )
    _demand_same(body, home, record, disk)
    _keep(folder, source, product, record, disk)
    return Made(
        folder=str(folder),
        record=record,
        report=prove(folder, record, product, home, disk, on_progress),
    )


def source_of(body: FoundryForge, home: Path, disk: Disk) -> Source:
    """Return the twin: of the sentence, of the IR kept under the name, or the bundled strategy's file."""
    if body.prompt.strip():
        component = read_sentence(body.component_type, body.name, body.prompt)
        return Source(text=to_python(component), class_name=component.class_name, component=component)
    for folder in folders_of(home, body.name, disk, body.component_type):
        if disk.exists(folder / IR):
            component = from_json(disk.read(folder / IR))
            return Source(text=to_python(component), class_name=component.class_name, component=component)
    if body.component_type == "strategy" and body.name in BUNDLED:
        bundled = BUNDLED[body.name]
        return Source(text=disk.read(bundled.file).decode(), class_name=bundled.kind.__name__)
    raise FoundryFailed(
        "invalid_request",
        f"no prompt, and {body.name} is no {body.component_type} of this foundry and no bundled strategy",
    )


def folders_of(home: Path, name: str, disk: Disk, component_type: str = "") -> list[Path]:
    """Return the folders that hold a component of this name, in every language and version."""
    found = []
    for kind in (component_type,) if component_type else FOLDERS:
        root = home / "foundry" / FOLDERS[kind]
        for lang in VERSIONS:
            for version in disk.list(root / lang):
                folder = folder_of(home, kind, lang, version, name)
                if disk.exists(folder / RECORD):
                    found.append(folder)
    return found


def read_record(folder: Path, disk: Disk) -> ComponentRecord:
    """Read a kept record. Raises `FileNotFoundError`, or `msgspec.MsgspecError` for a damaged one."""
    return msgspec.json.decode(disk.read(folder / RECORD), type=ComponentRecord)


def prove(
    folder: Path,
    record: ComponentRecord,
    product: Product,
    home: Path,
    disk: Disk,
    on_progress: Progress | None = None,
) -> VerifyReport:
    """Verify a build against the twin in its folder, over the corpus; write and return the report."""
    loaded = load_strategy(f"{folder / TWIN}:{record.class_name}")
    stamp = Stamp(TWIN, record.text_sha256, record.build_sha256, record.artifact_sha256)
    report = judge(loaded, product.way, stamp, build_corpus(home, disk), param_sets(loaded, {}), on_progress)
    return keep_report(report, folder, home, disk)


def _demand_same(body: FoundryForge, home: Path, record: ComponentRecord, disk: Disk) -> None:
    """A name keeps one meaning in all languages: what was proven under it is not replaced by another."""
    for folder in folders_of(home, body.name, disk, body.component_type):
        kept = read_record(folder, disk)
        if kept.text_sha256 != record.text_sha256:
            said = kept.prompt or "a bundled strategy"
            raise FoundryFailed(
                "component_exists", f"{body.name} is kept already, made of {said!r}; choose another name"
            )


def _keep(folder: Path, source: Source, product: Product, record: ComponentRecord, disk: Disk) -> None:
    """Write the folder, the record last; an older record and report go first: they are of other bytes."""
    disk.make_folder(folder)
    for name in (RECORD, "verify_report.json"):
        if disk.exists(folder / name):
            disk.remove(folder / name)
    files = dict(product.files)
    if source.component is not None:
        files[IR] = to_json(source.component)
    files[RECORD] = msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"
    for name, data in files.items():
        disk.write_atomic(folder / name, data)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
