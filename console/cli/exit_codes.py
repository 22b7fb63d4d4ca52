"""Exit codes, and the one table that says which reason code leads to which."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit status means; scripts may rely on these."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    UNREACHABLE = 3
    OUTCOME_UNKNOWN = 4
    NOT_PERMITTED = 5
    STALE = 6
    KILL_UNCONFIRMED = 10
    INTERRUPTED = 130


MEANING: dict[ExitCode, str] = {
    ExitCode.OK: "done",
    ExitCode.REFUSED: "the engine refused, or a check failed",
    ExitCode.USAGE: "wrong usage or configuration",
    ExitCode.UNREACHABLE: "the engine cannot be reached; nothing was sent",
    ExitCode.OUTCOME_UNKNOWN: "no answer in time; the outcome is unknown: look, do not repeat",
    ExitCode.NOT_PERMITTED: "this person, role or gate does not permit it",
    ExitCode.STALE: "what you decided about has changed; look again",
    ExitCode.KILL_UNCONFIRMED: "the kill was sent or latched, and nobody confirmed it",
    ExitCode.INTERRUPTED: "interrupted from the keyboard",
}

BY_REASON: dict[str, ExitCode] = {
    "ok": ExitCode.OK,
    "usage": ExitCode.USAGE,
    "bad_parameter": ExitCode.USAGE,
    "bad_confirmation": ExitCode.USAGE,
    "confirmation_required": ExitCode.USAGE,
    "foreign_package": ExitCode.USAGE,
    "hash_too_short": ExitCode.USAGE,
    "home_damaged": ExitCode.USAGE,
    "home_not_writable": ExitCode.NOT_PERMITTED,
    "invalid_config": ExitCode.USAGE,
    "invalid_request": ExitCode.USAGE,
    "mixed_contract": ExitCode.USAGE,
    "not_installed": ExitCode.USAGE,
    "reason_required": ExitCode.USAGE,
    "engine_unreachable": ExitCode.UNREACHABLE,
    "outcome_unknown": ExitCode.OUTCOME_UNKNOWN,
    "not_permitted": ExitCode.NOT_PERMITTED,
    "operator_required": ExitCode.NOT_PERMITTED,
    "secret_exposed": ExitCode.NOT_PERMITTED,
    "ticket_reserved": ExitCode.NOT_PERMITTED,
    "difference_gone": ExitCode.STALE,
    "difference_stale": ExitCode.STALE,
    "lease_held": ExitCode.NOT_PERMITTED,
    "lease_required": ExitCode.NOT_PERMITTED,
    "principal_required": ExitCode.NOT_PERMITTED,
    "same_person": ExitCode.NOT_PERMITTED,
    "signature_invalid": ExitCode.NOT_PERMITTED,
    "approval_expired": ExitCode.STALE,
    "approval_changed": ExitCode.STALE,
    "order_incomplete": ExitCode.USAGE,
    "order_invalid": ExitCode.USAGE,
    "expired_request": ExitCode.STALE,
    "ticket_changed": ExitCode.STALE,
    "ticket_expired": ExitCode.STALE,
    "ticket_hash_mismatch": ExitCode.STALE,
    "ticket_used": ExitCode.STALE,
    "wrong_epoch": ExitCode.STALE,
    "kill_unconfirmed": ExitCode.KILL_UNCONFIRMED,
    "interrupted": ExitCode.INTERRUPTED,
}
"""Reason codes with an exit code of their own; all others refuse with 1."""

OWN_REASONS = frozenset(
    {
        "ok",
        "usage",
        "bad_parameter",
        "confirmation_required",
        "engine_unreachable",
        "hash_too_short",
        "interrupted",
        "invalid_request",
        "kill_unconfirmed",
        "mixed_contract",
        "no_log",
        "no_runs",
        "not_installed",
        "view_missing",
    }
)
"""Codes of the command line itself; the others stand in `docs/reason-codes.md`."""


def exit_code(reason: str) -> ExitCode:
    """Return the exit code of a reason code; every code not in the table is a refusal."""
    return BY_REASON.get(reason, ExitCode.REFUSED)
