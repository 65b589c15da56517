"""A stack as a service of systemd's: the text of its unit file, where that lies, installing it, and taking it out."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.deployment import lockfile
from orchestrator.errors import HftstackError, RefusedError
from orchestrator.resolve.environment import INHERITED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.stack.model import Stack

_OWN: Final = ("XDG_STATE_HOME", "HFTSTACK_HOME", "HFTBACKTEST_ROOT")
"""What a service has of the environment it was installed from, besides what units inherit: an `up` from there finds
nothing to change. The file is for all to read, so nothing else."""

_RESERVE: Final = 30.0
"""Seconds beyond all graces that an ordered down may take."""

_LINGERING: Final = Path("/var/lib/systemd/linger")

_TEXT: Final = """\
# {name}: written by `hftstack enable`; taken out by `hftstack disable {name}`
[Unit]
Description=hftstack {name}
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
# the supervisor speaks, a child of the main process, which is its guardian
NotifyAccess=all
ExecStart={start}
{environment}
{credentials}# an ordered down: bots first, each with its grace
TimeoutStopSec={stop:.0f}
# as long as the units' own `startup` bounds it
TimeoutStartSec=infinity
# a guardian that dies leaves the units running; the next start takes them over
KillMode=process
# units that ran before it did are moved into its control group
Delegate=yes
WatchdogSec=30
Restart=always
RestartSec=1
# not after `hftstack down`, nor for what only its owner can mend: usage, an invalid file, a refusal
RestartPreventExitStatus=0 2 3 7

[Install]
WantedBy={target}
"""


@dataclass(frozen=True, slots=True)
class Service:
    """The unit file of a stack; `is_system` tells whether the machine's manager runs it, or this user's own."""

    name: str
    is_system: bool
    folder: Path

    @property
    def unit(self) -> str:
        """Its name in systemd."""
        return f"hftstack-{self.name}.service"

    @property
    def file(self) -> Path:
        """Where it lies."""
        return self.folder / self.unit

    @property
    def systemctl(self) -> tuple[str, ...]:
        """The command that speaks with its manager."""
        return ("systemctl",) if self.is_system else ("systemctl", "--user")


def service(name: str, environ: Mapping[str, str], uid: int) -> Service:
    """Return the service of a stack: the machine's for root, the user's own otherwise (systemd.unit(5))."""
    if uid == 0:
        return Service(name, is_system=True, folder=Path("/etc/systemd/system"))
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME") or pwd.getpwuid(uid).pw_dir, ".config")  # noqa: PTH118 - HOME may be empty
    return Service(name, is_system=False, folder=Path(config) / "systemd/user")


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what a service has of the environment it is installed from."""
    return {key: environ[key] for key in (*INHERITED, *_OWN) if key in environ}


def text(stack: Stack, of: Service, environ: Mapping[str, str]) -> str:
    """Return the unit file of a stack. Raises RefusedError for a secret that a service could not get."""
    for name, secret in stack.secrets.items():
        if secret.env is not None:
            raise RefusedError(
                f"the secret {name} comes from the variable {secret.env}, which no service has",
                where=str(stack.file),
                hint=f"{name}: {{credential: {name}}}, as systemd keeps them, or {{file: PATH}}",
            )
    words = ["up", "--foreground", "--take-over", "--no-build"]
    if lockfile.path_of(stack.file).exists():
        words.append("--locked")
    credentials = sorted({secret.credential for secret in stack.secrets.values() if secret.credential is not None})
    return _TEXT.format(
        name=stack.name,
        start=" ".join(map(_quoted, [*program(), *words, str(stack.file)])),
        environment="\n".join(_environment_lines(environment(environ))),
        credentials="".join(f"LoadCredential={name}\n" for name in credentials),
        stop=_longest_stop(stack),
        target="multi-user.target" if of.is_system else "default.target",
    )


def _environment_lines(carried: Mapping[str, str]) -> list[str]:
    unset = [key for key in INHERITED if key not in carried]
    lines = [f"Environment={_quoted(f'{key}={value}', is_command=False)}" for key, value in carried.items()]
    return [*lines, f"UnsetEnvironment={' '.join(unset)}"] if unset else lines


def program() -> list[str]:
    """Return the command of the hftstack that runs."""
    script = Path(sys.executable).with_name("hftstack")
    if script.is_file():
        return [str(script)]
    return [sys.executable, "-c", "from orchestrator.cli.main import main; main()"]


def _longest_stop(stack: Stack) -> float:
    graces = [unit.stop.grace for unit in (*stack.connectors.values(), *stack.services.values(), *stack.bots.values())]
    return sum(graces) + _RESERVE


def _quoted(word: str, *, is_command: bool = True) -> str:
    """Return a word as systemd reads it back (systemd.service(5), systemd.syntax(7))."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("\n", "\\n")
    if is_command:
        escaped = escaped.replace("$", "$$")
    return f'"{escaped}"' if set(escaped) & set(" \t'\";\\") or not word else escaped


def refuse_logout(of: Service, uid: int, lingering: Path = _LINGERING) -> None:
    """Raise RefusedError when the user's manager, and the service with it, would end at the user's logout."""
    if of.is_system:
        return
    user = pwd.getpwuid(uid).pw_name
    if not (lingering / user).exists():
        raise RefusedError(
            f"{user} does not linger: the service would end with the last logout, and not start at boot",
            hint=f"loginctl enable-linger {user}",
        )


def install(of: Service, content: str) -> None:
    """Write the unit file and have it started at each boot. Raises RefusedError without a systemd."""
    _need_systemctl()
    try:
        of.folder.mkdir(parents=True, exist_ok=True)
        made = of.file.with_suffix(".new")
        made.write_text(content, encoding="utf-8")
        made.replace(of.file)
    except OSError as error:
        raise RefusedError(f"cannot write the unit file: {error.strerror}", where=str(of.file)) from None
    systemctl(of, "daemon-reload")
    systemctl(of, "enable", of.unit)


def is_installed(of: Service) -> bool:
    """Tell whether there is a unit file. Raises RefusedError without a systemd."""
    _need_systemctl()
    return of.file.exists()


def remove(of: Service) -> None:
    """Have it started no more, and remove the unit file."""
    systemctl(of, "disable", of.unit)
    of.file.unlink(missing_ok=True)
    systemctl(of, "daemon-reload")


def main_pid(of: Service) -> int:
    """Return the pid of the service's main process, a guardian; 0 while it does not run, or is not known."""
    return int(systemctl(of, "show", "--property=MainPID", "--value", of.unit).strip() or 0)


def _need_systemctl() -> None:
    if shutil.which("systemctl") is None:
        raise RefusedError("there is no systemctl: this machine has no systemd", hint="--print shows the unit file")


def systemctl(of: Service, *words: str) -> str:
    """Ask the service's manager; returns what it says. Raises HftstackError with its own words when it fails."""
    done = subprocess.run([*of.systemctl, *words], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise HftstackError(
            f"{' '.join([*of.systemctl, *words])} failed", detail=done.stderr.strip() or None, where=str(of.file)
        )
    return done.stdout
