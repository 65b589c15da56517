"""The gate: a child has a pid and all that the supervisor sets from outside before the unit's program begins."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.supervise.process import Process, SpawnError, found_in_proc, ignored_signals, own_user_namespace

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

UNOPENED: Final = 125
"""Exit code of a child whose gate was never opened."""

_GATE: Final = (
    f"IFS= read -r HFTSTACK_UNIT || exit {UNOPENED}; "
    'if [ "${HFTSTACK_UNIT#* }" ] && true >>"$2/${HFTSTACK_UNIT#* }"; '
    'then exec >>"$2/${HFTSTACK_UNIT#* }" 2>&1; fi; '
    'cd -- "$1" || exit 126; unset OLDPWD; '
    'if [ "$3" ]; then echo "$3" >/proc/self/timerslack_ns; fi; '
    'HFTSTACK_UNIT="$4-${HFTSTACK_UNIT%% *}/$$"; export HFTSTACK_UNIT; shift 4; exec "$@" </dev/null'
)
"""The unit's program begins when the supervisor has recorded its pid and opened the gate, by an instant and a log.

The write end of the pipe at descriptor 0 is the supervisor's alone: when it dies, `read` fails and the child leaves.
`true` tries the log: a redirection that fails ends the shell with `exec`, and trading goes on without a log. Timer
slack is the shell's own to set: from outside the write needs CAP_SYS_NICE, and exec keeps the value. Only the program
carries the marker in its environment: no scan takes a child behind its gate for the unit's process, or a member of it.
"""


@dataclass(frozen=True, slots=True)
class Command:
    """What to start, and with what around it. `cwd` and `logs` are absolute folders; `env` is all of it."""

    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str]
    marker: str
    logs: str
    timer_slack: int | None = None
    own_user_namespace: bool = False


class Gated:
    """A child that waits behind its gate: a process with a pid, and nothing of the unit's program run yet."""

    __slots__ = ("_gate", "_line", "process")

    def __init__(self, process: Process, gate: int) -> None:
        self.process = process
        self.process.begun = False
        self._gate = gate
        self._line = b"0 \n"

    def begin_at(self, instant: int, log: Path | None) -> None:
        """Decide what the record must tell before the gate opens.

        `instant` is nanoseconds since boot, and goes into the marker: the process may be older than what it runs.
        `log` lies in the command's folder of logs, and the program writes to its end; None: nowhere.
        """
        before, _, pid = self.process.marker.rpartition("/")
        self.process.marker = f"{before}-{instant:x}/{pid}"
        self.process.log = os.devnull if log is None else str(log)
        self._line = f"{instant:x} ".encode() + (b"" if log is None else os.fsencode(log.name)) + b"\n"

    def open(self) -> None:
        """Let the unit's program begin."""
        with suppress(BrokenPipeError):
            os.write(self._gate, self._line)
        os.close(self._gate)
        self.process.begun = True

    def abandon(self) -> None:
        """Make the child leave without having begun; whoever reaps orphans reaps it."""
        os.close(self._gate)
        self.process.signal(signal.SIGKILL)


def spawn(command: Command, ignored: Collection[signal.Signals] | None = None) -> Gated:
    """Start a child behind its gate, in a session of its own, default dispositions, an empty signal mask.

    Its output goes straight to the log file, never through us. `ignored` is what `ignored_signals` has said to one who
    starts many and ignores none of its own. Raises SpawnError.
    """
    prefix = own_user_namespace() if command.own_user_namespace else ()
    slack = "" if command.timer_slack is None else str(command.timer_slack)
    gate = ("/bin/sh", "-c", _GATE, "gate", command.cwd, command.logs, slack, command.marker)
    argv = [*prefix, *gate, *command.argv]
    try:
        waiting, opening = os.pipe()
        try:
            pid = os.posix_spawn(
                argv[0],
                argv,
                dict(command.env),
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, waiting, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                ],
                setsid=True,
                setsigmask=[],
                setsigdef=ignored_signals() if ignored is None else ignored,
            )
        except OSError:
            os.close(opening)
            raise
        finally:
            os.close(waiting)
    except OSError as error:
        raise SpawnError(f"cannot start a process: {error.strerror}") from None
    try:
        found = found_in_proc(pid)
        pidfd = -1 if found is None else os.pidfd_open(pid)
    except OSError as error:
        os.close(opening)
        raise SpawnError(f"cannot watch a process: {error.strerror}") from None
    if found is None:
        os.close(opening)
        raise SpawnError("cannot watch a process: it has no entry in /proc")
    return Gated(Process(found, pidfd, child=True, marker=f"{command.marker}/{pid}", log=None), opening)
