"""What a crash may leave of a sequence of operations: the file system as a journal of names and pages.

A killed process loses nothing that it wrote: the state is a prefix of its operations, the last write
perhaps by halves. A power loss keeps what was synced; of what was not, any 4 KiB pages may be there or
not, file sizes too, and name changes (create, rename, unlink) survive as a prefix in their order, as
journalling file systems promise. Syncing a file does not keep its name here; syncing a folder does.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.survival.crashpoints.recorder import Op

PAGE = 4096
Files = dict[str, bytes]


@dataclass
class _Node:
    """One file: as the process sees it, as it is on the platter, and the changes between."""

    live: bytearray = field(default_factory=bytearray)
    safe: bytes = b""
    pending: list[Op] = field(default_factory=list)


@dataclass(frozen=True)
class State:
    """What one crash left: `after` operations, in which way, and what had been acknowledged."""

    after: int
    how: str
    files: Files
    acked: tuple[str, ...]


class DiskModel:
    """Applies operations one by one and knows what would be left."""

    def __init__(self) -> None:
        self._nodes: dict[str, _Node] = {}
        self._safe_names: dict[str, _Node] = {}
        self._names: list[Op] = []
        self._named: list[_Node | None] = []

    def apply(self, op: Op) -> None:
        if op.kind == "S":
            self._sync(op.path)
        elif op.kind in "WT":
            node = self._nodes.setdefault(op.path, _Node())
            _change(node.live, op)
            node.pending.append(op)
        elif op.kind in "CRU":
            node_of_name = _Node() if op.kind == "C" else self._nodes.get(op.path)
            _rename(self._nodes, op, node_of_name)
            self._names.append(op)
            self._named.append(node_of_name)

    def killed(self) -> Files:
        """Return what a killed process leaves: everything."""
        return {path: bytes(node.live) for path, node in self._nodes.items()}

    def torn(self, op: Op, size: int) -> Files:
        """Return what is there when only the first `size` bytes of a write arrived."""
        files = self.killed()
        content = bytearray(files.get(op.path, b""))
        _change(content, Op("W", op.path, op.offset, op.data[:size]))
        return {**files, op.path: bytes(content)}

    def power_lost(self, chance: random.Random, keep: float) -> Files:
        """Return one way a power loss may leave it; `keep` is how likely each unsynced page is there."""
        names = dict(self._safe_names)
        survived = sum(1 for _ in self._names if chance.random() < keep) if keep < 1 else len(self._names)
        for op, node in list(zip(self._names, self._named, strict=True))[:survived]:
            _rename(names, op, node)
        return {path: _platter(node, chance, keep) for path, node in names.items()}

    def _sync(self, path: str) -> None:
        node = self._nodes.get(path)
        if node is not None:
            node.safe, node.pending = bytes(node.live), []
            return
        self._safe_names = dict(self._nodes)  # a folder: the journal commits every name so far
        self._names, self._named = [], []


def _change(content: bytearray, op: Op) -> None:
    if op.kind == "T":
        del content[op.offset :]
        content.extend(bytes(op.offset - len(content)))
        return
    if len(content) < op.offset:
        content.extend(bytes(op.offset - len(content)))
    content[op.offset : op.offset + len(op.data)] = op.data


def _rename(names: dict[str, _Node], op: Op, node: _Node | None) -> None:
    if op.kind == "C":
        assert node is not None
        names[op.path] = node
    elif op.kind == "U":
        names.pop(op.path, None)
    else:
        new, below = op.data.decode(), op.path + "/"
        for path in [path for path in names if path == op.path or path.startswith(below)]:
            names[new + path.removeprefix(op.path)] = names.pop(path)


def _platter(node: _Node, chance: random.Random, keep: float) -> bytes:
    content = bytearray(node.safe)
    for op in node.pending:
        if op.kind == "T":
            if chance.random() < keep:
                _change(content, op)
            continue
        start, end = op.offset, op.offset + len(op.data)
        while start < end:
            stop = min(end, (start // PAGE + 1) * PAGE)
            if chance.random() < keep:
                part = op.data[start - op.offset : stop - op.offset]
                _change(content, Op("W", op.path, start, part))
            start = stop
    return bytes(content)


def states(ops: list[Op], losses: int, tear: int = 1, seed: int = 1) -> Iterator[State]:
    """Yield every prefix, each torn last write in two ways, and `losses` power losses at each operation.

    A write is torn at a multiple of `tear` bytes.
    """
    model, acked, chance = DiskModel(), [], random.Random(seed)
    yield State(0, "killed", {}, ())
    for number, op in enumerate(ops, start=1):
        so_far = tuple(acked)
        if op.kind == "A":
            acked.append(op.data.decode())
        elif op.kind == "W" and len(op.data) > tear:
            for size in sorted({tear, max(1, len(op.data) // 2 // tear) * tear}):
                yield State(number, f"torn at {size}", model.torn(op, size), so_far)
        model.apply(op)
        so_far = tuple(acked)
        if op.kind not in "SA":
            yield State(number, "killed", model.killed(), so_far)
        if op.kind != "D":
            yield State(number, "power lost, nothing unsynced left", model.power_lost(chance, 0.0), so_far)
            for draw in range(losses):
                keep = chance.choice((0.25, 0.5, 0.75, 0.95))
                yield State(number, f"power lost, draw {draw}", model.power_lost(chance, keep), so_far)
