"""What a rule of this room finds, before it is known whether the file gives a reason to ignore it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.stack import pointer as json_pointer
from orchestrator.stack.document import Finding
from orchestrator.venue.ruleset import RULES

if TYPE_CHECKING:
    from orchestrator.errors import Diagnostic
    from orchestrator.stack.draft import Configured


@dataclass(frozen=True, slots=True)
class Remark:
    """A finding of `rule` about `units`, the first of them being where it is to be corrected.

    `parts` lead to its place: from the root of the stack file, or of `config` when that is given. The message holds
    nothing of a config but hosts and keys.
    """

    rule: str
    units: tuple[str, ...]
    parts: tuple[str | int, ...]
    message: str
    hint: str | None
    on_key: bool = False
    config: Configured | None = None

    def located(self, ignored: str | None = None) -> Finding | Diagnostic:
        """Return the finding with its place; `ignored` is the reason that was given for living with it."""
        rule = RULES.get(self.rule)
        finding = Finding(
            json_pointer.join(self.parts),
            self.message,
            self.hint,
            self.rule,
            self.on_key,
            severity="error" if rule is None else rule.severity,
            ignored=ignored,
        )
        return finding if self.config is None else self.config.located(self.parts, finding)
