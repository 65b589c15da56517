from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.stack.graph import cycles, generations, order

GRAPHS = st.integers(min_value=0, max_value=8).flatmap(
    lambda size: st.fixed_dictionaries(
        {str(n): st.lists(st.sampled_from([str(m) for m in range(size)]), max_size=3) for n in range(size)}
    )
)


def test_dependencies_come_first_and_the_rest_keeps_its_order() -> None:
    assert order({"a": [], "b": ["d"], "c": [], "d": []}) == ("a", "c", "d", "b")


def test_a_cycle_is_named_from_its_first_unit() -> None:
    assert cycles({"a": [], "b": ["c"], "c": ["d", "a"], "d": ["b"]}) == [("b", "c", "d")]


def test_the_shortest_cycle_through_the_first_unit_is_named() -> None:
    assert cycles({"a": ["b", "c"], "b": ["d"], "c": ["a"], "d": ["a"]}) == [("a", "c")]


def test_each_knot_is_named_once() -> None:
    assert cycles({"a": ["b"], "b": ["a"], "c": ["d"], "d": ["c"], "e": ["a", "e"]}) == [("a", "b"), ("c", "d"), ("e",)]


@given(GRAPHS)
def test_a_graph_has_an_order_or_a_cycle_and_both_are_true(graph: dict[str, list[str]]) -> None:
    ordered, found = order(graph), cycles(graph)

    for position, name in enumerate(ordered):
        assert set(graph[name]) <= set(ordered[:position])
    for cycle in found:
        for name, need in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
            assert need in graph[name]
    assert (len(ordered) == len(graph)) is not bool(found)


@given(GRAPHS)
def test_a_generation_is_the_first_in_which_all_that_a_unit_needs_came_before(graph: dict[str, list[str]]) -> None:
    found = generations(graph)
    rank = {name: number for number, names in enumerate(found) for name in names}

    assert set(rank) == set(order(graph))
    for name, number in rank.items():
        assert number == max((rank[need] + 1 for need in graph[name]), default=0)
    for names in found:
        assert list(names) == [name for name in graph if name in names]
