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
        failure = _failure(error, _code(error))
        if failure is None:
            raise
        raise failure from error


@contextmanager
def coded_failures() -> Iterator[None]:
    """Turn only errors that carry a reason code; for what runs long, where a `ValueError` is a defect."""
    try:
        yield
    except Exception as error:
        failure = _failure(error, _own_code(error))
        if failure is None:
            raise
        raise failure from error


def _failure(error: Exception, code: str) -> Failure | None:
    """Return the failure that an error of this code is; None where it must pass as it is."""
    if not code or isinstance(error, Failure):
        return None
    correction = REASONS[code].correction if code in REASONS else "see --help of the command"
    return Failure(code, str(error) or type(error).__name__, correction)


def _own_code(error: Exception) -> str:
    own = getattr(error, "code", None)
    return own if isinstance(own, str) else ""


def _code(error: Exception) -> str:
    """Return the error's own code, or the one of its kind; empty for what no façade announces."""
    if own := _own_code(error):
        return own
    if getattr(error, "exit_category", "") == "data":
        return "data_invalid"
    if isinstance(error, LookupError | FileNotFoundError):
        return "not_found"
    if type(error).__name__ == "StrategyError":
        return "unknown_strategy"
    return "bad_parameter" if isinstance(error, ValueError) else ""
