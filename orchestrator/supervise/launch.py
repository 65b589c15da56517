"""Starting a guardian and its supervisor from the command line: detached, or in place of this process."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from orchestrator.errors import HftstackError, RefusedError
from orchestrator.supervise import lock
from orchestrator.supervise.guardian import command as guarding
from orchestrator.supervise.process import MARKER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.deployment.homes import StackHome

BOOT: Final = Path(__file__).with_name("boot.py")
_WITHIN: Final = 30.0
_KEPT: Final = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "HFTSTACK_HOME")
_MANAGED: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC")
"""What systemd tells its service's main process (sd_notify(3)); a detached supervisor has no business with it."""


def launch(home: StackHome, environ: Mapping[str, str], *, hold: bool = False, within: float = _WITHIN) -> None:
    """Start a supervisor in a session of its own and return when its socket listens, or another one's does.

    `hold`: it starts nothing that is down. `within` bounds the wait, in seconds. Raises HftstackError when it did not
    come up, RefusedError when it refused.
    """
    readable, writable = os.pipe()
    with home.supervisor_log.open("ab") as log:
        begun = log.tell()
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
        if select.select([readable], [], [], within)[0] and os.read(readable, 16):
            process.returncode = 0  # detached: it is nobody's to wait for
            return
    finally:
        os.close(readable)
    until = time.monotonic() + within
    while process.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    if is_guarded(home) and _listens(home, until):
        return
    said = home.supervisor_log.read_bytes()[begun:].decode(errors="replace").strip()
    kind = RefusedError if process.returncode == RefusedError.exit_code else HftstackError
    raise kind("the supervisor did not start", where=str(home.supervisor_log), detail=said or None)


def is_guarded(home: StackHome) -> bool:
    """Tell whether the stack has a supervisor, or a guardian that is about to start one."""
    return lock.holder(home.lock) is not None or lock.holder(home.guardian_lock) is not None


def _listens(home: StackHome, until: float) -> bool:
    while time.monotonic() < until:
        if home.socket.exists():
            return True
        time.sleep(0.005)
    return False


def become(
    home: StackHome, environ: Mapping[str, str], deployment: Path, by: Mapping[str, Any], plan: str | None
) -> NoReturn:
    """Replace this process by a supervisor in the foreground that brings a deployment in at once.

    The journal has it `by` whom, and the digest of the plan.
    """
    asked = json.dumps({"by": by, "plan": plan})
    words = command(home, "--foreground", "--deployment", str(deployment), "--asked", asked)
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
