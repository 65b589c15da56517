"""The checks, each on a machine of files that a test wrote."""

from __future__ import annotations

import os
import resource
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.build import BuildRequest, Repository
from orchestrator.deployment.homes import Home
from orchestrator.deployment.model import Channel, Deployment, File, Kind, Level, Resources, UnitSpec
from orchestrator.doctor import cleaners, clock, cores, memory, privileges, processes, secrets, sessions, state, tools
from orchestrator.doctor.checks import CHECKS, examine
from orchestrator.doctor.finding import Case, Host, Verdict
from orchestrator.stack.parts import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestrator.doctor.finding import Finding


def _unit(name: str = "bf", **told: Any) -> UnitSpec:  # noqa: ANN401 - fields of a spec
    fields: dict[str, Any] = {
        "kind": Kind.CONNECTOR,
        "type": "binancefutures",
        "argv": ("/bin/true",),
        "executable": None,
        "cwd": "/",
        "env": (),
        "target": Level.LIVE,
        "channel": Channel(name),
        **told,
    }
    return UnitSpec(name=name, **fields)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the machine's file system begins; systemd runs it."""
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    return tmp_path


def _write(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def _case(root: Path, *units: UnitSpec, home: Path | None = None) -> Case:
    deployment = Deployment("prod", "/prod.yaml", "testnet", units)
    own = None if home is None else Home(home / "state", home / "run", os.geteuid()).stack("prod")
    return Case(deployment, own, {}, host=Host(root))


def _told(check: Callable[[Case], Iterator[Finding]], case: Case) -> list[tuple[str, str]]:
    """Return verdict and message of each finding; what is not well has a cure."""
    found = list(check(case))
    assert all(finding.cure for finding in found if finding.verdict is not Verdict.OK)
    return [(finding.verdict.value, finding.message) for finding in found]


def test_a_cleaner_of_tmp_by_age_is_told_with_the_line_that_spares_the_channels(root: Path) -> None:
    _write(root, "usr/lib/tmpfiles.d/tmp.conf", "# comment\nq /tmp 1777 root root 10d\nq /var/tmp 1777 root root 30d\n")
    (finding,) = cleaners.cleaners(_case(root, _unit()))
    assert finding.verdict is Verdict.WARNING
    assert (
        finding.message == "systemd-tmpfiles deletes what is in /tmp/iceoryx2 after 10d (/usr/lib/tmpfiles.d/tmp.conf)"
    )
    assert finding.cure == "echo 'x /tmp/iceoryx2' > /etc/tmpfiles.d/hftstack-iceoryx2.conf"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("etc/tmpfiles.d/hftstack-iceoryx2.conf", "x /tmp/iceoryx2\n"),
        ("etc/tmpfiles.d/ours.conf", "x /tmp/iceoryx*\n"),
        ("etc/tmpfiles.d/tmp.conf", "q /tmp 1777 root root -\n"),
        ("etc/tmpfiles.d/tmp.conf", ""),
        ("etc/tmpfiles.d/near.conf", "d /tmp/iceoryx2 0750 - - -\n"),
    ],
)
def test_a_cleaner_that_is_told_to_spare_the_channels_is_well(root: Path, path: str, text: str) -> None:
    _write(root, "usr/lib/tmpfiles.d/tmp.conf", "q /tmp 1777 root root 10d\n")
    _write(root, path, text)
    assert _told(cleaners.cleaners, _case(root, _unit())) == [("ok", "nobody deletes /tmp/iceoryx2 for its age")]


def test_without_systemd_its_rules_do_nothing(tmp_path: Path) -> None:
    _write(tmp_path, "usr/lib/tmpfiles.d/tmp.conf", "q /tmp 1777 root root 10d\n")
    assert [verdict for verdict, _ in _told(cleaners.cleaners, _case(tmp_path, _unit()))] == ["ok"]
    _write(tmp_path, "etc/cron.daily/tmpreaper", "")
    assert [verdict for verdict, _ in _told(cleaners.cleaners, _case(tmp_path, _unit()))] == ["warning"]


def test_logind_removes_shared_memory_unless_told_otherwise(root: Path) -> None:
    assert sessions.removes_ipc(Host(root))
    _write(root, "etc/systemd/logind.conf", "[Login]\n#RemoveIPC=no\n")
    assert sessions.removes_ipc(Host(root))
    _write(root, "etc/systemd/logind.conf", "[Login]\nRemoveIPC=no\n")
    assert not sessions.removes_ipc(Host(root))
    _write(root, "usr/lib/systemd/logind.conf.d/50-a.conf", "[Login]\nRemoveIPC = yes\n")
    assert sessions.removes_ipc(Host(root))
    _write(root, "etc/systemd/logind.conf.d/50-a.conf", "[Login]\n")
    assert not sessions.removes_ipc(Host(root))


def test_a_logout_is_judged_for_people_who_do_not_linger(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    def told(root: Path, uid: int = 1000) -> list[Verdict]:
        return [finding.verdict for finding in sessions.judge(Host(root), uid, "trader")]

    assert told(root) == [Verdict.BAD]
    assert told(root, 999) == []
    assert told(tmp_path_factory.mktemp("no-systemd")) == []
    _write(root, "var/lib/systemd/linger/trader", "")
    assert told(root) == [Verdict.OK]
    _write(root, "etc/systemd/logind.conf", "RemoveIPC=no\n")
    (root / "var/lib/systemd/linger/trader").unlink()
    assert told(root) == [Verdict.OK]


def test_cores_that_are_not_isolated_or_slow_are_told_of_pinned_units_only(root: Path) -> None:
    _write(root, "sys/devices/system/cpu/isolated", "2-3,6\n")
    _write(root, "sys/devices/system/cpu/cpu3/cpufreq/scaling_governor", "powersave\n")
    units = (
        _unit("a", resources=Resources(cpus=(2,))),
        _unit("b", resources=Resources(cpus=(1, 6))),
        _unit("c", resources=Resources(cpus=(3,))),
        _unit("d"),
    )
    assert _told(cores.isolation, _case(root, *units)) == [
        ("ok", "cpus 2 are isolated"),
        ("warning", "cpus 1 are not isolated: any program may run there too"),
        ("warning", "cpu 3 is governed by powersave: slow when idle"),
    ]


def test_a_core_that_was_isolated_for_it_is_there_for_a_unit(root: Path) -> None:
    _write(root, "sys/devices/system/cpu/isolated", "4000\n")
    pinned = _unit(resources=Resources(cpus=(4000,)))
    assert _told(cores.available, _case(root, pinned)) == [("ok", "cpus 4000 are there")]
    assert _told(cores.available, _case(root, _unit(resources=Resources(cpus=(4001,)))))[0][0] == "bad"


def test_a_supervisor_on_an_isolated_core_is_told(root: Path) -> None:
    own = sorted(os.sched_getaffinity(0))
    _write(root, "sys/devices/system/cpu/isolated", f"{own[-1]}\n")
    ((verdict, message),) = _told(cores.supervisor, _case(root))
    assert (verdict, message.rpartition(" (")[0]) == (
        "warning",
        "a supervisor started from here would run on isolated cores",
    )
    _write(root, "sys/devices/system/cpu/isolated", "4000\n")
    assert [verdict for verdict, _ in _told(cores.supervisor, _case(root))] == ["ok"]


@pytest.mark.parametrize(
    ("state", "status", "most", "verdict"),
    [(0, 0, 1000, "ok"), (5, 0, 1000, "warning"), (0, 0x40, 1000, "warning"), (0, 0, 600_000, "warning")],
)
def test_a_clock_that_nobody_keeps_right_is_told(state: int, status: int, most: int, verdict: str) -> None:
    assert clock.judge(state, status, most).verdict.value == verdict


def test_the_kernel_is_asked_for_the_clock(root: Path) -> None:
    ((_, message),) = _told(clock.synchronised, _case(root))
    assert "clock" in message


@pytest.mark.parametrize(
    ("options", "hidden"),
    [("rw,nosuid", None), ("rw,hidepid=2,gid=4", "hidepid=2"), ("rw,hidepid=invisible", "hidepid=invisible"),
     ("rw,hidepid=0", None), ("rw,hidepid=off", None)],
)  # fmt: skip
def test_a_proc_that_hides_processes_is_known_by_its_mount(options: str, hidden: str | None) -> None:
    assert processes.hiding(f"tmpfs /tmp tmpfs rw 0 0\nproc /proc proc {options} 0 0\n") == hidden


def test_of_two_mounts_on_proc_the_upper_one_is_seen() -> None:
    assert processes.hiding("proc /proc proc rw 0 0\nproc /proc proc rw,hidepid=2 0 0\n") == "hidepid=2"
    assert processes.hiding("proc /proc proc rw,hidepid=2 0 0\nproc /proc proc rw 0 0\n") is None


def test_limits_that_would_be_refused_are_told_before_a_start(root: Path) -> None:
    told = _told(privileges.resources, _case(root, _unit(resources=Resources(limits=(("core", -1), ("nofile", 1))))))
    assert [verdict for verdict, _ in told] == ["ok" if _may_be_unlimited(resource.RLIMIT_CORE) else "bad"]


def test_no_limit_on_descriptors_is_above_the_kernels(root: Path) -> None:
    _write(root, "proc/sys/fs/nr_open", "1000\n")
    few, many, all_ = (_unit(resources=Resources(limits=(("nofile", count),))) for count in (1000, 1001, -1))
    assert [_told(privileges.resources, _case(root, unit))[0] for unit in (few, many, all_)] == [
        ("ok", "its priority and limits are granted"),
        ("bad", "a limit nofile of 1001 would be refused: the kernel's most is 1000"),
        ("bad", "a limit nofile of unlimited would be refused: the kernel's most is 1000"),
    ]


def _may_be_unlimited(limit: int) -> bool:
    """Tell whether the kernel lets this process raise a limit, by trying."""
    before = resource.getrlimit(limit)
    try:
        resource.setrlimit(limit, (before[0], resource.RLIM_INFINITY))
        resource.setrlimit(limit, before)
    except (ValueError, OSError):
        return False
    return True


def test_keys_on_a_disk_are_told_where_there_are_any(root: Path) -> None:
    on_disk = Path("/proc/none")
    with_config = _unit(files=(File("/x.toml", "0" * 64),))
    assert _told(memory.configs_in_memory, _case(root, _unit(), home=on_disk)) == []
    ((verdict, _),) = _told(memory.configs_in_memory, _case(root, with_config, home=on_disk))
    assert verdict == "warning"


def test_damaged_records_are_a_finding_with_their_cure(root: Path) -> None:
    case = _case(root, home=root)
    assert case.home is not None
    case.home.prepare()
    assert _told(state.readable, case) == [("ok", f"the records in {case.home.state} are whole")]
    case.home.deployment.write_text('{"format": 1, "stack"')
    found = [finding for check, finding in examine(case) if check.name == "state"]
    assert [finding.verdict for finding in found] == [Verdict.BAD]
    assert found[0].where == str(case.home.deployment)
    assert found[0].cure


def test_every_check_that_refuses_an_up_is_told_by_doctor_too() -> None:
    told = {check.name for check in CHECKS if not check.only_up}
    assert {check.name for check in CHECKS if check.before_up} <= told


def test_secrets_that_a_start_could_not_have_are_told_with_a_cure(root: Path) -> None:
    sources = {
        "here": Secret(env="KEY"),
        "maybe": Secret(env="NOT_SET", optional=True),
        "gone": Secret(env="NOT_SET"),
        "tool": Secret(command=("no-such-program",)),
    }
    case = replace(_case(root), environ={"KEY": "hush", "PATH": "/bin"}, secrets=sources)

    assert _told(secrets.secrets, case) == [
        ("bad", "the secret gone: the variable NOT_SET is not set"),
        ("bad", "the secret tool: there is no program 'no-such-program' on the PATH"),
        ("ok", "could be read: here, maybe (optional, empty)"),
    ]


def test_a_source_in_git_needs_git_and_no_workspace_yet(root: Path) -> None:
    repository = Repository("https://example.org/up", "0" * 40, root / "sources")
    request = BuildRequest(start=root, store=None, repository=repository)
    (root / "bin").mkdir()
    case = replace(_case(root), environ={"PATH": f"{root}/bin"}, build=request)

    messages = [message for verdict, message in _told(tools.toolchain, case) if verdict == "bad"]
    assert "there is no program git on the PATH" in messages
    assert not any("no cargo workspace" in message for message in messages)
