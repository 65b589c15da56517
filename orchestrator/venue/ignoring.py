"""What a unit's `ignore:` says: rules that it breaks on purpose, each with a reason.

A reason belongs to a unit, not to the stack: the next unit that breaks the same rule is told.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from orchestrator.stack import pointer as json_pointer
from orchestrator.venue.remark import Remark
from orchestrator.venue.ruleset import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.stack.declared import View

_BESIDE: Final = frozenset({"shared-prefix"})
"""Rules that also hold between this stack and others on a machine: whether a reason is needed shows only there."""


class Ignores:
    """The reasons that a stack's units give, and which of them were needed."""

    def __init__(self, view: View) -> None:
        self._reasons: dict[tuple[str, str], str] = {}
        self._places: dict[tuple[str, str], tuple[str, ...]] = {}
        self._used: set[tuple[str, str]] = set()
        for unit in view.units:
            given = unit.data.get("ignore")
            for rule, reason in given.items() if isinstance(given, dict) else ():
                if isinstance(reason, str):
                    self._reasons[unit.name, rule] = reason
                    self._places[unit.name, rule] = (*json_pointer.split(unit.pointer), "ignore", rule)

    def reason(self, remark: Remark) -> str | None:
        """Return the reason to ignore `remark` that one of its units gives; None when none does, or none may."""
        rule = RULES.get(remark.rule)
        if rule is None or not rule.ignorable:
            return None
        for unit in remark.units:
            reason = self._reasons.get((unit, remark.rule), "").strip()
            if reason:
                self._used.add((unit, remark.rule))
                return reason
        return None

    def remarks(self) -> Iterator[Remark]:
        """Yield what is wrong with the ignores themselves, when all else was asked for."""
        ignorable = [rule.id for rule in RULES.values() if rule.ignorable]
        for (unit, name), reason in self._reasons.items():
            place = self._places[unit, name]
            rule = RULES.get(name)
            if rule is None:
                near = get_close_matches(name, ignorable, 1)
                hint = f"did you mean {near[0]}?" if near else f"those that may be ignored are {', '.join(ignorable)}"
                yield Remark("ignore", (unit,), place, "this is no rule that a unit could break", hint, on_key=True)
            elif not rule.ignorable:
                message, hint = f"nobody may ignore {name}", "remove it, and correct what the rule finds"
                yield Remark("ignore", (unit,), place, message, hint, on_key=True)
            elif not reason.strip():
                yield Remark("ignore", (unit,), place, "this gives no reason", "say why in a few words")
            elif (unit, name) not in self._used and name not in _BESIDE:
                message = "the unit does not break this rule"
                yield Remark("ignore-unused", (unit,), place, message, "remove it", on_key=True)
