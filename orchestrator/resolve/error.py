"""What resolution can fail with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.errors import HftstackError

if TYPE_CHECKING:
    from collections.abc import Sequence


class ResolveError(HftstackError):
    """Raised when a valid stack does not fit this machine; never holds a value of a config or an environment."""

    exit_code = 3

    @classmethod
    def of(cls, errors: Sequence[ResolveError]) -> ResolveError:
        """Return one error that shows all of `errors`."""
        if len(errors) == 1:
            return errors[0]
        return cls(f"{len(errors)} things cannot be resolved", detail="\n".join(map(str, errors)))
