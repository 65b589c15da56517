"""What a lock tells of a stack without its secrets."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import pytest

from orchestrator.resolve import locking

if TYPE_CHECKING:
    from tests.resolve.conftest import Desk

_MINE: Final = "{testnet: true, max_position: 1, at: 'wss://a.example/ws', token: %s, list: [1, %s]}"


def _config(desk: Desk, table: str) -> str:
    stack = desk.load(f"secrets: {{t: {{env: T}}}}\nconnectors: {{my: {{type: mine, config: {table}}}}}")
    return locking.found(stack, None, None, None, locking.Named({}, {})).configs["my"]


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [
        ("testnet: true", "testnet: false", True),
        ("max_position: 1", "max_position: 1000", True),
        ("list: [1", "list: [2", True),
        ("a.example", "b.example", True),
        ("'${secret:t}'", "hunter2", True),
        ("hunter1", "hunter2", False),
        ("wss://a.example/ws", "wss://a.example/ws?token=hunter1", True),
    ],
)
def test_a_config_of_an_unknown_type_is_known_by_all_but_its_texts(
    desk: Desk, old: str, new: str, *, differs: bool
) -> None:
    table = _MINE % (("'${secret:t}'",) * 2 if "secret" in old else ("hunter1",) * 2)
    assert old in table

    assert (_config(desk, table) != _config(desk, table.replace(old, new))) is differs


def test_a_url_that_may_hold_a_key_is_known_by_none_of_it(desk: Desk) -> None:
    one, other = (_config(desk, f"{{at: 'wss://a.example/ws?token={token}'}}") for token in ("hunter1", "hunter2"))

    assert one == other


def test_code_is_known_by_unit_and_by_its_path_from_the_stack_file(desk: Desk) -> None:
    for name in ("bots/mm.py", "shared.sh", "bots/x.toml"):
        desk.write(name, name)
    whole = desk.folder / "shared.sh"
    stack = desk.load(f"""
        bots:
          mm: {{command: [no-such-python, mm.py, ../shared.sh, --config=x.toml, state.json, {whole}], cwd: bots}}
          built: {{package: built, args: [shared.sh]}}
        services: {{px: {{command: [sleep, "1"]}}}}
    """)

    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("bots/mm.py", "shared.sh", "bots/x.toml")}
    assert locking.named(stack, all_there=True).code == {
        "mm bots/mm.py": digests["bots/mm.py"],
        "mm shared.sh": digests["shared.sh"],
        "mm bots/x.toml": digests["bots/x.toml"],
        f"mm {whole}": digests["shared.sh"],
        "built shared.sh": digests["shared.sh"],
    }
