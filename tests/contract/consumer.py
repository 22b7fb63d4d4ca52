"""A consumer as others would write it: it knows the command line, the documents, and nothing of our code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schemas"


class Undocumented(KeyError):
    """The consumer reached for a field that no document promises."""


class Documented:
    """A JSON object that gives only fields its schema names, and only where the schema requires them."""

    def __init__(self, value: dict[str, object], schema: dict[str, object], root: dict[str, object]) -> None:
        self._value, self._schema, self._root = value, schema, root

    @classmethod
    def read(cls, path: Path, schema_name: str) -> Documented:
        root = json.loads((SCHEMAS / f"{schema_name}.json").read_bytes())
        return cls(json.loads(path.read_bytes()), _resolved(root, root), root)

    def __getitem__(self, name: str) -> object:
        properties = self._schema.get("properties", {})
        assert isinstance(properties, dict)
        free = self._schema.get("additionalProperties")
        if name not in properties and not isinstance(free, dict):
            raise Undocumented(name)
        value = self._value[name]
        schema = _resolved(properties.get(name, free), self._root)
        return Documented(value, schema, self._root) if isinstance(value, dict) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._value)


def _resolved(schema: object, root: dict[str, object]) -> dict[str, object]:
    assert isinstance(schema, dict)
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    found: object = root
    for part in reference.removeprefix("#/").split("/"):
        assert isinstance(found, dict)
        found = found[part]
    return _resolved(found, root)


def signals(path: Path) -> list[dict[str, object]]:
    """Return the lines of a signal file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def outcome(report_path: Path) -> dict[str, object]:
    """Read what a driver needs of a finished run, from report.json and the files that it names."""
    report = Documented.read(report_path, "run.report")
    contract = report["machine_contract"]
    assert isinstance(contract, Documented)
    artifacts, summary = contract["artifacts"], contract["summary"]
    assert isinstance(artifacts, Documented) and isinstance(summary, Documented)
    folder = report_path.parent
    metrics = Documented.read(folder / str(artifacts["metrics"]), "run.metrics")
    best = metrics["best_result"]
    assert isinstance(best, Documented)
    reproduce = report["reproduce"]
    assert isinstance(reproduce, Documented)
    return {
        "contract_type": contract["contract_type"],
        "status": contract["status"],
        "request_id": contract["request_id"],
        "run_id": contract["run_id"],
        "mode": contract["mode"],
        "trust": report["trust"],
        "trades": summary["trades"],
        "total_return": summary["total_return"],
        "profit_factor": best["profit_factor"],
        "reproduce": reproduce["command"],
        "files": sorted(str(artifacts[name]) for name in artifacts),
        "rows": len((folder / str(artifacts["trades"])).read_text().splitlines()) - 1,
    }
