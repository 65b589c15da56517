"""Which of the operator's programs an event is for, and what they are told. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.deployment.model import Alarm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.deployment.model import Deployment, Hook
    from orchestrator.supervise.graph import Graph

_HALT: Final = "halt"
_DOWN: Final = frozenset({"stopped", "lost"})
"""What the journal says of a unit that has become what a halt makes of it."""

_RAISED_BY: Final = {alarm.value: alarm for alarm in Alarm} | {"refused": Alarm.FAILED}
"""What the journal calls it: a unit that is refused has failed for good, too."""


def hooks(event: Mapping[str, Any], deployment: Deployment, graph: Graph) -> tuple[Hook, ...]:
    """Return the hooks to run for an event, as `note` tells it."""
    spec = graph.specs.get(event["unit"])
    if _is_halted(event, graph):
        return () if spec is None or spec.hooks.on_halt is None else (spec.hooks.on_halt,)
    alarm = _RAISED_BY.get(event["what"])
    if alarm is None:
        return ()
    found = []
    if alarm is Alarm.FAILED and spec is not None and spec.hooks.on_failed is not None:
        found.append(spec.hooks.on_failed)
    if deployment.notify is not None and alarm in deployment.notify.on:
        found.append(deployment.notify.hook)
    return tuple(found)


def is_urgent(event: Mapping[str, Any], graph: Graph) -> bool:
    """Tell whether no hook may be left out for this event, however many there are."""
    return _is_halted(event, graph)


def _is_halted(event: Mapping[str, Any], graph: Graph) -> bool:
    return graph.halted is not None and event["unit"] is not None and event["what"] in _DOWN


def message(event: Mapping[str, Any], deployment: Deployment, graph: Graph) -> dict[str, Any]:
    """Return the event's object with stack, file, the alarm's name, and the unit's kind and state, null without one."""
    name = event["unit"]
    known = name in graph.units
    halted = _is_halted(event, graph)
    return {
        **event,
        "text": graph.halted if halted else event["text"],
        "stack": deployment.stack,
        "file": deployment.file,
        "alarm": _HALT if halted else _RAISED_BY[event["what"]].value,
        "kind": graph.used(name).kind.value if known else None,
        "state": graph.units[name].state.value if known else None,
    }
