"""A deployment of which only some units are brought in; all others stay as they are deployed. Pure."""

from __future__ import annotations

from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from orchestrator.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from orchestrator.deployment.model import Deployment

_WHOLE = "`hftstack up` without units brings all of it in"


def narrowed(old: Deployment | None, new: Deployment, chosen: Collection[str]) -> Deployment:
    """Return `new` with every unit that is deployed and not `chosen` as it is in `old`, None when nothing runs.

    `chosen` holds what its units depend on. With a unit that is not as `new` has it, the files and the environment that
    the whole is from stay those of `old`. What only `new` has is deployed too. Raises RefusedError when the two
    do not fit together.
    """
    if old is None:
        return new
    if old.network != new.network:
        raise RefusedError(f"the stack runs on {old.network}, its file says {new.network}", where=new.file, hint=_WHOLE)
    before = {unit.name: unit for unit in old.units}
    units = {unit.name: unit if unit.name in chosen else before.get(unit.name, unit) for unit in new.units}
    units |= {name: unit for name, unit in before.items() if name not in units}
    apart = any(units[unit.name] != unit for unit in new.units) or len(units) > len(new.units)
    origin = old if apart else new
    order = _in_order({name: [edge.unit for edge in unit.depends_on] for name, unit in units.items()}, new.file)
    ordered = tuple(units[name] for name in order)
    return replace(new, units=ordered, sources=origin.sources, inherited=origin.inherited)


def needed(edges: Mapping[str, Sequence[str]], names: Iterable[str]) -> tuple[str, ...]:
    """Return `names` and all that one of them hangs on by `edges`, directly or not, in the order of `edges`."""
    found = set(names)
    queue = list(found)
    while queue:
        for other in edges[queue.pop()]:
            if other not in found:
                found.add(other)
                queue.append(other)
    return tuple(name for name in edges if name in found)


def _in_order(edges: dict[str, list[str]], file: str) -> list[str]:
    """Return the names, dependencies first, as near to the order of `edges` as that allows."""
    sorter = TopologicalSorter(edges)
    try:
        sorter.prepare()
    except CycleError as error:
        cycle = " -> ".join(error.args[1])
        raise RefusedError(
            f"with the rest as it is deployed, units would depend on one another: {cycle}", where=file, hint=_WHOLE
        ) from None
    places = {name: place for place, name in enumerate(edges)}
    order: list[str] = []
    ready: list[tuple[int, str]] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heappush(ready, (places[name], name))
        order.append(heappop(ready)[1])
        sorter.done(order[-1])
    return order
