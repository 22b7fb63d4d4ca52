"""What a façade of the engine raises, turned into a failure with a code and a correction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from console.cli.failure import Failure
from safety.reasons import REASONS


@contextmanager
def failures() -> Iterator[None]:
    """Turn the errors that façades document into `Failure`; everything else is a defect and passes."""
    try:
        yield
    except Exception as error:
        code = _code(error)
        if not code or isinstance(error, Failure):
            raise
        correction = REASONS[code].correction if code in REASONS else "see --help of the command"
        raise Failure(code, str(error) or type(error).__name__, correction) from error


def _code(error: Exception) -> str:
    """Return the error's own code, or the one of its kind; empty for what no façade announces."""
    own = getattr(error, "code", None)
    if isinstance(own, str):
        return own
    if getattr(error, "exit_category", "") == "data":
        return "data_invalid"
    if isinstance(error, LookupError | FileNotFoundError):
        return "not_found"
    if type(error).__name__ == "StrategyError":
        return "unknown_strategy"
    return "bad_parameter" if isinstance(error, ValueError) else ""
