from collections.abc import Mapping, Sequence
from typing import Any

class Forged:
    def __init__(
        self,
        *,
        name: str,
        build_sha256: str,
        addresses: tuple[int, int, int],
        values: Mapping[str, float],
        fields: Sequence[tuple[str, str, int]],
        places: Sequence[tuple[str, str]],
        has_levels: bool,
        warmup_bars: int,
        library: object,
    ) -> None: ...
    @property
    def name(self) -> str: ...
    @property
    def build_sha256(self) -> str: ...
    @property
    def warmup_bars(self) -> int: ...
    @property
    def identity(self) -> str: ...
    @property
    def answers_ahead(self) -> bool: ...
    def values(self) -> dict[str, float]: ...
    def state_values(self) -> dict[str, Any]: ...
    def state_tuple(self) -> tuple[Any, ...]: ...
    def answer(
        self,
        ts_ns: int,
        index: int,
        open: float,
        high: float,
        low: float,
        close: float,
        volume: float,
        side: int,
    ) -> tuple[Any, ...]: ...
    def export_state(self) -> dict[str, Any]: ...
    def import_state(self, state: dict[str, Any]) -> None: ...
