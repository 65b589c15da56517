from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator import resolve, venue
from orchestrator.build import CONNECTOR, Program
from orchestrator.channel.location import ChannelConfigError
from orchestrator.deployment import codec
from orchestrator.deployment.model import (
    Alarm,
    Dependency,
    Deployment,
    Endpoint,
    File,
    Hook,
    Level,
    OnRestart,
    Window,
)
from orchestrator.errors import BuildError, RefusedError
from orchestrator.resolve import ResolveError

if TYPE_CHECKING:
    from tests.resolve.conftest import Desk

FUTURES = """
connectors:
  bf:
    type: binancefutures
    config: {stream_url: "ws://127.0.0.1:9001/ws", api_url: "http://127.0.0.1:9001", api_key: key-hush, secret: ""}
"""

DEMO = """
connectors:
  one: {type: sim}
  two: {type: sim, config: {rate: 50}}
bots:
  mm: {type: sim, depends_on: [one, two]}
"""


def sha256(path: str | Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_a_unit_knows_which_of_its_words_the_environment_gave(desk: Desk) -> None:
    text = """
    services:
      s: {command: [/bin/true, "$$x", "a${BINANCE_KEY}", "${BINANCE_KEY:-x}"], ready: {exec: [x, "${BINANCE_KEY}"]}}
      t: {command: ["${SHELL:-/bin/true}", plain], ready: {log: ok}}
    bots:
      p: {package: p, args: [plain, "${BINANCE_KEY}"]}
    """
    deployment = desk.resolve(text, desk.built(Program("p", "p")))

    s, p = deployment.unit("s"), deployment.unit("p")
    assert (s.argv, s.given) == (("/bin/true", "$x", "ahush", "hush"), ("argv.2", "argv.3", "ready"))
    assert (p.argv[1:], p.given) == (("plain", "hush"), ("argv.2",))
    assert deployment.unit("t").given == ()


def test_a_stack_that_is_read_anywhere_has_no_words_of_the_environment(desk: Desk) -> None:
    file = desk.write("w.yaml", "network: local\nbots: {b: {command: [x, '${BINANCE_KEY}']}}\n")
    loaded = venue.load_anywhere(file, desk.environ)

    assert loaded.bots["b"].command == ("x", "${BINANCE_KEY}")
    assert not loaded.is_given("bots", "b", "command", "1")


def test_a_cargo_connector_runs_the_stored_binary_with_upstreams_arguments(desk: Desk) -> None:
    built = desk.built(CONNECTOR)
    unit = desk.unit("bf", FUTURES, built)
    (config,) = unit.files
    assert unit.argv == (str(built.binaries[CONNECTOR].path), "bf", "binancefutures", config.path)
    assert unit.executable == File(unit.argv[0], sha256(unit.argv[0]))
    assert unit.type == "binancefutures"
    assert unit.cwd == str(desk.folder)


def test_an_inline_config_becomes_a_private_file_named_by_its_digest(desk: Desk) -> None:
    (config,) = desk.unit("bf", FUTURES, desk.built(CONNECTOR)).files
    path = Path(config.path)
    assert path == desk.home.configs / f"bf-{config.sha256[:16]}.toml"
    assert path.stat().st_mode & 0o777 == 0o600
    assert sha256(path) == config.sha256
    assert tomllib.loads(path.read_text())["api_key"] == "key-hush"


def test_the_same_config_is_the_same_file_and_is_not_written_again(desk: Desk) -> None:
    built = desk.built(CONNECTOR)
    (first,) = desk.unit("bf", FUTURES, built).files
    inode = Path(first.path).stat().st_ino
    (second,) = desk.unit("bf", FUTURES, built).files
    assert second == first
    assert Path(second.path).stat().st_ino == inode
    assert list(desk.home.configs.iterdir()) == [Path(first.path)]


def test_an_edit_of_a_config_file_does_not_reach_what_is_deployed(desk: Desk) -> None:
    text = "connectors: {bf: {type: binancefutures, config: bf.toml}}"
    original = '# ours\nstream_url = "ws://127.0.0.1:9001/ws"\napi_url = "http://127.0.0.1:9001"\n'
    file = desk.write("bf.toml", original)
    (before,) = desk.unit("bf", text, desk.built(CONNECTOR)).files
    file.write_text(original.replace("9001", "9002"))
    (after,) = desk.unit("bf", text, desk.built(CONNECTOR)).files
    assert Path(before.path).read_text() == original
    assert after != before
    assert tomllib.loads(Path(after.path).read_text())["stream_url"] == "ws://127.0.0.1:9002/ws"


def test_a_damaged_rendered_config_is_made_whole(desk: Desk) -> None:
    built = desk.built(CONNECTOR)
    (config,) = desk.unit("bf", FUTURES, built).files
    Path(config.path).write_text("damaged")
    desk.unit("bf", FUTURES, built)
    assert sha256(config.path) == config.sha256


def test_a_connector_with_a_stream_aims_at_connected_and_knows_what_rest_shares(desk: Desk) -> None:
    unit = desk.unit("bf", FUTURES, desk.built(CONNECTOR))
    assert unit.target is Level.CONNECTED
    assert unit.streams == (Endpoint("127.0.0.1", 9001, shared=True),)


def test_the_simulator_runs_by_this_python_and_aims_at_live(desk: Desk) -> None:
    deployment = desk.resolve(DEMO)
    one, two, mm = (deployment.unit(name) for name in ("one", "two", "mm"))
    assert one.argv == (sys.executable, "-P", "-m", "orchestrator.sim", "connector", "one")
    assert two.argv[-3:] == ("connector", "two", two.files[0].path)
    assert tomllib.loads(Path(two.argv[-1]).read_text()) == {"rate": 50}
    assert mm.argv[-2:] == ("bot", "one,two")
    assert (one.target, mm.target) == (Level.LIVE, Level.READY)
    assert one.streams == ()
    assert one.executable == File(sys.executable, sha256(sys.executable))


def test_the_simulator_starts_from_any_directory_with_the_units_environment(desk: Desk) -> None:
    desk.write("orchestrator/__init__.py", "raise SystemExit('the cwd was imported')")
    unit = desk.unit("one", DEMO)
    done = subprocess.run(
        [*unit.argv[:4], "no-such-program"],
        cwd=unit.cwd,
        env=dict(unit.env),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("usage: python -m orchestrator.sim")


def test_units_stand_in_order_with_their_edges(desk: Desk) -> None:
    deployment = desk.resolve(
        """
        connectors:
          one: {type: sim, depends_on: [proxy]}
        services:
          proxy: {command: [sleep, "1"]}
        bots:
          mm: {command: [sleep, "1"], depends_on: {one: {condition: fresh, on_restart: stop}, proxy: {}}}
        """
    )
    assert [unit.name for unit in deployment.units] == ["proxy", "one", "mm"]
    mm = deployment.unit("mm")
    assert mm.depends_on == (Dependency("one", Level.FRESH, OnRestart.STOP), Dependency("proxy"))
    assert mm.attaches == ("one",)


def test_a_bot_that_is_not_to_attach_is_not_looked_for_on_a_channel(desk: Desk) -> None:
    text = "connectors: {one: {type: sim}}\nbots: {log: {command: [sleep, '1'], depends_on: [one], attached: false}}"
    assert desk.unit("log", text).attaches == ()


def test_a_command_is_found_on_the_callers_path_and_its_arguments_stay(desk: Desk) -> None:
    program = desk.write("bin/quoter", "#!/bin/sh\n", 0o755)
    unit = desk.unit("mm", "bots: {mm: {command: [quoter, ./a, --x=$$HOME]}}")
    assert unit.argv == (str(program), "./a", "--x=$HOME")
    assert unit.executable == File(str(program), sha256(program))


def test_a_command_with_a_slash_is_relative_to_the_units_directory_and_links_stay(desk: Desk) -> None:
    desk.write("work/real", "#!/bin/sh\n", 0o755)
    link = desk.folder / "work" / "python"
    link.symlink_to("real")
    unit = desk.unit("mm", "bots: {mm: {command: [./python], cwd: work}}")
    assert unit.argv == (str(link),)
    assert unit.executable == File(str(link), sha256(link))


def test_the_code_that_a_command_names_is_known_by_its_digest_and_what_a_program_may_write_is_not(desk: Desk) -> None:
    for name in ("bots/mm.py", "bots/x.toml", "bots/state.json", "bots/mm.db", "shared.sh"):
        desk.write(name, name)
    desk.write("bots/bare", "#!/bin/sh\n")
    (desk.folder / "bots/folder.py").mkdir()
    os.mkfifo(desk.folder / "bots/pipe.py")
    words = [
        "mm.py",
        "mm.py",
        "--config=x.toml",
        "bare",
        "../shared.sh",
        "gone.py",
        "folder.py",
        "pipe.py",
        "state.json",
    ]
    words += ["--db=mm.db", "a" * 5000, "-", "="]
    unit = desk.unit("mm", f"bots: {{mm: {{command: {json.dumps(['sh', *words])}, cwd: bots}}}}")

    assert unit.argv[1:] == tuple(words)
    assert unit.code == tuple(
        File(str(desk.folder / name), hashlib.sha256((desk.folder / name).read_bytes()).hexdigest())
        for name in ("bots/mm.py", "bots/x.toml", "bots/bare", "shared.sh")
    )


def test_the_code_of_a_link_is_what_it_leads_to_and_its_path_is_the_links(desk: Desk) -> None:
    desk.write("one/mm.py", "1")
    desk.write("two/mm.py", "2")
    link = desk.folder / "current"
    link.symlink_to("one")
    text = "bots: {mm: {command: [sh, current/mm.py]}}"
    before = desk.unit("mm", text).code
    link.unlink()
    link.symlink_to("two")
    after = desk.unit("mm", text).code

    assert before is not None
    assert after is not None
    assert before != after
    assert [file.path for file in before] == [file.path for file in after] == [str(link / "mm.py")]


def test_arguments_of_a_package_name_code_too_and_a_connector_has_none(desk: Desk) -> None:
    desk.write("x.toml", "a = 1")
    text = "connectors: {s: {type: sim}}\nbots: {mm: {package: mm, args: [x.toml]}}"
    deployment = desk.resolve(text, desk.built(Program("mm", "mm")))

    assert [file.path for file in deployment.unit("mm").code or ()] == [str(desk.folder / "x.toml")]
    assert deployment.unit("s").code == ()


def test_all_units_that_do_not_fit_are_named_at_once_with_what_to_do(desk: Desk) -> None:
    desk.write("script", "#!/bin/sh\n")
    desk.write("folder/x", "")
    with pytest.raises(ResolveError) as caught:
        desk.resolve(
            """
            bots:
              a: {command: [no-such-program-anywhere]}
              b: {command: [./script]}
              c: {command: [./folder]}
              d: {command: [./gone]}
              e: {command: ["true"]}
            """
        )
    text = str(caught.value)
    assert caught.value.exit_code == 3
    assert "4 things cannot be resolved" in text
    assert "a: there is no program 'no-such-program-anywhere' on the PATH" in text
    assert f"chmod +x {desk.folder}/script" in text
    assert "c: cannot run" in text
    assert "is not a regular file" in text
    assert "d: cannot run" in text
    assert "No such file" in text
    assert "\ne: " not in text


def test_programs_of_the_workspace_are_run_with_their_arguments(desk: Desk) -> None:
    bot = Program("bot", "bot")
    built = desk.built(bot)
    unit = desk.unit("mm", "bots: {mm: {package: bot, args: [--quick]}}", built)
    assert unit.argv == (str(built.binaries[bot].path), "--quick")


def test_a_program_that_was_not_built_is_a_build_error(desk: Desk) -> None:
    with pytest.raises(BuildError, match="connector was not built"):
        desk.resolve(FUTURES)


def test_the_environment_is_the_units_own_and_a_few_of_the_callers(desk: Desk) -> None:
    unit = desk.unit("mm", "env: {RUST_LOG: info, A: stack}\nbots: {mm: {command: ['true'], env: {A: unit}}}")
    assert dict(unit.env) == {
        "PATH": desk.environ["PATH"],
        "HOME": desk.environ["HOME"],
        "RUST_LOG": "info",
        "A": "unit",
    }
    assert list(unit.env) == sorted(unit.env)


def test_one_channel_config_is_shared_by_connectors_and_bots_only(desk: Desk) -> None:
    text = DEMO + "services: {proxy: {command: ['true']}}\nchannel: {buffer_size: 500, max_bots: 7}\n"
    deployment = desk.resolve(text)
    paths = {dict(deployment.unit(name).env)["HFTBACKTEST_CHANNEL_CONFIG"] for name in ("one", "two", "mm")}
    (path,) = paths
    assert tomllib.loads(Path(path).read_text()) == {"buffer_size": 500, "max_bots": 7}
    assert path in [file.path for file in deployment.unit("mm").files]
    assert "HFTBACKTEST_CHANNEL_CONFIG" not in dict(deployment.unit("proxy").env)


def test_without_channel_the_callers_channel_config_does_not_leak(desk: Desk) -> None:
    desk = type(desk)(desk.folder, desk.home, {**desk.environ, "HFTBACKTEST_CHANNEL_CONFIG": "/x.toml"})
    assert "HFTBACKTEST_CHANNEL_CONFIG" not in dict(desk.unit("one", DEMO).env)


def test_a_variable_that_is_not_text_is_named_without_its_value(desk: Desk) -> None:
    desk = type(desk)(desk.folder, desk.home, {**desk.environ, "LANG": os.fsdecode(b"hush\xff")})
    with pytest.raises(ResolveError) as caught:
        desk.resolve("bots: {mm: {command: ['true']}}")
    assert "LANG" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_malformed_stream_url_is_named_without_its_value(desk: Desk) -> None:
    with pytest.raises(ResolveError) as caught:
        desk.resolve(
            "connectors: {bf: {type: mine, config: {stream_url: 'tcp://hush:99999/ws'}}}", desk.built(CONNECTOR)
        )
    assert "config/stream_url" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_the_channel_lies_where_the_connectors_directory_says(desk: Desk) -> None:
    desk.write("a/config/iceoryx2.toml", '[global]\nroot-path = "/tmp/own"\nprefix = "own_"\n')
    unit = desk.unit("one", "connectors: {one: {type: sim, cwd: a}}")
    assert unit.channel is not None
    assert (unit.channel.name, unit.channel.root, unit.channel.prefix) == ("one", "/tmp/own", "own_")


def test_the_root_is_the_one_that_the_connectors_iceoryx2_reads(desk: Desk) -> None:
    desk.write("a/config/iceoryx2.toml", '[global]\nroot-path-unix = "/tmp/own"\nprefix = "own_"\n')
    simulated = desk.unit("one", "connectors: {one: {type: sim, cwd: a}}")
    real = desk.unit("one", "connectors: {one: {type: mine, config: {x: 1}, cwd: a}}", desk.built(CONNECTOR))
    assert [unit.channel and unit.channel.root for unit in (simulated, real)] == ["/tmp/iceoryx2", "/tmp/own"]


def test_an_iceoryx2_config_that_would_end_the_connector_is_an_error(desk: Desk) -> None:
    desk.write("config/iceoryx2.toml", "[global\n")
    with pytest.raises(ChannelConfigError):
        desk.resolve(DEMO)


def test_a_full_or_foreign_runtime_folder_refuses(desk: Desk) -> None:
    desk.home.configs.rmdir()
    desk.home.configs.touch()
    with pytest.raises(RefusedError, match="cannot write the config"):
        desk.resolve(DEMO)


def test_policies_and_resources_arrive_in_the_deployments_units(desk: Desk) -> None:
    unit = desk.unit(
        "one",
        """
        connectors:
          one:
            type: sim
            health: {startup: 3s, interval: 50ms}
            restart: {policy: always, backoff: {initial: 1s, max: 5s}, limit: {restarts: 3, window: 1m}, stable: 9s}
            stop: {grace: 2s}
            resources: {cpus: [0], nice: 5, scheduler: "fifo:10", timer_slack: 60us, limits: {nofile: 99, core: 0}}
        """,
    )
    assert (unit.health.startup, unit.health.interval, unit.grace) == (3.0, 0.05, 2.0)
    assert (unit.restart.policy, unit.restart.stable) == ("always", 9.0)
    assert (unit.restart.backoff.initial, unit.restart.backoff.maximum) == (1.0, 5.0)
    assert (unit.restart.limit.restarts, unit.restart.limit.window) == (3, 60.0)
    assert (unit.resources.cpus, unit.resources.nice, unit.resources.scheduler) == ((0,), 5, ("fifo", 10))
    assert (unit.resources.timer_slack, unit.resources.limits) == (60_000, (("core", 0), ("nofile", 99)))


def test_a_services_check_arrives(desk: Desk) -> None:
    unit = desk.unit("db", 'services: {db: {command: ["true"], ready: {tcp: "127.0.0.1:5432"}}}')
    assert unit.ready is not None
    assert unit.ready.tcp == Endpoint("127.0.0.1", 5432)


def test_a_deployment_survives_its_json(desk: Desk) -> None:
    deployment = desk.resolve(DEMO + "channel: {buffer_size: 500, max_bots: 7}\n")
    assert codec.decode(Deployment, codec.encode(deployment)) == deployment


def test_the_same_stack_resolves_to_the_same_deployment(desk: Desk) -> None:
    assert desk.resolve(DEMO) == desk.resolve(DEMO)


def test_an_external_connector_has_streams_and_a_channel_and_nothing_to_run(desk: Desk) -> None:
    desk.write("by.toml", 'public_url = "ws://127.0.0.1:9001/v5/public"\napi_key = "hush"\n')
    deployment = desk.resolve(
        """
        env: {RUST_LOG: info}
        defaults: {restart: {max_age: 23h}, hooks: {on_failed: ["true"]}}
        connectors:
          by: {type: bybit, config: by.toml, external: true, health: {stale_after: 5s}}
        bots:
          mm: {command: [sleep, "1"], depends_on: [by]}
        """
    )
    by = deployment.unit("by")
    assert by.external
    assert (by.argv, by.executable, by.env, by.files, by.resources.nice) == ((), None, (), (), None)
    assert (by.target, by.streams) == (Level.CONNECTED, (Endpoint("127.0.0.1", 9001),))
    assert by.channel is not None
    assert (by.channel.name, by.health.stale_after, by.restart.max_age, by.hooks.on_failed) == ("by", 5.0, None, None)
    assert deployment.unit("mm").attaches == ("by",)
    assert codec.decode(Deployment, codec.encode(deployment)) == deployment


def test_an_external_connectors_config_is_not_written_anywhere(desk: Desk) -> None:
    desk.resolve("connectors: {by: {type: bybit, config: {public_url: 'ws://h/x', api_key: hush}, external: true}}")
    assert list(desk.home.configs.iterdir()) == []


def test_an_external_connector_needs_no_cargo_and_no_config(desk: Desk) -> None:
    stack = desk.load("connectors: {by: {type: bybit, external: true}}")
    assert resolve.build_request(stack, home=desk.home) is None
    assert desk.unit("by", "connectors: {by: {type: bybit, external: true}}").target is Level.LIVE


def test_hooks_and_notify_are_found_now_and_run_in_the_stack_files_folder(desk: Desk) -> None:
    alert = desk.write("alert.sh", "#!/bin/sh\n", 0o755)
    pager = desk.write("bin/pager", "#!/bin/sh\n", 0o755)
    deployment = desk.resolve(
        """
        env: {DESK: one}
        notify: {command: [./alert.sh, -v], on: [failed, gap], timeout: 2s}
        defaults: {hooks: {on_failed: [pager, failed]}}
        connectors:
          one: {type: sim, cwd: tree, env: {UNIT: one}, hooks: {on_halt: [pager, halt], timeout: 1m}}
        """
    )
    assert deployment.notify is not None
    notify = deployment.notify.hook
    assert (notify.argv, notify.cwd, notify.timeout) == ((str(alert), "-v"), str(desk.folder), 2.0)
    assert deployment.notify.on == (Alarm.FAILED, Alarm.GAP)
    assert dict(notify.env)["DESK"] == "one"
    assert "TERM" not in dict(notify.env)
    hooks = deployment.unit("one").hooks
    assert hooks.on_halt is not None
    env = hooks.on_halt.env
    assert {"DESK": "one", "UNIT": "one"}.items() <= dict(env).items()
    assert hooks.on_failed == Hook((str(pager), "failed"), str(desk.folder), env, 60.0)
    assert hooks.on_halt == Hook((str(pager), "halt"), str(desk.folder), env, 60.0)


def test_a_hook_that_is_not_there_is_named_before_anything_starts(desk: Desk) -> None:
    with pytest.raises(ResolveError) as caught:
        desk.resolve(
            """
            notify: {command: [./gone.sh]}
            connectors: {one: {type: sim, hooks: {on_failed: [no-such-pager]}}}
            """
        )
    text = str(caught.value)
    assert "one: there is no program 'no-such-pager' on the PATH" in text
    assert f"notify: cannot run {desk.folder}/gone.sh: No such file or directory" in text


def test_an_age_and_its_window_reach_the_deployment_but_no_bot_by_default(desk: Desk) -> None:
    deployment = desk.resolve(
        """
        defaults: {restart: {max_age: 23h, window: "23:30-00:15 UTC"}}
        connectors: {one: {type: sim}, two: {type: sim, restart: {max_age: 2h}}}
        bots:
          mm: {type: sim, depends_on: [one]}
          rec: {type: sim, depends_on: [one], restart: {max_age: 1h}}
        """
    )
    assert {unit.name: (unit.restart.max_age, unit.restart.window) for unit in deployment.units} == {
        "one": (82800.0, Window(84600, 900)),
        "two": (7200.0, Window(84600, 900)),
        "mm": (None, None),
        "rec": (3600.0, None),
    }
