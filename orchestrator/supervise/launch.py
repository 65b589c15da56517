"""Starting a guardian and its supervisor from the command line: detached, or in place of this process."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from orchestrator.errors import HftstackError, RefusedError
from orchestrator.supervise import lock
from orchestrator.supervise.guardian import command as guarding
from orchestrator.supervise.process import MARKER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.deployment.homes import StackHome

BOOT: Final = Path(__file__).with_name("boot.py")
_WITHIN: Final = 30.0
_LOOK: Final = 0.005
_ATTEMPTS: Final = 5
"""Guardians that are started in a row when each is killed before its supervisor listens."""

_KEPT: Final = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "HFTSTACK_HOME")
_MANAGED: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC")
"""What systemd tells its service's main process (sd_notify(3)); a detached supervisor has no business with it."""


def launch(home: StackHome, environ: Mapping[str, str], *, hold: bool = False, within: float = _WITHIN) -> None:
    """Start a supervisor in a session of its own and return when its socket listens, or another one's does.

    `hold`: it starts nothing that is down. `within` bounds the wait, in seconds. A guardian that is killed meanwhile is
    followed by another one: the supervisor that it leaves takes its place when units run, and leaves when none do.
    Raises HftstackError when none came up, RefusedError when it refused.
    """
    until = time.monotonic() + within
    with home.supervisor_log.open("ab") as log:
        begun = log.tell()
    code: int | None = None
    for _ in range(_ATTEMPTS):
        code = _started(home, environ, hold=hold, until=until)
        was_guarded = is_guarded(home)
        if code == 0 or _comes(home, until):
            return
        if (code is None or code > 0) and not was_guarded:
            break  # neither killed nor refused for one that has left since
    with home.supervisor_log.open("rb") as log:
        log.seek(begun)
        said = log.read().decode(errors="replace").strip()
    kind = RefusedError if code == RefusedError.exit_code else HftstackError
    why = ": its guardian is killed again and again" if code is not None and code < 0 else ""
    raise kind(f"the supervisor did not start{why}", where=str(home.supervisor_log), detail=said or None)


def _started(home: StackHome, environ: Mapping[str, str], *, hold: bool, until: float) -> int | None:
    """Start a guardian. Returns 0 when its supervisor listens, else its exit code, None when it hangs."""
    readable, writable = os.pipe()
    with home.supervisor_log.open("ab") as log:
        process = subprocess.Popen(
            command(home, *(["--hold"] if hold else []), ready=writable),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=environment(environ),
            pass_fds=(writable,),
            start_new_session=True,
        )
    os.close(writable)
    try:
        if select.select([readable], [], [], max(0.0, until - time.monotonic()))[0] and os.read(readable, 16):
            process.returncode = 0  # detached: it is nobody's to wait for
            return 0
    finally:
        os.close(readable)
    while process.poll() is None and time.monotonic() < until:
        time.sleep(_LOOK)
    return process.returncode


def is_guarded(home: StackHome) -> bool:
    """Tell whether the stack has a supervisor, or a guardian that is about to start one."""
    return lock.holder(home.lock) is not None or lock.holder(home.guardian_lock) is not None


def _comes(home: StackHome, until: float) -> bool:
    """Wait for the supervisor of another guardian, or one that takes its guardian's place; tell whether it listens."""
    while is_guarded(home):
        if home.socket.exists():
            return True
        if time.monotonic() > until:
            break
        time.sleep(_LOOK)
    return False


def become(home: StackHome, environ: Mapping[str, str], *arguments: str) -> NoReturn:
    """Replace this process by a guardian in the foreground; `arguments` are its first supervisor's."""
    words = command(home, "--foreground", *arguments)
    os.chdir("/")
    sys.stdout.flush()
    sys.stderr.flush()
    managed = {key: environ[key] for key in _MANAGED if key in environ}
    os.execve(words[0], words, environment(environ) | managed)  # noqa: S606 - the point: no shell, this very process


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what a supervisor may see of the caller's environment: nothing that could hold a key."""
    return {key: environ[key] for key in _KEPT if key in environ and key != MARKER}


def command(home: StackHome, *arguments: str, ready: int | None = None) -> list[str]:
    """Return the program of a stack's guardian; `arguments` are its supervisor's, `ready` a descriptor to say so on."""
    words = guarding(str(home.guardian_lock), home.name, *arguments, ready=ready)
    return [sys.executable, "-I", "-S", str(BOOT), *words]
