from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.sim.settings import BotSettings, ConnectorSettings, SettingsError, load

if TYPE_CHECKING:
    from pathlib import Path


def test_without_a_file_every_setting_has_its_default() -> None:
    assert load(ConnectorSettings, None).rate == 100
    assert load(BotSettings, None).symbols == ("btcusdt",)


def test_settings_and_faults_are_read(tmp_path: Path) -> None:
    file = tmp_path / "sim.toml"
    file.write_text('rate = 7\nsymbols = ["a", "b"]\n[faults]\ndie_after = 0.5\nexit_code = 3\nclose_stdout = true\n')
    settings = load(ConnectorSettings, str(file))
    assert settings == ConnectorSettings(rate=7, symbols=("a", "b"), die_after=0.5, exit_code=3, close_stdout=True)


def test_true_means_every_signal_and_a_number_that_many(tmp_path: Path) -> None:
    file = tmp_path / "sim.toml"
    file.write_text("[faults]\nignore_sigterm = true\n")
    assert load(BotSettings, str(file)).ignore_sigterm == float("inf")
    file.write_text("[faults]\nignore_sigterm = 3\n")
    assert load(BotSettings, str(file)).ignore_sigterm == 3


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("speed = 3", "speed: unknown key"),
        ("die_after = 3", "die_after: unknown key"),
        ("[faults]\nrate = 3", "faults.rate: unknown key"),
        ("[faults]\nstall_after = 3", "faults.stall_after: unknown key"),
        ('rate = "fast"', "rate: not a number"),
        ("rate = true", "rate: not a number"),
        ("rate = -1", "rate: not a number"),
        ("rate = inf", "rate: not a number"),
        ("rate = nan", "rate: not a number"),
        ('symbols = "btcusdt"', "symbols: not a list"),
        ("symbols = [1]", "symbols: not a list"),
        ("faults = 3", "faults: not a table"),
        ("[faults]\nexit_code = 256", "faults.exit_code: not an exit code"),
        ("[faults]\nexit_code = 1.5", "faults.exit_code: not a number"),
        ("[faults]\nignore_sigterm = 1.5", "faults.ignore_sigterm: neither"),
        ("[faults]\nclose_stdout = 1", "faults.close_stdout: not true or false"),
        ("[faults]\nstate = 1", "faults.state: not a path"),
        ("[faults]\ndie_before_live = 2", "faults.die_before_live: a number needs faults.state"),
        ("rate = = 3", "not valid TOML"),
    ],
)
def test_a_mistake_is_named_by_its_key(tmp_path: Path, content: str, named: str) -> None:
    file = tmp_path / "sim.toml"
    file.write_text(content)
    with pytest.raises(SettingsError, match=named):
        load(ConnectorSettings, str(file))


def test_a_value_is_never_repeated(tmp_path: Path) -> None:
    file = tmp_path / "sim.toml"
    file.write_text('rate = "hunter2"')
    with pytest.raises(SettingsError) as caught:
        load(ConnectorSettings, str(file))
    assert "hunter2" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        load(BotSettings, str(tmp_path / "none.toml"))
