"""Giving a running stack the supervisor of this installation, no unit touched."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

from orchestrator.control.client import Client, NotSupervisedError
from orchestrator.engine.connection import connect, wait_until_left
from orchestrator.errors import HftstackError, RefusedError
from orchestrator.supervise.launch import BOOT

if TYPE_CHECKING:
    from orchestrator.deployment.homes import StackHome

_WITHIN: Final = 30.0
_BETWEEN: Final = 0.01
_TRY: Final = "import sys; sys.path.insert(0, sys.argv[1]); import orchestrator.supervise.main"


def upgrade(home: StackHome) -> tuple[int, int]:
    """Replace the stack's guardian and supervisor by this installation's. Returns the supervisors' pids, old and new.

    Raises RefusedError when nobody supervises the stack, it is being changed, or this installation cannot supervise,
    HftstackError when the new supervisor does not come up: the units run on then, and `up` takes them over.
    """
    client = connect(home)
    if client is None:
        raise RefusedError(f"{home.name} is not supervised", hint="`hftstack up` supervises it, with this version")
    _try_out()
    with client:
        before = int(client.call("upgrade", {"python": sys.executable, "boot": str(BOOT)})["pid"])
        wait_until_left(client)
    until = time.monotonic() + _WITHIN
    while time.monotonic() < until:
        try:
            with Client(home.socket, timeout=_WITHIN) as later:
                if later.pid != before:
                    return before, later.pid
        except NotSupervisedError:
            pass
        time.sleep(_BETWEEN)
    raise HftstackError(
        "the new supervisor does not answer; the units run on",
        where=str(home.supervisor_log),
        hint="`hftstack up` takes them over",
    )


def _try_out() -> None:
    """Load what a supervisor loads, before the old one lets go."""
    command = [sys.executable, "-I", "-S", "-c", _TRY, str(BOOT.parents[2])]
    tried = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if tried.returncode != 0:
        last = tried.stderr.strip().splitlines()[-1:]
        raise RefusedError(
            "this installation cannot supervise", detail="\n".join(last) or None, hint="install it again"
        )
