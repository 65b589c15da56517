from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator import ConnectorRunnerError
from orchestrator.observe.hiding import Secrets, confidential
from tests.runner.conftest import FUTURES

if TYPE_CHECKING:
    from tests.runner.conftest import Bench

_KEY = "K3yOfAnAccount"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f'api_key = "{_KEY}\n', "1:26"),
        (f'api_key = "{_KEY}"\nsecret = {_KEY}\n', "2:10"),
        (f"[{_KEY}]\n[{_KEY}]\n", "2:16"),
        (f'api_key = "{_KEY}"\napi_key = "{_KEY}"\n', "2:27"),
        (f"{_KEY} = {{ {_KEY} = 1, {_KEY} = 2 }}", "1:57"),
    ],
)
def test_a_broken_file_is_refused_at_its_place_and_without_its_content(bench: Bench, text: str, place: str) -> None:
    with pytest.raises(ConnectorRunnerError) as caught:
        bench.runner("binancefutures", text)

    assert str(caught.value.where).startswith(f"{bench.folder}/bf.toml:{place.partition(':')[0]}:")
    assert "not valid TOML" in str(caught.value)
    assert _KEY not in str(caught.value)


def test_a_reference_to_a_secret_is_not_taken_for_a_key(bench: Bench) -> None:
    with pytest.raises(ConnectorRunnerError) as caught:
        bench.runner("binancefutures", FUTURES + 'api_key = "k"\nsecret = "${secret:key}"\n')

    line = FUTURES.count("\n") + 2
    assert caught.value.where == f"{bench.folder}/bf.toml:{line}:10"
    assert "a reference to a stack file's secret" in str(caught.value)


def test_a_file_that_breaks_between_two_starts_is_refused_before_the_connector_sees_it(bench: Bench) -> None:
    runner = bench.script('cat "$3"; exec sleep 1000')
    bench.file("bf.toml", f"secret = {_KEY}")
    with pytest.raises(ConnectorRunnerError, match="not valid TOML"):
        runner.start()

    assert runner.process is None


@pytest.mark.parametrize(
    ("connector_type", "text", "said"),
    [
        ("binancefutures", 'stream_url = "ws://h/ws"', ['1:1: the key "api_url" is missing']),
        ("binancespot", "", ['the key "stream_url" is missing', 'the key "api_url" is missing']),
        ("bybit", 'category = "linear"\n', ['the key "public_url" is missing', 'the key "order_prefix" is missing']),
        ("binancefutures", f"{FUTURES}secret = 5\n", ["3:10: /secret: secret is not text"]),
        ("binancefutures", f'{FUTURES}secret_key = "{_KEY}"\n', ["3:1: /secret_key: ", "did you mean secret?"]),
    ],
)
def test_what_the_connector_would_end_of_or_ignore_is_refused_all_at_once(
    bench: Bench, connector_type: str, text: str, said: list[str]
) -> None:
    with pytest.raises(ConnectorRunnerError) as caught:
        bench.runner(connector_type, text)

    assert caught.value.where == str(bench.folder / "bf.toml")
    assert all(words in str(caught.value) for words in said), str(caught.value)
    assert _KEY not in str(caught.value)


def test_the_keys_of_an_account_are_hidden_in_what_is_shown_of_the_output(bench: Bench) -> None:
    text = f'{FUTURES}api_key = "{_KEY}"\nsecret = "{_KEY}Longer"\n'
    program = bench.program("connector", 'cat "$3"; cat "$3" >&2; exec sleep 1000')
    runner = bench.runner("binancefutures", text, binary_path=program, auto_build=False)
    runner.start()
    with pytest.raises(ConnectorRunnerError) as caught:
        runner.wait_for_ready(0.5)

    shown = "".join([*runner.get_output(), str(caught.value)])
    assert "stream_url" in shown
    assert 'secret = "[hidden]"' in shown
    assert _KEY not in shown


def test_each_line_of_a_key_of_several_lines_is_hidden_and_short_words_are_not() -> None:
    table = {"secret": "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYD\n", "api_key": "abc", "api_url": "ws://h"}
    secrets = Secrets.of(confidential(table))

    assert secrets.hide("x\\nMC4CAQAwBQYD\\n abc ws://h") == "x\\n[hidden]\\n abc ws://h"
