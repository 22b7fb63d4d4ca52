"""How a command ends badly: with a code, what happened and why, and what to do."""

from __future__ import annotations

from console.cli.exit_codes import ExitCode, exit_code


class Failure(Exception):
    """A command that cannot succeed. `code` is a reason code; the exit code follows from it."""

    def __init__(self, code: str, message: str, correction: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.correction = code, message, correction

    @property
    def exit_code(self) -> ExitCode:
        return exit_code(self.code)
