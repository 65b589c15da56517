"""One exception tree. Each class carries its exit code; the terminal sees them in one place, `cli.main`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence


class HftstackError(Exception):
    """What went wrong, where, and what to do about it.

    Args:
        message: one sentence without a final stop; never a secret.
        where: the unit, the file, or `file:line:column` that it is about.
        hint: what to do, as an instruction.
        detail: further lines to show under the message, such as a compiler's output.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self, message: str, *, where: str | None = None, hint: str | None = None, detail: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        self.detail = detail

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.message}" if self.where else self.message]
        if self.detail:
            lines.append(self.detail.rstrip("\n"))
        if self.hint:
            lines.append(f"    {self.hint}")
        return "\n".join(lines)


class UsageError(HftstackError):
    """Raised when the command line asks for what does not exist or does not fit together."""

    exit_code = 2


Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, order=True)
class Diagnostic:
    """One mistake in a stack file, at the place where a reader would correct it.

    Lines and columns count from 1, columns in characters. `pointer` is a JSON pointer into the file, empty for
    the file as a whole; `rule` is a stable identifier in kebab-case. `ignored` is the reason that the stack file gives
    for living with it.
    """

    file: str
    line: int
    column: int
    pointer: str
    message: str
    hint: str | None
    rule: str
    severity: Severity = "error"
    ignored: str | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}"
        if self.severity == "warning":
            place += ": warning"
        head = f"{place}: {self.pointer}: {self.message}" if self.pointer else f"{place}: {self.message}"
        if self.hint is None:
            return f"{head}    [{self.rule}]"
        return f"{head}\n    {self.hint}    [{self.rule}]"


class StackError(HftstackError):
    """Raised when a stack file is not valid; holds every error and warning that was found, in the file's order."""

    exit_code = 3

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(sorted(diagnostics, key=lambda d: (d.file, d.line, d.column, d.message)))
        errors = sum(diagnostic.severity == "error" for diagnostic in self.diagnostics)
        counts = [(errors, "error"), (len(self.diagnostics) - errors, "warning")]
        told = (f"{count} {noun}{'s' if count != 1 else ''}" for count, noun in counts if count)
        super().__init__(", ".join(told))

    def __str__(self) -> str:
        return "\n".join([*map(str, self.diagnostics), f"{self.message}."])


class BuildError(HftstackError):
    """Raised when cargo cannot build what the stack needs."""

    exit_code = 4


class NotReachedError(HftstackError):
    """Raised when a unit did not reach its target."""

    exit_code = 5


class RefusedError(HftstackError):
    """Raised when going on would harm what runs, or when this machine cannot do it."""

    exit_code = 7


class InterruptedByUserError(HftstackError):
    """Raised when Ctrl-C ended the command."""

    exit_code = 130
