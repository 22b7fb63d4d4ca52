"""Load a forged library from sealed memory: what was hashed is what runs.

The bytes go into an anonymous file that is sealed against every later write, and are loaded from there;
a path could be swapped between the hash and the load. The descriptor stays open for the life of the
process: the loader knows libraries by name, and a reused number would return an older library.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass

from engine.lifecycle.forge.build import ABI, BuildRecord
from native.forged import Forged

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class ArtifactChanged(Exception):
    """A stored build's bytes or its own name for itself are not what its record says."""

    code = "forge_artifact_changed"


@dataclass(frozen=True)
class Library:
    """A loaded build: addresses of init, on_bar, signals (0: none); offsets of the state's named words."""

    record: BuildRecord
    addresses: tuple[int, int, int]
    offsets: tuple[int, ...]
    handle: ctypes.CDLL

    def instance(self, values: Mapping[str, float]) -> Forged:
        """Return a new instance; `values` names every parameter. Raises what `on_start` would raise."""
        record = self.record
        return Forged(
            name=record.name,
            build_sha256=record.build_sha256,
            addresses=self.addresses,
            values={name: values[name] for name, _ in record.params},
            fields=[(*word, offset) for word, offset in zip(record.words, self.offsets, strict=True)],
            places=[(kind, f"{record.source_file}:{text}") for kind, text in record.places],
            has_levels=record.has_levels,
            warmup_bars=record.warmup_bars,
            library=self.handle,
        )


_LOADED: dict[str, Library] = {}
"""By the artifact's hash; a library is loaded once and never unloaded."""


def load(record: BuildRecord, artifact: bytes) -> Library:
    """Load a build. Raises `ArtifactChanged` for other bytes than the record's, `OSError` from the loader."""
    digest = hashlib.sha256(artifact).hexdigest()
    if digest != record.artifact_sha256:
        wanted = record.artifact_sha256
        raise ArtifactChanged(f"{record.name}: the library is {digest[:12]}, its record says {wanted[:12]}")
    if digest not in _LOADED:
        _LOADED[digest] = _open(record, artifact)
    found = _LOADED[digest]
    if found.record.build_sha256 != record.build_sha256:
        own = found.record.build_sha256
        raise ArtifactChanged(f"{record.name}: the loaded library says it is {own[:12]}")
    # Two records may share bytes (another file name); each keeps its own names and messages.
    return Library(record, found.addresses, found.offsets, found.handle)


def _open(record: BuildRecord, artifact: bytes) -> Library:
    descriptor = os.memfd_create(f"forged-{record.name}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    written = 0
    while written < len(artifact):
        written += os.write(descriptor, artifact[written:])
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    handle = ctypes.CDLL(f"/proc/self/fd/{descriptor}")
    abi = ctypes.c_int64.in_dll(handle, "il_abi").value
    own = bytes((ctypes.c_char * 65).in_dll(handle, "il_build_sha256")).rstrip(b"\0").decode()
    if abi != ABI or own != record.build_sha256:
        raise ArtifactChanged(f"{record.name}: the loaded library says it is {own[:12]}, interface {abi}")
    words = (ctypes.c_int64 * max(1, len(record.words))).in_dll(handle, "il_words")
    signals = "il_signals" if record.answers_ahead else ""
    return Library(
        record=record,
        addresses=(_address(handle, "il_init"), _address(handle, "il_on_bar"), _address(handle, signals)),
        offsets=tuple(words[index] for index in range(len(record.words))),
        handle=handle,
    )


def _address(handle: ctypes.CDLL, name: str) -> int:
    if not name:
        return 0
    return ctypes.cast(getattr(handle, name), ctypes.c_void_p).value or 0
