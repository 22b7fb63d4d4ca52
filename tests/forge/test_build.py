"""A build calls nothing, repeats byte for byte, and runs only as the bytes that were recorded."""

from __future__ import annotations

import ctypes
import os
import subprocess

import msgspec
import pytest

from engine.lifecycle.forge import build as building
from engine.lifecycle.forge.build import BuildFailed, build, plan_source
from engine.lifecycle.forge.load import ArtifactChanged, load
from engine.lifecycle.forge.store import forge, list_builds, open_library
from seams.disk import RealDisk
from tests.forge.sources import ALL, FLIP, STATEFUL


@pytest.mark.parametrize("name", ALL)
def test_the_same_source_gives_the_same_bytes_in_two_folders(name, tmp_path, monkeypatch):
    built = []
    for folder in ("one", "a much longer other folder"):
        (tmp_path / folder).mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / folder))
        monkeypatch.chdir(tmp_path / folder)
        monkeypatch.setenv("SOURCE_DATE_EPOCH", str(len(folder)))
        built.append(build(plan_source(ALL[name].encode(), "strategy.py")))
    assert built[0] == built[1]
    assert str(tmp_path).encode() not in built[0].artifact


@pytest.mark.parametrize("name", ALL)
def test_a_library_has_no_symbol_from_outside_and_no_code_on_loading(name, tmp_path):
    library = tmp_path / "strategy.so"
    library.write_bytes(build(plan_source(ALL[name].encode(), "strategy.py")).artifact)
    assert subprocess.check_output(["nm", "-D", "--undefined-only", library]) == b""
    dynamic = subprocess.check_output(["readelf", "-dW", library], text=True)
    assert not any(tag in dynamic for tag in ("NEEDED", "INIT", "FINI"))
    exported = subprocess.check_output(["nm", "-D", "--defined-only", library], text=True).split()[2::3]
    assert set(exported) - {"il_signals"} == {"il_abi", "il_build_sha256", "il_init", "il_on_bar", "il_words"}


def test_a_library_that_would_call_out_is_not_built():
    plan = plan_source(FLIP.encode(), "strategy.py")
    outside = 'extern int puts(const char *); puts("x"); return step(s'
    call = plan.emitted.text.replace("return step(s", outside)
    with pytest.raises(BuildFailed, match="puts"):
        building._compile(call, plan.build_sha256, building.C)
    on_load = (
        plan.emitted.text
        + "\nstatic volatile int n;\n__attribute__((constructor)) static void early(void) { n = 1; }\n"
    )
    with pytest.raises(BuildFailed, match="INIT_ARRAY"):
        building._compile(on_load, plan.build_sha256, building.C)


def test_a_missing_compiler_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildFailed, match="no gcc on PATH: install"):
        plan_source(FLIP.encode(), "strategy.py")


def test_one_flipped_byte_is_not_loaded():
    built = build(plan_source(FLIP.encode(), "strategy.py"))
    damaged = bytearray(built.artifact)
    damaged[len(damaged) // 2] ^= 1
    with pytest.raises(ArtifactChanged, match="its record says"):
        load(built.record, bytes(damaged))


def test_a_library_of_another_build_is_not_taken_for_this_one():
    one, other = (build(plan_source(text.encode(), "strategy.py")) for text in (FLIP, STATEFUL))
    forged_record = msgspec.structs.replace(one.record, artifact_sha256=other.record.artifact_sha256)
    # Loaded under its own name already or not: the library's own hash decides.
    with pytest.raises(ArtifactChanged, match="says it is"):
        load(forged_record, other.artifact)


def _open_libraries() -> set[int]:
    names = {n: os.path.realpath(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")}
    return {int(n) for n, target in names.items() if "memfd:forged-Flip" in target}


def test_the_loaded_bytes_are_sealed_and_their_descriptor_stays_open():
    source = FLIP.replace("-1 if", "0 if")
    before = _open_libraries()
    built = build(plan_source(source.encode(), "strategy.py"))
    library = load(built.record, built.artifact)
    (descriptor,) = _open_libraries() - before
    for act in (lambda: os.write(descriptor, b"x"), lambda: os.ftruncate(descriptor, 0)):
        with pytest.raises(PermissionError):
            act()
    assert ctypes.c_int64.in_dll(library.handle, "il_abi").value == 1


def test_many_libraries_are_each_themselves():
    """The loader knows libraries by name; a descriptor used again would give an older one."""
    sources = [FLIP.replace("return 1\n", f"return {side}\n").replace("8, 2", f"{n}, 2") for n, side in
               ((8, 1), (9, 0), (10, -1), (11, 1))]  # fmt: skip
    for text, wanted in zip(sources, (1, 0, -1, 1), strict=True):
        built = build(plan_source(text.encode(), "strategy.py"))
        forged = load(built.record, built.artifact).instance({"fast": 1, "slow": 2})
        assert forged.build_sha256 == built.record.build_sha256
        answers = [forged.answer(n, n, *[float(n + 1)] * 4, 1.0, 0)[0] for n in range(6)]
        assert answers[-1] == wanted


def test_a_build_is_kept_found_again_and_checked(tmp_path):
    file, home, disk = tmp_path / "flip.py", tmp_path / "home", RealDisk()
    file.write_text(FLIP)
    first = forge(str(file), home, disk)
    assert first.is_new and not forge(str(file), home, disk).is_new
    assert [stored.record.name for stored in list_builds(home, disk).builds] == ["Flip"]
    kept = home / "forge" / first.record.build_sha256
    assert sorted(os.listdir(kept)) == ["ir.json", "record.json", "strategy.c", "strategy.py", "strategy.so"]
    library = kept / "strategy.so"
    library.write_bytes(library.read_bytes()[:-1] + b"x")
    with pytest.raises(ArtifactChanged):
        open_library(forge(str(file), home, disk), disk)
    (kept / "record.json").write_text("{")
    assert list_builds(home, disk).damaged == (first.record.build_sha256,)
    assert forge(str(file), home, disk).is_new
    assert open_library(forge(str(file), home, disk), disk).record == first.record


def test_another_source_is_another_build(tmp_path):
    hashes = {
        plan_source(text.encode(), "strategy.py").build_sha256
        for text in (FLIP, FLIP + "\n# a comment moves nothing\n", FLIP.replace("<", "<="))
    }
    assert len(hashes) == 3
