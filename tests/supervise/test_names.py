from __future__ import annotations

from typing import Any

import pytest

from orchestrator.supervise.names import Names
from tests.children import until


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "[::1]"])
def test_an_address_is_its_own_answer(host: str) -> None:
    assert Names().addresses(host, 0.0) == Names().latest(host, 0.0) == {host.strip("[]")}


def test_all_answers_count_for_a_connection_and_the_last_for_a_new_one() -> None:
    answers = [["10.0.0.1", "10.0.0.2"], [], ["10.0.0.3"]]
    asked: list[str] = []

    def resolve(host: str, *_: object, **__: object) -> list[tuple[Any, ...]]:
        asked.append(host)
        return [(None, None, None, "", (address, 0)) for address in answers[len(asked) - 1]]

    names = Names(resolve)
    until(lambda: names.addresses("exchange.example", 0.5) == {"10.0.0.1", "10.0.0.2"})
    names.addresses("exchange.example", 100.0)
    until(lambda: len(asked) == 2)
    until(lambda: names.latest("exchange.example", 200.0) == {"10.0.0.3"})
    assert names.addresses("exchange.example", 200.0) == {"10.0.0.1", "10.0.0.2", "10.0.0.3"}
    assert asked == ["exchange.example"] * 3
