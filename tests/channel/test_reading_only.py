"""What the probe asks of the kernel, as strace sees it."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.channel import Verdict
from tests.children import until
from tests.wheels import LATEST

if TYPE_CHECKING:
    from tests.channel.look import Look
    from tests.children import Children

_REPOSITORY = Path(__file__).parent.parent.parent
_PROGRAM = """
import sys
from pathlib import Path
from orchestrator.channel import Nodes, Probe, locate
location = locate(Path.cwd(), None)
nodes, probe = Nodes(location), Probe(location, "bf")
for pid in (int(sys.argv[1]), None, int(sys.argv[1])):
    nodes.refresh()
    print(probe.scan(nodes, pid=pid).verdict, nodes.tagged("0" * 40))
    print(probe.fast(), probe.bots())
probe.forget(int(sys.argv[1]))
probe.close()
nodes.close()
"""


@pytest.fixture
def strace() -> str:
    found = shutil.which("strace")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("strace is missing: apt-get install strace")
        pytest.skip("strace is missing: apt-get install strace")
    return found


@pytest.mark.parametrize("version", LATEST)
def test_the_probe_opens_nothing_for_writing_and_maps_nothing(
    children: Children, look: Look, home: Path, strace: str
) -> None:
    connector = children.sim("connector", "bf")
    look.until(Verdict.LIVE, connector.pid)
    bot = children.sim("bot", "bf")
    until(lambda: bot.lines("first tick"))
    trace = home / "trace"
    probe = children.start(
        *(strace, "-f", "-y", "-s", "512", "-o", trace),
        *("-e", "trace=%file,%desc,mmap,ftruncate"),
        *(sys.executable, "-c", _PROGRAM, str(connector.pid)),
        env={"PYTHONPATH": str(_REPOSITORY)},
    )
    assert probe.wait(60) == 0
    assert probe.output().startswith("live")
    assert f"BotLink(pid={bot.pid}, " in probe.output()
    ours = (str(home / "iox"), f"/dev/shm/{look.location.prefix}")
    calls = [
        (match[1], line)
        for line in trace.read_text(encoding="utf-8", errors="replace").splitlines()
        if any(place in line for place in ours) and (match := re.match(r"\d+ +(\w+)\(", line))
    ]
    opened = [line for name, line in calls if name in {"open", "openat"}]
    assert any(".service" in line for line in opened)
    assert any(".connection" in line for line in opened)
    assert any(".node_monitor" in line for line in opened)
    assert [line for line in opened if not re.search(r"O_RDONLY[^_]", line)] == []
    assert [line for line in opened if re.search(r"O_(CREAT|TRUNC|WRONLY|RDWR|APPEND)", line)] == []
    assert [line for name, line in calls if name.startswith("fcntl") and "F_GETLK" not in line] == []
    looking = (
        r"open|openat|close|f?stat|fstatat\d*|newfstatat|statx|read|pread64|preadv2?|fcntl|getdents64|readlink(at)?"
    )
    assert {name for name, _ in calls if not re.fullmatch(looking, name)} == set()
