"""The faults by name. Each leaves the whole stack wanted; what it says is told with a round that fails."""

from __future__ import annotations

import os
import resource
import signal
import socket
import time
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Final

from tests.chaos import checker, written
from tests.chaos.clock import WHOSE
from tests.chaos.ground import DISK, MEMORY, Ground, NotHereError, send
from tests.chaos.stacks import CONNECTORS, WRITER, arm_file, burst_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Fault = Callable[[Ground], None]

_GARBAGE: Final = (
    b"\n" * 100,
    b"{" * 70_000,
    b'{"jsonrpc": "2.0", "id": 1, "method": "apply", "params": {"deployment": {}}}\n',
    b'{"jsonrpc": "2.0", "id": 1, "method": "stop", "params": {"units": "all", "timeout": -1}}\n',
    b'{"jsonrpc": "2.0", "id": [1], "method": 7}\n[]\nnull\n"status"\n',
    b'{"jsonrpc": "2.0", "id": 1, "method": "status"',
)
_TELL: Final = (
    ("status", "s"),
    ("status", "s", "--format", "json"),
    ("probe", "s"),
    ("events", "s"),
    ("gaps", "-s", "s"),
    ("history", "s"),
    ("logs", "-s", "s", "-n", "5"),
    ("wait", "-s", "s", "--timeout", "1s"),
)
_STRUCK: Final = (("unit",), ("supervisor",), ("guardian",), ("guardian", "supervisor"))
_HOUR: Final = 3600


# Kills


def _kill_units(ground: Ground) -> None:
    for _ in range(ground.chance.randint(1, 6)):
        ground.kill(ground.unit())
        ground.moment(0.2)


def _kill(*victims: str) -> Fault:
    def fault(ground: Ground) -> None:
        ground.kill(*victims)
        ground.moment()
        if len(victims) > 1:
            ground.up()

    return fault


def _kill_everything(ground: Ground) -> None:
    found = checker.processes(ground.machine.folder)
    ground.chance.shuffle(found)
    for process in found:
        send(process.pid, signal.SIGKILL)
    ground.said.append(f"SIGKILL to {[process.pid for process in found]}")
    ground.up()


def _kill_in_turn(ground: Ground) -> None:
    for _ in range(ground.chance.randint(2, 8)):
        ground.kill(ground.chance.choice((ground.unit(), "supervisor", "supervisor")))
        ground.moment(0.3)


def _kill_at_the_gate(ground: Ground) -> None:
    """Kill the supervisor while it starts a unit again: from its exit to the open gate it has some milliseconds."""
    for _ in range(ground.chance.randint(2, 5)):
        supervisors = ground.pids("supervisor")
        unit = ground.unit()
        killed = ground.kill(unit)
        time.sleep(ground.chance.uniform(0, 0.02))
        for pid in supervisors:
            send(pid, signal.SIGKILL)
        ground.said.append(f"SIGKILL to supervisor {supervisors} while it starts {unit} after {killed}")
        ground.moment(0.6)


def _kill_during_adoption(ground: Ground) -> None:
    """Kill supervisors, each as soon as it is there, while they take units over of which one has just ended."""
    ground.kill("guardian", "supervisor", ground.unit())
    begun = ground.begin_up()
    killed: set[int] = set()
    for _ in range(ground.chance.randint(1, 4)):
        delay = ground.chance.uniform(0, 0.25)
        until = time.monotonic() + 5
        while not (new := set(ground.pids("supervisor")) - killed) and time.monotonic() < until:
            time.sleep(0.005)
        time.sleep(delay)
        for pid in new:
            send(pid, signal.SIGKILL)
        killed |= new
        ground.said.append(f"SIGKILL to supervisor {sorted(new)}, {delay:.3f} s after it was seen")
    ground.end(begun)
    ground.up()


def _strike(ground: Ground) -> None:
    ground.kill(*(ground.unit() if who == "unit" else who for who in ground.chance.choice(_STRUCK)))


def _during_up(ground: Ground) -> None:
    ground.end(ground.begin("down", "s"))
    begun = ground.begin_up()
    time.sleep(ground.chance.uniform(0.2, 1.6))
    _strike(ground)
    ground.end(begun)
    ground.up()


def _during_down(ground: Ground) -> None:
    begun = ground.begin("down", "s")
    time.sleep(ground.chance.uniform(0.1, 0.8))
    _strike(ground)
    ground.end(begun)
    ground.end(ground.begin("down", "s"))
    ground.said += [f"wrong: left after down: {left}" for left in ground.remains()]
    ground.up()


def _during_rotation(ground: Ground) -> None:
    """Kill supervisors while they rotate what the writer pours out."""
    before = written.look(ground.machine.state / "logs" / WRITER)
    for _ in range(ground.chance.randint(2, 5)):
        burst_file(ground.machine.folder).touch()
        time.sleep(ground.chance.uniform(0.2, 0.8))
        ground.kill("supervisor")
        if ground.chance.random() < 0.3:
            ground.kill(WRITER)
    until = time.monotonic() + 20
    while (after := written.look(ground.machine.state / "logs" / WRITER)).archives <= before.archives:
        if time.monotonic() > until:
            ground.said.append(f"wrong: nothing was rotated: {before.archives} archives, then {after.archives}")
            break
        time.sleep(0.2)


# Processes that stand still


def _freeze(who: str) -> Fault:
    def fault(ground: Ground) -> None:
        frozen = ground.signal(signal.SIGSTOP, ground.unit() if who == "unit" else who)
        asks, strikes = ground.chance.random() < 0.5, ground.chance.random() < 0.5
        begun = [ground.begin("status", "s")] if asks else []
        if strikes:
            ground.kill(ground.unit())
        time.sleep(ground.chance.uniform(0, 2.5))
        for pid in frozen:
            send(pid, signal.SIGCONT)
        ground.end(*begun)

    return fault


# Commands


def _storm(ground: Ground) -> None:
    unit = ground.unit()
    up: tuple[str | Path, ...] = ("up", *ground.stack.up, ground.machine.file)
    words: list[tuple[str | Path, ...]] = [
        up,
        up,
        ("down", "s"),
        ("restart", unit),
        ("stop", unit),
        ("start", unit),
        ("reset", unit),
        ("upgrade", "s"),
        ("plan", ground.machine.file),
        *ground.chance.sample(_TELL, 2),
    ]
    begun = []
    for chosen in ground.chance.sample(words, ground.chance.randint(3, len(words))):
        begun.append(ground.begin(*chosen))
        ground.moment(0.4)
    if ground.chance.random() < 0.3:
        ground.kill("supervisor")
    ground.end(*begun)
    ground.up()


def _halt(ground: Ground) -> None:
    """Halt a stack whose supervisor is hit meanwhile: nothing of it may run until it is resumed."""
    hit = ground.chance.choice(("", "supervisor", "guardian", "both", "frozen"))
    frozen = ground.signal(signal.SIGSTOP, "supervisor") if hit == "frozen" else []
    begun = ground.begin("halt", "--reason", "chaos")
    time.sleep(ground.chance.uniform(0.05, 0.4))
    ground.kill(*{"both": ("guardian", "supervisor"), "": (), "frozen": ()}.get(hit, (hit,)))
    ground.end(begun)
    for pid in frozen:
        send(pid, signal.SIGCONT)
    ground.end(ground.begin("halt", "--reason", "chaos, again"))
    ground.said += [f"wrong: left after halt: {left}" for left in ground.remains()]
    refused = ground.begin_up()
    ground.end(refused)
    if refused.process.returncode != 7:
        ground.said.append(f"wrong: up of what is halted exits {refused.process.returncode}: {refused.told()}")
    ground.end(ground.begin("resume", "--reason", "chaos is over"))
    ground.up()


def _garbage(ground: Ground) -> None:
    for _ in range(ground.chance.randint(1, 10)):
        text = ground.chance.choice((*_GARBAGE, ground.chance.randbytes(ground.chance.randint(1, 5000))))
        reads = ground.chance.random() < 0.5
        with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(str(ground.machine.runtime / "control.sock"))
            connection.sendall(text)
            if reads:
                connection.recv(100)
    ground.kill(ground.unit())


# What runs out


def _without_descriptors(ground: Ground) -> None:
    limits = {}
    spare = ground.chance.randint(1, 4)
    for pid in ground.pids("supervisor"):
        with suppress(OSError):
            limits[pid] = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            few = max(int(entry.name) for entry in os.scandir(f"/proc/{pid}/fd")) + spare
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, limits[pid][1]))
            ground.said.append(f"supervisor {pid} may open {few} descriptors")
    for _ in range(ground.chance.randint(1, 3)):
        ground.kill(ground.unit())
        ground.moment(0.3)
    ground.end(ground.begin("status", "s"))
    for pid, limit in limits.items():
        with suppress(OSError):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)


def _full_disk(ground: Ground) -> None:
    ground.may_fill(DISK)
    ground.filled = True
    ballast = ground.fill(DISK)
    victim = ground.chance.choice((ground.unit(), "supervisor"))
    burst = ground.chance.random() < 0.5
    ground.kill(victim)
    if burst:
        with suppress(OSError):
            burst_file(ground.machine.folder).touch()
    ground.moment(2)
    ballast.unlink()
    ground.up()


def _full_memory(ground: Ground) -> None:
    """Fill /dev/shm while channels are probed in it, and while what was killed wants to begin there."""
    ground.may_fill(MEMORY)
    ballast = ground.fill(MEMORY)
    victims = [ground.unit() for _ in range(ground.chance.randint(0, 2))]
    for victim in victims:
        ground.kill(victim)
        ground.moment(0.5)
    ground.end(ground.begin("status", "s"), ground.begin("probe", "s"))
    ground.moment(2)
    ballast.unlink()
    if ground.stack.port == 0:
        ground.up()
    else:
        # a real connector that began with too little memory may hang, and is another one only when `startup` is over
        ground.end(ground.begin_up())


# Records and clocks


def _lose_journal(ground: Ground) -> None:
    """Take the journal from a supervisor that has it open; cut, its mapped part ends that one, and the next comes."""
    lost = ground.chance.choice(("deleted", "overwritten", "cut"))
    for name in ("journal.db", "journal.db-shm", "journal.db-wal"):
        file, noise = ground.machine.state / name, ground.chance.randbytes(5000)
        with suppress(OSError):
            if lost == "deleted":
                file.unlink()
            elif lost == "cut":
                os.truncate(file, file.stat().st_size // 2)
            else:
                with file.open("r+b") as open_file:
                    open_file.write(noise)
    ground.said.append(f"journal {lost}")
    ground.kill(ground.unit())
    ground.moment()
    ground.kill("supervisor")


def _step_clock(ground: Ground) -> None:
    """Move the wall clock by hours: nobody may be restarted for it, and what is killed afterwards comes back."""
    whose = ground.chance.choice((*((one,) for one in WHOSE), WHOSE))
    seconds = [ground.chance.choice((-1, 1)) * ground.chance.randint(_HOUR, 30 * _HOUR) for _ in range(2)]
    if ground.clocks is None:
        raise NotHereError("no C compiler")
    before = {unit: ground.pids(unit) for unit in ground.stack.units}
    for step in seconds:
        for one in whose:
            ground.clocks.step(one, step)
        ground.said.append(f"the clock of {' and '.join(whose)} was moved by {step} s")
        time.sleep(1.5)  # longer than `stale_after`
    after = {unit: ground.pids(unit) for unit in ground.stack.units}
    if after != before:
        ground.said.append(f"wrong: a step of the clock changed {before} to {after}")
    ground.kill(ground.unit())
    if ground.chance.random() < 0.5:
        ground.kill("supervisor")


# Feeds


def _silence(ground: Ground) -> None:
    """Let a simulated connector, and those that follow it, send nothing for a while."""
    connector = ground.unit(CONNECTORS)
    file = arm_file(ground.machine.folder, connector)
    file.touch()
    ground.said.append(f"{connector} is silent")
    time.sleep(ground.chance.uniform(0.1, 3))
    file.unlink()


def _exchange(ground: Ground, path: str) -> None:
    with closing(HTTPConnection("127.0.0.1", ground.stack.port, timeout=5)) as connection:
        try:
            connection.request("POST", f"/control/{path}")
            ground.said.append(f"exchange {path}: {connection.getresponse().status}")
        except (OSError, HTTPException) as error:
            ground.said.append(f"wrong: the exchange does not answer {path}: {error!r}")


def _drop_exchange(ground: Ground) -> None:
    for _ in range(ground.chance.randint(1, 3)):
        _exchange(ground, "drop")
        ground.moment(1.5)


def _silent_exchange(ground: Ground) -> None:
    _exchange(ground, "silent?on=1")
    time.sleep(ground.chance.uniform(0.1, 4))
    _exchange(ground, "silent?on=0")


def _refusing_exchange(ground: Ground) -> None:
    _exchange(ground, "refuse?on=1")
    _exchange(ground, "drop")
    kills = ground.chance.random() < 0.5
    if kills:
        ground.kill(ground.unit(CONNECTORS))
    time.sleep(ground.chance.uniform(0.5, 4))
    _exchange(ground, "refuse?on=0")


def _unreachable_exchange(ground: Ground) -> None:
    """Let the exchange's kernel take connections that nobody answers."""
    frozen = ground.signal(signal.SIGSTOP, "exchange")
    kills = ground.chance.random() < 0.5
    if kills:
        ground.kill(ground.unit(CONNECTORS))
    time.sleep(ground.chance.uniform(0.5, 4))
    for pid in frozen:
        send(pid, signal.SIGCONT)


_EVERYWHERE: Final[dict[str, Fault]] = {
    "kill units": _kill_units,
    "kill the supervisor": _kill("supervisor"),
    "kill the guardian": _kill("guardian"),
    "kill both": _kill("guardian", "supervisor"),
    "kill all at once": _kill_everything,
    "kill supervisors and units in turn": _kill_in_turn,
    "kill at the gate": _kill_at_the_gate,
    "kill during adoption": _kill_during_adoption,
    "kill during up": _during_up,
    "kill during down": _during_down,
    "kill during a log rotation": _during_rotation,
    "freeze a unit": _freeze("unit"),
    "freeze the supervisor": _freeze("supervisor"),
    "freeze the guardian": _freeze("guardian"),
    "storm of commands": _storm,
    "halt and resume": _halt,
    "garbage on the socket": _garbage,
    "no descriptors left": _without_descriptors,
    "full disk": _full_disk,
    "full shared memory": _full_memory,
    "journal lost": _lose_journal,
    "clock steps": _step_clock,
}
FAULTS: Final[dict[str, dict[str, Fault]]] = {
    "simulator": {**_EVERYWHERE, "silent connector": _silence},
    "paper": {
        **_EVERYWHERE,
        "exchange drops": _drop_exchange,
        "exchange silent": _silent_exchange,
        "exchange refuses": _refusing_exchange,
        "exchange unreachable": _unreachable_exchange,
    },
}
"""The faults of each stack. A seed draws from these names, whatever the machine can play."""
