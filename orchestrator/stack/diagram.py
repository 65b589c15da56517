"""The graph of a stack as text: for a terminal, for Mermaid, for Graphviz, for scripts. Pure.

Arrows go from a unit to those that wait for it: the way of starting, and of data.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from orchestrator.deployment.model import Kind, Level, OnRestart
from orchestrator.stack import graph
from orchestrator.stack.model import Connector

if TYPE_CHECKING:
    from orchestrator.stack.model import Bot, Service, Stack


@dataclass(frozen=True, slots=True)
class Node:
    """A unit; `what` says in a word what it is: its type, its package, its program."""

    name: str
    kind: Kind
    what: str


@dataclass(frozen=True, slots=True)
class Edge:
    """`unit` waits until `needs` has reached `condition`, and does `on_restart` when it is restarted."""

    unit: str
    needs: str
    condition: Level
    on_restart: OnRestart


@dataclass(frozen=True, slots=True)
class Diagram:
    """What is to be drawn; units of one generation start together, each when what it needs is there."""

    stack: str
    network: str
    generations: tuple[tuple[Node, ...], ...]
    edges: tuple[Edge, ...]

    def needs_of(self, name: str) -> tuple[Edge, ...]:
        """Return the edges to what a unit needs."""
        return tuple(edge for edge in self.edges if edge.unit == name)


def diagram(stack: Stack) -> Diagram:
    """Return what is to be drawn of a loaded stack."""
    nodes = {name: Node(name, kind, _what(unit)) for kind, name, unit in stack.units()}
    needs = {name: tuple(unit.depends_on) for _, name, unit in stack.units()}
    edges = tuple(
        Edge(name, needed, dependency.condition, dependency.on_restart)
        for _, name, unit in stack.units()
        for needed, dependency in unit.depends_on.items()
    )
    generations = tuple(tuple(nodes[name] for name in names) for names in graph.generations(needs))
    return Diagram(stack.name, stack.network, generations, edges)


def _what(unit: Connector | Service | Bot) -> str:
    if isinstance(unit, Connector):
        return f"{unit.type}, external" if unit.external else unit.type
    if unit.package is not None:
        return unit.binary or unit.package
    return PurePath(unit.command[0]).name if unit.command else "sim"


_FOLLOWS: Final = {
    OnRestart.RESTART: "restarts with it",
    OnRestart.STOP: "stops when it restarts",
    OnRestart.KEEP: "keeps running when it restarts",
}


def to_ascii(drawn: Diagram) -> list[str]:
    """Return lines: the generations in order, under each unit what it needs."""
    nodes = [node for generation in drawn.generations for node in generation]
    name = max((len(node.name) for node in nodes), default=0)
    kind = max((len(node.kind.value) for node in nodes), default=0)
    number = len(str(len(drawn.generations)))
    lines = [f"{drawn.stack}  {drawn.network}"]
    for position, generation in enumerate(drawn.generations, 1):
        for index, node in enumerate(generation):
            head = "" if index else str(position)
            lines.append(f"{head:>{number}}  {node.name:{name}}  {node.kind.value:{kind}}  {node.what}".rstrip())
            lines += [
                f"{'':{number}}  |- needs {edge.needs} {edge.condition.value}, {_FOLLOWS[edge.on_restart]}"
                for edge in drawn.needs_of(node.name)
            ]
    return lines


_SHAPES: Final = {Kind.CONNECTOR: ("[[", "]]"), Kind.SERVICE: ("[(", ")]"), Kind.BOT: ("([", "])")}
_MERMAID: Final = str.maketrans({'"': "#quot;", "<": "#lt;", ">": "#gt;", "#": "#35;", "`": "#96;", "\n": " "})


def to_mermaid(drawn: Diagram) -> list[str]:
    """Return a Mermaid flowchart (mermaid.js.org): a subgraph for each generation."""
    identifiers: dict[str, str] = {}
    lines = ["flowchart LR"]
    for position, generation in enumerate(drawn.generations, 1):
        lines.append(f'    subgraph g{position}["{position}"]')
        for node in generation:
            identifiers[node.name] = f"u{len(identifiers)}"
            opening, closing = _SHAPES[node.kind]
            label = f"{node.name}<br/>{node.kind.value} {node.what.translate(_MERMAID)}"
            lines.append(f'        {identifiers[node.name]}{opening}"{label}"{closing}')
        lines.append("    end")
    lines += [
        f'    {identifiers[edge.needs]} -->|"{edge.condition.value}, {edge.on_restart.value}"| {identifiers[edge.unit]}'
        for edge in drawn.edges
    ]
    return lines


_DOT_SHAPES: Final = {Kind.CONNECTOR: "box", Kind.SERVICE: "cylinder", Kind.BOT: "ellipse"}


def to_dot(drawn: Diagram) -> list[str]:
    """Return a graph in Graphviz's language (graphviz.org/doc/info/lang.html): a rank for each generation."""
    lines = [f"digraph {_dot(drawn.stack)} {{", "    rankdir=LR;"]
    for generation in drawn.generations:
        for node in generation:
            label = _dot(f"{node.name}\n{node.kind.value} {node.what}")
            lines.append(f"    {_dot(node.name)} [shape={_DOT_SHAPES[node.kind]}, label={label}];")
        lines.append(f"    {{rank=same; {' '.join(f'{_dot(node.name)};' for node in generation)}}}")
    lines += [
        f'    {_dot(edge.needs)} -> {_dot(edge.unit)} [label="{edge.condition.value}, {edge.on_restart.value}"];'
        for edge in drawn.edges
    ]
    return [*lines, "}"]


def _dot(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def to_json(drawn: Diagram) -> list[str]:
    """Return one JSON object in lines: `stack`, `network`, `generations` (names), `units`, `edges`."""
    found = {
        "stack": drawn.stack,
        "network": drawn.network,
        "generations": [[node.name for node in generation] for generation in drawn.generations],
        "units": [
            {"name": node.name, "kind": node.kind.value, "what": node.what}
            for generation in drawn.generations
            for node in generation
        ],
        "edges": [
            {
                "unit": edge.unit,
                "needs": edge.needs,
                "condition": edge.condition.value,
                "on_restart": edge.on_restart.value,
            }
            for edge in drawn.edges
        ],
    }
    return json.dumps(found, indent=2).splitlines()
