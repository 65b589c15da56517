from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from orchestrator.stack import diagram

if TYPE_CHECKING:
    from tests.stack.conftest import Loader

_STACK = """\
network: local
connectors:
  bf: {type: sim, depends_on: [proxy]}
  by: {type: bybit, config: {}, external: true}
services:
  proxy: {command: [/opt/my "proxy"/bin/p"<1>, -v]}
bots:
  mm: {type: sim, depends_on: {bf: {condition: fresh, on_restart: stop}, by: {on_restart: keep}}}
  rec: {package: tools, bin: recorder, depends_on: [bf]}
"""


@pytest.fixture
def drawn(loaded: Loader) -> diagram.Diagram:
    return diagram.diagram(loaded(_STACK))


def test_a_terminal_sees_the_order_of_starting_and_what_each_unit_waits_for(drawn: diagram.Diagram) -> None:
    lines = diagram.to_ascii(drawn)

    assert lines == [
        "prod  local",
        "1  by     connector  bybit, external",
        '   proxy  service    p"<1>',
        "2  bf     connector  sim",
        "   |- needs proxy ready, restarts with it",
        "3  mm     bot        sim",
        "   |- needs bf fresh, stops when it restarts",
        "   |- needs by ready, keeps running when it restarts",
        "   rec    bot        recorder",
        "   |- needs bf ready, restarts with it",
    ]


def test_mermaid_gets_a_subgraph_a_generation_and_labels_that_cannot_break_out(drawn: diagram.Diagram) -> None:
    assert diagram.to_mermaid(drawn) == [
        "flowchart LR",
        '    subgraph g1["1"]',
        '        u0[["by<br/>connector bybit, external"]]',
        '        u1[("proxy<br/>service p#quot;#lt;1#gt;")]',
        "    end",
        '    subgraph g2["2"]',
        '        u2[["bf<br/>connector sim"]]',
        "    end",
        '    subgraph g3["3"]',
        '        u3(["mm<br/>bot sim"])',
        '        u4(["rec<br/>bot recorder"])',
        "    end",
        '    u1 -->|"ready, restart"| u2',
        '    u2 -->|"fresh, stop"| u3',
        '    u0 -->|"ready, keep"| u3',
        '    u2 -->|"ready, restart"| u4',
    ]


def test_graphviz_gets_a_rank_a_generation_and_escaped_text(drawn: diagram.Diagram) -> None:
    lines = diagram.to_dot(drawn)

    assert (lines[0], lines[-1]) == ('digraph "prod" {', "}")
    assert '    "proxy" [shape=cylinder, label="proxy\\nservice p\\"<1>"];' in lines
    assert '    {rank=same; "mm"; "rec";}' in lines
    assert '    "bf" -> "mm" [label="fresh, stop"];' in lines


def test_scripts_get_units_edges_and_generations(drawn: diagram.Diagram) -> None:
    found = json.loads("\n".join(diagram.to_json(drawn)))

    assert list(found) == ["stack", "network", "generations", "units", "edges"]
    assert found["generations"] == [["by", "proxy"], ["bf"], ["mm", "rec"]]
    assert {"name": "by", "kind": "connector", "what": "bybit, external"} in found["units"]
    assert {"unit": "mm", "needs": "by", "condition": "ready", "on_restart": "keep"} in found["edges"]
