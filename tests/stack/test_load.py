from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.deployment.model import Alarm, Endpoint, Kind, Level, OnRestart, RestartPolicy, Window
from orchestrator.errors import StackError
from orchestrator.stack import load
from tests.stack.conftest import places

if TYPE_CHECKING:
    from tests.stack.conftest import Loader, Refusal

WHOLE = """\
version: 1
name: prod
network: testnet
source: {path: .}
build: {profile: release, default_features: true, locked: true, env: {CC: gcc}, rustflags: [-Ctarget-cpu=native]}
channel: {buffer_size: 20000}
env: {RUST_LOG: info, SHARED: stack}
x-mine: &quick {backoff: {initial: 50ms}}
defaults: {restart: {policy: always, stable: 2m}, health: {startup: 20s}, stop: {grace: 9s}}
connectors:
  bf:
    type: binancefutures
    config: {stream_url: wss://fstream.binancefuture.com/ws, api_key: "${KEY}", depth: {levels: [1, 2.5, true]}}
    env: {SHARED: unit}
    depends_on: [proxy]
    health: {interval: 200ms}
    restart: {<<: *quick, policy: on-failure, limit: {restarts: 3, window: 1m30s}}
    resources:
      limits: {nofile: 65536, core: unlimited}
      cpus: [2, 3]
      nice: -5
      scheduler: "fifo:10"
      timer_slack: 50us
      oom_score_adj: -900
  s: {type: sim}
services:
  proxy: {command: [squid, -N], ready: {tcp: "127.0.0.1:3128"}, cwd: /}
  exchange: {package: exchange, bin: fake-exchange, args: [--port, "1"], ready: {exec: ["true"]}}
bots:
  mm:
    command: [python, "bots/${WHO:-mm}.py"]
    depends_on: {bf: {condition: fresh, on_restart: stop}, proxy: {}}
  rec: {type: sim, depends_on: [s], attached: false, stop: {grace: 0s}, restart: {policy: always}}
  report: {package: report, depends_on: [proxy]}
"""


def test_a_whole_file_becomes_a_complete_stack(loaded: Loader, tmp_path: Path) -> None:
    stack = loaded(WHOLE, {"KEY": "k"})

    assert (stack.name, stack.network, stack.file) == ("prod", "testnet", tmp_path / "prod.yaml")
    assert stack.source is not None
    assert stack.source.path == tmp_path
    assert (stack.build.locked, stack.build.env, stack.build.rustflags) == (
        True,
        {"CC": "gcc"},
        ("-Ctarget-cpu=native",),
    )
    assert stack.channel is not None
    assert (stack.channel.buffer_size, stack.channel.max_bots) == (20_000, 200)

    bf = stack.connectors["bf"]
    assert (bf.type, bf.features, bf.cwd) == ("binancefutures", ("binancefutures",), tmp_path)
    assert bf.env == {"RUST_LOG": "info", "SHARED": "unit"}
    assert (bf.health.startup, bf.health.interval, bf.health.stale_after) == (20.0, 0.2, 30.0)
    assert (bf.restart.policy, bf.restart.stable) == (RestartPolicy.ON_FAILURE, 120.0)
    assert (bf.restart.backoff.initial, bf.restart.backoff.maximum) == (0.05, 30.0)
    assert (bf.restart.limit.restarts, bf.restart.limit.window) == (3, 90.0)
    assert bf.stop.grace == 9.0
    assert (bf.resources.cpus, bf.resources.nice, bf.resources.scheduler) == ((2, 3), -5, ("fifo", 10))
    assert (bf.resources.timer_slack, bf.resources.oom_score_adj) == (50_000, -900)
    assert bf.resources.limits == {"nofile": 65536, "core": -1}
    assert bf.depends_on["proxy"].condition is Level.READY

    assert stack.connectors["s"].features == ()
    proxy, exchange = stack.services["proxy"], stack.services["exchange"]
    assert (proxy.command, proxy.cwd) == (("squid", "-N"), Path("/"))
    assert proxy.ready is not None
    assert proxy.ready.tcp == Endpoint("127.0.0.1", 3128)
    assert (exchange.package, exchange.binary, exchange.args) == ("exchange", "fake-exchange", ("--port", "1"))

    mm = stack.bots["mm"]
    assert (mm.command, mm.attached) == (("python", "bots/mm.py"), True)
    assert (mm.depends_on["bf"].condition, mm.depends_on["bf"].on_restart) == (Level.FRESH, OnRestart.STOP)
    assert stack.bots["rec"].attached is False
    assert stack.bots["report"].binary == "report"
    assert stack.bots["report"].attached is False


def test_a_default_policy_never_reaches_a_bot(loaded: Loader) -> None:
    stack = loaded(WHOLE, {"KEY": "k"})

    assert stack.connectors["s"].restart.policy is RestartPolicy.ALWAYS
    assert stack.services["proxy"].restart.policy is RestartPolicy.ALWAYS
    assert stack.bots["mm"].restart.policy is RestartPolicy.NEVER
    assert stack.bots["mm"].restart.stable == 120.0
    assert stack.bots["rec"].restart.policy is RestartPolicy.ALWAYS


def test_a_default_grace_never_cuts_a_bots_time_to_flatten(loaded: Loader) -> None:
    stack = loaded(WHOLE, {"KEY": "k"})

    assert (stack.connectors["s"].stop.grace, stack.services["proxy"].stop.grace) == (9.0, 9.0)
    assert (stack.bots["mm"].stop.grace, stack.bots["rec"].stop.grace) == (60.0, 0.0)


def test_defaults_reach_no_external_connector_but_for_its_health(loaded: Loader, tmp_path: Path) -> None:
    unit = loaded(
        "network: local\nenv: {A: b}\nconnectors: {c: {type: sim, external: true, cwd: ., health: {interval: 1s}}}\n"
        "defaults: {restart: {max_age: 1h}, stop: {grace: 9s}, hooks: {on_halt: [x]}, health: {stale_after: 5s}}\n"
    ).connectors["c"]

    assert (unit.health.interval, unit.health.stale_after, unit.cwd) == (1.0, 5.0, tmp_path)
    assert (unit.restart.max_age, unit.stop.grace, unit.hooks.on_halt, unit.env, unit.features) == (
        None,
        5.0,
        None,
        {},
        (),
    )


def test_hooks_of_defaults_and_units_complete_each_other(loaded: Loader) -> None:
    stack = loaded(
        "network: local\ndefaults: {hooks: {on_failed: [page], timeout: 3s}}\n"
        "bots:\n  a: {command: [x], hooks: {on_halt: [flat]}}\n"
        "  b: {command: [x], hooks: {on_failed: [call], timeout: 1m}}\n"
    )

    hooks = {name: (bot.hooks.on_failed, bot.hooks.on_halt, bot.hooks.timeout) for name, bot in stack.bots.items()}
    assert hooks == {"a": (("page",), ("flat",), 3.0), "b": (("call",), None, 60.0)}


def test_a_window_may_wrap_midnight_and_is_seconds_of_the_day(loaded: Loader) -> None:
    text = 'network: local\nconnectors: {c: {type: sim, restart: {max_age: 23h, window: "23:30-00:15 UTC"}}}\n'

    restart = loaded(text).connectors["c"].restart

    assert (restart.max_age, restart.window) == (82_800.0, Window(84_600, 900))


def test_whoever_is_notified_hears_everything_unless_told_otherwise(loaded: Loader) -> None:
    some = "network: local\nnotify: {command: [alert]%s}\nconnectors: {c: {type: sim}}\n"

    everything, one = loaded(some % "").notify, loaded(some % ", on: [gap], timeout: 1s").notify

    assert everything is not None
    assert (everything.on, everything.timeout) == (tuple(Alarm), 5.0)
    assert one is not None
    assert (one.on, one.timeout) == ((Alarm.GAP,), 1.0)


def test_a_short_file_has_the_defaults_of_each_kind(loaded: Loader, tmp_path: Path) -> None:
    stack = loaded(
        "network: local\nconnectors: {c: {type: sim}}\nservices: {s: {command: [x]}}\nbots: {b: {command: [x]}}\n"
    )

    assert (stack.version, stack.name, stack.source, stack.channel) == (1, "prod", None, None)
    assert (stack.build.profile, stack.build.default_features, stack.build.locked) == ("release", True, None)
    assert {name: unit.restart.policy.value for _, name, unit in stack.units()} == {
        "c": "on-failure",
        "s": "on-failure",
        "b": "never",
    }
    assert {name: unit.stop.grace for _, name, unit in stack.units()} == {"c": 5.0, "s": 5.0, "b": 60.0}
    backoff = stack.connectors["c"].restart.backoff
    assert (backoff.initial, backoff.factor, backoff.maximum, backoff.jitter) == (0.1, 2.0, 30.0, 0.2)
    assert stack.bots["b"].cwd == tmp_path


def test_units_come_by_kind_and_the_order_puts_dependencies_first(loaded: Loader) -> None:
    stack = loaded(WHOLE, {"KEY": "k"})

    assert [(kind, name) for kind, name, _ in stack.units()] == [
        (Kind.CONNECTOR, "bf"), (Kind.CONNECTOR, "s"), (Kind.SERVICE, "proxy"), (Kind.SERVICE, "exchange"),
        (Kind.BOT, "mm"), (Kind.BOT, "rec"), (Kind.BOT, "report"),
    ]  # fmt: skip
    assert stack.order() == ("s", "proxy", "bf", "exchange", "mm", "rec", "report")


def test_the_table_of_a_config_has_its_variables_replaced(loaded: Loader) -> None:
    config = loaded(WHOLE, {"KEY": "k3y"}).config("bf")

    assert config is not None
    assert config.path is None
    assert config.table == {
        "stream_url": "wss://fstream.binancefuture.com/ws",
        "api_key": "k3y",
        "depth": {"levels": [1, 2.5, True]},
    }


def test_the_file_may_be_named_relative_to_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text("network: local\nconnectors: {c: {type: sim, cwd: ..}}\n")
    relative = Path(os.path.relpath(tmp_path / "demo.yaml"))

    stack = load(relative, {})

    assert stack.file == tmp_path / "demo.yaml"
    assert stack.connectors["c"].cwd == tmp_path.parent


HEAD = "network: testnet\n"

MISTAKES = {
    "the version of another format": ("version: 2\n" + HEAD + "bots: {b: {command: [x]}}", ["1:10 /version [version]"]),
    "true for a version": ("version: true\n" + HEAD + "bots: {b: {command: [x]}}", ["1:10 /version [version]"]),
    "no network": ("version: 1\nbots: {b: {command: [x]}}", ["1:1  [missing-key]"]),
    "an unknown network": ("network: prod\nbots: {b: {command: [x]}}", ["1:10 /network [unknown-value]"]),
    "no unit": (HEAD, ["1:1  [empty-stack]"]),
    "a list for a file": ("- a\n- b\n", ["1:1  [wrong-type]"]),
    "a text for a file": ("hello", ["1:1  [wrong-type]"]),
    "a section without a value": (HEAD + "connectors:\nbots: {b: {command: [x]}}", ["2:12 /connectors [no-value]"]),
    "a unit without a value": (HEAD + "bots:\n  b:\n", ["3:5 /bots/b [no-value]"]),
    "a repository by a scheme that git is not asked for": (
        HEAD + f"source: {{git: 'ftp://example.org/a', rev: {'a' * 40}}}\nconnectors: {{c: {{type: sim}}}}",
        ["2:15 /source/git [source-git]"],
    ),
    "an empty path": (HEAD + "bots: {b: {command: [x], cwd: ''}}", ["2:31 /bots/b/cwd [path]"]),
    "an empty pattern": (
        HEAD + "services: {b: {command: [x], ready: {log: ''}}}",
        ["2:43 /services/b/ready/log [log-pattern]"],
    ),
    "an item without a value": (
        HEAD + "bots:\n  b:\n    command: [x, ~]\n",
        ["4:18 /bots/b/command/1 [no-value]"],
    ),
    "an unknown key": (HEAD + "conectors: {}\nbots: {b: {command: [x]}}", ["2:1 /conectors [unknown-key]"]),
    "a bad name": (HEAD + "bots: {-b: {command: [x]}}", ["2:8 /bots/-b [name]"]),
    "a name too long": (HEAD + f"bots: {{{'b' * 65}: {{command: [x]}}}}", [f"2:8 /bots/{'b' * 65} [name]"]),
    "a bad stack name": (HEAD + "name: a/b\nbots: {b: {command: [x]}}", ["2:7 /name [name]"]),
    "one name twice": (
        HEAD + "services: {a: {command: [x]}}\nbots:\n  a: {command: [x]}",
        ["4:3 /bots/a [duplicate-name]"],
    ),
    "policy: no": (
        HEAD + "bots:\n  b:\n    command: [x]\n    restart: {policy: no}",
        ["5:23 /bots/b/restart/policy [unknown-value]"],
    ),
    "a duration without unit": (
        HEAD + "bots: {b: {command: [x], stop: {grace: 5}}}",
        ["2:40 /bots/b/stop/grace [duration]"],
    ),
    "a duration in words": (
        HEAD + "bots: {b: {command: [x], stop: {grace: 5 sec}}}",
        ["2:40 /bots/b/stop/grace [duration]"],
    ),
    "an interval too short": (
        HEAD + "bots: {b: {command: [x], health: {interval: 4999us}}}",
        ["2:45 /bots/b/health/interval [duration-range]"],
    ),
    "backoff out of bounds": (
        HEAD + "bots: {b: {command: [x], restart: {backoff: {factor: 0.5, jitter: 1.5}, limit: {restarts: -1}}}}",
        [
            "2:54 /bots/b/restart/backoff/factor [out-of-range]",
            "2:67 /bots/b/restart/backoff/jitter [out-of-range]",
            "2:91 /bots/b/restart/limit/restarts [out-of-range]",
        ],
    ),
    "backoff that ends before it begins": (
        HEAD + "defaults: {restart: {backoff: {max: 1s}}}\n"
        "bots: {b: {command: [x], restart: {backoff: {initial: 2s}}}}",
        ["3:36 /bots/b/restart/backoff [backoff-range]"],
    ),
    "numbers that are none": (
        HEAD
        + "channel: {buffer_size: '5', max_bots: true}\nbots: {b: {command: [x], restart: {backoff: {factor: .inf}}}}",
        [
            "2:24 /channel/buffer_size [wrong-type]",
            "2:39 /channel/max_bots [wrong-type]",
            "3:54 /bots/b/restart/backoff/factor [wrong-type]",
        ],
    ),
    "resources out of bounds": (
        HEAD + "bots:\n  b:\n    command: [x]\n    resources:\n      nice: 20\n      oom_score_adj: -1001\n"
        "      cpus: [0, -1]\n      scheduler: fifo:100\n      timer_slack: 50\n      limits: {nofile: -1, files: 1}",
        [
            "6:13 /bots/b/resources/nice [out-of-range]",
            "7:22 /bots/b/resources/oom_score_adj [out-of-range]",
            "8:17 /bots/b/resources/cpus/1 [out-of-range]",
            "9:18 /bots/b/resources/scheduler [scheduler]",
            "10:20 /bots/b/resources/timer_slack [duration]",
            "11:24 /bots/b/resources/limits/nofile [limit]",
            "11:28 /bots/b/resources/limits/files [unknown-value]",
        ],
    ),
    "a core twice": (
        HEAD + "bots: {b: {command: [x], resources: {cpus: [1, 1]}}}",
        ["2:44 /bots/b/resources/cpus [cpus]"],
    ),
    "a shell line for a command": (HEAD + "bots: {b: {command: python mm.py}}", ["2:21 /bots/b/command [wrong-type]"]),
    "an empty command": (HEAD + "bots: {b: {command: []}}", ["2:21 /bots/b/command [command]"]),
    "a number in a command": (HEAD + "bots: {b: {command: [sleep, 5]}}", ["2:29 /bots/b/command/1 [argument]"]),
    "no program": (
        HEAD + "services: {s: {}}\nbots: {b: {}}",
        ["2:12 /services/s [program-missing]", "3:8 /bots/b [program-missing]"],
    ),
    "two programs": (HEAD + "bots: {b: {command: [x], package: y}}", ["2:26 /bots/b/package [program-twice]"]),
    "arguments of no package": (HEAD + "bots: {b: {command: [x], args: [y]}}", ["2:26 /bots/b/args [package-missing]"]),
    "a bot of an exchange's type": (
        HEAD + "bots: {b: {type: bybit}}",
        ["2:18 /bots/b/type [unknown-value]"],
    ),
    "a simulated bot on nothing": (HEAD + "bots: {b: {type: sim}}", ["2:8 /bots/b [bot-connector]"]),
    "a bot attached to nothing": (
        HEAD + "services: {s: {command: [x]}}\nbots: {b: {command: [x], attached: true, depends_on: [s]}}",
        ["3:26 /bots/b/attached [bot-connector]"],
    ),
    "a config of a command": (HEAD + "bots: {b: {command: [x], config: {}}}", ["2:26 /bots/b/config [bot-config]"]),
    "two ready checks": (
        HEAD + "services: {s: {command: [x], ready: {log: x, exec: [y]}}}",
        ["2:30 /services/s/ready [ready-check]"],
    ),
    "no ready check": (HEAD + "services: {s: {command: [x], ready: {}}}", ["2:30 /services/s/ready [ready-check]"]),
    "a ready check for a bot": (
        HEAD + "bots: {s: {command: [x], ready: {log: x}}}",
        ["2:26 /bots/s/ready [unknown-key]"],
    ),
    "a broken regular expression": (
        HEAD + "services: {s: {command: [x], ready: {log: '['}}}",
        ["2:43 /services/s/ready/log [log-pattern]"],
    ),
    "a regular expression that no person wrote": (
        HEAD + f"services: {{s: {{command: [x], ready: {{log: {'x' * 1025}}}}}}}",
        ["2:43 /services/s/ready/log [log-pattern]"],
    ),
    "a port that is none": (
        HEAD + "services: {s: {command: [x], ready: {tcp: 'host:70000'}}}",
        ["2:43 /services/s/ready/tcp [address]"],
    ),
    "a connector without type": (HEAD + "connectors: {c: {}}", ["2:14 /connectors/c [missing-key]"]),
    "a connector without config": (HEAD + "connectors: {c: {type: bybit}}", ["2:14 /connectors/c [missing-key]"]),
    "a type in capitals": (HEAD + "connectors: {c: {type: Bybit, config: {}}}", ["2:24 /connectors/c/type [type]"]),
    "features of a simulator": (
        HEAD + "connectors: {c: {type: sim, features: [a]}}",
        ["2:29 /connectors/c/features [sim-features]"],
    ),
    "no features": (
        HEAD + "connectors: {c: {type: bybit, config: {}, features: []}}",
        ["2:53 /connectors/c/features [feature]"],
    ),
    "a feature that is none": (
        HEAD + "connectors: {c: {type: bybit, config: {}, features: [a, 'b c']}}",
        ["2:57 /connectors/c/features/1 [feature]"],
    ),
    "a config of another type": (
        HEAD + "connectors: {c: {type: bybit, config: [a]}}",
        ["2:39 /connectors/c/config [config]"],
    ),
    "null in a config": (
        HEAD + "connectors:\n  c:\n    type: bybit\n    config:\n      a: [1, ~]\n      b:\n",
        ["6:14 /connectors/c/config/a/1 [config-null]", "7:9 /connectors/c/config/b [config-null]"],
    ),
    "a unit that is not there": (
        HEAD + "bots: {mm: {command: [x], depends_on: [nm]}, b: {command: [x], depends_on: {nobody: {}}}}",
        ["2:40 /bots/mm/depends_on/0 [unknown-unit]", "2:77 /bots/b/depends_on/nobody [unknown-unit]"],
    ),
    "a unit that waits for itself": (
        HEAD + "bots: {b: {command: [x], depends_on: [b]}}",
        ["2:39 /bots/b/depends_on/0 [self-dependency]"],
    ),
    "a unit named twice": (
        HEAD + "services: {s: {command: [x]}}\nbots: {b: {command: [x], depends_on: [s, s]}}",
        ["3:38 /bots/b/depends_on [duplicate-dependency]"],
    ),
    "a cycle": (
        HEAD + "services:\n  a: {command: [x], depends_on: {b: {}}}\n  b: {command: [x], depends_on: [c]}\n"
        "  c: {command: [x], depends_on: [a]}",
        ["3:34 /services/a/depends_on/b [dependency-cycle]"],
    ),
    "a connector on a bot": (
        HEAD + "connectors: {c: {type: sim, depends_on: [b]}}\nbots: {b: {command: [x]}}",
        ["2:42 /connectors/c/depends_on/0 [dependency-kind]"],
    ),
    "a level that a service has not": (
        HEAD + "services: {s: {command: [x]}}\nbots: {b: {command: [x], depends_on: {s: {condition: live}}}}",
        ["3:54 /bots/b/depends_on/s/condition [condition-kind]"],
    ),
    "a level that nothing has": (
        HEAD + "services: {s: {command: [x]}}\nbots: {b: {command: [x], depends_on: {s: {condition: up}}}}",
        ["3:54 /bots/b/depends_on/s/condition [unknown-value]"],
    ),
    "variables of ours": (
        HEAD + "env: {HFTSTACK_UNIT: a}\nbots: {b: {command: [x], env: {HFTBACKTEST_CHANNEL_CONFIG: b, 1A: c, D: 5}}}",
        [
            "2:7 /env/HFTSTACK_UNIT [env-reserved]",
            "3:32 /bots/b/env/HFTBACKTEST_CHANNEL_CONFIG [env-reserved]",
            "3:63 /bots/b/env/1A [env-key]",
            "3:73 /bots/b/env/D [wrong-type]",
        ],
    ),
    "a directory that is not there": (
        HEAD + "source: {path: nope}\nbots: {b: {command: [x], cwd: gone}}",
        ["3:31 /bots/b/cwd [directory-missing]"],
    ),
    "a directory whose name is too long": (
        HEAD + f"bots: {{b: {{command: [x], cwd: {'d' * 300}}}}}",
        ["2:31 /bots/b/cwd [directory-missing]"],
    ),
    "a path from home": (HEAD + "bots: {b: {command: [x], cwd: ~/bots}}", ["2:31 /bots/b/cwd [path]"]),
    "variables where a reviewer must see": (
        (
            "network: ${N:-demo}\nname: ${A:-b}\nconnectors:\n  c:\n    type: ${T:-sim}\n    features: ['${F:-x}']\n"
            "    depends_on: ['${D:-x}']\n    config:\n      stream_url: wss://${H:-h}\n      urls: ['${U:-x}']\n"
            "      other: ${S:-ws://x}\n"
        ),
        [
            "1:10 /network [interpolation-forbidden]",
            "2:7 /name [interpolation-forbidden]",
            "5:11 /connectors/c/type [interpolation-forbidden]",
            "6:16 /connectors/c/features/0 [interpolation-forbidden]",
            "7:18 /connectors/c/depends_on/0 [interpolation-forbidden]",
            "9:19 /connectors/c/config/stream_url [interpolation-forbidden]",
            "10:14 /connectors/c/config/urls/0 [interpolation-forbidden]",
            "11:14 /connectors/c/config/other [interpolation-forbidden]",
        ],
    ),
    "a variable that is not set": (
        HEAD + "bots:\n  b:\n    command: [x, '${NOT}']",
        ["4:18 /bots/b/command/1 [variable-unset]"],
    ),
    "a secret": (
        HEAD + "connectors: {c: {type: x, config: {key: '${secret:k}'}}}",
        ["2:41 /connectors/c/config/key [secret-unknown]"],
    ),
    "secrets": (
        HEAD
        + """\
secrets:
  a: {}
  b: {env: 1B}
  c: {file: ~/c}
  d: {command: []}
  e: {value: k}
  f: k
  -g: {env: G}
  h: {env: H, command: [x]}
  i: {env: I}
connectors:
  c:
    type: x
    config: {stream_url: "${secret:i}", k: "a${secret:i}${secret:z}${secret:}", l: ["${secret:i"]}
    features: ["${secret:i}"]
bots:
  m: {command: ["${secret:i}"], cwd: "${secret:i}"}
""",
        [
            "3:3 /secrets/a [secret-unused]",
            "3:3 /secrets/a [secret-source]",
            "4:3 /secrets/b [secret-unused]",
            "4:12 /secrets/b/env [env-key]",
            "5:3 /secrets/c [secret-unused]",
            "5:13 /secrets/c/file [path]",
            "6:3 /secrets/d [secret-unused]",
            "6:16 /secrets/d/command [command]",
            "7:3 /secrets/e [secret-unused]",
            "7:7 /secrets/e/value [unknown-key]",
            "8:3 /secrets/f [secret-unused]",
            "8:6 /secrets/f [wrong-type]",
            "9:3 /secrets/-g [name]",
            "10:3 /secrets/h [secret-source]",
            "10:3 /secrets/h [secret-unused]",
            "15:26 /connectors/c/config/stream_url [interpolation-forbidden]",
            "15:44 /connectors/c/config/k [secret-unknown]",
            "15:44 /connectors/c/config/k [secret-unknown]",
            "15:85 /connectors/c/config/l/0 [interpolation-syntax]",
            "16:16 /connectors/c/features/0 [interpolation-forbidden]",
            "18:17 /bots/m/command/0 [secret-place]",
            "18:38 /bots/m/cwd [secret-place]",
        ],
    ),
    "quiet times": (
        HEAD + "connectors:\n  c:\n    type: sim\n"
        "    health: {on_stale: stop, min_rate: -1, quiet: [daily, 'Sun 01:00-Sun 01:00 UTC']}\n",
        [
            "5:24 /connectors/c/health/on_stale [unknown-value]",
            "5:40 /connectors/c/health/min_rate [out-of-range]",
            "5:52 /connectors/c/health/quiet/0 [quiet]",
            "5:59 /connectors/c/health/quiet/1 [quiet]",
        ],
    ),
    "sources": (
        HEAD + "source: {git: 'http://a?token=x', rev: main}\nbots: {b: {command: [x]}}",
        ["2:15 /source/git [source-git]", "2:40 /source/rev [source-rev]"],
    ),
    "an external connector that is told how to run": (
        (
            HEAD + "connectors:\n  c:\n    type: bybit\n    external: true\n    features: [bybit]\n    env: {A: b}\n"
            "    depends_on: [s]\n    restart: {stable: 1s}\n    stop: {grace: 1s}\n    resources: {nice: 1}\n"
            "    hooks: {on_failed: [x]}\n    logs: {keep: 1GiB}\nservices: {s: {command: [x]}}\n"
        ),
        [
            f"{line}:5 /connectors/c/{key} [external-key]"
            for line, key in enumerate(
                ("features", "env", "depends_on", "restart", "stop", "resources", "hooks", "logs"), start=6
            )
        ],
    ),
    "windows that are none": (
        (
            HEAD + "bots:\n  a: {command: [x], restart: {max_age: 1h, window: 03:00-04:00}}\n"
            "  b: {command: [x], restart: {max_age: 1h, window: 03:00-03:00 UTC}}\n"
            "  c: {command: [x], restart: {max_age: 1h, window: 24:00-25:00 UTC}}\n"
            "  d: {command: [x], restart: {max_age: 23, window: 5}}\n"
        ),
        [
            "3:52 /bots/a/restart/window [window]",
            "4:52 /bots/b/restart/window [window]",
            "5:52 /bots/c/restart/window [window]",
            "6:40 /bots/d/restart/max_age [duration]",
            "6:52 /bots/d/restart/window [wrong-type]",
        ],
    ),
    "windows that nothing happens in": (
        (
            HEAD + 'defaults: {restart: {window: "01:00-02:00 UTC"}}\n'
            'bots: {b: {command: [x], restart: {window: "01:00-02:00 UTC"}}}\n'
        ),
        ["2:22 /defaults/restart/window [window-age]", "3:36 /bots/b/restart/window [window-age]"],
    ),
    "nothing to tell, twice the same, and nobody to tell": (
        HEAD + "notify: {on: []}\nbots: {b: {command: [x], hooks: {on_failed: [], on_halt: x, timeout: 0s}}}",
        [
            "2:1 /notify [missing-key]",
            "2:14 /notify/on [alarms]",
            "3:45 /bots/b/hooks/on_failed [command]",
            "3:58 /bots/b/hooks/on_halt [wrong-type]",
            "3:70 /bots/b/hooks/timeout [duration-range]",
        ],
    ),
    "an alarm that nobody knows, and one twice": (
        HEAD + "notify: {command: [x], on: [gap, fail]}\nbots: {b: {command: [x]}}",
        ["2:34 /notify/on/1 [unknown-value]"],
    ),
    "mistakes of text, keys and rules at once": (
        "network: testnet\nnetwork: demo\nbots:\n  b:\n    comand: [x]\n    stop: {grace: 007}\n    depends_on: [c]\n",
        [
            "2:1 /network [duplicate-key]",
            "4:3 /bots/b [program-missing]",
            "5:5 /bots/b/comand [unknown-key]",
            "6:19 /bots/b/stop/grace [leading-zero]",
            "7:18 /bots/b/depends_on/0 [unknown-unit]",
        ],
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_every_mistake_is_found_at_its_place(case: str, refused: Refusal) -> None:
    text, expected = MISTAKES[case]

    mistakes = refused(text)

    assert places(mistakes) == expected
    assert all(mistake.hint for mistake in mistakes)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("restart: {policy: no}", '"no" is none of never, on-failure, always', "write never"),
        ("restart: {policy: allways}", '"allways" is none of never, on-failure, always', "write always"),
        ("stop: {grace: 5}", "5 is a number, not a duration", "add the unit: 5s or 5ms"),
        ("grace: 5s", 'there is no key "grace" here', "it belongs under stop:"),
        ("depends-on: []", 'there is no key "depends-on" here', "did you mean depends_on?"),
        ("attached: yes", '"yes" is not true or false', "write true or false, without quotes"),
        ("resources: {nice: '5'}", '"5" is not a whole number', "remove the quotes"),
        ("resources: {limits: {nofiles: 1}}", '"nofiles" is none of as, core', "write nofile"),
        ("depends_on: [rec0rder]", 'there is no unit "rec0rder"', "did you mean recorder?"),
        ("env: {HFTBACKTEST_CHANNEL_CONFIG: a}", "is set by hftstack itself", "use the stack's channel:"),
        ("env: {A: 5}", "this value is not text", "put it in quotes"),
    ],
)
def test_a_mistake_says_what_to_write_instead(text: str, message: str, hint: str, refused: Refusal) -> None:
    (mistake,) = refused(f"{HEAD}bots: {{recorder: {{command: [x]}}, b: {{command: [x], {text}}}}}\n")

    assert message in mistake.message
    assert mistake.hint is not None
    assert hint in mistake.hint


def test_a_command_line_is_offered_as_a_list(refused: Refusal) -> None:
    (mistake,) = refused(HEAD + "bots: {b: {command: python mm.py 'a b'}}")

    assert mistake.hint == 'no shell splits it: write [python, mm.py, "a b"]'


def test_an_exchange_key_beside_config_is_sent_there(refused: Refusal) -> None:
    (mistake,) = refused(HEAD + "connectors: {c: {type: bybit, config: {}, api_key: x}}")

    assert mistake.hint == "it belongs under config:"


def test_a_cycle_is_named_in_full(refused: Refusal) -> None:
    text, _ = MISTAKES["a cycle"]

    (mistake,) = refused(text)

    assert mistake.message == "these wait for each other: a -> b -> c -> a"


def test_a_file_whose_name_is_no_stack_name_asks_for_one(tmp_path: Path) -> None:
    file = tmp_path / "my stack.yaml"
    file.write_text(HEAD + "bots: {b: {command: [x]}}")

    with pytest.raises(StackError, match="add name: NAME"):
        load(file, {})


@pytest.mark.parametrize(
    ("content", "place", "rule"),
    [
        (b"a: 1\nb: \xc3\xa4\xff", (2, 5), "file-encoding"),
        (b"\xef\xbb\xbfa: \xff", (1, 4), "file-encoding"),
        ("network: testnet\n".encode("utf-16"), (1, 1), "file-encoding"),
        (b"a: " + b"x" * 10_000_000, (1, 1), "file-size"),
        (b"", (1, 1), "empty-file"),
        (b"a: \x00", (1, 4), "control-character"),
    ],
)
def test_bytes_that_are_no_text_are_refused(
    content: bytes, place: tuple[int, int], rule: str, refused: Refusal
) -> None:
    (mistake,) = refused(content)

    assert ((mistake.line, mistake.column), mistake.rule) == (place, rule)


def test_a_byte_order_mark_does_no_harm(loaded: Loader) -> None:
    assert loaded(b"\xef\xbb\xbfnetwork: testnet\nbots: {b: {command: [x]}}").network == "testnet"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, rule in (
        (tmp_path / "none.yaml", "file-missing"),
        (tmp_path, "file-directory"),
        (pipe, "file-not-regular"),
        (Path("/dev/null"), "file-not-regular"),
        (tmp_path / "none.yaml" / "x", "file-missing"),
        (tmp_path / ("x" * 300), "file-unreadable"),
        (tmp_path / "a\0b", "file-unreadable"),
    ):
        with pytest.raises(StackError) as caught:
            load(path, {})
        assert [m.rule for m in caught.value.diagnostics] == [rule]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "prod.yaml"
    file.touch(mode=0)

    with pytest.raises(StackError, match="may not be read"):
        load(file, {})


def test_importing_the_package_loads_neither_yaml_nor_pydantic_nor_networkx() -> None:
    heavy = ("yaml", "pydantic", "networkx")
    program = f"import sys, orchestrator.stack; print([name for name in {heavy} if name in sys.modules])"

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert result.stdout == "[]\n"


def test_a_sound_stack_is_loaded_without_networkx(tmp_path: Path) -> None:
    file = tmp_path / "prod.yaml"
    file.write_text(WHOLE)
    program = (
        "import sys, pathlib; from orchestrator.stack import load;"
        "load(pathlib.Path(sys.argv[1]), {'KEY': 'k'}).order(); print('networkx' in sys.modules)"
    )

    result = subprocess.run([sys.executable, "-c", program, file], capture_output=True, text=True, check=True)

    assert result.stdout == "False\n"
