from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator import ConnectorRunnerError
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


def test_a_file_that_breaks_between_two_starts_is_refused_before_the_connector_sees_it(bench: Bench) -> None:
    runner = bench.script('cat "$3"; exec sleep 1000')
    bench.file("bf.toml", f"secret = {_KEY}")
    with pytest.raises(ConnectorRunnerError, match="not valid TOML"):
        runner.start()

    assert runner.process is None


@pytest.mark.parametrize(
    ("connector_type", "text", "said"),
    [
        ("binancefutures", 'stream_url = "ws://h/ws"', "a binancefutures connector needs api_url"),
        ("binancespot", "", "a binancespot connector needs stream_url, api_url"),
        ("bybit", 'public_url = "ws://h"\ncategory = "linear"\n', "needs private_url, trade_url, rest_url, api_key"),
        ("binancefutures", f"{FUTURES}secret = 5\n", "secret is not a text"),
    ],
)
def test_what_would_make_the_connector_print_its_config_is_refused(
    bench: Bench, connector_type: str, text: str, said: str
) -> None:
    with pytest.raises(ConnectorRunnerError) as caught:
        bench.runner(connector_type, text)

    assert said in str(caught.value)
    assert caught.value.where == str(bench.folder / "bf.toml")


def test_the_keys_of_an_account_are_hidden_in_what_is_shown_of_the_output(bench: Bench) -> None:
    pem = "-----BEGIN PRIVATE KEY-----\\nMC4CAQAwBQYDK2VwBCIEIA\\n-----END PRIVATE KEY-----"
    text = f'{FUTURES}api_key = "{_KEY}"\nsecret = "{pem}"\n'
    program = bench.program("connector", 'cat "$3"; cat "$3" >&2; exec sleep 1000')
    runner = bench.runner("binancefutures", text, binary_path=program, auto_build=False)
    runner.start()
    with pytest.raises(ConnectorRunnerError) as caught:
        runner.wait_for_ready(0.5)

    shown = "".join([*runner.get_output(), str(caught.value)])
    assert "stream_url" in shown
    assert "[hidden]" in shown
    assert _KEY not in shown
    assert "MC4CAQAwBQYDK2VwBCIEIA" not in shown
