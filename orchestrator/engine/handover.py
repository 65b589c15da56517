"""A stack that runs becomes systemd's: its supervisor leaves, and the service's takes the units over as they run."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING, Final

from orchestrator.engine.connection import connect, wait_until_left
from orchestrator.engine.service import main_pid, systemctl
from orchestrator.errors import HftstackError
from orchestrator.observe.unsupervised import living
from orchestrator.supervise import lock
from orchestrator.supervise.launch import launch
from orchestrator.supervise.process import members

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.deployment.homes import StackHome
    from orchestrator.engine.service import Service

_WITHIN: Final = 30.0
_BETWEEN: Final = 0.01
_BUS: Final = "org.freedesktop.systemd1"
_MOVE: Final = (_BUS, "/org/freedesktop/systemd1", f"{_BUS}.Manager", "AttachProcessesToUnit", "ssau")


def is_managed(of: Service, home: StackHome) -> bool:
    """Tell whether the stack is supervised by its service."""
    guardian = lock.holder(home.guardian_lock)
    return bool(guardian) and guardian == main_pid(of)  # 0: it could not say who it is


def hand_over(of: Service, home: StackHome, environ: Mapping[str, str]) -> None:
    """Let the service supervise a stack that runs. Its units run on, unsupervised for as long as a start takes.

    Raises HftstackError when systemd does not take it over: it has a supervisor of its own again then.
    """
    _let_go(home, of.unit)
    try:
        _take_over(of, home)
    except HftstackError as error:
        launch(home, environ)  # a service that comes yet finds it supervised, and gives up
        raise HftstackError(
            f"systemd did not take {home.name} over; it is supervised by itself again, no unit was touched",
            detail=error.detail,
            where=str(of.file),
            hint=f"{' '.join(of.systemctl)} status {of.unit}",
        ) from None
    _move(of, home)


def take_back(home: StackHome, environ: Mapping[str, str]) -> None:
    """Let a supervisor of no service take the place of the service's; no unit is touched.

    A service without its file ends all that is in its control group as soon as its main process does. Raises
    HftstackError when the new supervisor does not come up: the units run on then, and `up` takes them over.
    """
    _let_go(home, "a supervisor of its own")
    launch(home, environ)


def _let_go(home: StackHome, to: str) -> None:
    client = connect(home)
    if client is not None:
        with client:
            client.call("hand_over", {"to": to})
            wait_until_left(client)
    until = time.monotonic() + _WITHIN
    while lock.holder(home.guardian_lock) is not None and time.monotonic() < until:
        time.sleep(_BETWEEN)


def _take_over(of: Service, home: StackHome) -> None:
    """Start the service and return when its supervisor listens. Raises HftstackError."""
    systemctl(of, "reset-failed", of.unit)
    starting = subprocess.Popen([*of.systemctl, "start", of.unit], stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + _WITHIN
    try:
        while time.monotonic() < until and not starting.poll():
            if is_managed(of, home) and home.socket.exists():
                return
            time.sleep(_BETWEEN)
    finally:
        starting.kill()
        _, said = starting.communicate()
    raise HftstackError("the service does not start", detail=said.strip() or None)


def _move(of: Service, home: StackHome) -> None:
    """Move the units out of the session that they were started in, with which systemd might end them."""
    pids = sorted({*living(home).values(), *members(home.marker)})
    scope = "--system" if of.is_system else "--user"
    words = ["busctl", scope, "call", *_MOVE, of.unit, "", str(len(pids)), *map(str, pids)]
    moved = subprocess.run(words, check=False, capture_output=True, text=True)
    if moved.returncode != 0:
        raise HftstackError(
            f"systemd supervises {home.name}, no unit was touched; but the units stay in the session they began in",
            detail=moved.stderr.strip() or None,
            hint="they are in danger where the end of a session ends its processes, until each has been restarted",
        )
