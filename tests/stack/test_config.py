from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.stack.conftest import places

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stack.conftest import Loader, Refusal

STACK = "network: testnet\nconnectors:\n  c: {type: bybit, config: sub/c.toml}\n"


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    return tmp_path / "sub" / "c.toml"


def test_a_config_file_is_read_and_kept(config_file: Path, loaded: Loader) -> None:
    content = b'public_url = "wss://stream-testnet.bybit.com/v5/public/linear"\n'
    config_file.write_bytes(content)

    config = loaded(STACK).config("c")

    assert config is not None
    assert (config.path, config.content) == (config_file, content)
    assert config.table == {"public_url": "wss://stream-testnet.bybit.com/v5/public/linear"}


def test_a_variable_may_name_the_config_file(config_file: Path, loaded: Loader) -> None:
    config_file.write_text("a = 1")

    config = loaded(STACK.replace("sub/c.toml", "'${DIR}/c.toml'"), {"DIR": str(config_file.parent)}).config("c")

    assert config is not None
    assert config.path == config_file


def test_a_unit_without_config_has_none(loaded: Loader) -> None:
    assert loaded("network: local\nconnectors: {c: {type: sim}}").config("c") is None


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ('api_key = "s3cr3t"\nsecret = s3cr3t\n', (2, 10)),
        ('api_key = "s3cr3t\n', (1, 18)),
        ("s3cr3t", (1, 7)),
        ('"s3cr3t" = 1\n"s3cr3t" = 2\n', (2, 13)),
        ("[s3cr3t]\n[s3cr3t]\n", (2, 8)),
        ("a = {s3cr3t = 1, s3cr3t = 2}\n", (1, 28)),
        ("[x]\ns3cr3t = 1\n[x.s3cr3t]\n", (3, 10)),
        ("a = " + "[" * 10_000, (1, 1)),
        ("a = " + "9" * 10_000, (1, 1)),
    ],
)
def test_a_broken_config_file_is_named_with_its_own_place_and_without_its_content(
    content: str, place: tuple[int, int], config_file: Path, refused: Refusal
) -> None:
    config_file.write_text(content)

    (mistake,) = refused(STACK)

    assert mistake.file == str(config_file)
    assert ((mistake.line, mistake.column), mistake.rule) == (place, "config-toml")
    assert "s3cr3t" not in str(mistake)


def test_a_config_file_that_is_not_utf8_is_named_with_its_own_place(config_file: Path, refused: Refusal) -> None:
    config_file.write_bytes(b'a = 1\nb = "\xff"')

    (mistake,) = refused(STACK)

    assert (mistake.file, mistake.line, mistake.column, mistake.rule) == (str(config_file), 2, 6, "file-encoding")


def test_a_broken_config_file_of_two_connectors_is_reported_once(config_file: Path, refused: Refusal) -> None:
    config_file.write_text("x")

    assert len(refused(STACK + "  d: {type: bybit, config: sub/c.toml}\n")) == 1


def test_a_config_file_that_is_not_there_is_reported_where_it_is_named(tmp_path: Path, refused: Refusal) -> None:
    (tmp_path / "dir.toml").mkdir()
    (tmp_path / "large.toml").write_bytes(b"#" * 2_000_000)
    text = "network: testnet\nconnectors:\n" + "".join(
        f"  {name}: {{type: bybit, config: {name}.toml}}\n" for name in ("gone", "dir", "large")
    )

    mistakes = refused(text)

    assert places(mistakes) == [
        "3:31 /connectors/gone/config [config-file-missing]",
        "4:30 /connectors/dir/config [config-file-directory]",
        "5:32 /connectors/large/config [config-file-size]",
    ]
    assert str(tmp_path / "gone.toml") in mistakes[0].message


SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "unit",
    [
        f"{{type: bybit, config: [{SECRET}]}}",
        f"{{type: bybit, config: {{a: {SECRET}, a: {SECRET}}}}}",
        f"{{type: bybit, config: {{a: !{SECRET} x}}}}",
        f"{{type: bybit, config: {{a: *{SECRET}}}}}",
        f"{{type: bybit, config: {{a: '{SECRET}$x'}}}}",
        f"{{type: bybit, config: {{a: '{SECRET}${{x'}}}}",
        f"{{type: bybit, config: {{api_url: 'https://${{KEY}}/{SECRET}'}}}}",
        f"{{type: bybit, config: {{a: 'https://${{NOT:-{SECRET}}}'}}}}",
        f'{{type: bybit, config: {{a: "{SECRET}\\0"}}}}',
        f'{{type: bybit, config: {{a: "{SECRET}\\q"}}}}',
        f"{{type: bybit, config: {{a: '{SECRET}}}}}",
        "{type: bybit, config: {a: '${KEY}', b: }}",
        "{type: bybit, config: {a: '${KEY}', b: '${NOT}'}}",
        f"{{type: bybit, config: {{}}, env: {SECRET}}}",
        f"{{type: bybit, config: {{}}, env: [{SECRET}]}}",
        f"{{type: bybit, config: {{}}, env: {{A: [{SECRET}]}}}}",
        "{type: bybit, config: {}, env: {A: '${KEY}', B: 5}}",
        f"{{type: bybit, config: {{}}, api_key: {SECRET}}}",
        "{type: bybit, config: {}, stop: {grace: '${KEY}'}}",
        "{type: bybit, config: '${KEY}'}",
        "{type: bybit, config: {}, cwd: '${KEY}'}",
        "{type: bybit, config: {}, hooks: {on_failed: '${KEY}', timeout: '${KEY}'}}",
        "{type: bybit, config: {}, external: '${KEY}'}",
        "{type: bybit, config: {}, restart: {max_age: '${KEY}', window: '${KEY}'}}",
        "{type: bybit, config: {}, restart: {policy: '${KEY}'}}",
        "{type: bybit, config: {}, resources: {scheduler: '${KEY}'}}",
    ],
)
def test_no_message_holds_a_value_of_a_config_an_environment_or_a_variable(unit: str, refused: Refusal) -> None:
    mistakes = refused(f"network: testnet\nconnectors:\n  c: {unit}\n", {"KEY": SECRET})

    assert mistakes
    assert SECRET not in "\n".join(map(str, mistakes))


@pytest.mark.parametrize("number", ["0771234", "99999999999999999999", "7712341e999"])
def test_no_message_holds_a_number_of_a_config(number: str, refused: Refusal) -> None:
    (mistake,) = refused(f"network: testnet\nconnectors:\n  c: {{type: bybit, config: {{pin: {number}}}}}\n")

    assert number not in str(mistake)
    assert "771234" not in str(mistake)


def test_a_stack_does_not_show_its_configs_and_environments(loaded: Loader) -> None:
    stack = loaded(
        f"network: testnet\nenv: {{A: {SECRET}}}\nbuild: {{env: {{B: {SECRET}}}}}\n"
        f"connectors: {{c: {{type: bybit, config: {{key: {SECRET}}}, env: {{C: {SECRET}}}}}}}\n"
    )

    assert SECRET not in repr(stack)
    assert SECRET not in str(stack)
    assert SECRET not in repr(stack.config("c"))
