"""`hftstack down` stops a connector: how long from the journal's `stopping` to its `exit`, and how often by force?

As root; as an ordinary user whose connector runs in a user namespace of its own; as an ordinary user without user
namespaces, which is had by an environment where `unshare` is not found. As root also under SCHED_FIFO. In each a stream
is connected, and there are three cases: no bot; a bot attached and fed up to the end, a foreign one that `--force`
passes over; and the stack's own bot, which is stopped just before, from whose exit the time is taken then.
`hftstack down` itself is timed too, on the paper stack of three units.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from bench import ground, options, programs, stackfiles
from bench.hftstack import CommandError, Hftstack, as_nobody, installed
from bench.report import Report
from bench.sample import Sample
from bench.ticks import first_tick
from orchestrator.supervise.process import user_namespaces_work

if TYPE_CHECKING:
    from pathlib import Path

    from bench.programs import Programs

_PATIENCE = 20.0
_GRACE = "10s"
_FIFO = {"scheduler": "fifo:10"}


class Bot(StrEnum):
    """The bot on the connector that is stopped."""

    NONE = "no bot"
    FOREIGN = "fed bot attached"
    OWN = "own bot just stopped"


@dataclass(slots=True)
class _Row:
    """A way to stop; `owner` is the user, None the one who runs the bench."""

    name: str
    stack: str
    hftstack: Hftstack
    folder: Path
    owner: int | None = None
    bot: Bot = Bot.NONE
    resources: dict[str, str] | None = None
    seconds: list[float] | None = None
    killed: int = 0

    def sample(self) -> Sample:
        seconds = tuple(self.seconds or ())
        return Sample(self.name, seconds, f"{self.killed} by SIGKILL" if seconds else "")


def stop_once(row: _Row, found: Programs) -> tuple[float, bool]:
    """Start a connector, stop it by `down`; return the seconds and whether it took a SIGKILL. Raises CommandError."""
    grace = _GRACE if row.bot is Bot.OWN else None
    port = programs.free_port()
    file = stackfiles.paper(row.folder, row.stack, found, port=port, grace=grace, resources=row.resources)
    row.hftstack.prepare(row.stack, found, row.owner)
    begun = time.time_ns()
    row.hftstack.run("up", "--no-build", file)
    if row.bot is Bot.OWN:
        first_tick(row.hftstack.stack(row.stack).logs / stackfiles.BOT, begun, _PATIENCE)
    bot = _attach(row, found) if row.bot is Bot.FOREIGN else None
    try:
        time.sleep(random.uniform(0.1, 0.3))  # noqa: S311 - spreads stops over the phases of what runs
        row.hftstack.run("down", row.stack, "--force", allowed=(0, 5))
    finally:
        if bot is not None:
            bot.kill()
            bot.wait()
    ground.reap()
    return _journaled(row)


def _attach(row: _Row, found: Programs) -> subprocess.Popen[bytes]:
    logs = row.folder / f"{row.stack}-bot"
    logs.mkdir(exist_ok=True)
    begun = time.time_ns()
    with (logs / f"{begun}.log").open("wb") as log:
        bot = subprocess.Popen(
            found.bot_command(), cwd=row.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=row.owner
        )
    try:
        first_tick(logs, begun, _PATIENCE)
    except BaseException:
        bot.kill()
        bot.wait()
        raise
    return bot


def _journaled(row: _Row) -> tuple[float, bool]:
    last = {(event.unit, event.what): event.at for event in row.hftstack.journal(row.stack)}
    asked, ended = last[programs.CONNECTOR, "stopping"], last[programs.CONNECTOR, "exit"]
    killed = last.get((programs.CONNECTOR, "killed"), 0.0) > asked
    return ended - max(asked, last.get((stackfiles.BOT, "exit"), 0.0)), killed


def down_once(row: _Row, found: Programs) -> tuple[float, bool]:
    """Start the whole paper stack; return the seconds of `hftstack down`, and whether the connector was killed."""
    file = stackfiles.paper(row.folder, row.stack, found, port=programs.free_port(), grace=_GRACE)
    row.hftstack.prepare(row.stack, found, row.owner)
    began = time.time_ns()
    row.hftstack.run("up", "--no-build", file)
    first_tick(row.hftstack.stack(row.stack).logs / stackfiles.BOT, began, _PATIENCE)
    begun = time.monotonic()
    row.hftstack.run("down", row.stack, allowed=(0, 5))
    seconds = time.monotonic() - begun
    ground.reap()
    return seconds, _journaled(row)[1]


def rows(place: ground.Ground) -> tuple[list[_Row], list[str]]:
    """Return the ways to stop that can be measured here, and why the others cannot."""
    nowhere = place.folder("nowhere")
    found: list[_Row] = []
    notes: list[str] = []

    def add(name: str, hftstack: Hftstack, owner: int | None = None, resources: dict[str, str] | None = None) -> None:
        for bot in Bot:
            number = len(found)
            stack = f"s{number}"
            folder = place.folder(stack, owner)
            found.append(_Row(f"{name}, {bot.value}", stack, hftstack, folder, owner, bot, resources, []))

    if os.geteuid() == 0:
        root = installed(place.path / "root")
        add("root", root)
        if _may_have_fifo():
            add("root, fifo:10", root, resources=_FIFO)
        else:
            notes.append("root, fifo:10 is not measured: SCHED_FIFO is refused here")
        owner = ground.NOBODY
        inside = as_nobody(place.folder("user", owner), "/usr/bin:/bin")
        outside = as_nobody(place.folder("plain", owner), str(nowhere))
        if inside is None or outside is None:
            notes.append("an ordinary user is not measured: setpriv and a Python that user 65534 may run are needed")
            return found, notes
        add("user, own namespace", inside, owner)
        add("user, no namespaces", outside, owner)
        return found, notes
    notes.append("root is not measured: run this as root for that column")
    if user_namespaces_work():
        add("user, own namespace", installed(place.path / "user"))
    else:
        notes.append("user, own namespace is not measured: user namespaces are not permitted here")
    outside = installed(place.path / "plain")
    outside.environ["PATH"] = str(nowhere)
    add("user, no namespaces", outside)
    return found, notes


def _may_have_fifo() -> bool:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    except OSError:
        return False
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True


def main() -> None:
    """Run the bench."""
    parser = options.parser("bench.stop", __doc__, n=50)
    options.add_programs(parser)
    chosen = parser.parse_args()
    found = programs.find(chosen.connector, chosen.rate)
    ground.seclude("bench.stop")
    with ground.Ground() as place:
        ways, notes = rows(place)
        whole = _Row("hftstack down, 3 units", "down", installed(place.path / "down"), place.folder("d"), seconds=[])
        measured = [(row, stop_once) for row in ways] + [(whole, down_once)]
        for _ in range(chosen.n):
            for row, once in measured:
                try:
                    seconds, killed = once(row, found)
                except CommandError as error:
                    notes.append(f"{row.name}: {str(error).splitlines()[-1].strip()}")
                    continue
                assert row.seconds is not None
                row.seconds.append(seconds)
                row.killed += killed
                place.clean_channels(row.folder)
        samples = tuple(row.sample() for row, _ in measured)
    Report(f"{found.connector.name} stopped", samples, tuple(dict.fromkeys(notes)), compared=False).show(chosen.format)


if __name__ == "__main__":
    main()
