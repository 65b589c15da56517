"""Which of the operator's programs an event is for, and what they are told. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.deployment.model import Alarm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.deployment.model import Deployment, Hook
    from orchestrator.supervise.graph import Graph

_RAISED_BY: Final = {alarm.value: alarm for alarm in Alarm} | {"refused": Alarm.FAILED}
"""What the journal calls it: a unit that is refused has failed for good, too."""


def hooks(event: Mapping[str, Any], deployment: Deployment, graph: Graph) -> tuple[Hook, ...]:
    """Return the hooks to run for an event, as `note` tells it."""
    alarm = _RAISED_BY.get(event["what"])
    if alarm is None:
        return ()
    found = []
    spec = graph.specs.get(event["unit"])
    if alarm is Alarm.FAILED and spec is not None and spec.hooks.on_failed is not None:
        found.append(spec.hooks.on_failed)
    if deployment.notify is not None and alarm in deployment.notify.on:
        found.append(deployment.notify.hook)
    return tuple(found)


def message(event: Mapping[str, Any], deployment: Deployment, graph: Graph) -> dict[str, Any]:
    """Return the event's object with stack, file, the alarm's name, and the unit's kind and state, null without one."""
    name = event["unit"]
    known = name in graph.units
    return {
        **event,
        "stack": deployment.stack,
        "file": deployment.file,
        "alarm": _RAISED_BY[event["what"]].value,
        "kind": graph.used(name).kind.value if known else None,
        "state": graph.units[name].state.value if known else None,
    }
