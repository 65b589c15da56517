"""Who depends on whom: the order of starting, and the cycles that make one impossible.

A graph is a mapping from each unit to the units that it depends on; its order is the tie-breaker.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def order(graph: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return all units, dependencies first, stable by the mapping's order; units on or behind a cycle are left out."""
    names = list(graph)
    rank = {name: position for position, name in enumerate(names)}
    missing = {name: len(set(needs)) for name, needs in graph.items()}
    dependents: dict[str, list[str]] = {name: [] for name in names}
    for name, needs in graph.items():
        for need in set(needs):
            dependents[need].append(name)
    free = [rank[name] for name in names if not missing[name]]
    heapify(free)
    ordered = []
    while free:
        name = names[heappop(free)]
        ordered.append(name)
        for dependent in dependents[name]:
            missing[dependent] -= 1
            if not missing[dependent]:
                heappush(free, rank[dependent])
    return tuple(ordered)


def generations(graph: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """Return the topological generations: each unit in the first one in which all that it depends on came before.

    Within a generation, units stand in the mapping's order; those on or behind a cycle are left out.
    """
    depth: dict[str, int] = {}
    for name in order(graph):
        depth[name] = 1 + max((depth[need] for need in graph[name]), default=-1)
    result: list[list[str]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
    for name in graph:
        if name in depth:
            result[depth[name]].append(name)
    return tuple(map(tuple, result))


def cycles(graph: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """Return a shortest cycle through the first unit of each knot of cycles; `(a, b)` is a -> b -> a.

    Networkx is loaded only when there is a cycle: a sound stack does not pay for it.
    """
    if len(order(graph)) == len(graph):
        return []
    import networkx as nx  # noqa: PLC0415 - 170 ms, and only a wrong file needs it

    digraph: nx.DiGraph[str] = nx.DiGraph((name, need) for name, needs in graph.items() for need in needs)
    rank = {name: position for position, name in enumerate(graph)}
    found = []
    for knot in nx.strongly_connected_components(digraph):
        first = min(knot, key=rank.__getitem__)
        if len(knot) == 1 and not digraph.has_edge(first, first):
            continue
        inner = digraph.subgraph(knot)
        ways = (nx.shortest_path(inner, need, first) for need in graph[first] if need in knot)
        shortest = min(ways, key=len)
        found.append((first, *shortest[:-1]))
    return sorted(found, key=lambda cycle: rank[cycle[0]])
